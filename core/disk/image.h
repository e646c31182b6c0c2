#ifndef IMAGE_H_
#define IMAGE_H_

#include <stddef.h>
#include <stdint.h>

#include "disk/source.h"
#include "extent.h"

/*
 * A disk that we write: a replica's, or one that is restored.  It is a raw file, or a block device or an NBD export, which
 * are at least as large as the disk on them, or an image of a format that qemu-nbd writes for us.  To add a kind, write its
 * functions in a file image_KIND.c and name it in image.c.  For one thread.
 */
struct image;

struct image_kind {
	/* Write n bytes, or make it read as zeroes; 0 or -1, said. */
	int (*write)(void *state, const uint8_t *buf, size_t n, uint64_t offset);
	int (*zero)(void *state, uint64_t offset, uint64_t length);
	/* Or, where this is not NULL: they are under way until this returns 0, or -1, and only this says what failed. */
	int (*drain)(void *state);
	/* Make it durable; and settle: drop it from memory too, where there is such a thing. */
	int (*sync)(void *state);
	int (*settle)(void *state);
	/* Of what has no size of its own: give it one; and share all that the open file has: did it?  NULL: never. */
	int (*resize)(void *state, uint64_t size);
	int (*share)(void *state, int from);
	void (*close)(void *state);
};

/* Is this, in its form, a place that a disk can be written to?  Of images those are qcow2 ones. */
int image_takes(const char *where);

/* A new sparse file of that size, which must not exist, or an existing image, where image_takes; NULL, said, on error. */
struct image *image_create(const char *path, uint64_t size);
struct image *image_open(const char *where);
void image_free(struct image *I);

/* As image_open, but what can never take a disk is told apart: 0; 1, said; -1. */
int image_try(struct image **I, const char *where);

/* Has it room for a disk of that size?  0; 1, said, where it is a device or export that has not. */
int image_fits(const struct image *I, uint64_t size);

/* The bytes of a device or export; IMAGE_GROWS of a file or image, which has the size that it is given. */
#define IMAGE_GROWS UINT64_MAX
uint64_t image_room(const struct image *I);

/**
 * Bring a disk of old bytes to size.  What is new is zero, and on a device or export what is no more is too.  May be done
 * again, with the same old, before anything is written behind it.
 */
int image_resize(struct image *I, uint64_t old, uint64_t size);

/* Write the extents of a decoded segment, whose data follow one another at data. */
int image_apply(struct image *I, const struct extent *extents, uint32_t n, const uint8_t *data);

int image_sync(struct image *I);

/* The same, and drop it from memory as far as the kernel does, so that who reads it next reads the disk. */
int image_settle(struct image *I);

/**
 * Make the image I hold the first size bytes of what is at where, or all there are: shared where the file
 * system can, else copied.  A file must be empty before.
 */
int image_copy(struct image *I, const char *where, uint64_t size);

/* The same of a disk from anywhere, of I's size, which is new; what is zero stays a hole. */
int image_copy_source(struct image *I, const struct source *S);

/* The kinds.  Each sets *state and *room, and returns as image_try does. */
extern const struct image_kind image_file, image_nbd, image_image, image_relay;
int image_file_open(void **state, uint64_t *room, const char *path);
int image_file_create(void **state, uint64_t *room, const char *path);
int image_nbd_open(void **state, uint64_t *room, const char *uri);
int image_image_open(void **state, uint64_t *room, const char *where);
int image_relay_open(void **state, uint64_t *room, const char *where);

/* As image_nbd_open, of a connection that is made; h is taken, also on error. */
struct nbd_handle;
int image_nbd_wrap(void **state, uint64_t *room, const char *name, struct nbd_handle *h);

#endif
