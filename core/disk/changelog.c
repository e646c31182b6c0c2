#include "disk/changelog.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/io.h"
#include "base/say.h"
#include "bounds.h"
#include "wire.h"

#define HEAD 16u
#define SUM 8u /* XXH3-64 of all before, at the end of the file */
#define ZERO_RUN (UINT64_C(1) << 63)
#define BLOCKS_MAX (LIMIT_DISK_SIZE / LIMIT_BLOCK)
#define BUFFER 65536u

struct changelog {
	int fd;
	char path[PATH_MAX];
	uint64_t start, count; /* a run of zero leaves that may still grow */
	XXH3_state_t *sum;     /* over all that was written */
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
	if ((L->sum = XXH3_createState()) == NULL || XXH3_64bits_reset(L->sum) != XXH_OK) {
		say_failed("out of memory");
		changelog_free(L);
		return (NULL);
	}
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
	XXH3_freeState(L->sum);
	free(L);
}

static int
flush(struct changelog *L)
{
	size_t n = L->n;

	L->n = 0;
	XXH3_64bits_update(L->sum, L->buffer, n);
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
	uint8_t sum[SUM];
	int rc = put_zero_run(L) != 0 || flush(L) != 0 ? -1 : 0;

	wire_put64(sum, XXH3_64bits_digest(L->sum));
	if (rc == 0 && (io_write(L->fd, L->path, sum, SUM) != 0 || io_sync(L->fd, L->path) != 0))
		rc = -1;

	changelog_free(L);
	return (rc);
}

static int
damaged(const char *path)
{
	return (say_failed("%s: the map of changes is damaged; export --seed makes a new one", path));
}

/* Open the log at path, whose checksum is right: the fd, and where its runs end; or -1, said. */
static int
open_log(const char *path, uint64_t *end)
{
	XXH3_state_t *state = XXH3_createState();
	uint8_t *buffer = malloc(BUFFER), sum[SUM];
	uint64_t size, at = 0;
	int fd = io_open_read(path), rc = -1;

	if (state == NULL || buffer == NULL || XXH3_64bits_reset(state) != XXH_OK)
		say_failed("out of memory");
	else if (fd >= 0 && io_size(fd, path, &size) == 0)
		rc = size < SUM ? damaged(path) : 0;
	while (rc == 0 && at < size - SUM) {
		size_t n = size - SUM - at < BUFFER ? (size_t)(size - SUM - at) : BUFFER;

		rc = io_pread(fd, path, buffer, n, at) == (ssize_t)n ? 0 : damaged(path);
		XXH3_64bits_update(state, buffer, n);
		at += n;
	}
	if (rc == 0 &&
	    (io_pread(fd, path, sum, SUM, at) != SUM || wire_get64(sum) != XXH3_64bits_digest(state)))
		rc = damaged(path);
	*end = at;
	XXH3_freeState(state);
	free(buffer);
	if (rc == 0)
		return (fd);
	io_close(fd);
	return (-1);
}

/* Read the next run's head: 0; 1 at the end; -1, said. */
static int
next(int fd, const char *path, uint64_t end, uint64_t *at, uint64_t *start, uint64_t *count)
{
	uint8_t head[HEAD];

	if (*at == end)
		return (1);
	if (end - *at < HEAD || io_pread(fd, path, head, HEAD, *at) != HEAD)
		return (damaged(path));
	*start = wire_get64(head);
	*count = wire_get64(head + 8);
	*at += HEAD;
	if (*start > BLOCKS_MAX || (*count & ~ZERO_RUN) > BLOCKS_MAX ||
	    ((*count & ZERO_RUN) == 0 && *count > (end - *at) / 8))
		return (damaged(path));
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
			return (damaged(path));
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
	uint64_t at = 0, end, start, count;
	int fd = open_log(path, &end), rc;

	if (fd < 0)
		return (-1);
	while ((rc = next(fd, path, end, &at, &start, &count)) == 0) {
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
	uint64_t at = 0, end, start, count;
	int fd = open_log(path, &end), rc;

	if (fd < 0)
		return (-1);
	while ((rc = next(fd, path, end, &at, &start, &count)) == 0) {
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
