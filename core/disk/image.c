#include "disk/image.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "leaf.h"
#include "base/io.h"
#include "base/say.h"
#include "base/stop.h"
#include "disk/relay.h"

#define PIECE (1u << 20)

struct image {
	const struct image_kind *kind;
	void *state;
	uint64_t room; /* or IMAGE_GROWS */
	char name[PATH_MAX];
};

/* --- open and close ----------------------------------------------------------------------------------- */

static struct image *
image_new(const char *name)
{
	struct image *I = calloc(1, sizeof *I);

	if (I == NULL)
		say_failed("out of memory");
	else if (io_path(I->name, "%s", name) == 0)
		return (I);
	free(I);
	return (NULL);
}

void
image_free(struct image *I)
{
	if (I == NULL)
		return;
	if (I->state != NULL)
		I->kind->close(I->state);
	free(I);
}

struct image *
image_create(const char *path, uint64_t size)
{
	struct image *I = image_new(path);

	if (I == NULL)
		return (NULL);
	I->kind = &image_file;
	if (image_file_create(&I->state, &I->room, path) != 0 || image_resize(I, 0, size) != 0) {
		image_free(I);
		return (NULL);
	}
	return (I);
}

static int
open_kind(struct image *I, const char *where)
{
	if (source_is_plain(where)) {
		I->kind = &image_file;
		return (image_file_open(&I->state, &I->room, where));
	}
	if (relay_is_on()) {
		I->kind = &image_relay;
		return (image_relay_open(&I->state, &I->room, where));
	}
	if (source_is_uri(where)) {
		I->kind = &image_nbd;
		return (image_nbd_open(&I->state, &I->room, where));
	}
	I->kind = &image_image;
	return (image_image_open(&I->state, &I->room, where));
}

int
image_takes(const char *where)
{
	const char *path, *format = source_is_uri(where) ? NULL : source_image_format(where, &path);

	return (format == NULL || strcmp(format, "qcow2") == 0);
}

int
image_try(struct image **out, const char *where)
{
	struct image *I = image_new(where);
	int rc = I == NULL ? -1 : open_kind(I, where);

	*out = NULL;
	if (rc == 0)
		*out = I;
	else
		image_free(I);
	return (rc);
}

struct image *
image_open(const char *where)
{
	struct image *I;

	image_try(&I, where);
	return (I);
}

/* --- size --------------------------------------------------------------------------------------------- */

uint64_t
image_room(const struct image *I)
{
	return (I->room);
}

static int
is_fixed(const struct image *I)
{
	return (I->room != IMAGE_GROWS);
}

int
image_fits(const struct image *I, uint64_t size)
{
	if (size <= I->room)
		return (0);
	return (say_refused("%s: the %s has %" PRIu64 " bytes, and the disk has %" PRIu64
	                    "; move it to a larger one: 'vmferry move --disk'",
	    I->name, source_is_uri(I->name) ? "export" : "device", I->room, size));
}

static int
drain(struct image *I)
{
	return (I->kind->drain == NULL ? 0 : I->kind->drain(I->state));
}

static int
clear(struct image *I, uint64_t offset, uint64_t length)
{
	int rc = I->kind->zero(I->state, offset, length);

	return (drain(I) != 0 ? -1 : rc);
}

int
image_resize(struct image *I, uint64_t old, uint64_t size)
{
	uint64_t from = old < size ? old : size, to = old < size ? size : old;

	if (!is_fixed(I))
		return (I->kind->resize(I->state, size));
	if (image_fits(I, size) != 0)
		return (-1);
	return (clear(I, from, (to < I->room ? to : I->room) - from));
}

/* --- write -------------------------------------------------------------------------------------------- */

int
image_apply(struct image *I, const struct extent *extents, uint32_t n, const uint8_t *data)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		const struct extent *e = &extents[i];

		if (e->kind != EXTENT_DATA) {
			rc = I->kind->zero(I->state, e->offset, e->length);
			continue;
		}
		rc = I->kind->write(I->state, data, (size_t)e->length, e->offset);
		data += e->length;
	}
	/* Also after an error, since the data are the caller's. */
	return (drain(I) != 0 ? -1 : rc);
}

int
image_sync(struct image *I)
{
	return (I->kind->sync(I->state));
}

int
image_settle(struct image *I)
{
	return (I->kind->settle(I->state));
}

