#ifndef EXTENT_H_
#define EXTENT_H_

#include <stddef.h>
#include <stdint.h>

/*
 * The extent table at the head of a segment's plain payload: 24 bytes for each extent (offset, length, kind,
 * zero), then the data of its data extents, one after the other.  Extents are whole blocks of 4 KiB, but for
 * the last one of a disk that ends inside a block; they ascend and never overlap.
 */
#define EXTENT_SIZE 24u

enum extent_kind {
	EXTENT_DATA = 1,
	EXTENT_ZERO = 2,    /* reads as zeroes */
	EXTENT_DISCARD = 3, /* reads as zeroes, and the guest gave the space back */
};

struct extent {
	uint64_t offset;
	uint64_t length;
	enum extent_kind kind;
};

void extent_pack(uint8_t out[EXTENT_SIZE], const struct extent *e);

/**
 * Unpack and check the table of n extents at the head of the size bytes at plain, for a disk of disk_size
 * bytes.  All must lie on the disk, in ascending order, and the data must fill the rest exactly.  out has
 * room for n.  Return NULL, or why not.
 */
const char *extent_table(
    struct extent *out, uint32_t n, const uint8_t *plain, size_t size, uint64_t disk_size);

#endif
