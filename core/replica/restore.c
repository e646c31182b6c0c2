#include "replica/restore.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "disk/image.h"
#include "disk/scan.h"
#include "base/io.h"
#include "replica/inbox.h"
#include "replica/merge.h"
#include "base/say.h"

struct restoring {
	const struct replica *R;
	const struct site *S;
	const char *dir;
	const struct replica_point *point;
	struct image *images
	    [LIMIT_DISKS]; /* NULL: there already, since a restore that was interrupted, or not at that point */
};

static int
part_path(const struct restoring *r, unsigned i, char out[PATH_MAX])
{
	return (io_path(out, "%s/%s.raw.part", r->dir, r->R->disks[i]));
}

static int
final_path(const struct restoring *r, unsigned i, char out[PATH_MAX])
{
	return (io_path(out, "%s/%s.raw", r->dir, r->R->disks[i]));
}

/* Does the image at path, read again, have the root of the point?  0; 1; -1, said. */
static int
has_root(const struct restoring *r, unsigned i, const char *path)
{
	struct source *S;
	struct leaf_sum sum;
	uint8_t root[LEAF_ROOT];
	int rc;

	if ((rc = source_open(&S, path, SOURCE_OWN, NULL)) != 0)
		return (rc);
	rc = scan_disk(S, &r->R->secret, NULL, "proving", &sum, NULL);
	leaf_root(root, &r->R->secret, &sum, source_size(S));
	source_close(S);
	return (rc != 0 ? rc : memcmp(root, r->point->disks[i].root, LEAF_ROOT) != 0);
}

/* Nothing of the person's is overwritten; a disk of this very point, from an interrupted restore, stands. */
static int
is_there(const struct restoring *r, unsigned i)
{
	char path[PATH_MAX];
	int there, rc;

	if (final_path(r, i, path) != 0 || (there = io_exists(path)) < 0)
		return (-1);
	if (!there)
		return (0);
	if ((rc = has_root(r, i, path)) < 0)
		return (-1);
	if (rc > 0)
		say_note("%s: is there already; name another folder with -o", path);
	return (rc > 0 ? 2 : 1);
}

/* Copies of the disks as they are, of those that are not restored yet. */
static int
copy_disks(struct restoring *r)
{
	char from[PATH_MAX], to[PATH_MAX];

	for (unsigned i = 0; i < r->R->ndisks; i++) {
		uint64_t size = replica_last(r->R)->disks[i].size;
		int there = r->point->disks[i].size == 0 ? 1 : is_there(r, i);

		if (there == 1)
			continue;
		if (there != 0)
			return (there == 2 ? say_refused("%s: nothing is overwritten", r->dir) : -1);
		if (replica_disk_path(r->R, i, from) != 0 || part_path(r, i, to) != 0 || io_remove(to) != 0 ||
		    (r->images[i] = image_create(to, 0)) == NULL ||
		    (size > 0 && image_copy(r->images[i], from, size) != 0))
			return (-1);
	}
	return (0);
}

static int
apply(void *context, const struct unpacked *u)
{
	struct restoring *r = context;
	const struct record *rec = &u->member.record;
	struct image *I = rec->type == RECORD_SEGMENT ? r->images[rec->disk] : NULL;

	return (I == NULL ? 0 : image_apply(I, u->extents, rec->extents, u->data));
}

static int
go_back(struct restoring *r, const struct replica_point *to)
{
	struct inbox b;
	int rc = inbox_open_undo(&b, r->R, r->S, &to->point);

	for (unsigned i = 0; rc == 0 && i < r->R->ndisks; i++)
		if (r->images[i] != NULL)
			rc = image_resize(r->images[i], (to + 1)->disks[i].size, to->disks[i].size);
	b.U.secret = NULL;
	if (rc == 0)
		rc = inbox_run(&b, r, apply, "undo");
	inbox_close(&b);
	return (rc);
}

static int
prove(const struct restoring *r, unsigned i)
{
	char path[PATH_MAX];
	int rc;

	if (image_sync(r->images[i]) != 0 || part_path(r, i, path) != 0 || (rc = has_root(r, i, path)) < 0)
		return (-1);
	if (rc > 0)
		return (
		    say_refused("%s: disk %s does not come out with the root of point %" PRIu64 "; run scrub",
		        r->R->vm, r->R->disks[i], r->point->point.seq));
	return (0);
}

static int
publish(const struct restoring *r)
{
	char from[PATH_MAX], to[PATH_MAX];

	for (unsigned i = 0; i < r->R->ndisks; i++)
		if (r->images[i] != NULL && (part_path(r, i, from) != 0 || final_path(r, i, to) != 0 ||
		                                io_publish(from, to, r->dir) != 0))
			return (-1);
	return (0);
}

static void
release(struct restoring *r)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < r->R->ndisks; i++) {
		if (r->images[i] == NULL)
			continue;
		image_free(r->images[i]);
		if (part_path(r, i, path) == 0)
			io_remove(path);
	}
}

static int
run(struct restoring *r)
{
	int rc;

	if ((rc = io_mkdir_all(r->dir, 0755)) != 0 || (rc = copy_disks(r)) != 0)
		return (rc);
	for (const struct replica_point *p = replica_last(r->R); p > r->point; p--)
		if ((rc = go_back(r, p - 1)) != 0)
			return (rc);
	for (unsigned i = 0; i < r->R->ndisks; i++)
		if (r->images[i] != NULL && (rc = prove(r, i)) != 0)
			return (rc);
	return (publish(r));
}

int
restore(struct replica *R, const struct site *S, uint64_t seq, const char *dir)
{
	struct restoring r = { .R = R, .S = S, .dir = dir };
	char words[ROLE_WORDS];
	int rc;

	if ((rc = merge_recover(R, S)) != 0)
		return (rc);
	if (replica_is_live(R))
		return (say_refused("%s: %s", R->vm, role_objection(&R->role, ROLE_MERGE, words)));
	r.point = seq == 0 ? replica_last(R) : replica_point(R, seq);
	if (r.point == NULL)
		return (say_refused(
		    "%s: there is no point %" PRIu64 " here; 'vmferry points' lists them", R->vm, seq));
	rc = run(&r);
	release(&r);
	if (rc == 0)
		say_note("%s: point %" PRIu64 " is in %s, its roots proven", R->vm, r.point->point.seq, dir);
	return (rc);
}
