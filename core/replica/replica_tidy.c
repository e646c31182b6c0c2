#include "replica/replica.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/source.h"
#include "replica/definitions.h"

/* Does a staged bundle have this file?  1 or 0; -1. */
static int
is_of_staged(const struct replica *R, const struct replica_staged *s, const char *path)
{
	char named[PATH_MAX];

	for (unsigned i = 0; i < s->nvolumes; i++) {
		if (replica_inbox_path(R, s->id, s->volumes[i].chain.number, named) != 0)
			return (-1);
		if (strcmp(named, path) == 0)
			return (1);
	}
	if (s->cut == 0)
		return (0);
	return (replica_part_path(R, s->id, s->cut, named) != 0 ? -1 : strcmp(named, path) == 0);
}

/* Is it kept for other sites?  1 or 0; -1. */
static int
is_out(const struct replica *R, const char *path)
{
	char named[PATH_MAX];

	for (unsigned i = 0; i < R->nouts; i++)
		for (unsigned k = 0; k < R->outs[i].nvolumes; k++) {
			if (replica_outbox_path(R, R->outs[i].id, R->outs[i].volumes[k].number, named) != 0)
				return (-1);
			if (strcmp(named, path) == 0)
				return (1);
		}
	return (0);
}

/* Does the record name this path?  1 or 0; -1. */
static int
is_named(const struct replica *R, const char *path)
{
	char named[PATH_MAX];
	/* The way back from a merge under way is there before the point that it leads from. */
	unsigned undos = R->npoints == 0 ? 0 : R->merging_undo ? R->npoints : R->npoints - 1;
	int rc = is_out(R, path);

	if (rc != 0)
		return (rc);
	for (unsigned i = 0; i < R->nstaged; i++)
		if ((rc = is_of_staged(R, &R->staged[i], path)) != 0)
			return (rc);
	for (unsigned i = 0; i < undos; i++) {
		if (replica_undo_path(R, &R->points[i].point, named) != 0)
			return (-1);
		if (strcmp(named, path) == 0)
			return (1);
	}
	return (0);
}

static int
tidy_folder(const struct replica *R, const char *folder)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct dirent *e;
	int rc = 0;
	DIR *d;

	if (io_path(dir, "%s/%s", R->dir, folder) != 0)
		return (-1);
	if ((d = opendir(dir)) == NULL)
		return (say_failed("%s: cannot open: %s", dir, strerror(errno)));
	while (rc == 0 && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if (io_path(path, "%s/%s", dir, e->d_name) != 0 || (rc = is_named(R, path)) < 0)
			rc = -1;
		else
			rc = rc == 1 ? 0 : io_remove(path);
	}
	closedir(d);
	return (rc);
}

/* The copies in the folder of disks that lie elsewhere now. */
static int
tidy_disks(const struct replica *R)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < R->ndisks; i++)
		if (replica_disk_is_elsewhere(R, i) &&
		    (io_path(path, "%s/disks/%s.raw", R->dir, R->disks[i]) != 0 || io_remove(path) != 0 ||
		        io_path(path, "%s/disks/.%s.part", R->dir, R->disks[i]) != 0 || io_remove(path) != 0))
			return (-1);
	return (0);
}

int
replica_is_live(const struct replica *R)
{
	enum role_state state = role_beneath(&R->role);

	return (state == ROLE_FAILED_OVER || state == ROLE_TURNED);
}

int
replica_has_disk_below(const struct replica *R, const char *dir)
{
	char path[PATH_MAX], real[PATH_MAX];
	size_t n;

	if (realpath(dir, real) == NULL)
		return (errno == ENOENT ? 0 : say_failed("%s: cannot find: %s", dir, strerror(errno)));
	n = strlen(real);
	for (unsigned i = 0; i < R->ndisks; i++)
		if (realpath(source_path(R->where[i]), path) != NULL && strncmp(path, real, n) == 0 &&
		    path[n] == '/')
			return (1);
	return (0);
}

/* Are all files in that folder holes and nothing else, as they were made?  1 or 0; -1. */
static int
is_untouched(const char *dir)
{
	char path[PATH_MAX];
	struct dirent *e;
	uint64_t bytes;
	int rc = 1;
	DIR *d;

	if ((d = opendir(dir)) == NULL)
		return (say_failed("%s: cannot open: %s", dir, strerror(errno)));
	while (rc == 1 && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (io_path(path, "%s/%s", dir, e->d_name) != 0 || io_allocated(path, &bytes) != 0)
			rc = -1;
		else
			rc = bytes == 0;
	}
	closedir(d);
	return (rc);
}

int
replica_keep_excluded(const struct replica *R)
{
	char from[PATH_MAX], to[PATH_MAX];
	int there, empty;

	if (io_path(from, "%s/excluded", R->dir) != 0 || (there = io_exists(from)) < 0)
		return (-1);
	if (there == 0 || (there = replica_has_disk_below(R, from)) == 1)
		return (0);
	if (there < 0 || (empty = is_untouched(from)) < 0)
		return (-1);
	if (empty)
		return (io_remove_tree(from));
	there = 1;
	for (unsigned n = 1; there == 1; n++)
		if (io_path(to, "%s/excluded.%u", R->dir, n) != 0 || (there = io_exists(to)) < 0)
			return (-1);
	if (io_publish(from, to, R->dir) != 0)
		return (-1);
	say_note("%s: what the VM has written to its excluded disks here is kept in %s, until you remove it",
	    R->vm, to);
	return (0);
}

/* What a test or a failover left that does not stand any more, or never did. */
static int
tidy_failover(const struct replica *R)
{
	const struct {
		const char *name;
		int stands;
	} folders[] = { { "test.new", 0 }, { "failover.new", 0 }, { "test", R->test.is_on },
		{ "failover", R->failover.has_overlays },
		{ "excluded", replica_is_live(R) || R->role.state == ROLE_FAILOVER } };
	char path[PATH_MAX];
	int used;

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		if (folders[i].stands)
			continue;
		/* One that was excluded, and is replicated since, lies where it was made. */
		if (io_path(path, "%s/%s", R->dir, folders[i].name) != 0 ||
		    (used = replica_has_disk_below(R, path)) < 0 || (!used && io_remove_tree(path) != 0))
			return (-1);
	}
	return (0);
}

int
replica_tidy(const struct replica *R)
{
	char path[PATH_MAX];
	int there;

	if (tidy_failover(R) != 0 || tidy_folder(R, "inbox") != 0 || tidy_folder(R, "undo") != 0 ||
	    io_path(path, "%s/outbox", R->dir) != 0 || (there = io_exists(path)) < 0)
		return (-1);
	if ((there && tidy_folder(R, "outbox") != 0) || definitions_tidy(R) != 0)
		return (-1);
	return (tidy_disks(R));
}
