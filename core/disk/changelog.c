#include "disk/changelog.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/io.h"
#include "base/say.h"
#include "bounds.h"
#include "wire.h"

#define SUM 8u /* XXH3-64 of all before, at the end of the file */
#define ZERO_RUN (UINT64_C(1) << 63)
#define BLOCKS_MAX (LIMIT_DISK_SIZE / LIMIT_BLOCK)
#define BUFFER 65536u

struct changelog {
	int fd;
	char path[PATH_MAX];
	uint64_t start, count; /* a run of zero leaves that may still grow */
	XXH3_state_t *sum;     /* over all that was written */
	uint64_t size;         /* bytes of it */
	size_t n;
	uint8_t buffer[BUFFER];
};

static struct changelog *
new_log(const char *path)
{
	struct changelog *L = malloc(sizeof *L);

	if (L == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	L->n = 0;
	L->start = L->count = L->size = 0;
	L->fd = -1;
	L->sum = XXH3_createState();
	if (L->sum != NULL && XXH3_64bits_reset(L->sum) == XXH_OK && io_path(L->path, "%s", path) == 0)
		return (L);
	say_failed("out of memory");
	changelog_free(L);
	return (NULL);
}

struct changelog *
changelog_create(const char *path)
{
	struct changelog *L = new_log(path);

	if (L != NULL && io_remove(path) == 0 && (L->fd = io_create(path)) >= 0)
		return (L);
	changelog_free(L);
	return (NULL);
}

/* Read the first size bytes back: 0; 2 if they are not there; -1. */
static int
read_start(struct changelog *L, uint64_t size)
{
	while (L->size < size) {
		size_t n = size - L->size < BUFFER ? (size_t)(size - L->size) : BUFFER;
		ssize_t got = io_read(L->fd, L->path, L->buffer, n);

		if (got != (ssize_t)n)
			return (got < 0 ? -1 : 2);
		XXH3_64bits_update(L->sum, L->buffer, n);
		L->size += n;
	}
	return (0);
}

int
changelog_resume(struct changelog **out, const char *path, uint64_t size, uint64_t sum)
{
	struct changelog *L = *out = new_log(path);
	int rc;

	if (L == NULL)
		return (-1);
	if ((rc = io_exists(path)) > 0)
		rc = (L->fd = io_open_write(path)) < 0 ? -1 : read_start(L, size);
	else if (rc == 0)
		rc = 2;
	if (rc == 0 && XXH3_64bits_digest(L->sum) != sum)
		rc = 2;
	if (rc == 0)
		rc = io_resize(L->fd, path, size);
	if (rc == 0)
		return (0);
	changelog_free(L);
	*out = NULL;
	return (rc);
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
	L->size += n;
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
changelog_flush(struct changelog *L, uint64_t *size, uint64_t *sum)
{
	if (put_zero_run(L) != 0 || flush(L) != 0 || io_sync(L->fd, L->path) != 0)
		return (-1);
	*size = L->size;
	*sum = XXH3_64bits_digest(L->sum);
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

/* A log that is read from its start to its end.  Nothing of it is true before its checksum was. */
struct reading {
	int fd;
	const char *path;
	XXH3_state_t *sum;
	uint64_t left; /* bytes of runs that are not in the buffer yet */
	size_t at, n;  /* in the buffer */
	uint8_t buffer[BUFFER];
};

static int
open_log(struct reading *r, const char *path)
{
	uint64_t size;

	r->path = path;
	r->at = r->n = 0;
	r->sum = XXH3_createState();
	if ((r->fd = io_open_read(path)) < 0)
		return (-1);
	if (r->sum == NULL || XXH3_64bits_reset(r->sum) != XXH_OK)
		return (say_failed("out of memory"));
	if (io_size(r->fd, path, &size) != 0)
		return (-1);
	if (size < SUM)
		return (damaged(path));
	r->left = size - SUM;
	return (0);
}

/* The next number: 0; 1 where the runs end, and their checksum is right; -1, said. */
static int
get(struct reading *r, uint64_t *v)
{
	uint8_t sum[SUM];

	if (r->at == r->n && r->left == 0)
		return (
		    io_read(r->fd, r->path, sum, SUM) == SUM && wire_get64(sum) == XXH3_64bits_digest(r->sum)
		        ? 1
		        : damaged(r->path));
	if (r->at == r->n) {
		r->n = r->left < BUFFER ? (size_t)r->left : BUFFER;
		r->at = 0;
		if (io_read(r->fd, r->path, r->buffer, r->n) != (ssize_t)r->n)
			return (damaged(r->path));
		XXH3_64bits_update(r->sum, r->buffer, r->n);
		r->left -= r->n;
	}
	if (r->n - r->at < 8)
		return (damaged(r->path));
	*v = wire_get64(r->buffer + r->at);
	r->at += 8;
	return (0);
}

/* The same where there must be one. */
static int
must_get(struct reading *r, uint64_t *v)
{
	int rc = get(r, v);

	return (rc == 1 ? damaged(r->path) : rc);
}

/* What is done with count blocks from start on; leaves NULL: all 0. */
typedef int (*take)(void *context, uint64_t start, uint64_t count, const uint64_t *leaves);

/* The leaves of a run, some at a time. */
static int
take_leaves(struct reading *r, uint64_t start, uint64_t count, take take_run, void *context)
{
	enum { BATCH = 512 };
	uint64_t values[BATCH];

	while (count > 0) {
		size_t n = count < BATCH ? (size_t)count : BATCH;

		for (size_t i = 0; i < n; i++)
			if (must_get(r, &values[i]) != 0)
				return (-1);
		if (take_run(context, start, n, values) != 0)
			return (-1);
		start += n;
		count -= n;
	}
	return (0);
}

static int
take_runs(struct reading *r, take take_run, void *context)
{
	uint64_t start, count;
	int rc;

	while ((rc = get(r, &start)) == 0) {
		if (must_get(r, &count) != 0)
			return (-1);
		if (start > BLOCKS_MAX || (count & ~ZERO_RUN) > BLOCKS_MAX)
			return (damaged(r->path));
		rc = count & ZERO_RUN ? take_run(context, start, count & ~ZERO_RUN, NULL)
		                      : take_leaves(r, start, count, take_run, context);
		if (rc != 0)
			return (-1);
	}
	return (rc < 0 ? -1 : 0);
}

static int
read_log(const char *path, take take_run, void *context)
{
	struct reading *r = calloc(1, sizeof *r);
	int rc;

	if (r == NULL)
		return (say_failed("out of memory"));
	if ((rc = open_log(r, path)) == 0)
		rc = take_runs(r, take_run, context);
	io_close(r->fd);
	XXH3_freeState(r->sum);
	free(r);
	return (rc);
}

static int
pass(void *context, uint64_t start, uint64_t count, const uint64_t *leaves)
{
	(void)context, (void)start, (void)count, (void)leaves;
	return (0);
}

static int
put_into_leaves(void *context, uint64_t start, uint64_t count, const uint64_t *leaves)
{
	return (leaves == NULL ? leaves_clear(context, start, count)
	                       : leaves_write(context, start, (size_t)count, leaves));
}

int
changelog_apply(const char *path, struct leaves *leaves)
{
	/* Once to see that it is whole, and then once more. */
	return (read_log(path, pass, NULL) != 0 ? -1 : read_log(path, put_into_leaves, leaves));
}

static int
put_into_ranges(void *context, uint64_t start, uint64_t count, const uint64_t *leaves)
{
	(void)leaves;
	return (ranges_add(context, start, count));
}

int
changelog_ranges(const char *path, struct ranges *A)
{
	return (read_log(path, put_into_ranges, A));
}
