#ifndef RANGES_H_
#define RANGES_H_

#include <stddef.h>
#include <stdint.h>

/*
 * A set of blocks of a disk, as ascending runs.  It is always a superset of what was added: where it would
 * take more than RANGES_MAX runs, neighbours are joined over small gaps, then over larger ones.  So its
 * memory is bounded (4 MiB), and whoever uses it compares the blocks or ships a few too many.
 */
#define RANGES_MAX (1u << 18)

struct range {
	uint64_t start, count; /* in blocks of LIMIT_BLOCK bytes; count > 0 */
};

struct ranges {
	struct range *runs; /* ascending and not touching, once ranges_sort was called */
	size_t n, room;
	int sorted;
};

/* All zero is an empty set. */
#define RANGES_EMPTY ((struct ranges){ .runs = NULL, .sorted = 1 })

void ranges_free(struct ranges *A);

/* Add count blocks from start on; -1, said, if there is no memory.  count may be 0. */
int ranges_add(struct ranges *A, uint64_t start, uint64_t count);

/* The same in bytes, rounded out to whole blocks. */
int ranges_add_bytes(struct ranges *A, uint64_t offset, uint64_t length);

/* Add all of B, which is sorted. */
int ranges_join(struct ranges *A, const struct ranges *B);

/* Bring the runs in order and join those that touch.  To be called after adding and before looking. */
void ranges_sort(struct ranges *A);

/* The first run of a sorted set that ends after block, or A->n. */
size_t ranges_find(const struct ranges *A, uint64_t block);

/* Blocks in a sorted set. */
uint64_t ranges_count(const struct ranges *A);

#endif
