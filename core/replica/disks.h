#ifndef DISKS_H_
#define DISKS_H_

#include "bundle/unpack.h"
#include "disk/image.h"
#include "disk/leaves.h"
#include "disk/ranges.h"
#include "replica/replica.h"

/* A replica's disks and leaves, open together, for whoever changes them. */
struct disks {
	unsigned n;
	struct image *images[LIMIT_DISKS];
	struct leaves *leaves[LIMIT_DISKS];
};

/**
 * Make new, empty ones of the sizes in H, in place of what is there; or open those there are.  0; 1, said, where somebody
 * has one in use or it takes no disk; -1; with nothing to close but on 0.
 */
int disks_create(struct disks *D, const struct replica *R, const struct header *H);
int disks_open(struct disks *D, const struct replica *R);

/* Write a segment's extents and their leaves. */
int disks_apply(struct disks *D, const struct unpacked *u);

/* Make all of it durable, the folder entries too. */
int disks_sync(const struct disks *D, const struct replica *R);

void disks_close(struct disks *D);

/* What comes of a disk's leaves, before anything is written. */
struct disks_tally {
	const struct leaves *before;
	struct leaves
	    *over; /* where the same blocks can come again: empty at first, holds what came; else NULL */
	const struct leaf_secret *secret;
	struct leaf_sum *sum;
	struct ranges *differ; /* NULL: not asked */
};

/* Change the sum by what the segment changes; add the blocks that differ from what was or came before. */
int disks_sum(const struct disks_tally *t, const struct unpacked *u);

/* Add the leaves of a segment of a seed to sum: there was nothing before. */
void disks_sum_new(const struct leaf_secret *secret, const struct unpacked *u, struct leaf_sum *sum);

/* As disks_sum, for the blocks from a disk's new end on, which are no more. */
int disks_sum_cut(const struct disks_tally *t, uint64_t size, uint64_t old_size);

#endif
