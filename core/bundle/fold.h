#ifndef FOLD_H_
#define FOLD_H_

#include <stdint.h>

#include "bounds.h"
#include "bundle/foldmap.h"
#include "bundle/cover.h"
#include "bundle/segment.h"
#include "bundle/writer.h"
#include "header.h"

/*
 * Fold the segments of several deltas into one that has a part for each of them.  A segment is copied unread, but
 * held against its digest, where nothing newer lies over it, and left out where newer ones hide all of it.  In
 * between, where its part can be read, the blocks that are still to be seen are encoded once more, under the same
 * key and in the same place; where it cannot be read, it is copied: later parts win anyhow.
 */

#define FOLD_FILES 128u

/* A volume of a bundle, open for reading anywhere in it. */
struct fold_file {
	int fd;
	const char *name;
	uint8_t key[RECORD_KEY]; /* who signed it */
};

struct fold_part {
	struct segment_crypt crypt;
	int is_readable; /* crypt has its key, or it is in clear */
	int is_mixed;    /* its segments of several extents may have zeroes in them */
	const struct header
	    *of; /* the bundle it is from: the sizes of the disks that its segments were made for */
};

struct fold {
	unsigned nfiles;
	struct fold_file files[FOLD_FILES];
	struct fold_part parts[LIMIT_PARTS]; /* of each layer of the cover */
	struct foldmap *catalog;
	struct cover cover;
	const struct header *header; /* of the result */
	struct writer *writer;
	struct trailer
	    *trailer; /* of the result: its data is counted here, and zeroes left out are taken off */
	enum segment_level level;
	uint64_t total; /* bytes of payload in all inputs, for the progress */
	/* Out: segments copied, left out, encoded once more. */
	uint64_t copied, hidden, renewed;
	/* Bytes of zeroes in what was left out, as the step that fills found, and the one that drains. */
	uint64_t zero_filled, zero_drained;
};

/* Can each segment be carried as it is, or read?  0; 1, said; -1.  To be called first, with all set but the writer. */
int fold_prepare(struct fold *F);

/* Write the segments: 0; 1, said, if an input is not what it says; -1. */
int fold_run(struct fold *F);

#endif
