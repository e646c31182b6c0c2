#ifndef GROUPS_H_
#define GROUPS_H_

#include <stddef.h>
#include <stdint.h>

#include "leaf.h"

/*
 * Leaves of a disk in, in order, and the digests of its groups out, in order and without gaps: what a compare
 * bundle holds, and what it is held against.
 */
#define GROUPS_BATCH (1u << 17) /* digests that are handed on at a time: 8 GiB of disk */

struct groups {
	const struct leaf_secret *secret;
	/* Gets n digests from group first on: 0; 1, said; -1.  Every batch but the last is full. */
	int (*take)(void *context, uint64_t first, size_t n, const uint64_t *digests);
	void *context;
	uint64_t blocks; /* of the disk */
	/* Set here: */
	uint64_t first; /* group of the batch's first digest */
	uint64_t at;    /* the group that is being filled; all before it are in the batch */
	uint64_t leaves[LEAF_GROUP];
	uint64_t *batch;
};

/* Groups in a disk of that size. */
uint64_t groups_of(uint64_t size);

/* For a disk of that size; secret, take and context are set.  0 or -1, said. */
int groups_start(struct groups *G, uint64_t size);

/* The leaves of n blocks from start on; blocks left out before it are zero.  0; 1 or -1 as take says. */
int groups_add(struct groups *G, uint64_t start, size_t n, const uint64_t *leaves);

/* All were given: hand on what is left. */
int groups_end(struct groups *G);

void groups_free(struct groups *G);

#endif
