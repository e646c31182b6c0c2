#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "base/io.h"
#include "base/say.h"
#include "base/stop.h"
#include "disk/image.h"
#include "disk/overlay.h"
#include "disk/overlay_server.h"
#include "disk/qemu_locks.h"

/*
 * The blocks that are the overlay's own are read through qemu-nbd and written into the base by ourselves: 4 KiB where
 * `qemu-img commit` copies 64 KiB for each, most of it from the base to the base, which fills the holes around it.
 * The overlay is not changed, so all of it can be done again.
 */
#define WINDOW (1u << 30) /* bytes asked about at a time */
#define BLOCKS (WINDOW / LIMIT_BLOCK)
#define EXTENTS 1024u /* in one go, with at most LIMIT_DATA of data */

/* What is known of a block. */
#define IS_OWN 1u
#define IS_ZERO 2u

struct commit {
	struct overlay_server server;
	struct image *base;
	uint64_t start, end;        /* the window */
	uint64_t depth_to, zero_to; /* how far it is known */
	uint8_t *blocks;            /* of the window */
	uint8_t *data;              /* of the extents */
	size_t filled;
	uint32_t n;
	struct extent extents[EXTENTS];
};

/* Mark the whole blocks of a stretch, of which the last one may end with the disk. */
static void
mark(struct commit *C, uint64_t from, uint64_t to, uint8_t what)
{
	uint64_t first = (from - C->start + LIMIT_BLOCK - 1) / LIMIT_BLOCK;
	uint64_t end = (to - C->start + (to == C->server.size ? LIMIT_BLOCK - 1 : 0)) / LIMIT_BLOCK;

	for (uint64_t i = first; i < end; i++)
		C->blocks[i] |= what;
}

static int
take_status(void *user, const char *context, uint64_t offset, uint32_t *entries, size_t n, int *error)
{
	struct commit *C = user;
	int is_depth = strcmp(context, OVERLAY_DEPTH) == 0;
	uint64_t *to = is_depth ? &C->depth_to : &C->zero_to;

	(void)error;
	if ((!is_depth && strcmp(context, OVERLAY_ZERO) != 0) || offset != *to)
		return (0);
	for (size_t i = 0; i + 1 < n && *to < C->end; i += 2) {
		uint64_t from = *to, length = entries[i];
		uint32_t flags = entries[i + 1];

		*to += length < C->end - from ? length : C->end - from;
		if (is_depth && flags == 1)
			mark(C, from, *to, IS_OWN);
		if (!is_depth && (flags & LIBNBD_STATE_ZERO) != 0)
			mark(C, from, *to, IS_ZERO);
	}
	return (0);
}

/* Learn of the blocks from start on, as far as the server tells at once: set end. */
static int
ask(struct commit *C)
{
	nbd_extent_callback cb = { .callback = take_status, .user_data = C };
	uint64_t left = C->server.size - C->start;

	C->end = C->start + (left < WINDOW ? left : WINDOW);
	C->depth_to = C->zero_to = C->start;
	memset(C->blocks, 0, BLOCKS);
	if (nbd_block_status(C->server.h, C->end - C->start, C->start, cb, 0) == -1)
		return (overlay_server_failed(&C->server, "learn which blocks are its own"));
	if (C->depth_to < C->end)
		C->end = C->depth_to;
	if (C->zero_to < C->end)
		C->end = C->zero_to;
	if (C->end < C->server.size)
		C->end -= (C->end - C->start) % LIMIT_BLOCK;
	if (C->end == C->start)
		return (say_failed("%s: qemu-nbd does not say which blocks are its own at byte %" PRIu64,
		    C->server.path, C->start));
	return (0);
}

/* Bring what was collected from the overlay to the base. */
static int
carry(struct commit *C)
{
	uint8_t *p = C->data;
	int rc = stop_check();

	for (uint32_t i = 0; rc == 0 && i < C->n; i++) {
		const struct extent *e = &C->extents[i];

		if (e->kind != EXTENT_DATA)
			continue;
		rc = overlay_server_begin(&C->server, OVERLAY_READ, p, e->length, e->offset);
		p += e->length;
	}
	if (overlay_server_drain(&C->server, 0) != 0 || rc != 0)
		return (-1);
	rc = image_apply(C->base, C->extents, C->n, C->data);
	C->n = 0;
	C->filled = 0;
	return (rc);
}

/* Collect a stretch of one kind. */
static int
collect(struct commit *C, uint64_t from, uint64_t to, enum extent_kind kind)
{
	while (from < to) {
		uint64_t length = to - from;

		if ((C->n == EXTENTS || C->filled == LIMIT_DATA) && carry(C) != 0)
			return (-1);
		if (kind == EXTENT_DATA && length > LIMIT_DATA - C->filled)
			length = LIMIT_DATA - C->filled;
		C->extents[C->n++] = (struct extent){ from, length, kind };
		C->filled += kind == EXTENT_DATA ? (size_t)length : 0;
		from += length;
	}
	return (0);
}

