#ifndef INPUT_H_
#define INPUT_H_

/* Bytes as a file that core can open by a path. */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

struct input {
	int fd;
	char path[32];
};

static inline struct input
input_new(void)
{
	struct input I = { .fd = memfd_create("input", MFD_CLOEXEC) };

	CHECK(I.fd >= 0);
	snprintf(I.path, sizeof I.path, "/proc/self/fd/%d", I.fd);
	return (I);
}

/* The n bytes at p, and no others, are in the file; it is at its beginning. */
static inline void
input_set(const struct input *I, const void *p, size_t n)
{
	CHECK(ftruncate(I->fd, 0) == 0 && pwrite(I->fd, p, n, 0) == (ssize_t)n);
	CHECK(lseek(I->fd, 0, SEEK_SET) == 0);
}

/* The same n bytes behind those that are there. */
static inline void
input_add(const struct input *I, const void *p, size_t n)
{
	CHECK(pwrite(I->fd, p, n, lseek(I->fd, 0, SEEK_END)) == (ssize_t)n);
	CHECK(lseek(I->fd, 0, SEEK_SET) == 0);
}

#endif
