#include "disk/overlay.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "base/io.h"
#include "base/program.h"
#include "base/say.h"
#include "base/stop.h"
#include "disk/overlay_server.h"
#include "disk/qemu_locks.h"
#include "disk/source.h"

struct overlay {
	struct overlay_server server;
};

/* --- qemu-img ----------------------------------------------------------------------------------------- */

int
overlay_is_used(const char *where)
{
	const char *path = source_path(where);
	int fd, rc;

	/* Nobody says it of an export. */
	if (source_is_uri(where))
		return (0);
	if ((fd = io_open_read(path)) < 0)
		return (-1);
	rc = io_is_locked(fd, path, QEMU_LOCKS_FROM, QEMU_LOCKS);
	io_close(fd);
	return (rc);
}

/* Run qemu-img on the image at path: 0; 1, said, if a lock of QEMU is in the way; -1, said: cannot WHAT. */
static int
qemu_img(const char *const *argv, const char *path, const char *what)
{
	const struct program P = { .argv = argv, .package = OVERLAY_PACKAGE };
	struct program_result R;
	int rc = 0;

	if (program_run(&P, &R) != 0)
		return (-1);
	if (R.status != 0 && overlay_server_is_locked_out(R.words))
		rc = overlay_server_in_use(path);
	else if (R.status != 0)
		rc = say_failed("%s: cannot %s: %s", path, what, R.words);
	program_release(&R);
	return (rc);
}

/* --- what an overlay says of itself ----------------------------------------------------------------- */

/* The head of a qcow2 image, as QEMU's docs/interop/qcow2.txt has it; all numbers have their high byte first. */
#define HEAD_SIZE 32u
#define HEAD_MAGIC UINT32_C(0x514649fb)

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
read_head(int fd, const char *path, struct overlay_head *out)
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

int
overlay_head(const char *path, struct overlay_head *out)
{
	int fd = io_open_read(path), rc = fd < 0 ? -1 : read_head(fd, path, out);

	io_close(fd);
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
	const char *at = source_path(base), *format = at == base ? NULL : source_image_format(base, &at);
	char bytes[32];
	/* With subclusters of 4 KiB, a block of ours is written without reading or copying what is around it. */
	const char *argv[] = { "qemu-img", "create", "-q", "-f", "qcow2", "-o",
		"extended_l2=on,cluster_size=128k", "-F", format == NULL ? "raw" : format, "-b", at, path,
		bytes, NULL };
	int fd, rc;

	if (path[0] != '/' || (at[0] != '/' && !source_is_uri(base)) || strlen(at) > OVERLAY_PATH)
		return (say_refused(
		    "%s: an overlay needs a path of at most %u bytes, starting with '/'", at, OVERLAY_PATH));
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

int
overlay_open(struct overlay **out, const char *path)
{
	struct overlay *O;
	struct overlay_head h;
	int rc;

	*out = NULL;
	if ((rc = overlay_head(path, &h)) != 0 || (rc = overlay_is_used(path)) < 0)
		return (rc);
	if (rc == 1)
		return (overlay_server_in_use(path));
	if ((O = calloc(1, sizeof *O)) == NULL)
		return (say_failed("out of memory"));
	if ((rc = overlay_server_open(&O->server, path, 0)) != 0) {
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
	overlay_server_close(&O->server);
	free(O);
}

int
overlay_apply(struct overlay *O, const struct extent *extents, uint32_t n, const uint8_t *data)
{
	uint8_t *p = (uint8_t *)(uintptr_t)data; /* is only read */
	int rc = stop_check();

	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		const struct extent *e = &extents[i];

		if (e->kind == EXTENT_DATA) {
			rc = overlay_server_begin(&O->server, OVERLAY_WRITE, p, e->length, e->offset);
			p += e->length;
		} else
			rc = overlay_server_begin(&O->server, OVERLAY_CLEAR, NULL, e->length, e->offset);
	}
	/* Also after an error, since the data are the caller's. */
	return (overlay_server_drain(&O->server, 0) != 0 ? -1 : rc);
}

int
overlay_flush(struct overlay *O)
{
	const char *path = O->server.path;
	int fd, rc;

	if (nbd_flush(O->server.h, 0) == -1)
		return (overlay_server_failed(&O->server, "make durable"));
	fd = io_open_read(path);
	rc = fd < 0 ? -1 : io_sync(fd, path);
	io_close(fd);
	return (rc);
}
