#include "disk/changelog.h"

#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "base/io.h"
#include "base/say.h"
#include "wire.h"

#define HEAD 16u
#define ZERO_RUN (UINT64_C(1) << 63)
#define BLOCKS_MAX (LIMIT_DISK_SIZE / LIMIT_BLOCK)
#define BUFFER 65536u

struct changelog {
	int fd;
	char path[PATH_MAX];
	uint64_t start, count; /* a run of zero leaves that may still grow */
	size_t n;
	uint8_t buffer[BUFFER];
};

struct changelog *
changelog_create(const char *path)
{
	struct changelog *L = malloc(sizeof *L);

	if (L == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	L->n = 0;
	L->start = L->count = 0;
	L->fd = -1;
	if (io_path(L->path, "%s", path) != 0 || io_remove(path) != 0 || (L->fd = io_create(path)) < 0) {
		changelog_free(L);
		return (NULL);
	}
	return (L);
}

void
changelog_free(struct changelog *L)
{
	if (L == NULL)
		return;
	io_close(L->fd);
	free(L);
}

static int
flush(struct changelog *L)
{
	size_t n = L->n;

	L->n = 0;
	return (n == 0 ? 0 : io_write(L->fd, L->path, L->buffer, n));
}

static int
put(struct changelog *L, uint64_t v)
{
	if (L->n + 8 > BUFFER && flush(L) != 0)
		return (-1);
	wire_put64(L->buffer + L->n, v);
	L->n += 8;
	return (0);
}

static int
put_zero_run(struct changelog *L)
{
	uint64_t count = L->count;

	L->count = 0;
	return (count == 0 || (put(L, L->start) == 0 && put(L, count | ZERO_RUN) == 0) ? 0 : -1);
}

int
changelog_add(struct changelog *L, uint64_t start, uint64_t count, const uint64_t *leaves)
{
	if (leaves == NULL && L->count > 0 && L->start + L->count == start) {
		L->count += count;
		return (0);
	}
	if (put_zero_run(L) != 0)
		return (-1);
	if (leaves == NULL) {
		L->start = start;
		L->count = count;
		return (0);
	}
	if (put(L, start) != 0 || put(L, count) != 0)
		return (-1);
	for (uint64_t i = 0; i < count; i++)
		if (put(L, leaves[i]) != 0)
			return (-1);
	return (0);
}

int
changelog_commit(struct changelog *L)
{
	int rc = put_zero_run(L) != 0 || flush(L) != 0 || io_sync(L->fd, L->path) != 0 ? -1 : 0;

	changelog_free(L);
	return (rc);
}

/* Read the next run's head: 0; 1 at the end; -1, said. */
static int
next(int fd, const char *path, uint64_t *at, uint64_t *start, uint64_t *count)
{
	uint8_t head[HEAD];
	ssize_t n = io_pread(fd, path, head, HEAD, *at);

	if (n < 0)
		return (-1);
	if (n == 0)
		return (1);
	*start = wire_get64(head);
	*count = wire_get64(head + 8);
	if (n < (ssize_t)HEAD || *start > BLOCKS_MAX || (*count & ~ZERO_RUN) > BLOCKS_MAX)
		return (say_failed("%s: the map of changes is damaged; run export --seed", path));
	*at += HEAD;
	return (0);
}

static int
apply_leaves(int fd, const char *path, struct leaves *leaves, uint64_t at, uint64_t start, uint64_t count)
{
	enum { BATCH = 512 };
	uint8_t raw[BATCH * 8];
	uint64_t values[BATCH];

	while (count > 0) {
		size_t n = count < BATCH ? (size_t)count : BATCH;

		if (io_pread(fd, path, raw, n * 8, at) != (ssize_t)(n * 8))
			return (say_failed("%s: the map of changes is cut short; run export --seed", path));
		for (size_t i = 0; i < n; i++)
			values[i] = wire_get64(raw + i * 8);
		if (leaves_write(leaves, start, n, values) != 0)
			return (-1);
		start += n;
		count -= n;
		at += n * 8;
	}
	return (0);
}

int
changelog_apply(const char *path, struct leaves *leaves)
{
	uint64_t at = 0, start, count;
	int fd = io_open_read(path), rc;

	if (fd < 0)
		return (-1);
	while ((rc = next(fd, path, &at, &start, &count)) == 0) {
		if (count & ZERO_RUN) {
			rc = leaves_clear(leaves, start, count & ~ZERO_RUN);
		} else {
			rc = apply_leaves(fd, path, leaves, at, start, count);
			at += count * 8;
		}
		if (rc != 0)
			break;
	}
	io_close(fd);
	return (rc < 0 ? -1 : 0);
}

int
changelog_ranges(const char *path, struct ranges *A)
{
	uint64_t at = 0, start, count;
	int fd = io_open_read(path), rc;

	if (fd < 0)
		return (-1);
	while ((rc = next(fd, path, &at, &start, &count)) == 0) {
		if ((count & ZERO_RUN) == 0)
			at += count * 8;
		if (ranges_add(A, start, count & ~ZERO_RUN) != 0) {
			rc = -1;
			break;
		}
	}
	io_close(fd);
	return (rc < 0 ? -1 : 0);
}
