#ifndef OVERLAY_H_
#define OVERLAY_H_

#include <stdint.h>

#include "extent.h"

/*
 * A qcow2 image on top of a disk (a raw file, a block device, an NBD export or an image) that stays as it is: a VM of a test
 * failover or of a failover runs on it, at once and at any recovery point.  It is made by qemu-img, and filled and read
 * through qemu-nbd, both of Debian's qemu-utils.  Both paths are absolute, since the overlay names its base, which is given
 * as image_open takes it.
 */
struct overlay;

#define OVERLAY_PATH 1023u /* bytes in the path of a base */

/**
 * Make an overlay of size bytes, readable for its owner alone, at path, where there must be nothing: it reads as base
 * does, and as zeroes behind the end of base.  0, durable; 1 or -1, said, and then there is nothing at path, unless
 * the power failed: what was being made is then of no use and to be removed.
 */
int overlay_create(const char *path, const char *base, uint64_t size);

/**
 * Open an overlay to fill it: 0; 1, said, if a VM or another program has it open; -1.  Until the next overlay_flush
 * is done nothing of it is safe from a crash, also not what it held before: one that was being filled is removed and
 * made again.
 */
int overlay_open(struct overlay **O, const char *path);

/**
 * Write extents, whose data follow one another at data, and need to stay only for the call.  What is EXTENT_ZERO or
 * EXTENT_DISCARD reads as zeroes afterwards, whatever the base has.  0 or -1, said.  For one thread.
 */
int overlay_apply(struct overlay *O, const struct extent *extents, uint32_t n, const uint8_t *data);

/* Make all that was applied durable: 0 or -1, said. */
int overlay_flush(struct overlay *O);

/* Close it.  What was not flushed may be lost. */
void overlay_close(struct overlay *O);

/**
 * Put all that the overlay holds into its base, which then reads as the overlay does; a file gets the overlay's size, a
 * block device or export must not be smaller.  The overlay stays; remove it afterwards.  0, durable; 1, said, with nothing
 * changed, if a VM or another program has one of the two open or base is not its base; -1, said: base may be changed in
 * part, and the same call again completes it.
 */
int overlay_commit(const char *path, const char *base);

/**
 * Does a VM or another program of QEMU have the disk at where open, an overlay or another?  1; 0, also where nobody
 * can say, of an export; -1, said.
 */
int overlay_is_used(const char *where);

/* What an overlay says of itself: 0; 1, said, if it is none; -1. */
struct overlay_head {
	uint64_t size;               /* bytes that the VM sees */
	char base[OVERLAY_PATH + 1]; /* the path or URI of its base, without its format */
};
int overlay_head(const char *path, struct overlay_head *out);

#endif
