#include "disk/overlay.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <libnbd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "base/io.h"
#include "base/program.h"
#include "base/say.h"
#include "base/stop.h"

#define PACKAGE "qemu-utils"
#define REQUESTS 64u                  /* under way at a time */
#define DATA_MAX (1u << 20)           /* bytes in one of them */
#define ZERO_MAX UINT64_C(0x40000000) /* the same where no bytes travel */

struct overlay {
	struct nbd_handle *h;
	uint64_t size;
	unsigned under_way;
	int error; /* of a request */
	char path[PATH_MAX];
};

/* --- qemu-img ----------------------------------------------------------------------------------------- */

/*
 * QEMU marks what it does with an image by locks on single bytes of it: from 100 on what it needs, from 200 on what it
 * does not share, for readers as for writers.  To look at them costs nothing, disturbs nobody, and works where no
 * tool of QEMU is; `qemu-img info` would only fail on some of them.
 */
#define LOCKS_FROM 100u
#define LOCKS 200u

int
overlay_is_used(const char *path)
{
	int fd = io_open_read(path), rc;

	if (fd < 0)
		return (-1);
	rc = io_is_locked(fd, path, LOCKS_FROM, LOCKS);
	io_close(fd);
	return (rc);
}

static int
in_use(const char *path)
{
	return (say_refused("%s: a VM or another program has it open; shut the VM down first", path));
}

/* 0; 1, said, if somebody has it open; -1. */
static int
check_quiet(const char *path)
{
	int rc = overlay_is_used(path);

	return (rc == 1 ? in_use(path) : rc);
}

/* Run qemu-img on the image at path: 0; 1, said, if a lock of QEMU is in the way; -1, said: cannot WHAT. */
static int
qemu_img(const char *const *argv, const char *path, const char *what)
{
	const struct program P = { .argv = argv, .package = PACKAGE };
	struct program_result R;
	int rc = 0;

	if (program_run(&P, &R) != 0)
		return (-1);
	if (R.status != 0 && strstr(R.words, "Failed to get") != NULL && strstr(R.words, "lock") != NULL)
		rc = in_use(path);
	else if (R.status != 0)
		rc = say_failed("%s: cannot %s: %s", path, what, R.words);
	program_release(&R);
	return (rc);
}

/* --- what an overlay says of itself ----------------------------------------------------------------- */

/* The head of a qcow2 image, as QEMU's docs/interop/qcow2.txt has it; all numbers have their high byte first. */
#define HEAD_SIZE 32u
#define HEAD_MAGIC UINT32_C(0x514649fb)

struct head {
	uint64_t size;
	char base[OVERLAY_PATH + 1]; /* "" for none */
};

static uint64_t
big_endian(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | p[i];
	return (v);
}

static int
no_overlay(const char *path)
{
	return (say_refused("%s: is not an overlay", path));
}

static int
read_head(int fd, const char *path, struct head *out)
{
	uint8_t h[HEAD_SIZE];
	ssize_t n = io_pread(fd, path, h, sizeof h, 0);
	uint64_t at, length;

	if (n < 0)
		return (-1);
	if (n != (ssize_t)sizeof h || big_endian(h, 4) != HEAD_MAGIC)
		return (no_overlay(path));
	at = big_endian(h + 8, 8);
	length = big_endian(h + 16, 4);
	out->size = big_endian(h + 24, 8);
	if (at == 0 || at > LIMIT_DISK_SIZE || length == 0 || length > OVERLAY_PATH ||
	    out->size > LIMIT_DISK_SIZE)
		return (no_overlay(path));
	if ((n = io_pread(fd, path, out->base, (size_t)length, at)) < 0)
		return (-1);
	out->base[n] = '\0';
	return (0);
}

static int
get_head(const char *path, struct head *out)
{
	int fd = io_open_read(path), rc = fd < 0 ? -1 : read_head(fd, path, out);

	io_close(fd);
	return (rc);
}

int
overlay_size(const char *path, uint64_t *size)
{
	struct head h;
	int rc = get_head(path, &h);

	if (rc == 0)
		*size = h.size;
	return (rc);
}

