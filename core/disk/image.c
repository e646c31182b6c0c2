#include "disk/image.h"

#include <stdlib.h>

#include "bounds.h"
#include "leaf.h"
#include "base/io.h"
#include "base/say.h"
#include "base/stop.h"

#define PIECE (1u << 20)

struct image {
	int fd;
	char path[PATH_MAX];
};

static struct image *
image_new(const char *path, int (*open)(const char *path))
{
	struct image *I = malloc(sizeof *I);

	if (I == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	I->fd = -1;
	if (io_path(I->path, "%s", path) != 0 || (I->fd = open(path)) < 0) {
		image_free(I);
		return (NULL);
	}
	return (I);
}

struct image *
image_create(const char *path, uint64_t size)
{
	struct image *I = image_new(path, io_create);

	if (I != NULL && image_resize(I, size) != 0) {
		image_free(I);
		return (NULL);
	}
	return (I);
}

struct image *
image_open(const char *path)
{
	return (image_new(path, io_open_write));
}

void
image_free(struct image *I)
{
	if (I == NULL)
		return;
	io_close(I->fd);
	free(I);
}

int
image_resize(struct image *I, uint64_t size)
{
	return (io_resize(I->fd, I->path, size));
}

int
image_apply(struct image *I, const struct extent *extents, uint32_t n, const uint8_t *data)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct extent *e = &extents[i];

		if (e->kind != EXTENT_DATA) {
			if (io_zero(I->fd, I->path, e->offset, e->length) != 0)
				return (-1);
			continue;
		}
		if (io_pwrite(I->fd, I->path, data, (size_t)e->length, e->offset) != 0)
			return (-1);
		data += e->length;
	}
	return (0);
}

int
image_sync(struct image *I)
{
	return (io_sync(I->fd, I->path));
}

/* Copy the data of from, up to end, stretch by stretch. */
static int
copy_data(struct image *I, int from, const char *path, uint64_t end, uint8_t *buf)
{
	uint64_t at = 0, length;
	int is_hole;

	while (at < end) {
		if (io_stretch(from, path, at, end, &length, &is_hole) != 0)
			return (-1);
		for (uint64_t done = 0; !is_hole && done < length; done += PIECE) {
			size_t n = length - done < PIECE ? (size_t)(length - done) : PIECE;

			if (stop_check() != 0 || io_pread(from, path, buf, n, at + done) != (ssize_t)n ||
			    io_pwrite(I->fd, I->path, buf, n, at + done) != 0)
				return (-1);
		}
		at += length;
	}
	return (0);
}

int
image_copy(struct image *I, const char *path)
{
	uint8_t *buf = malloc(PIECE);
	uint64_t size;
	int from = io_open_read(path), rc = -1;

	if (buf == NULL)
		say_failed("out of memory");
	else if (from >= 0 && io_size(from, path, &size) == 0 && image_resize(I, size) == 0)
		rc = io_clone(I->fd, from) ? 0 : copy_data(I, from, path, size, buf);
	io_close(from);
	free(buf);
	return (rc);
}

/* Write a piece of a disk to a new image, without its blocks of zeroes. */
static int
write_data(struct image *I, const uint8_t *buf, size_t n, uint64_t offset)
{
	size_t from = 0, to;

	while (from < n) {
		size_t k = n - from < LIMIT_BLOCK ? n - from : LIMIT_BLOCK;

		if (leaf_is_zero(buf + from, k)) {
			from += k;
			continue;
		}
		for (to = from + k; to < n; to += k) {
			k = n - to < LIMIT_BLOCK ? n - to : LIMIT_BLOCK;
			if (leaf_is_zero(buf + to, k))
				break;
		}
		if (io_pwrite(I->fd, I->path, buf + from, to - from, offset + from) != 0)
			return (-1);
		from = to;
	}
	return (0);
}

static int
copy_source(struct image *I, const struct source *S, uint8_t *buf)
{
	uint64_t at = 0, end = source_size(S), length;
	int is_hole;

	while (at < end) {
		if (source_stretch(S, at, end, &length, &is_hole) != 0)
			return (-1);
		for (uint64_t done = 0; !is_hole && done < length; done += PIECE) {
			size_t n = length - done < PIECE ? (size_t)(length - done) : PIECE;

			if (stop_check() != 0 || source_read(S, buf, n, at + done) != 0 ||
			    write_data(I, buf, n, at + done) != 0)
				return (-1);
		}
		at += length;
	}
	return (0);
}

int
image_copy_source(struct image *I, const struct source *S)
{
	int from = source_is_uri(source_name(S)) ? -1 : io_open_read(source_name(S));
	int is_shared = from >= 0 && io_clone(I->fd, from), rc;
	uint8_t *buf;

	io_close(from);
	if (is_shared)
		return (0);
	if (from < 0 && !source_is_uri(source_name(S)))
		return (-1);
	if ((buf = malloc(PIECE)) == NULL)
		return (say_failed("out of memory"));
	rc = copy_source(I, S, buf);
	free(buf);
	return (rc);
}
