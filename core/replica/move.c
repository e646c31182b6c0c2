#include "replica/move.h"

#include <inttypes.h>
#include <libgen.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/folder.h"
#include "replica/merge.h"
#include "replica/moving.h"
#include "replica/scrub.h"

/*
 * The home's entry of a replica is its folder, or a link to it.  A second entry is put beside it, of another name:
 * a link to where the copy comes to lie, or, in the home itself, the copy.  When that is whole, the two are exchanged;
 * and then the second one is, or leads to, the old folder.  Until then the copy has a file "moving" in it, so that
 * nobody takes it for a replica.
 */
#define MARK "moving"

struct store {
	struct replica *R;
	const struct site *S;
	char all[PATH_MAX];    /* the folder of the home's entries */
	char home[PATH_MAX];   /* the entry */
	char second[PATH_MAX]; /* and the other one */
	char from[PATH_MAX];   /* where the replica lies */
	char dir[PATH_MAX];    /* where it is to lie: */
	char to[PATH_MAX];     /* there, in the end */
	char made[PATH_MAX];   /* and until it is whole */
	int is_home;
};

static int
mark_of(const char *folder, char out[PATH_MAX])
{
	return (io_path(out, "%s/" MARK, folder));
}

static int
find_home(struct store *s)
{
	const char *uuid = s->R->uuid;

	if (io_path(s->all, "%s/replicas", site_home(s->S)) != 0 ||
	    io_path(s->home, "%s/%s", s->all, uuid) != 0 ||
	    io_path(s->second, "%s/.%s.move", s->all, uuid) != 0)
		return (-1);
	return (io_absolute(s->home, s->from));
}

/* --- after an interruption ---------------------------------------------------------------------------- */

/* Remove a folder that is none to anybody; first it gets a name that nobody takes for a replica's. */
static int
remove_folder(const char *path, const char *uuid)
{
	char copy[PATH_MAX], dir[PATH_MAX], gone[PATH_MAX];

	if (io_path(copy, "%s", path) != 0 || io_path(dir, "%s", dirname(copy)) != 0 ||
	    io_path(gone, "%s/.%s.move", dir, uuid) != 0)
		return (-1);
	if (strcmp(path, gone) != 0 && io_kind(path) == IO_FOLDER &&
	    (io_remove_tree(gone) != 0 || io_publish(path, gone, dir) != 0))
		return (-1);
	return (io_remove_tree(gone));
}

/* What the second entry is, or leads to, goes: a copy that was not finished, or the old folder. */
static int
tidy(struct store *s)
{
	enum io_kind kind = io_kind(s->second);
	char path[PATH_MAX];

	/* Where the entry leads, the replica is. */
	if (mark_of(s->from, path) != 0 || io_remove(path) != 0 || io_sync_dir(s->from) != 0)
		return (-1);
	if (kind == IO_NOTHING)
		return (0);
	if (kind == IO_FOLDER)
		return (remove_folder(s->second, s->R->uuid));
	if (kind != IO_LINK || io_read_link(s->second, path) != 0)
		return (-1);
	if (strcmp(path, s->from) != 0 && remove_folder(path, s->R->uuid) != 0)
		return (-1);
	return (io_remove(s->second) != 0 ? -1 : io_sync_dir(s->all));
}

/* --- where to ----------------------------------------------------------------------------------------- */

static int
check_place(struct store *s)
{
	size_t n = strlen(s->from);
	char mark[PATH_MAX];
	int there;

	int inside = replica_has_disk_below(s->R, s->from);

	if (inside < 0)
		return (-1);
	if (inside)
		return (
		    say_refused("%s: a disk lies in %s as one that is elsewhere, since it was excluded once; "
		                "move it by 'vmferry move --disk' first",
		        s->R->vm, s->from));
	if (strncmp(s->dir, s->from, n) == 0 && (s->dir[n] == '/' || s->dir[n] == '\0'))
		return (say_refused("%s: lies in the replica's own folder", s->dir));
	if (s->is_home)
		return (0);
	if (mark_of(s->to, mark) != 0 || (there = io_exists(s->to)) < 0)
		return (-1);
	if (there && io_exists(mark) != 1)
		return (say_refused("%s: is there already, and not from here; move it away", s->to));
	return (there ? remove_folder(s->to, s->R->uuid) : 0);
}