/* --- create ------------------------------------------------------------------------------------------- */

static int
sync_new(const char *path)
{
	int fd = io_open_read(path), rc = fd < 0 ? -1 : io_sync(fd, path);
	char copy[PATH_MAX];

	io_close(fd);
	if (rc == 0 && (rc = io_path(copy, "%s", path)) == 0)
		rc = io_sync_dir(dirname(copy));
	return (rc);
}

int
overlay_create(const char *path, const char *base, uint64_t size)
{
	char bytes[32];
	/* With subclusters of 4 KiB, a block of ours is written without reading or copying what is around it. */
	const char *argv[] = { "qemu-img", "create", "-q", "-f", "qcow2", "-o",
		"extended_l2=on,cluster_size=128k", "-F", "raw", "-b", base, path, bytes, NULL };
	int fd, rc;

	if (path[0] != '/' || base[0] != '/' || strlen(base) > OVERLAY_PATH)
		return (say_refused("%s: an overlay needs a path of at most %u bytes, starting with '/'",
		    base, OVERLAY_PATH));
	if (size == 0 || size % LIMIT_SECTOR != 0 || size > LIMIT_DISK_SIZE)
		return (say_refused("%s: a disk cannot have %" PRIu64 " bytes", path, size));
	snprintf(bytes, sizeof bytes, "%" PRIu64, size);
	if ((fd = io_create(path)) < 0)
		return (-1);
	io_close(fd);
	if ((rc = qemu_img(argv, path, "make the overlay")) == 0)
		rc = sync_new(path);
	if (rc != 0)
		io_remove(path);
	return (rc);
}

/* --- fill --------------------------------------------------------------------------------------------- */

static int
failed(const struct overlay *O, const char *what)
{
	return (say_failed("%s: cannot %s: %s", O->path, what, nbd_get_error()));
}

/*
 * qemu-nbd is started by libnbd, has our end of a socket as its only client, and ends when that closes.  It need not
 * keep its metadata in order on the medium with a flush here and there (a third of the time to fill): until
 * overlay_flush, which has it write all it has, and the file made durable by ourselves, nothing is promised.
 */
static int
serve(struct overlay *O)
{
	char program[PATH_MAX];
	char *argv[] = { program, "-f", "qcow2", "--cache=unsafe", "--discard=unmap", "--aio=threads",
		O->path, NULL };
	int64_t size;

	if (program_find(program, "qemu-nbd", PACKAGE) != 0)
		return (-1);
	if ((O->h = nbd_create()) == NULL)
		return (failed(O, "prepare"));
	if (nbd_connect_systemd_socket_activation(O->h, argv) == -1)
		return (overlay_is_used(O->path) == 1 ? in_use(O->path) : failed(O, "open it with qemu-nbd"));
	if ((size = nbd_get_size(O->h)) < 0)
		return (failed(O, "learn the size"));
	O->size = (uint64_t)size;
	return (0);
}

int
overlay_open(struct overlay **out, const char *path)
{
	struct overlay *O;
	struct head h;
	int rc;

	*out = NULL;
	if ((rc = get_head(path, &h)) != 0 || (rc = check_quiet(path)) != 0)
		return (rc);
	if ((O = calloc(1, sizeof *O)) == NULL)
		return (say_failed("out of memory"));
	if ((rc = io_path(O->path, "%s", path)) == 0)
		rc = serve(O);
	if (rc != 0) {
		overlay_close(O);
		return (rc);
	}
	*out = O;
	return (0);
}

void
overlay_close(struct overlay *O)
{
	if (O == NULL)
		return;
	if (O->h != NULL) {
		nbd_shutdown(O->h, 0);
		nbd_close(O->h);
	}
	free(O);
}

static int
completed(void *user, int *error)
{
	struct overlay *O = user;

	O->under_way--;
	if (*error != 0)
		O->error = *error;
	return (1);
}

/* Go on until at most so many requests are under way. */
static int
drain(struct overlay *O, unsigned most)
{
	while (O->under_way > most)
		if (nbd_poll(O->h, -1) == -1)
			return (failed(O, "write"));
	if (O->error != 0)
		return (say_failed("%s: cannot write: %s%s", O->path, strerror(O->error),
		    O->error == ENOSPC ? "; free some space and run the command again" : ""));
	return (0);
}

