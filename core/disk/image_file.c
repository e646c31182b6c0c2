#include <stdlib.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/image.h"

/* A raw file or a block device. */
struct file {
	int fd;
	char path[PATH_MAX];
};

static void
file_close(void *state)
{
	struct file *f = state;

	io_close(f->fd);
	free(f);
}

static int
open_with(void **state, uint64_t *room, const char *path, int (*open)(const char *path))
{
	struct file *f = malloc(sizeof *f);

	if (f == NULL)
		return (say_failed("out of memory"));
	f->fd = -1;
	*room = IMAGE_GROWS;
	if (io_path(f->path, "%s", path) != 0 || (f->fd = open(path)) < 0 ||
	    (io_is_device(f->fd) && io_size(f->fd, path, room) != 0)) {
		file_close(f);
		return (-1);
	}
	*state = f;
	return (0);
}

int
image_file_open(void **state, uint64_t *room, const char *path)
{
	return (open_with(state, room, path, io_open_disk));
}

int
image_file_create(void **state, uint64_t *room, const char *path)
{
	return (open_with(state, room, path, io_create));
}

static int
file_write(void *state, const uint8_t *buf, size_t n, uint64_t offset)
{
	const struct file *f = state;

	return (io_pwrite(f->fd, f->path, buf, n, offset));
}

static int
file_zero(void *state, uint64_t offset, uint64_t length)
{
	const struct file *f = state;

	return (io_zero(f->fd, f->path, offset, length));
}

static int
file_sync(void *state)
{
	const struct file *f = state;

	return (io_sync(f->fd, f->path));
}

static int
file_settle(void *state)
{
	const struct file *f = state;

	return (file_sync(state) != 0 ? -1 : io_forget(f->fd, f->path, 0, 0));
}

static int
file_resize(void *state, uint64_t size)
{
	const struct file *f = state;

	return (io_resize(f->fd, f->path, size));
}

static int
file_share(void *state, int from)
{
	const struct file *f = state;

	return (io_clone(f->fd, from));
}

const struct image_kind image_file = { .write = file_write,
	.zero = file_zero,
	.sync = file_sync,
	.settle = file_settle,
	.resize = file_resize,
	.share = file_share,
	.close = file_close };
