#ifndef SCAN_H_
#define SCAN_H_

#include <stdint.h>

#include "disk/leaves.h"
#include "disk/ranges.h"
#include "disk/source.h"
#include "leaf.h"

/*
 * Read a whole disk, on all cores, and hold it against its leaves.  This finds what changed without any
 * tracking, and proves what should not have changed.
 */

/**
 * Set *sum to the sum over S's leaves, and add the blocks that differ from leaves to *differ, which is sorted
 * then; leaves and differ may both be NULL.  what is the word for the progress.  0 or -1.
 */
int scan_disk(const struct source *S, const struct leaf_secret *secret, const struct leaves *leaves,
    const char *what, struct leaf_sum *sum, struct ranges *differ);

/* The same with all that can be asked for. */
struct scan_job {
	const struct source *source;
	const struct leaf_secret *secret;
	const struct leaves *leaves; /* or NULL */
	const char *what;
	struct leaf_sum *sum;
	struct ranges *differ; /* or NULL, without leaves */
	/* Gets the leaves of n blocks from start on, in order; the blocks between are zero: 0; 1, said; -1. */
	int (*take)(void *context, uint64_t start, size_t n, const uint64_t *now); /* or NULL */
	void *context;
};

/* 0; 1 as take says; -1. */
int scan_run(const struct scan_job *job);
/* The sum over the leaves of what lies before byte end, which is at a block's end or the disk's.  0 or -1. */
int scan_start(const struct source *S, const struct leaf_secret *secret, uint64_t end, const char *what,
    struct leaf_sum *sum);

#endif
