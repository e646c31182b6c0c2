#include "bundle/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/say.h"
#include "bundle/readback.h"

#define PARTS 4u /* that are written at once */
#define PIPE_SIZE (1 << 20)
#define EARLY (UINT64_C(8) << 20) /* bytes after which the kernel is asked to begin writing them out */

struct outfile {
	int fd;
	int is_borrowed; /* the fd is not ours to close */
	int is_ours;     /* a new file under its temporary name */
	int is_regular;
	int may_fill, is_full;
	uint64_t skip;          /* bytes to come that are not written */
	int is_bad;             /* its medium did not give back what was written */
	uint64_t size, started; /* bytes written, and those whose way to the medium has begun */
	struct readback *back;  /* NULL: it is not checked */
	char name[PATH_MAX], part[PATH_MAX];
};

static int
open_standard(struct outfile *F)
{
	F->is_borrowed = 1;
	F->fd = STDOUT_FILENO;
	strcpy(F->name, "standard output");
	if ((fcntl(F->fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return (say_failed("standard output: is closed, or not open for writing"));
	if (isatty(F->fd))
		return (say_refused("a bundle is not written to a terminal; say -o FILE, or pipe it on"));
	fcntl(F->fd, F_SETPIPE_SZ, PIPE_SIZE);
	return (0);
}

static int
set_names(struct outfile *F, const char *path)
{
	return (io_path(F->name, "%s", path) != 0 ? -1 : io_path(F->part, "%s.part", path));
}

static int
create(struct outfile *F)
{
	if (io_remove(F->part) != 0 || (F->fd = io_create(F->part)) < 0)
		return (-1);
	F->is_ours = 1;
	return (0);
}

static int
open_named(struct outfile *F, const char *path)
{
	struct stat st;

	if (set_names(F, path) != 0)
		return (-1);
	if (stat(path, &st) != 0 || S_ISREG(st.st_mode))
		return (create(F));
	if (S_ISDIR(st.st_mode))
		return (say_refused("%s: is a folder; name a file in it", path));
	if ((F->fd = open(path, O_WRONLY | O_CLOEXEC)) < 0)
		return (say_failed("%s: cannot open: %s", path, strerror(errno)));
	return (0);
}

static struct outfile *new (void)
{
	struct outfile *F = calloc(1, sizeof *F);

	if (F == NULL)
		say_failed("out of memory");
	else
		F->fd = -1;
	return (F);
}

/* Opened with that result: to the caller, or gone. */
static int
opened(struct outfile **out, struct outfile *F, int rc)
{
	if (rc != 0) {
		outfile_free(F);
		F = NULL;
	} else
		F->is_regular = io_is_regular(F->fd);
	*out = F;
	return (rc);
}

int
outfile_open(struct outfile **out, const char *path)
{
	struct outfile *F = *out = new ();

	if (F == NULL)
		return (-1);
	return (
	    opened(out, F, path == NULL || strcmp(path, "-") == 0 ? open_standard(F) : open_named(F, path)));
}

int
outfile_create(struct outfile **out, const char *path)
{
	struct outfile *F = *out = new ();

	if (F == NULL)
		return (-1);
	return (opened(out, F, set_names(F, path) == 0 ? create(F) : -1));
}

static int
open_part(struct outfile *F, uint64_t size)
{
	uint64_t there;

	if (io_is_link(F->part) || io_exists(F->part) != 1)
		return (say_refused("%s: is not there to go on with", F->part));
	if ((F->fd = io_open_write(F->part)) < 0 || io_size(F->fd, F->part, &there) != 0)
		return (-1);
	if (!io_is_regular(F->fd) || there < size)
		return (say_refused(
		    "%s: has less than the %" PRIu64 " bytes that it goes on with", F->part, size));
	if (io_resize(F->fd, F->part, size) != 0 || io_seek(F->fd, F->part, size) != 0)
		return (-1);
	F->is_ours = 1;
	F->size = F->started = size;
	return (0);
}

int
outfile_resume(struct outfile **out, const char *path, uint64_t size)
{
	struct outfile *F = *out = new ();

	if (F == NULL)
		return (-1);
	return (opened(out, F, set_names(F, path) == 0 ? open_part(F, size) : -1));
}

struct outfile *
outfile_wrap(int fd, const char *path)
{
	struct outfile *F = new ();

	if (F == NULL)
		return (NULL);
	F->fd = fd;
	F->is_borrowed = 1;
	if (opened(&F, F, io_path(F->name, "%s", path)) != 0)
		return (NULL);
	return (F);
}

int
outfile_check(struct outfile *F)
{
	F->back = readback_new(F->part, F->size);
	return (F->back == NULL ? -1 : 0);
}

void
outfile_may_fill(struct outfile *F)
{
	F->may_fill = 1;
}

/* The parts are with the kernel: see that they get on. */
static int
wrote(struct outfile *F, const struct io_part *parts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		F->size += parts[i].size;
		if (F->back != NULL && readback_wrote(F->back, parts[i].data, parts[i].size) != 0) {
			F->is_bad = 1;
			return (-1);
		}
	}
	if (F->is_regular && F->size - F->started >= EARLY) {
		io_start_writing(F->fd, F->started, F->size - F->started);
		F->started = F->size;
	}
	return (0);
}

void
outfile_skip(struct outfile *F, uint64_t n)
{
	F->skip = n;
}

/* The parts, without what is to be skipped. */
static void
skip(struct outfile *F, struct io_part *out, const struct io_part *parts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		size_t some = F->skip < parts[i].size ? (size_t)F->skip : parts[i].size;

		out[i] = (struct io_part){ (const uint8_t *)parts[i].data + some, parts[i].size - some };
		F->skip -= some;
	}
}

int
outfile_write(struct outfile *F, const struct io_part *parts, unsigned n)
{
	struct io_part left[PARTS];
	int rc;

	if (F->skip > 0 && n <= PARTS) {
		skip(F, left, parts, n);
		parts = left;
	}
	rc = F->may_fill ? io_fill_parts(F->fd, F->name, parts, n) : io_write_parts(F->fd, F->name, parts, n);

	F->is_full |= rc == 2;
	return (rc == 0 ? wrote(F, parts, n) : rc);
}

int
outfile_is_full(const struct outfile *F)
{
	return (F->is_full);
}

int
outfile_is_new(const struct outfile *F)
{
	return (F->is_ours);
}

uint64_t
outfile_size(const struct outfile *F)
{
	return (F->size);
}

const char *
outfile_name(const struct outfile *F)
{
	return (F->name);
}

static int
sync_file(struct outfile *F)
{
	int rc = 0;

	if (F->is_regular)
		rc = F->may_fill ? io_sync_filled(F->fd, F->name) : io_sync(F->fd, F->name);
	F->is_full |= rc == 2;
	return (rc);
}

int
outfile_commit(struct outfile *F)
{
	char copy[PATH_MAX];
	int rc = sync_file(F);

	if (rc != 0)
		return (rc);
	if (F->back != NULL && readback_finish(F->back) != 0) {
		F->is_bad = 1;
		return (-1);
	}
	if (!F->is_ours)
		return (0);
	if (io_let_read(F->fd, F->part) != 0 || io_path(copy, "%s", F->name) != 0 ||
	    io_publish(F->part, F->name, dirname(copy)) != 0)
		return (-1);
	F->is_ours = 0;
	return (0);
}

void
outfile_digest(const struct outfile *F, uint8_t digest[RECORD_DIGEST])
{
	readback_digest(F->back, digest);
}

int
outfile_keep(struct outfile *F)
{
	if (F->is_bad)
		return (0);
	F->is_ours = 0;
	return (F->is_regular ? io_sync(F->fd, F->name) : 0);
}

void
outfile_free(struct outfile *F)
{
	if (F == NULL)
		return;
	readback_free(F->back);
	if (F->is_ours)
		io_remove(F->part);
	if (!F->is_borrowed)
		io_close(F->fd);
	free(F);
}
