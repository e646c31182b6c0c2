#ifndef IMAGE_H_
#define IMAGE_H_

#include <stddef.h>
#include <stdint.h>

#include "disk/source.h"
#include "extent.h"

/*
 * A raw disk image that we write: a replica's disk, or one that is restored.  It is a file, or a block device, which is
 * at least as large as the disk on it.
 */
struct image;

/* A new sparse file of that size, which must not exist, or an existing one; NULL, said, on error. */
struct image *image_create(const char *path, uint64_t size);
struct image *image_open(const char *path);
void image_free(struct image *I);

/* Has it room for a disk of that size?  0; 1, said, where it is a device that has not. */
int image_fits(const struct image *I, uint64_t size);

/**
 * Bring a disk of old bytes to size.  What is new is zero, and on a device what is no more is too.  May be done again,
 * with the same old, before anything is written behind it.
 */
int image_resize(struct image *I, uint64_t old, uint64_t size);

/* Write the extents of a decoded segment, whose data follow one another at data. */
int image_apply(struct image *I, const struct extent *extents, uint32_t n, const uint8_t *data);

int image_sync(struct image *I);

/* The same, and drop it from memory as far as the kernel does, so that who reads it next reads the disk. */
int image_settle(struct image *I);

/**
 * Make the image I hold the first size bytes of the file or device at path, or all there are: shared where the file
 * system can, else copied.  A file must be empty before.
 */
int image_copy(struct image *I, const char *path, uint64_t size);

/* The same of a disk from anywhere, of I's size; what is zero stays a hole. */
int image_copy_source(struct image *I, const struct source *S);

#endif
