#ifndef CHANGELOG_H_
#define CHANGELOG_H_

#include <stddef.h>
#include <stdint.h>

#include "disk/leaves.h"
#include "disk/ranges.h"

/*
 * What changed on one disk between two recovery points: runs of blocks with their new leaves, in ascending
 * order.  It is the journal that brings the leaves from one point to the next, and, without the leaves, the
 * map of changes that later deltas are made from.  In the file: start and count (8 bytes each, little endian;
 * the top bit of count: all these leaves are 0 and left out), then the leaves; in the end the XXH3-64 of it all.
 */
struct changelog;

/* A new file at path, replacing one that is there; NULL, said, on error. */
struct changelog *changelog_create(const char *path);

/* Append a run behind the ones before; leaves NULL: all 0. */
int changelog_add(struct changelog *L, uint64_t start, uint64_t count, const uint64_t *leaves);

/**
 * Make durable what is in it so far: *size bytes, whose checksum is *sum.  With these changelog_resume goes on there, with
 * what came behind them gone.  0 or -1; resume: 2, unsaid, where the file does not have them any more.
 */
int changelog_flush(struct changelog *L, uint64_t *size, uint64_t *sum);
int changelog_resume(struct changelog **L, const char *path, uint64_t size, uint64_t sum);

/* Make it durable and close it: 0 or -1. */
int changelog_commit(struct changelog *L);

/* Close it without a promise; accepts NULL. */
void changelog_free(struct changelog *L);

/* Bring leaves to where the log at path leads; may be done again.  Not durable until leaves_sync. */
int changelog_apply(const char *path, struct leaves *leaves);

/* Add all runs of the log at path to A. */
int changelog_ranges(const char *path, struct ranges *A);

#endif
