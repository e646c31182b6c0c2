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

/* Make new, empty ones of the sizes in H, in place of what is there; or open those there are.  0 or -1. */
int disks_create(struct disks *D, const struct replica *R, const struct header *H);
int disks_open(struct disks *D, const struct replica *R);

/* Write a segment's extents and their leaves. */
int disks_apply(struct disks *D, const struct unpacked *u);

/* Make all of it durable, the folder entries too. */
int disks_sync(const struct disks *D, const struct replica *R);

void disks_close(struct disks *D);

/* Change sum by what the segment changes, given the leaves before; add the blocks that differ to differ. */
int disks_sum(const struct leaves *before, const struct leaf_secret *secret, const struct unpacked *u,
    struct leaf_sum *sum, struct ranges *differ);

/* Add the leaves of a segment of a seed to sum: there was nothing before. */
void disks_sum_new(const struct leaf_secret *secret, const struct unpacked *u, struct leaf_sum *sum);

/* As disks_sum, for the blocks from a disk's new end on, which are no more. */
int disks_sum_cut(const struct leaves *before, const struct leaf_secret *secret, uint64_t size,
    uint64_t old_size, struct leaf_sum *sum, struct ranges *differ);

#endif
