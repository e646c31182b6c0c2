#include "hyper/scratch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "host/host.h"

#define MIB (UINT64_C(1) << 20)
#define LEAST_FREE (32 * MIB) /* to begin a view at all */
#define RESERVE_MOST \
	(512 * MIB)     /* what a guest writes at its fastest while a view is ended; and the ballast */
#define LEFTOVERS 4096u /* scratch files that may lie in one folder */
#define SUFFIX ".scratch"

/* A file system that grows full with the view. */
struct room {
	dev_t device;
	char dir[PATH_MAX];     /* a folder on it */
	char ballast[PATH_MAX]; /* or empty: there is none, or it went already */
	uint64_t reserve;       /* bytes: if less are free, the view is ended */
};

struct scratch {
	char token[HOST_TOKEN];
	char folder[PATH_MAX], socket[PATH_MAX], lock_path[PATH_MAX];
	int lock;
	unsigned nrooms, nfiles;
	struct room rooms[HOST_DISKS];
	char files[HOST_DISKS][PATH_MAX];
};

/* --- where -------------------------------------------------------------------------------------------------- */

int
scratch_run(char out[PATH_MAX])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0)
		return (io_path(out, "/run/vmferry"));
	if (runtime != NULL && runtime[0] == '/')
		return (io_path(out, "%s/vmferry", runtime));
	return (io_path(out, "/tmp/vmferry-%u", (unsigned)geteuid()));
}

/* A folder in /tmp could be anybody's. */
static int
make_run(char out[PATH_MAX])
{
	struct stat st;

	if (scratch_run(out) != 0 || io_mkdir_all(out, 0755) != 0)
		return (-1);
	if (lstat(out, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) != 0)
		return (say_failed("%s: is not a folder of ours alone: remove it, or see who made it", out));
	return (0);
}

static int
set_paths(struct scratch *S)
{
	struct sockaddr_un address;
	char run[PATH_MAX];

	if (make_run(run) != 0 || io_path(S->folder, "%s/%s", run, S->token) != 0 ||
	    io_path(S->socket, "%s/nbd", S->folder) != 0 ||
	    io_path(S->lock_path, "%s/%s.lock", run, S->token) != 0)
		return (-1);
	if (strlen(S->socket) >= sizeof address.sun_path)
		return (say_failed(
		    "%s: is too long for a socket: set XDG_RUNTIME_DIR to a shorter path", S->socket));
	return (0);
}

/* The folder is QEMU's: only what can be there is removed, by its name. */
static int
remove_folder(const struct scratch *S)
{
	return (io_remove(S->socket) == 0 ? io_remove_folder(S->folder) : -1);
}

int
scratch_bury(const char *token)
{
	struct scratch *S;
	int rc = scratch_stands(token);

	if (rc != 0)
		return (rc < 0 ? -1 : 0);
	if ((rc = scratch_open(&S, token, geteuid(), getegid())) != 0)
		return (rc < 0 ? -1 : 0);
	scratch_close(S);
	return (0);
}

static int
make_folder(struct scratch *S, uid_t uid, gid_t gid)
{
	if (io_exists(S->folder) == 1 && remove_folder(S) != 0)
		return (-1);
	if (io_mkdir(S->folder, 0700) != 0)
		return (-1);
	return (uid == geteuid() ? 0 : io_give(S->folder, uid, gid));
}

int
scratch_open(struct scratch **out, const char *token, uid_t uid, gid_t gid)
{
	struct scratch *S = calloc(1, sizeof *S);
	int rc = -1;

	*out = NULL;
	if (S == NULL)
		return (say_failed("out of memory"));
	S->lock = -1;
	snprintf(S->token, sizeof S->token, "%s", token);
	if (set_paths(S) != 0)
		goto done;
	if ((S->lock = io_lock(S->lock_path)) == -2)
		rc = say_refused("%s: a view of that token stands, and its program is alive", S->lock_path);
	if (S->lock < 0 || (rc = make_folder(S, uid, gid)) != 0)
		goto done;
	*out = S;
	return (0);
done:
	if (S->lock >= 0)
		io_remove(S->lock_path);
	io_close(S->lock);
	free(S);
	return (rc);
}

