#ifndef CUT_H_
#define CUT_H_

#include "bundle/segment.h"
#include "disk/leaves.h"
#include "disk/ranges.h"
#include "disk/source.h"
#include "primary/export.h"
#include "primary/primary.h"

struct against;
struct live;

/* What an export is about: for whom, from which point on, and which blocks may have changed. */
struct cut {
	const struct site *S;
	const struct export_options *o;
	struct primary *P;
	enum segment_level level; /* as o says, or else the record */
	int is_plain;
	unsigned ntargets;
	struct primary_target *targets[LIMIT_TARGETS];
	struct against *against; /* a comparison that takes the place of base and maps, or NULL */
	struct live *live; /* the VM at a host that can tell; or NULL: its disks are all that is known */
	uint64_t base;     /* the point that the bundle starts from; 0: a seed */
	struct source *sources[LIMIT_DISKS];
	struct leaves *leaves[LIMIT_DISKS]; /* at the newest point */
	struct leaf_sum sums[LIMIT_DISKS];  /* over these leaves, as they are */
	char *definition; /* the VM's, as its host tells it, or as it did when it last could; or NULL */
	int is_lost; /* they are not those of the newest point: no older point can be started from any more */
	struct ranges must[LIMIT_DISKS];  /* blocks that changed from the base to the newest point: carried */
	struct ranges maybe[LIMIT_DISKS]; /* blocks that may have changed since: carried if they did */
};

/* In this order.  Each: 0; 1, said; -1. */

/* Open the VM's record (or take P, which is open), and ask its role whether a point may be cut as o says. */
int cut_begin(struct cut *c, const struct site *S, const struct export_options *o, struct primary *P);

/* The same without asking: the answer is to be known, and nothing is cut. */
void cut_describe(struct cut *c, const struct site *S, const struct export_options *o, struct primary *P);

/**
 * The sites that the bundle is for: --to, else those of enable and extend (but, unless it is a seed, one that has
 * nothing yet where another has), else the only one that is known; and who is reached by way of them.
 */
int cut_choose_targets(struct cut *c);

/* Leave those out that the header H of a bundle, which is gone on with, is not for. */
void cut_only_named(struct cut *c, const struct header *H);

/* Those targets, as the bits of a shipment. */
uint32_t cut_targets(const struct cut *c);

/* Where it starts. */
int cut_choose_base(struct cut *c);

int cut_open_disks(struct cut *c);

/* Is it a seed, whole or against adopted disks? */
int cut_is_seed(const struct cut *c);

/* The leaves alone. */
int cut_open_leaves(struct cut *c);

/* Set must and maybe. */
int cut_find_changes(struct cut *c);

/* The same by comparing, whatever --changes says; or must alone, where nothing can have changed since. */
int cut_find_by_comparing(struct cut *c);
int cut_find_known(struct cut *c);

/* Close the disks and forget the sets; P stays. */
void cut_close(struct cut *c);

/* Close all, P too. */
void cut_free(struct cut *c);

#endif
