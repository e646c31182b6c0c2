#include "site/folders.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "base/state.h"
#include "name.h"

int
folders_each(
    const struct site *S, const char *kind, int (*each)(void *context, const char *uuid), void *context)
{
	char path[PATH_MAX];
	struct dirent *e;
	int rc = 0;
	DIR *d;

	if (io_path(path, "%s/%s", site_home(S), kind) != 0)
		return (-1);
	if ((d = opendir(path)) == NULL)
		return (say_failed("%s: cannot open: %s", path, strerror(errno)));
	while (rc == 0 && (e = readdir(d)) != NULL)
		if (name_check_uuid(e->d_name) == NULL)
			rc = each(context, e->d_name);
	closedir(d);
	return (rc);
}

int
folders_may_be(const struct site *S, const char *kind, const char *uuid, const char *name)
{
	char path[PATH_MAX];

	return (
	    io_path(path, "%s/%s/%s/state", site_home(S), kind, uuid) != 0 ? -1 : state_may_have(path, name));
}

int
folders_has(const struct site *S, const char *kind, const char *uuid)
{
	char path[PATH_MAX];
	enum io_kind what;

	if (io_path(path, "%s/%s/%s", site_home(S), kind, uuid) != 0 || (what = io_kind(path)) == IO_UNKNOWN)
		return (-1);
	return (what != IO_NOTHING);
}

int
folders_lock(const char *dir)
{
	char path[PATH_MAX];
	int fd;

	if (io_path(path, "%s/lock", dir) != 0)
		return (-1);
	if ((fd = io_lock(path)) == -2)
		say_refused(
		    "%s: another vmferry is working on it; run the command again when it is done", dir);
	return (fd);
}

int
folders_is_locked(const char *dir)
{
	char path[PATH_MAX];
	int fd;

	if (io_path(path, "%s/lock", dir) != 0 || ((fd = io_lock(path)) < 0 && fd != -2))
		return (-1);
	io_close(fd);
	return (fd == -2);
}
