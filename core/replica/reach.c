#include "replica/reach.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"

/* Is the folder this one, or below it?  Both are absolute and without links. */
static int
is_within(const char *dir, const char *top)
{
	size_t n = strlen(top);

	return (strncmp(dir, top, n) == 0 && (dir[n] == '\0' || dir[n] == '/'));
}

/* The folders on the way up from one, the last one not. */
static int
open_up(const struct replica *R, const char *path, const char *home, const char *own)
{
	char dir[PATH_MAX];
	int is_open;

	if (io_path(dir, "%s", path) != 0)
		return (-1);
	for (char *d = dirname(dir); strcmp(d, "/") != 0; d = dirname(d)) {
		if (is_within(d, home) || is_within(d, own)) {
			if (io_let_pass(d) != 0)
				return (-1);
		} else if ((is_open = io_may_pass(d)) != 1) {
			if (is_open == 0)
				say_note("%s: %s cannot be passed by others: a VM that does not run as root "
				         "will not find %s; see chmod(1), or 'vmferry move'",
				    R->vm, d, path);
			return (is_open);
		}
	}
	return (0);
}

int
reach_open(const struct replica *R, const struct host_vm *vm)
{
	char real[PATH_MAX], own[PATH_MAX], home[PATH_MAX], name[PATH_MAX];
	int rc = 0;

	/* The record's folder is HOME/replicas/UUID, or a link there to where it is. */
	if (io_absolute(R->dir, own) != 0 || io_path(name, "%s", R->dir) != 0 ||
	    io_absolute(dirname(dirname(name)), home) != 0)
		return (-1);
	for (unsigned i = 0; rc >= 0 && i < vm->ndisks; i++)
		if (vm->disks[i].path != NULL && io_exists(vm->disks[i].path) == 1)
			rc = io_absolute(vm->disks[i].path, real) != 0 ? -1 : open_up(R, real, home, own);
	return (rc < 0 ? -1 : 0);
}