static int
commit_window(struct commit *C)
{
	uint64_t n = (C->end - C->start + LIMIT_BLOCK - 1) / LIMIT_BLOCK, k;

	for (uint64_t i = 0; i < n; i = k) {
		uint64_t from = C->start + i * LIMIT_BLOCK, to;
		uint8_t kind = C->blocks[i];

		for (k = i + 1; k < n && C->blocks[k] == kind; k++)
			;
		to = C->start + k * LIMIT_BLOCK;
		if ((kind & IS_OWN) != 0 && collect(C, from, to < C->end ? to : C->end,
		                                (kind & IS_ZERO) != 0 ? EXTENT_ZERO : EXTENT_DATA) != 0)
			return (-1);
	}
	return (0);
}

static int
commit_all(struct commit *C)
{
	if (nbd_can_meta_context(C->server.h, OVERLAY_DEPTH) != 1 ||
	    nbd_can_meta_context(C->server.h, OVERLAY_ZERO) != 1)
		return (
		    say_failed("%s: this qemu-nbd cannot say which blocks are its own; QEMU 5.2 or later can",
		        C->server.path));
	for (C->start = 0; C->start < C->server.size; C->start = C->end)
		if (ask(C) != 0 || commit_window(C) != 0)
			return (-1);
	return (carry(C));
}

static int
is_image(const char *base)
{
	return (!source_is_plain(base) && !source_is_uri(base));
}

/*
 * The base is written by us, and no QEMU may do so meanwhile; in its own words (qemu_locks.h) we write, and let no
 * other write.  Readers stay possible: qemu-nbd is one.
 */
static int
lock_base(int fd, const char *base)
{
	int rc;

	/* An export knows no locks of ours, and an image has those of who writes it for us. */
	if (fd < 0)
		return (0);
	if (io_share_lock(fd, base, QEMU_LOCK_WRITES, 1) != 0 ||
	    io_share_lock(fd, base, QEMU_LOCK_NO_WRITERS, 1) != 0)
		return (-1);
	/* Our own do not count. */
	rc = io_is_locked(fd, base, QEMU_LOCK_WRITES, 1);
	return (rc == 1 ? overlay_server_in_use(base) : rc);
}

static int
run(struct commit *C, const char *path, const char *base, int fd)
{
	uint64_t old = 0;
	int rc;

	if ((C->blocks = malloc(BLOCKS)) == NULL || (C->data = malloc(LIMIT_DATA)) == NULL)
		return (say_failed("out of memory"));
	if ((rc = overlay_server_open(&C->server, path, is_image(base))) != 0 ||
	    (rc = lock_base(fd, base)) != 0)
		return (rc);
	/* An image takes nothing behind its end, and a file needs its new one last alone. */
	if (is_image(base) && image_resize(C->base, 0, C->server.size) != 0)
		return (-1);
	if ((rc = commit_all(C)) == 0 && fd >= 0 && image_room(C->base) == IMAGE_GROWS)
		rc = io_size(fd, base, &old) != 0 ? -1 : image_resize(C->base, old, C->server.size);
	return (rc == 0 ? image_sync(C->base) : rc);
}

/* Is it possible?  0, with the base open; 1, said; -1. */
static int
check(struct commit *C, const char *path, const char *base)
{
	struct overlay_head h;
	int rc;

	if ((rc = overlay_head(path, &h)) != 0)
		return (rc);
	if (strcmp(h.base, source_path(base)) != 0)
		return (say_refused("%s: is an overlay on %s, not on %s", path, h.base, base));
	if ((rc = overlay_is_used(path)) == 1)
		return (overlay_server_in_use(path));
	if (rc == 0 && (rc = overlay_is_used(base)) == 1)
		return (overlay_server_in_use(base));
	if (rc != 0 || (rc = image_try(&C->base, base)) != 0)
		return (rc);
	if (image_room(C->base) < h.size)
		return (say_refused("%s: has %" PRIu64 " bytes, and the disk needs %" PRIu64, base,
		    image_room(C->base), h.size));
	return (0);
}

int
overlay_commit(const char *path, const char *base)
{
	struct commit *C = calloc(1, sizeof *C);
	int is_plain = source_is_plain(base), fd = is_plain ? io_open_write(base) : -1, rc = -1;

	if (C == NULL)
		say_failed("out of memory");
	else if ((!is_plain || fd >= 0) && (rc = check(C, path, base)) == 0)
		rc = run(C, path, base, fd);
	if (C != NULL) {
		overlay_server_close(&C->server);
		image_free(C->base);
		free(C->blocks);
		free(C->data);
	}
	free(C);
	io_close(fd);
	return (rc);
}
