#ifndef PLACE_H_
#define PLACE_H_

/* A folder of a test's own on a real file system, and the words that core said during the test. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

static char place[PATH_MAX];
static char *words;
static size_t nwords;

/* The path of a name in the folder; good until the fourth call after it. */
static inline const char *
at(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4];

	cr_assert_eq(io_path(path, "%s/%s", place, name), 0);
	return (path);
}

/* For a suite's .init and .fini. */
static inline void
place_make(void)
{
	const char *tmp = getenv("TMPDIR");

	cr_assert(sodium_init() >= 0);
	cr_assert_eq(io_path(place, "%s/vmferry-test.XXXXXX", tmp == NULL ? "/var/tmp" : tmp), 0);
	cr_assert_not_null(mkdtemp(place));
	cr_assert_not_null(stderr = open_memstream(&words, &nwords));
}

static inline void
place_remove(void)
{
	cr_expect_eq(io_remove_tree(place), 0);
}

/* Forget what was said. */
static inline void
hush(void)
{
	fclose(stderr);
	free(words);
	cr_assert_not_null(stderr = open_memstream(&words, &nwords));
}

/* Was this said since the last call? */
static inline int
said(const char *what)
{
	int found;

	fflush(stderr);
	found = strstr(words, what) != NULL;
	hush();
	return (found);
}

/* A file of n bytes in the folder, in place of one that is there. */
static inline void
place_put(const char *name, const void *p, size_t n)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert(fd >= 0 && write(fd, p, n) == (ssize_t)n && close(fd) == 0);
}

/* The bytes of a file there; the caller frees them. */
static inline uint8_t *
place_get(const char *name, size_t *n)
{
	char *p = io_slurp(at(name), 1 << 26, n);

	cr_assert_not_null(p);
	return ((uint8_t *)p);
}

/* Numbers that are the same for the same seed. */
static inline uint64_t
dice(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31);
}

#endif
