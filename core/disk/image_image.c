#include <errno.h>
#include <inttypes.h>
#include <libnbd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "base/io.h"
#include "base/program.h"
#include "base/say.h"
#include "disk/image.h"
#include "disk/imageinfo.h"
#include "disk/overlay_server.h"

/*
 * An image of a format that QEMU knows, which qemu-nbd, started by us and ending with us, writes.  It is told the format
 * and never guesses it.  As long as it has the image open, QEMU's locks keep every VM out.  What was written is durable
 * when it has answered a flush, as with any export, so it must not be told to take flushes lightly (--cache=unsafe).
 *
 * What the image is based on is left alone: all that is written goes to its own layer.
 */
#define CLUSTER_MOST (UINT64_C(2) << 20) /* bytes in a cluster of a qcow2 image, at most */
#define LEAST LIMIT_SECTOR               /* bytes of a disk that is not there: there are no images of none */

struct written {
	struct program_server *program;
	void *nbd; /* state of image_nbd; NULL: nobody has it open */
	uint64_t size;
	int fd; /* of its file */
	const char *format;
	const char *path; /* in where */
	char where[PATH_MAX];
};

/* --- the server --------------------------------------------------------------------------------------- */

/* The image is whole and closed after this. */
static void
stop(struct written *w)
{
	if (w->nbd != NULL)
		image_nbd.close(w->nbd);
	program_served(w->program, NULL);
	w->nbd = NULL;
	w->program = NULL;
}

/* It has ended, or ends with its connection, and what it said tells why. */
static int
not_served(struct written *w, const char *why)
{
	char words[PROGRAM_WORDS];

	program_served(w->program, words);
	w->program = NULL;
	if (overlay_server_is_locked_out(words))
		return (overlay_server_in_use(w->path));
	return (say_failed(
	    "%s: cannot open it with qemu-nbd to write: %s", w->path, words[0] != '\0' ? words : why));
}

static int
start(struct written *w)
{
	const char *argv[] = { "qemu-nbd", "--format", w->format, "--cache=writeback", "--discard=unmap",
		"--aio=threads", w->path, NULL };
	const struct program P = { .argv = argv, .package = IMAGEINFO_PACKAGE };
	struct nbd_handle *h = nbd_create();
	char why[256];
	int fd;

	if (h == NULL)
		return (say_failed("%s: %s", w->path, nbd_get_error()));
	if (program_serve(&P, &w->program, &fd) != 0) {
		nbd_close(h);
		return (-1);
	}
	/* Takes fd, also when it fails. */
	if (nbd_connect_socket(h, fd) == -1) {
		snprintf(why, sizeof why, "%s", nbd_get_error());
		nbd_close(h);
		return (not_served(w, why));
	}
	return (image_nbd_wrap(&w->nbd, &w->size, w->path, h));
}

/* --- open --------------------------------------------------------------------------------------------- */

static void
image_close(void *state)
{
	struct written *w = state;

	stop(w);
	io_close(w->fd);
	free(w);
}

/* What it is based on must be told, as for reading it. */
static int
check(const struct written *w)
{
	struct imageinfo *I;
	int rc;

	if (!image_takes(w->where))
		return (say_refused("%s: an image in the format %s is only read; make a qcow2 image or a "
		                    "raw file of it with 'qemu-img convert'",
		    w->path, w->format));
	rc = imageinfo_read(&I, w->format, w->path, NULL);
	imageinfo_free(I);
	return (rc);
}

int
image_image_open(void **state, uint64_t *room, const char *where)
{
	struct written *w = calloc(1, sizeof *w);
	int rc;

	if (w == NULL)
		return (say_failed("out of memory"));
	w->fd = -1;
	if (io_path(w->where, "%s", where) != 0 ||
	    (w->format = source_image_format(w->where, &w->path)) == NULL ||
	    (w->fd = io_open_read(w->path)) < 0)
		rc = -1;
	else if ((rc = check(w)) == 0)
		rc = start(w);
	if (rc != 0) {
		image_close(w);
		return (rc);
	}
	*state = w;
	*room = IMAGE_GROWS;
	return (0);
}

/* --- size --------------------------------------------------------------------------------------------- */

/* 0 or -1, said: cannot WHAT. */
static int
qemu_img(const struct written *w, const char *const *argv, const char *what)
{
	const struct program P = { .argv = argv, .package = IMAGEINFO_PACKAGE };
	struct program_result R;
	int rc;

	if (program_run(&P, &R) != 0)
		return (-1);
	rc = R.status == 0 ? 0 : say_failed("%s: cannot %s: %s", w->path, what, R.words);
	program_release(&R);
	return (rc);
}

/* QEMU uses them no more, and resizes no image that has some. */
static int
drop_lost_bitmaps(const struct written *w)
{
	struct imageinfo *I;
	int rc = imageinfo_read(&I, w->format, w->path, NULL);

	for (unsigned i = 0; rc == 0 && i < I->nlost; i++) {
		const char *argv[] = { "qemu-img", "bitmap", "--remove", "-f", w->format, "--", w->path,
			I->lost[i], NULL };

		rc = qemu_img(w, argv, "remove a dirty bitmap that is of no use any more");
	}
	imageinfo_free(I);
	return (rc == 0 ? 0 : -1);
}

/* qemu-nbd gives an image no size, and nobody else may while it has it open. */
static int
give_size(const struct written *w, uint64_t size)
{
	char bytes[32];
	const char *argv[] = { "qemu-img", "resize", "-q", "-f", w->format, "--shrink", "--", w->path, bytes,
		NULL };

	snprintf(bytes, sizeof bytes, "%" PRIu64, size);
	return (drop_lost_bitmaps(w) != 0 ? -1 : qemu_img(w, argv, "bring it to the disk's size"));
}

/* What is behind the end in the last cluster would come back when it grows again. */
static int
clear_end(struct written *w, uint64_t from)
{
	uint64_t left = w->size - from;

	if (image_nbd.zero(w->nbd, from, left < CLUSTER_MOST ? left : CLUSTER_MOST) != 0)
		return (image_nbd.drain(w->nbd));
	return (image_nbd.sync(w->nbd));
}

static int
image_give_size(void *state, uint64_t size)
{
	struct written *w = state;

	if (size < w->size && clear_end(w, size) != 0)
		return (-1);
	if (size < LEAST)
		size = LEAST;
	if (size == w->size)
		return (0);
	stop(w);
	return (give_size(w, size) != 0 || start(w) != 0 ? -1 : 0);
}

/* --- the kind ----------------------------------------------------------------------------------------- */

static int
image_write(void *state, const uint8_t *buf, size_t n, uint64_t offset)
{
	const struct written *w = state;

	return (image_nbd.write(w->nbd, buf, n, offset));
}

static int
image_zero(void *state, uint64_t offset, uint64_t length)
{
	const struct written *w = state;

	return (image_nbd.zero(w->nbd, offset, length));
}

static int
image_drain(void *state)
{
	const struct written *w = state;

	return (image_nbd.drain(w->nbd));
}

static int
image_flush(void *state)
{
	const struct written *w = state;

	return (image_nbd.sync(w->nbd) != 0 ? -1 : io_sync(w->fd, w->path));
}

static int
image_forget(void *state)
{
	const struct written *w = state;

	return (image_flush(state) != 0 ? -1 : io_forget(w->fd, w->path, 0, 0));
}

const struct image_kind image_image = { .write = image_write,
	.zero = image_zero,
	.drain = image_drain,
	.sync = image_flush,
	.settle = image_forget,
	.resize = image_give_size,
	.close = image_close };
