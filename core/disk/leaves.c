#include "disk/leaves.h"

#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "base/io.h"
#include "base/say.h"
#include "wire.h"

#define LEAF 8u
#define BATCH 512u /* leaves in one page of the file */

struct leaves {
	int fd;
	char path[PATH_MAX];
};

struct leaves *
leaves_open(const char *path, int create)
{
	struct leaves *L = malloc(sizeof *L);
	int there = io_exists(path);

	if (L == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	L->fd = -1;
	if (there < 0 || io_path(L->path, "%s", path) != 0 ||
	    (L->fd = there || !create ? io_open_write(path) : io_create(path)) < 0) {
		leaves_free(L);
		return (NULL);
	}
	return (L);
}

struct leaves *
leaves_temporary(const char *dir)
{
	struct leaves *L = malloc(sizeof *L);

	if (L == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	L->fd = -1;
	if (io_path(L->path, "%s", dir) != 0 || (L->fd = io_temporary(dir)) < 0) {
		leaves_free(L);
		return (NULL);
	}
	return (L);
}

void
leaves_free(struct leaves *L)
{
	if (L == NULL)
		return;
	io_close(L->fd);
	free(L);
}

int
leaves_read(const struct leaves *L, uint64_t start, size_t n, uint64_t *out)
{
	uint8_t buf[BATCH * LEAF];

	while (n > 0) {
		size_t k = n < BATCH ? n : BATCH;
		ssize_t got = io_pread(L->fd, L->path, buf, k * LEAF, start * LEAF);

		if (got < 0)
			return (-1);
		memset(buf + got, 0, k * LEAF - (size_t)got);
		for (size_t i = 0; i < k; i++)
			*out++ = wire_get64(buf + i * LEAF);
		start += k;
		n -= k;
	}
	return (0);
}

int
leaves_write(struct leaves *L, uint64_t start, size_t n, const uint64_t *in)
{
	uint8_t buf[BATCH * LEAF];

	while (n > 0) {
		size_t k = n < BATCH ? n : BATCH;

		for (size_t i = 0; i < k; i++)
			wire_put64(buf + i * LEAF, *in++);
		if (io_pwrite(L->fd, L->path, buf, k * LEAF, start * LEAF) != 0)
			return (-1);
		start += k;
		n -= k;
	}
	return (0);
}

int
leaves_clear(struct leaves *L, uint64_t start, uint64_t count)
{
	uint64_t size, from = start * LEAF, n = count * LEAF;

	if (io_size(L->fd, L->path, &size) != 0)
		return (-1);
	if (from >= size)
		return (0);
	return (io_zero(L->fd, L->path, from, n < size - from ? n : size - from));
}

int
leaves_next(const struct leaves *L, uint64_t *start, uint64_t end, uint64_t *count)
{
	uint64_t size, length;
	int is_hole;

	if (io_size(L->fd, L->path, &size) != 0)
		return (-1);
	if (end > size / LEAF)
		end = size / LEAF;
	while (*start < end) {
		if (io_stretch(L->fd, L->path, *start * LEAF, end * LEAF, &length, &is_hole) != 0)
			return (-1);
		*count = (length + LEAF - 1) / LEAF;
		if (!is_hole)
			return (0);
		*start += *count;
	}
	return (1);
}

int
leaves_sum(const struct leaves *L, const struct leaf_secret *secret, struct leaf_sum *sum)
{
	uint64_t start = 0, count, leaf[BATCH];
	int rc;

	*sum = (struct leaf_sum){ 0, 0 };
	while ((rc = leaves_next(L, &start, LIMIT_DISK_SIZE / LIMIT_BLOCK, &count)) == 0) {
		size_t n = count < BATCH ? (size_t)count : BATCH;

		if (leaves_read(L, start, n, leaf) != 0)
			return (-1);
		for (size_t i = 0; i < n; i++)
			leaf_add(secret, sum, start + i, leaf[i]);
		start += n;
	}
	return (rc < 0 ? -1 : 0);
}

int
leaves_sync(struct leaves *L)
{
	return (io_sync(L->fd, L->path));
}

static int
copy(struct leaves *to, const struct leaves *from)
{
	uint64_t start = 0, count, leaf[BATCH];
	int rc;

	while ((rc = leaves_next(from, &start, LIMIT_DISK_SIZE / LIMIT_BLOCK, &count)) == 0) {
		size_t n = count < BATCH ? (size_t)count : BATCH;

		if (leaves_read(from, start, n, leaf) != 0 || leaves_write(to, start, n, leaf) != 0)
			return (-1);
		start += n;
	}
	return (rc == 1 ? leaves_sync(to) : -1);
}

int
leaves_share(const char *from, const char *to)
{
	struct leaves *a = NULL, *b = NULL;
	int rc;

	if (io_remove(to) != 0 || (rc = io_second_name(from, to)) < 0)
		return (-1);
	if (rc == 0)
		return (0);
	rc = -1;
	if ((a = leaves_open(from, 0)) != NULL && (b = leaves_open(to, 1)) != NULL)
		rc = copy(b, a);
	leaves_free(a);
	leaves_free(b);
	return (rc);
}
