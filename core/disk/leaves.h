#ifndef LEAVES_H_
#define LEAVES_H_

#include <stddef.h>
#include <stdint.h>

#include "leaf.h"

/*
 * The leaves of one disk in a file: eight bytes for each block, little endian, sparse where the disk is.
 * What lies beyond the file's end is zero.
 */
struct leaves;

/* Open the file at path, made if create is set and it is not there; NULL, said, on error. */
struct leaves *leaves_open(const char *path, int create);

/* All 0, in a file without a name in dir, gone when they are freed; NULL, said, on error. */
struct leaves *leaves_temporary(const char *dir);

/**
 * Let the leaves at from be at to as well, durably but for the folder of to: by a second name of the file, else a copy.
 * 0 or -1.
 */
int leaves_share(const char *from, const char *to);

void leaves_free(struct leaves *L);

/* Leaves of n blocks from start on; 0 or -1. */
int leaves_read(const struct leaves *L, uint64_t start, size_t n, uint64_t *out);
int leaves_write(struct leaves *L, uint64_t start, size_t n, const uint64_t *in);

/* Set the leaves of count blocks to 0. */
int leaves_clear(struct leaves *L, uint64_t start, uint64_t count);

/**
 * The next stretch at or after block *start, below end, in which leaves may differ from 0: set *start and
 * *count and return 0.  Return 1 if there is none, -1 on error.
 */
int leaves_next(const struct leaves *L, uint64_t *start, uint64_t end, uint64_t *count);

/* The sum over the leaves of all blocks.  0 or -1. */
int leaves_sum(const struct leaves *L, const struct leaf_secret *secret, struct leaf_sum *sum);

int leaves_sync(struct leaves *L);

#endif