static int
check_space(const struct store *s)
{
	uint64_t need, bytes;
	int rc;

	if ((rc = folder_bytes(s->from, &need)) != 0)
		return (rc);
	if (moving_can_share(s->from, s->dir))
		return (0);
	if (io_free(s->dir, &bytes) != 0)
		return (-1);
	if (bytes < need)
		return (say_refused(
		    "%s: %" PRIu64 " bytes are free, and the replica takes %" PRIu64, s->dir, bytes, need));
	return (0);
}

static int
find_place(struct store *s, const char *dir)
{
	char all[PATH_MAX];

	if (io_mkdir_all(dir, 0755) != 0 || io_absolute(dir, s->dir) != 0 || io_absolute(s->all, all) != 0 ||
	    io_path(s->to, "%s/%s", s->dir, s->R->uuid) != 0 ||
	    io_path(s->made, "%s/.%s.move", s->dir, s->R->uuid) != 0)
		return (-1);
	s->is_home = strcmp(s->dir, all) == 0;
	return (0);
}

/* --- the way ------------------------------------------------------------------------------------------ */

/* An empty folder that says what it is. */
static int
make_folder(const struct store *s)
{
	char mark[PATH_MAX];
	int fd;

	if (io_remove_tree(s->made) != 0 || io_mkdir(s->made, 0700) != 0 || mark_of(s->made, mark) != 0 ||
	    (fd = io_create(mark)) < 0)
		return (-1);
	io_close(fd);
	return (io_sync_dir(s->made));
}

/* The copy, as a replica, must be all that the record says. */
static int
prove(const struct store *s)
{
	struct replica *N;
	int rc;

	if ((rc = replica_look_at(&N, s->made)) != 0)
		return (rc);
	if ((rc = scrub_folder(N, s->S)) > 0)
		rc = say_refused(
		    "%s: the copy is not what the record says; run 'vmferry scrub %s'", s->made, s->R->vm);
	replica_close(N);
	return (rc);
}

static int
copy(const struct store *s)
{
	int rc;

	/* First it is known where to look for it. */
	if ((!s->is_home && io_link_to(s->to, s->second) != 0) || make_folder(s) != 0)
		return (-1);
	if ((rc = folder_copy(s->from, s->made, "lock")) != 0 || (rc = prove(s)) != 0)
		return (rc);
	return (s->is_home ? 0 : io_publish_new(s->made, s->to, s->dir));
}

int
move_store(struct replica *R, const struct site *S, const char *dir)
{
	struct store s = { .R = R, .S = S };
	int rc;

	if (find_home(&s) != 0 || tidy(&s) != 0 || find_place(&s, dir) != 0)
		return (-1);
	if (strcmp(s.from, s.is_home ? s.home : s.to) == 0 || (s.is_home && !io_is_link(s.home))) {
		say_note("%s: lies in %s already", R->vm, s.from);
		return (0);
	}
	if ((rc = moving_check(R)) != 0 || (rc = merge_recover(R, S)) != 0 || (rc = check_place(&s)) != 0 ||
	    (rc = check_space(&s)) != 0)
		return (rc);
	if ((rc = copy(&s)) != 0 || (rc = io_exchange(s.home, s.second, s.all)) != 0) {
		tidy(&s);
		return (rc);
	}
	/* From here on it lies there. */
	if (io_absolute(s.home, s.from) != 0 || tidy(&s) != 0)
		return (-1);
	say_note("%s: lies in %s now, and was proven there", R->vm, s.from);
	return (0);
}
