#include "bundle/infile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"

#define PIPE_SIZE (1 << 20)

struct infile {
	int fd;
	int is_standard;
	uint64_t size;
	struct reader *reader;
	char name[PATH_MAX];
};

static int
open_fd(struct infile *F, const char *path)
{
	if (!F->is_standard) {
		if (io_path(F->name, "%s", path) != 0 || (F->fd = io_open_read(path)) < 0)
			return (-1);
		posix_fadvise(F->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
		return (0);
	}
	strcpy(F->name, "standard input");
	F->fd = STDIN_FILENO;
	if (isatty(F->fd))
		return (say_refused("a bundle does not come from a terminal; name a file, or pipe it in"));
	fcntl(F->fd, F_SETPIPE_SZ, PIPE_SIZE);
	return (0);
}

/* Where fd is set, to the caller with a reader; else it goes. */
static int
opened(struct infile **out, struct infile *F, int rc)
{
	if (rc == 0)
		rc = io_size(F->fd, F->name, &F->size);
	if (rc == 0 && (F->reader = reader_new(F->fd, F->name)) == NULL)
		rc = -1;
	if (rc != 0) {
		infile_close(F);
		F = NULL;
	}
	*out = F;
	return (rc);
}

int
infile_open(struct infile **out, const char *path)
{
	struct infile *F = *out = calloc(1, sizeof *F);

	if (F == NULL)
		return (say_failed("out of memory"));
	F->fd = -1;
	F->is_standard = path == NULL || strcmp(path, "-") == 0;
	return (opened(out, F, open_fd(F, path)));
}

int
infile_take(struct infile **out, int fd, const char *name)
{
	struct infile *F = *out = calloc(1, sizeof *F);

	if (F == NULL) {
		io_close(fd);
		return (say_failed("out of memory"));
	}
	F->fd = fd;
	return (opened(out, F, io_path(F->name, "%s", name)));
}

const char *
infile_name(const struct infile *F)
{
	return (F->name);
}

int
infile_fd(const struct infile *F)
{
	return (F->fd);
}

struct reader *
infile_reader(const struct infile *F)
{
	return (F->reader);
}

uint64_t
infile_size(const struct infile *F)
{
	return (F->size);
}

int
infile_is_pipe(const struct infile *F)
{
	return (lseek(F->fd, 0, SEEK_CUR) < 0);
}

void
infile_close(struct infile *F)
{
	if (F == NULL)
		return;
	reader_free(F->reader);
	if (!F->is_standard)
		io_close(F->fd);
	free(F);
}
