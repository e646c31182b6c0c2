#include "disk/image.h"

#include <inttypes.h>
#include <stdlib.h>

#include "bounds.h"
#include "leaf.h"
#include "base/io.h"
#include "base/say.h"
#include "base/stop.h"

#define PIECE (1u << 20)

struct image {
	int fd;
	int is_device;
	uint64_t room; /* of a device */
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
	if (io_path(I->path, "%s", path) != 0 || (I->fd = open(path)) < 0)
		goto failed;
	I->is_device = io_is_device(I->fd);
	if (I->is_device && io_size(I->fd, path, &I->room) != 0)
		goto failed;
	return (I);
failed:
	image_free(I);
	return (NULL);
}

struct image *
image_create(const char *path, uint64_t size)
{
	struct image *I = image_new(path, io_create);

	if (I != NULL && image_resize(I, 0, size) != 0) {
		image_free(I);
		return (NULL);
	}
	return (I);
}

struct image *
image_open(const char *path)
{
	return (image_new(path, io_open_disk));
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
image_fits(const struct image *I, uint64_t size)
{
	if (!I->is_device || size <= I->room)
		return (0);
	return (say_refused("%s: the device has %" PRIu64 " bytes, and the disk has %" PRIu64
	                    "; move it to a larger one: 'vmferry move --disk'",
	    I->path, I->room, size));
}

int
image_resize(struct image *I, uint64_t old, uint64_t size)
{
	uint64_t from = old < size ? old : size, to = old < size ? size : old;

	if (!I->is_device)
		return (io_resize(I->fd, I->path, size));
	if (image_fits(I, size) != 0)
		return (-1);
	return (io_zero(I->fd, I->path, from, (to < I->room ? to : I->room) - from));
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

int
image_settle(struct image *I)
{
	return (image_sync(I) != 0 ? -1 : io_forget(I->fd, I->path, 0, 0));
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

/* Write what may be zero: on a device, something else may be there now. */
static int
write_piece(struct image *I, const uint8_t *buf, size_t n, uint64_t offset)
{
	if (!I->is_device)
		return (write_data(I, buf, n, offset));
	return (leaf_is_zero(buf, n) ? io_zero(I->fd, I->path, offset, n)
	                             : io_pwrite(I->fd, I->path, buf, n, offset));
}

struct copy {
	int fd;
	const char *path;
	struct progress progress;
};

/* Copy a stretch of data. */
static int
copy_stretch(struct image *I, struct copy *c, uint64_t at, uint64_t length, uint8_t *buf)
{
	for (uint64_t done = 0; done < length; done += PIECE) {
		size_t n = length - done < PIECE ? (size_t)(length - done) : PIECE;

		if (stop_check() != 0 || io_pread(c->fd, c->path, buf, n, at + done) != (ssize_t)n ||
		    write_piece(I, buf, n, at + done) != 0)
			return (-1);
		progress_add(&c->progress, n);
	}
	return (0);
}

/* Copy the data of c, up to end, stretch by stretch. */
static int
copy_data(struct image *I, struct copy *c, uint64_t end, uint8_t *buf)
{
	uint64_t at = 0, length;
	int is_hole;

	while (at < end) {
		if (io_stretch(c->fd, c->path, at, end, &length, &is_hole) != 0)
			return (-1);
		if (!is_hole && copy_stretch(I, c, at, length, buf) != 0)
			return (-1);
		if (is_hole && I->is_device && io_zero(I->fd, I->path, at, length) != 0)
			return (-1);
		if (is_hole)
			progress_add(&c->progress, length);
		at += length;
	}
	return (0);
}

int
image_copy(struct image *I, const char *path, uint64_t size)
{
	uint8_t *buf = malloc(PIECE);
	struct copy c = { .fd = io_open_read(path), .path = path };
	uint64_t there;
	int rc = -1;

	if (buf == NULL)
		say_failed("out of memory");
	else if (c.fd >= 0 && io_size(c.fd, path, &there) == 0)
		rc = 0;
	if (rc == 0 && size > there)
		size = there;
	if (rc == 0 && !I->is_device && io_clone(I->fd, c.fd)) {
		rc = size == there ? 0 : io_resize(I->fd, I->path, size);
	} else if (rc == 0 && (rc = I->is_device ? 0 : io_resize(I->fd, I->path, size)) == 0) {
		progress_start(&c.progress, "copying", size);
		rc = copy_data(I, &c, size, buf);
		progress_end(&c.progress);
	}
	io_close(c.fd);
	free(buf);
	return (rc);
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
	int is_plain = source_is_plain(source_name(S)), from = is_plain ? io_open_read(source_name(S)) : -1;
	int is_shared = from >= 0 && io_clone(I->fd, from), rc;
	uint8_t *buf;

	io_close(from);
	if (is_shared)
		return (0);
	if (from < 0 && is_plain)
		return (-1);
	if ((buf = malloc(PIECE)) == NULL)
		return (say_failed("out of memory"));
	rc = copy_source(I, S, buf);
	free(buf);
	return (rc);
}
