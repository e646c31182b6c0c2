#include "bundle/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"

#define PIPE_SIZE (1 << 20)

struct outfile {
	int fd;
	int is_standard;
	int is_ours; /* a new file under its temporary name */
	char name[PATH_MAX], part[PATH_MAX];
};

static int
open_standard(struct outfile *F)
{
	F->is_standard = 1;
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
open_named(struct outfile *F, const char *path)
{
	struct stat st;

	if (io_path(F->name, "%s", path) != 0 || io_path(F->part, "%s.part", path) != 0)
		return (-1);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		if (S_ISDIR(st.st_mode))
			return (say_refused("%s: is a folder; name a file in it", path));
		if ((F->fd = open(path, O_WRONLY | O_CLOEXEC)) < 0)
			return (say_failed("%s: cannot open: %s", path, strerror(errno)));
		return (0);
	}
	if (io_remove(F->part) != 0 || (F->fd = io_create(F->part)) < 0)
		return (-1);
	F->is_ours = 1;
	return (0);
}

int
outfile_open(struct outfile **out, const char *path)
{
	struct outfile *F = calloc(1, sizeof *F);
	int rc;

	*out = F;
	if (F == NULL)
		return (say_failed("out of memory"));
	F->fd = -1;
	rc = path == NULL || strcmp(path, "-") == 0 ? open_standard(F) : open_named(F, path);
	if (rc != 0) {
		outfile_free(F);
		*out = NULL;
	}
	return (rc);
}

int
outfile_fd(const struct outfile *F)
{
	return (F->fd);
}

const char *
outfile_name(const struct outfile *F)
{
	return (F->name);
}

int
outfile_commit(struct outfile *F)
{
	char copy[PATH_MAX];
	struct stat st;

	if (fstat(F->fd, &st) == 0 && S_ISREG(st.st_mode) && io_sync(F->fd, F->name) != 0)
		return (-1);
	if (!F->is_ours)
		return (0);
	if (fchmod(F->fd, 0644) != 0)
		return (say_failed("%s: cannot set its mode: %s", F->part, strerror(errno)));
	if (io_path(copy, "%s", F->name) != 0 || io_publish(F->part, F->name, dirname(copy)) != 0)
		return (-1);
	F->is_ours = 0;
	return (0);
}

void
outfile_free(struct outfile *F)
{
	if (F == NULL)
		return;
	if (F->is_ours)
		io_remove(F->part);
	if (!F->is_standard)
		io_close(F->fd);
	free(F);
}
