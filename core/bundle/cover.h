#ifndef COVER_H_
#define COVER_H_

#include <stdint.h>

#include "bounds.h"
#include "bundle/foldmap.h"

/*
 * The segments of several deltas that are laid over one another, and the question what is still to be seen of
 * the lower ones.  Each layer's segments ascend by disk and offset, and it is asked about them in that order;
 * so it only ever looks at the few that lie where the question is.
 */
struct cover_layer {
	uint64_t first, n; /* its notes in the catalog */
	uint64_t at;       /* the first one that ends behind the segment asked about */
	struct foldmap_page page;
};

struct cover {
	const struct foldmap *catalog;
	unsigned n;
	struct cover_layer layers[LIMIT_PARTS]; /* lowest first */
};

/* What is asked about in a segment: each block of its data, and each of its other extents. */
#define COVER_UNITS (LIMIT_DATA / LIMIT_BLOCK + LIMIT_EXTENTS)

struct cover_units {
	uint32_t nextents, n, nhidden;
	struct extent extents[LIMIT_EXTENTS];
	uint32_t first[LIMIT_EXTENTS]; /* the first unit of each extent */
	uint8_t is_hidden[COVER_UNITS];
};

/* Begin to ask about the segments of a layer. */
void cover_begin(struct cover *C);

/* Does a segment of another layer overlap s of a layer: one of a higher layer; one of any layer?  1, 0; -1. */
int cover_is_below(struct cover *C, unsigned layer, const struct note *s);
int cover_is_touched(struct cover *C, unsigned layer, const struct note *s);

/* Do higher segments that are one extent each hide all of s, gaps and all?  1, 0; -1. */
int cover_hides(struct cover *C, unsigned layer, const struct note *s);

/* Set u to the units of a segment, none hidden; its extents and their number are set already. */
void cover_count(struct cover_units *u);

/* Set *n to the extents of s, as far as they are known; whether they are: 1, 0; -1. */
int cover_extents(const struct cover *C, const struct note *s, struct cover_units *u);

/* Hide the units of s that lie below known extents of higher layers.  0 or -1. */
int cover_hide(struct cover *C, unsigned layer, const struct note *s, struct cover_units *u);

#endif