const char *
scratch_socket(const struct scratch *S)
{
	return (S->socket);
}

/* --- whose ---------------------------------------------------------------------------------------------------- */

int
scratch_stands(const char *token)
{
	char run[PATH_MAX], path[PATH_MAX];
	int fd, rc;

	if (scratch_run(run) != 0 || io_path(path, "%s/%s.lock", run, token) != 0)
		return (-1);
	if ((rc = io_exists(path)) != 1)
		return (rc);
	if ((fd = io_open_write(path)) < 0)
		return (-1);
	rc = io_is_locked(fd, path, 0, 0);
	io_close(fd);
	return (rc);
}

/* Ask of each token in the run folder that has that prefix, until an answer is not 0. */
static int
each_in(const char *run, int fd, const char *prefix, int (*ask)(const char *token, const char *not_this),
    const char *not_this)
{
	char **names = io_names(fd, run, ".lock", LEFTOVERS);
	int rc = names == NULL ? -1 : 0;

	for (size_t i = 0; rc == 0 && names[i] != NULL; i++) {
		char *name = names[i];

		name[strlen(name) - strlen(".lock")] = '\0';
		if (strncmp(name, prefix, strlen(prefix)) == 0)
			rc = ask(name, not_this);
	}
	io_names_free(names);
	return (rc);
}

static int
each(const char *prefix, int (*ask)(const char *token, const char *not_this), const char *not_this)
{
	char run[PATH_MAX];
	int fd, rc;

	if (scratch_run(run) != 0)
		return (-1);
	if ((rc = io_exists(run)) != 1)
		return (rc);
	if ((fd = io_open_dir(run)) < 0)
		return (-1);
	rc = each_in(run, fd, prefix, ask, not_this);
	io_close(fd);
	return (rc);
}

static int
stands_but(const char *token, const char *not_this)
{
	return (strcmp(token, not_this) == 0 ? 0 : scratch_stands(token));
}

int
scratch_any_stands(const char *prefix, const char *token)
{
	return (each(prefix, stands_but, token));
}

static int
bury(const char *token, const char *not_this)
{
	(void)not_this;
	return (scratch_bury(token));
}

int
scratch_bury_all(const char *prefix)
{
	return (prefix[0] == '\0' ? 0 : each(prefix, bury, ""));
}

/* --- room ----------------------------------------------------------------------------------------------------- */

/* Real blocks, so that they are free again at once. */
static int
load(struct room *r, const char *token)
{
	int fd, rc;

	if (io_path(r->ballast, "%s/.ballast.%s" SUFFIX, r->dir, token) != 0 || io_remove(r->ballast) != 0 ||
	    (fd = io_create(r->ballast)) < 0) {
		r->ballast[0] = '\0';
		return (-1);
	}
	rc = io_allocate(fd, r->ballast, r->reserve);
	io_close(fd);
	if (rc == 0)
		return (0);
	/* Without one, the view ends the earlier. */
	r->reserve *= 2;
	io_remove(r->ballast);
	r->ballast[0] = '\0';
	return (rc < 0 ? -1 : 0);
}

static void
unload(struct room *r)
{
	if (r->ballast[0] != '\0' && io_remove(r->ballast) == 0)
		io_sync_dir(r->dir); /* some file systems give blocks back only with the next commit */
	r->ballast[0] = '\0';
}