/* Begin to write a piece of an extent; data is NULL for zeroes. */
static int
begin(struct overlay *O, const uint8_t *data, uint64_t length, uint64_t offset)
{
	nbd_completion_callback cb = { .callback = completed, .user_data = O };
	int64_t cookie;

	if (drain(O, REQUESTS - 1) != 0)
		return (-1);
	O->under_way++;
	cookie = data != NULL ? nbd_aio_pwrite(O->h, data, (size_t)length, offset, cb, 0)
	                      : nbd_aio_zero(O->h, length, offset, cb, 0);
	if (cookie != -1)
		return (0);
	O->under_way--;
	return (failed(O, "write"));
}

static int
apply_one(struct overlay *O, const struct extent *e, const uint8_t *data)
{
	uint64_t most = data != NULL ? DATA_MAX : ZERO_MAX, k;

	if (e->length > O->size || e->offset > O->size - e->length)
		return (say_failed("%s: is too small for what belongs to byte %" PRIu64, O->path, e->offset));
	for (uint64_t done = 0; done < e->length; done += k) {
		k = e->length - done < most ? e->length - done : most;
		if (begin(O, data != NULL ? data + done : NULL, k, e->offset + done) != 0)
			return (-1);
	}
	return (0);
}

int
overlay_apply(struct overlay *O, const struct extent *extents, uint32_t n, const uint8_t *data)
{
	int rc = stop_check();

	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		const struct extent *e = &extents[i];

		rc = apply_one(O, e, e->kind == EXTENT_DATA ? data : NULL);
		if (e->kind == EXTENT_DATA)
			data += e->length;
	}
	/* Also after an error, since the data are the caller's. */
	return (drain(O, 0) != 0 ? -1 : rc);
}

int
overlay_flush(struct overlay *O)
{
	int fd, rc;

	if (nbd_flush(O->h, 0) == -1)
		return (failed(O, "make durable"));
	fd = io_open_read(O->path);
	rc = fd < 0 ? -1 : io_sync(fd, O->path);
	io_close(fd);
	return (rc);
}

/* --- commit ------------------------------------------------------------------------------------------- */

/* Is it possible?  0; 1, said; -1. */
static int
check_commit(const char *path, const char *base, int fd, const struct head *h)
{
	uint64_t size;
	int rc;

	if (strcmp(h->base, base) != 0)
		return (say_refused("%s: is an overlay on %s, not on %s", path, h->base, base));
	if (io_size(fd, base, &size) != 0)
		return (-1);
	if (size < h->size && !io_is_regular(fd))
		return (say_refused(
		    "%s: has %" PRIu64 " bytes, and the disk needs %" PRIu64, base, size, h->size));
	if ((rc = check_quiet(path)) == 0)
		rc = check_quiet(base);
	return (rc);
}

/* The base is durable, and no longer than the disk is. */
static int
end_commit(const char *base, int fd, const struct head *h)
{
	uint64_t size;

	if (io_size(fd, base, &size) != 0)
		return (-1);
	if (size < h->size)
		return (say_failed("%s: was not brought to its %" PRIu64 " bytes", base, h->size));
	if (size > h->size && io_is_regular(fd) && io_resize(fd, base, h->size) != 0)
		return (-1);
	return (io_sync(fd, base));
}

int
overlay_commit(const char *path, const char *base)
{
	/* -d: the overlay keeps what it has, so that all of this can be done again. */
	const char *argv[] = { "qemu-img", "commit", "-q", "-f", "qcow2", "-t", "writeback", "-d", path,
		NULL };
	struct head h;
	int fd, rc;

	if ((rc = get_head(path, &h)) != 0)
		return (rc);
	if ((fd = io_open_write(base)) < 0)
		return (-1);
	if ((rc = check_commit(path, base, fd, &h)) == 0 &&
	    (rc = qemu_img(argv, path, "write it into its base")) == 0)
		rc = end_commit(base, fd, &h);
	io_close(fd);
	return (rc);
}
