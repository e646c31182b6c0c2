#ifndef LEAF_H_
#define LEAF_H_

#include <stddef.h>
#include <stdint.h>

/*
 * Leaves and roots.  A leaf is the XXH3-64 of one 4 KiB block under a secret of the lineage (0 for a block of
 * zeroes, so that the leaves of a sparse disk are sparse).  The root of a disk is an incremental multiset
 * hash over its leaves (Bellare and Micciancio, "A New Paradigm for Collision-Free Hashing: Incrementality at
 * Reduced Cost", 1997): the sum modulo 2^128 of XXH3-128(block number, leaf), closed with the disk's size.
 * To keep it current costs two short hashes for each changed block, in any order and with no other state.
 * It proves against accidents and our own mistakes; authenticity is the signatures' work.
 */
#define LEAF_SEED 32u    /* random bytes that a lineage's secret is made from */
#define LEAF_SECRET 192u /* XXH3's own size */
#define LEAF_ROOT 16u

struct leaf_secret {
	uint8_t bytes[LEAF_SECRET];
};

struct leaf_sum {
	uint64_t low, high;
};

void leaf_secret_make(struct leaf_secret *S, const uint8_t seed[LEAF_SEED]);

/* Are these n bytes all zero? */
int leaf_is_zero(const void *p, size_t n);

/* The leaf of a block of n <= 4096 bytes, which counts as if it were filled up with zeroes. */
uint64_t leaf_of(const struct leaf_secret *S, const uint8_t *block, size_t n);

/*
 * The digest of a group of LEAF_GROUP consecutive blocks, by which two copies of a disk are compared: 0 if all of
 * its leaves are 0, else the XXH3-64 of them, 8 bytes each, little endian, under the same secret.  Group g has the
 * blocks from g * LEAF_GROUP on; those behind the end of the disk have leaf 0.
 */
#define LEAF_GROUP 16u /* 64 KiB */
uint64_t leaf_group(const struct leaf_secret *S, const uint64_t leaves[LEAF_GROUP]);

/* Put the leaf of a block number into the sum, or take it out again. */
void leaf_add(const struct leaf_secret *S, struct leaf_sum *sum, uint64_t block, uint64_t leaf);
void leaf_remove(const struct leaf_secret *S, struct leaf_sum *sum, uint64_t block, uint64_t leaf);

/* Add the sum over some blocks to the sum over others. */
void leaf_join(struct leaf_sum *sum, const struct leaf_sum *other);

/* A sum as 16 bytes, big endian, for our records. */
void leaf_sum_pack(uint8_t out[LEAF_ROOT], const struct leaf_sum *sum);
void leaf_sum_unpack(struct leaf_sum *sum, const uint8_t in[LEAF_ROOT]);

/* The root of a disk of that size whose leaves sum up to sum. */
void leaf_root(
    uint8_t out[LEAF_ROOT], const struct leaf_secret *S, const struct leaf_sum *sum, uint64_t size);

#endif
