#include <inttypes.h>
#include <libgen.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/image.h"
#include "disk/scan.h"
#include "leaf.h"
#include "replica/merge.h"
#include "replica/move.h"
#include "replica/moving.h"

/* One disk on its way. */
struct way {
	struct replica *R;
	const struct site *S;
	unsigned disk;
	uint64_t size;
	char from[PATH_MAX];
	char to[PATH_MAX];
	char part[PATH_MAX]; /* of a file, until it is whole */
	char dir[PATH_MAX];  /* of a file */
	int is_home;         /* to the replica's own folder */
	int is_fixed;        /* to a device or an NBD export */
};

static int
find_disk(struct way *w, const char *id)
{
	const struct replica *R = w->R;

	for (w->disk = 0; w->disk < R->ndisks && strcmp(R->disks[w->disk], id) != 0; w->disk++)
		continue;
	if (w->disk == R->ndisks)
		return (say_refused("%s: there is no disk '%s'", R->vm, id));
	w->size = replica_last(R)->disks[w->disk].size;
	if (w->size == 0)
		return (say_refused("%s: of disk '%s' there is nothing at point %" PRIu64, R->vm, id,
		    replica_last(R)->point.seq));
	return (replica_disk_path(R, w->disk, w->from));
}

static int
find_place(struct way *w, const char *to)
{
	char copy[PATH_MAX], folder[PATH_MAX];
	struct replica *R = w->R;
	size_t n;

	w->is_home = to == NULL;
	if (w->is_home) {
		if (io_path(w->dir, "%s/disks", R->dir) != 0 ||
		    io_path(w->to, "%s/%s.raw", w->dir, R->disks[w->disk]) != 0)
			return (-1);
		return (io_path(w->part, "%s/.%s.part", w->dir, R->disks[w->disk]));
	}
	if (source_path(to) != to && !source_is_uri(to))
		return (
		    say_refused("%s: a disk is moved to a raw file or device, or to an NBD export: say its "
		                "PATH or URI alone",
		        to));
	w->is_fixed = source_is_uri(to) || io_is_same_device(to, to);
	if (source_is_uri(to))
		return (io_path(w->to, "%s", to));
	if (io_absolute_name(to, w->to) != 0 || io_path(copy, "%s", w->to) != 0 ||
	    io_path(w->dir, "%s", dirname(copy)) != 0 ||
	    io_path(w->part, "%s.%s.part", w->to, R->uuid) != 0 || io_absolute(R->dir, folder) != 0)
		return (-1);
	n = strlen(folder);
	if (strncmp(w->to, folder, n) == 0 && w->to[n] == '/')
		return (
		    say_refused("%s: lies in the replica's own folder; say --disk %s alone to move it there",
		        w->to, R->disks[w->disk]));
	return (0);
}

/* --- a device or an export ----------------------------------------------------------------------------------------- */

struct search {
	const struct site *S;
	const char *to;
};

/* Are both the same device, or named as the same export? */
static int
is_same(const char *a, const char *b)
{
	return (strcmp(a, b) == 0 || io_is_same_device(source_path(a), b));
}

/* Is there a disk of some replica on that device or export? */
static int
look_for_disk(void *context, const char *uuid)
{
	const struct search *s = context;
	struct replica *R;
	int rc = 0;

	if (replica_look(&R, s->S, uuid) != 0)
		return (-1);
	for (unsigned i = 0; rc == 0 && i < R->ndisks; i++)
		if (replica_disk_is_elsewhere(R, i) && is_same(R->where[i], s->to))
			rc = say_refused("%s: disk %s of '%s' lies there", s->to, R->disks[i], R->vm);
	replica_close(R);
	return (rc);
}

/* Can a disk be written there?  And, of an export, is it not what the disk is read from, by another name? */
static int
check_writable(const struct way *w)
{
	struct image *I;
	struct source *from = NULL;
	int rc = image_try(&I, w->to);

	/* A server that has the file open for writing keeps it from being quiet. */
	if (rc == 0 && source_is_uri(w->to) && !source_is_uri(w->from))
		rc = source_open(&from, w->from, SOURCE_QUIET, NULL);
	source_close(from);
	image_free(I);
	return (rc);
}

/* Nobody else may use it, it must be large enough, and a person must have said that it is the right one. */
static int
check_fixed(const struct way *w, int is_sure)
{
	struct search s = { w->S, w->to };
	struct source *D;
	uint64_t size;
	int rc = replica_each(w->S, look_for_disk, &s);

	if (rc != 0 || (rc = source_open(&D, w->to, SOURCE_QUIET, NULL)) != 0)
		return (rc);
	size = source_size(D);
	source_close(D);
	if (size < w->size)
		return (say_refused(
		    "%s: has %" PRIu64 " bytes, and the disk has %" PRIu64, w->to, size, w->size));
	if ((rc = check_writable(w)) != 0 || is_sure)
		return (rc);
	return (say_refused("%s: is %s of %" PRIu64
	                    " bytes, and all that is on it will be lost; if it is the right one, say --yes",
	    w->to, source_is_uri(w->to) ? "an export" : "a device", size));
}

/* --- the copy ----------------------------------------------------------------------------------------- */