int
scratch_watch(struct scratch *S, const char *dir, uint64_t most)
{
	struct room *r = &S->rooms[S->nrooms];
	uint64_t is_free;
	struct stat st;

	if (stat(dir, &st) != 0 || io_free(dir, &is_free) != 0)
		return (say_failed("%s: cannot look at the folder that scratch files go to", dir));
	for (unsigned i = 0; i < S->nrooms; i++)
		if (S->rooms[i].device == st.st_dev)
			return (0);
	if (S->nrooms == HOST_DISKS)
		return (say_failed("%s: too many file systems in one view", dir));
	if (is_free < LEAST_FREE)
		return (say_refused("%s: has %" PRIu64
		                    " MiB free, too little to keep what the VM overwrites during a view: "
		                    "make room there",
		    dir, is_free / MIB));
	r->device = st.st_dev;
	r->reserve = is_free / 8 < RESERVE_MOST ? is_free / 8 : RESERVE_MOST;
	if (io_path(r->dir, "%s", dir) != 0 || load(r, S->token) != 0)
		return (-1);
	S->nrooms++;
	if (most > 0 && is_free < most)
		say_note("%s: has %" PRIu64
		         " MiB free; if the VM overwrites more than that, the view will be given up",
		    dir, is_free / MIB);
	return (0);
}

/* Is this the name of a scratch file of a view that is dead? */
static int
is_leftover(const char *name, const char *prefix)
{
	char token[HOST_TOKEN];
	const char *end = name + strlen(name) - strlen(SUFFIX), *p = end;

	while (p > name && p[-1] != '.')
		p--;
	if (name[0] != '.' || p < name + 2 || (size_t)(end - p) >= sizeof token)
		return (0);
	snprintf(token, sizeof token, "%.*s", (int)(end - p), p);
	return (strncmp(token, prefix, strlen(prefix)) == 0 && scratch_stands(token) == 0);
}

static int
remove_leftovers(int fd, const char *dir, const char *prefix)
{
	char **names = io_names(fd, dir, SUFFIX, LEFTOVERS), path[PATH_MAX];
	int rc = 0;

	for (size_t i = 0; names != NULL && names[i] != NULL && rc == 0; i++)
		if (is_leftover(names[i], prefix) &&
		    (io_path(path, "%s/%s", dir, names[i]) != 0 || io_remove(path) != 0))
			rc = -1;
	io_names_free(names);
	return (names == NULL ? -1 : rc);
}

int
scratch_tidy(const char *dir, const char *prefix)
{
	int fd, rc;

	if (prefix[0] == '\0')
		return (0);
	if ((rc = io_exists(dir)) != 1)
		return (rc);
	if ((fd = io_open_dir(dir)) < 0)
		return (-1);
	rc = remove_leftovers(fd, dir, prefix);
	io_close(fd);
	return (rc);
}

int
scratch_file(
    struct scratch *S, const char *dir, const char *id, const char *prefix, uint64_t most, char out[PATH_MAX])
{
	int rc;

	if (scratch_tidy(dir, prefix) != 0)
		return (-1);
	if ((rc = scratch_watch(S, dir, most)) != 0)
		return (rc);
	if (S->nfiles == HOST_DISKS)
		return (say_failed("%s: too many scratch files in one view", dir));
	if (io_path(out, "%s/.%s.%s" SUFFIX, dir, id, S->token) != 0 || io_remove(out) != 0)
		return (-1);
	return (io_path(S->files[S->nfiles++], "%s", out));
}

int
scratch_check(struct scratch *S)
{
	for (unsigned i = 0; i < S->nrooms; i++) {
		struct room *r = &S->rooms[i];
		uint64_t is_free;

		if (io_free(r->dir, &is_free) != 0)
			return (-1);
		if (is_free >= r->reserve)
			continue;
		unload(r);
		return (say_refused(
		    "%s: runs out of space: the view is given up; make room there, and try again", r->dir));
	}
	return (0);
}

void
scratch_close(struct scratch *S)
{
	if (S == NULL)
		return;
	for (unsigned i = 0; i < S->nfiles; i++)
		io_remove(S->files[i]);
	for (unsigned i = 0; i < S->nrooms; i++)
		unload(&S->rooms[i]);
	remove_folder(S);
	io_remove(S->lock_path);
	io_close(S->lock);
	free(S);
}