/* --- copy --------------------------------------------------------------------------------------------- */

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
		if (I->kind->write(I->state, buf + from, to - from, offset + from) != 0)
			return (-1);
		from = to;
	}
	return (0);
}

/* Write what may be zero: where the image had a size before, something else may be there now. */
static int
write_piece(struct image *I, const uint8_t *buf, size_t n, uint64_t offset)
{
	int rc;

	if (!is_fixed(I))
		return (write_data(I, buf, n, offset));
	rc = leaf_is_zero(buf, n) ? I->kind->zero(I->state, offset, n)
	                          : I->kind->write(I->state, buf, n, offset);
	return (drain(I) != 0 ? -1 : rc);
}

/* Where a copy comes from: an open file of any size, or a disk. */
struct copy {
	int fd;
	const char *path;
	const struct source *source; /* or NULL */
	uint8_t *buf;
	struct progress progress;
};

static int
read_piece(const struct copy *c, size_t n, uint64_t offset)
{
	if (c->source != NULL)
		return (source_read(c->source, c->buf, n, offset));
	return (io_pread(c->fd, c->path, c->buf, n, offset) == (ssize_t)n ? 0 : -1);
}

/* Copy a stretch of data. */
static int
copy_stretch(struct image *I, struct copy *c, uint64_t at, uint64_t length)
{
	for (uint64_t done = 0; done < length; done += PIECE) {
		size_t n = length - done < PIECE ? (size_t)(length - done) : PIECE;

		if (stop_check() != 0 || read_piece(c, n, at + done) != 0 ||
		    write_piece(I, c->buf, n, at + done) != 0)
			return (-1);
		progress_add(&c->progress, n);
	}
	return (0);
}

/* Copy the data of c, up to end, stretch by stretch. */
static int
copy_data(struct image *I, struct copy *c, uint64_t end)
{
	uint64_t at = 0, length;
	int is_hole;

	while (at < end) {
		if ((c->source != NULL ? source_stretch(c->source, at, end, &length, &is_hole)
		                       : io_stretch(c->fd, c->path, at, end, &length, &is_hole)) != 0)
			return (-1);
		if (!is_hole && copy_stretch(I, c, at, length) != 0)
			return (-1);
		if (is_hole && is_fixed(I) && clear(I, at, length) != 0)
			return (-1);
		if (is_hole)
			progress_add(&c->progress, length);
		at += length;
	}
	return (0);
}

static int
run_copy(struct image *I, struct copy *c, uint64_t size)
{
	int rc;

	if ((c->buf = malloc(PIECE)) == NULL)
		return (say_failed("out of memory"));
	progress_start(&c->progress, "copying", size);
	rc = copy_data(I, c, size);
	progress_end(&c->progress);
	free(c->buf);
	return (rc);
}

static int
resize_new(struct image *I, uint64_t size)
{
	return (is_fixed(I) ? 0 : I->kind->resize(I->state, size));
}

static int
copy_file(struct image *I, const char *path, uint64_t size)
{
	struct copy c = { .fd = io_open_read(path), .path = path };
	uint64_t there;
	int rc = c.fd >= 0 ? io_size(c.fd, path, &there) : -1;

	if (rc == 0 && size > there)
		size = there;
	if (rc == 0 && !is_fixed(I) && I->kind->share != NULL && I->kind->share(I->state, c.fd))
		rc = size == there ? 0 : I->kind->resize(I->state, size);
	else if (rc == 0 && (rc = resize_new(I, size)) == 0)
		rc = run_copy(I, &c, size);
	io_close(c.fd);
	return (rc);
}

int
image_copy(struct image *I, const char *where, uint64_t size)
{
	struct copy c = { .path = where };
	struct source *S;
	int rc;

	if (source_is_plain(where))
		return (copy_file(I, where, size));
	if (source_open_own(&S, where, size) != 0)
		return (-1);
	c.source = S;
	if ((rc = resize_new(I, source_size(S))) == 0)
		rc = run_copy(I, &c, source_size(S));
	source_close(S);
	return (rc);
}

int
image_copy_source(struct image *I, const struct source *S)
{
	struct copy c = { .path = source_name(S), .source = S };
	int from, is_shared;

	if (source_is_plain(source_name(S))) {
		if ((from = io_open_read(source_name(S))) < 0)
			return (-1);
		is_shared = I->kind->share != NULL && I->kind->share(I->state, from);
		io_close(from);
		if (is_shared)
			return (0);
	}
	return (run_copy(I, &c, source_size(S)));
}