/* The bytes of the disk that are no holes, as far as they can be told. */
static int
allocated(const struct way *w, uint64_t *bytes)
{
	uint64_t length;
	struct source *D;
	int rc, is_hole;

	if (source_is_plain(w->from))
		return (io_allocated(w->from, bytes));
	if ((rc = source_open_own(&D, w->from, w->size)) != 0)
		return (-1);
	*bytes = 0;
	for (uint64_t at = 0; rc == 0 && at < source_size(D); at += length)
		if ((rc = source_stretch(D, at, source_size(D), &length, &is_hole)) == 0 && !is_hole)
			*bytes += length;
	source_close(D);
	return (rc);
}

static int
check_space(const struct way *w)
{
	uint64_t need, bytes;

	if (allocated(w, &need) != 0 || io_free(w->dir, &bytes) != 0)
		return (-1);
	if (bytes < need && !moving_can_share(w->R->dir, w->dir))
		return (say_refused(
		    "%s: %" PRIu64 " bytes are free, and the disk takes %" PRIu64, w->dir, bytes, need));
	return (0);
}

/* What is at path must have the leaves and the root of the disk. */
static int
prove(const struct way *w, const char *path)
{
	const struct replica_disk_point *want = &replica_last(w->R)->disks[w->disk];
	struct source *D;
	struct leaf_sum sum;
	uint8_t root[LEAF_ROOT];
	int rc = source_open_own(&D, path, w->size);

	if (rc != 0)
		return (rc);
	rc = scan_disk(D, &w->R->secret, NULL, "proving", &sum, NULL);
	leaf_root(root, &w->R->secret, &sum, source_size(D));
	source_close(D);
	if (rc == 0 && memcmp(root, want->root, LEAF_ROOT) != 0)
		rc = say_refused("%s: is not what disk %s is at point %" PRIu64 "; run 'vmferry scrub %s'",
		    path, w->R->disks[w->disk], replica_last(w->R)->point.seq, w->R->vm);
	return (rc);
}

static int
copy(const struct way *w, const char *path)
{
	struct image *I = w->is_fixed ? image_open(path) : image_create(path, 0);
	int rc = -1;

	if (I != NULL && image_copy(I, w->from, w->size) == 0)
		rc = image_settle(I);
	image_free(I);
	return (rc == 0 ? prove(w, path) : rc);
}

/* --- a file ------------------------------------------------------------------------------------------- */

/* Is what is there the copy that an interrupted command has put there?  0: no, nothing is there; 1, said; 2; -1. */
static int
find_copy(const struct way *w)
{
	const struct replica *R = w->R;
	int there = io_exists(w->to);

	if (there <= 0)
		return (there);
	if (R->moving != w->disk || strcmp(R->moving_to, w->to) != 0)
		return (say_refused("%s: is there already; nothing is overwritten", w->to));
	return (prove(w, w->to) == 0 ? 2 : say_refused("%s: is there already, and is not the copy", w->to));
}

static int
note_moving(struct replica *R, unsigned disk, const char *to)
{
	R->moving = disk;
	if (io_path(R->moving_to, "%s", to) != 0)
		return (-1);
	return (replica_save(R));
}

static int
make_file(const struct way *w)
{
	int rc = find_copy(w);

	if (rc != 0)
		return (rc == 2 ? 0 : rc);
	if ((rc = check_space(w)) != 0)
		return (rc);
	/* From here on, what is at that path is known to be ours. */
	if ((!w->is_home && note_moving(w->R, w->disk, w->to) != 0) || io_remove(w->part) != 0)
		return (-1);
	if ((rc = copy(w, w->part)) == 0)
		rc = io_publish_new(w->part, w->to, w->dir);
	if (rc != 0) {
		io_remove(w->part);
		note_moving(w->R, 0, "");
	}
	return (rc);
}

/* --- */

/* The record says that it lies there: this decides. */
static int
settle(const struct way *w)
{
	struct replica *R = w->R;
	int was_elsewhere = replica_disk_is_elsewhere(R, w->disk);

	if (io_path(R->where[w->disk], "%s", w->is_home ? "" : w->to) != 0)
		return (-1);
	R->moving = 0;
	R->moving_to[0] = '\0';
	if (replica_save(R) != 0 || replica_tidy(R) != 0)
		return (-1);
	say_note("%s: disk %s lies in %s now, and was proven there", R->vm, R->disks[w->disk], w->to);
	if (was_elsewhere)
		say_note("%s: stays as it is; it is of no use to vmferry any more", w->from);
	return (0);
}

int
move_disk(struct replica *R, const struct site *S, const struct move_disk *o)
{
	struct way w = { .R = R, .S = S };
	int rc;

	if ((rc = moving_check(R)) != 0 || (rc = merge_recover(R, S)) != 0 ||
	    (rc = find_disk(&w, o->id)) != 0 || (rc = find_place(&w, o->to)) != 0)
		return (rc);
	if (is_same(w.from, w.to)) {
		say_note("%s: disk %s lies in %s already", R->vm, o->id, w.from);
		return (0);
	}
	if (w.is_fixed)
		rc = (rc = check_fixed(&w, o->is_sure)) != 0 ? rc : copy(&w, w.to);
	else
		rc = make_file(&w);
	return (rc == 0 ? settle(&w) : rc);
}
