#ifndef IMAGE_H_
#define IMAGE_H_

#include <stddef.h>
#include <stdint.h>

#include "disk/source.h"
#include "extent.h"

/* A raw disk image that we write: a replica's disk, or one that is restored. */
struct image;

/* A new sparse file of that size, which must not exist, or an existing one; NULL, said, on error. */
struct image *image_create(const char *path, uint64_t size);
struct image *image_open(const char *path);
void image_free(struct image *I);

int image_resize(struct image *I, uint64_t size);

/* Write the extents of a decoded segment, whose data follow one another at data. */
int image_apply(struct image *I, const struct extent *extents, uint32_t n, const uint8_t *data);

int image_sync(struct image *I);

/* Make the empty image I hold what the file at path holds: shared where the file system can, else copied. */
int image_copy(struct image *I, const char *path);

/* The same of a disk from anywhere, of I's size; what is zero stays a hole. */
int image_copy_source(struct image *I, const struct source *S);

#endif
