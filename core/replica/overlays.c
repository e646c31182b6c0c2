#include "replica/overlays.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/changelog.h"
#include "disk/overlay.h"
#include "replica/disks.h"
#include "replica/inbox.h"

#define BATCH 512u
#define OVERLAY_LEAST UINT64_C(1048576) /* bytes of an overlay in which nothing is, at most */

/* --- paths -------------------------------------------------------------------------------------------- */

/* An overlay names its base, and the host gets both: so the paths are those without links, and absolute. */
static int
real_path(const char *path, char out[PATH_MAX])
{
	return (realpath(path, out) != NULL ? 0 : say_failed("%s: cannot find: %s", path, strerror(errno)));
}

int
overlays_path(const struct replica *R, const char *name, unsigned disk, char out[PATH_MAX])
{
	char dir[PATH_MAX];

	if (real_path(R->dir, dir) != 0)
		return (-1);
	return (io_path(out, "%s/%s/%s.qcow2", dir, name, R->disks[disk]));
}

int
overlays_base(const struct replica *R, unsigned disk, char out[PATH_MAX])
{
	char path[PATH_MAX];

	if (replica_disk_path(R, disk, path) != 0)
		return (-1);
	return (source_is_plain(path) ? real_path(path, out) : io_path(out, "%s", path));
}

static int
log_path(const struct replica *R, const char *name, unsigned disk, char out[PATH_MAX])
{
	return (io_path(out, "%s/%s/%s.leaves", R->dir, name, R->disks[disk]));
}

/* --- make --------------------------------------------------------------------------------------------- */

struct filling {
	const struct replica *R;
	const struct site *S;
	char name[32]; /* NAME.new */
	const struct replica_point *at;
	const struct replica_point *from;      /* the walk has come to here */
	struct overlay *overlays[LIMIT_DISKS]; /* NULL: the disk is not there at the point */
	struct leaves *leaves[LIMIT_DISKS], *over[LIMIT_DISKS];
	struct leaf_sum sums[LIMIT_DISKS];
};

static struct disks_tally
tally(struct filling *f, unsigned i)
{
	return ((struct disks_tally){
	    .before = f->leaves[i], .over = f->over[i], .secret = &f->R->secret, .sum = &f->sums[i] });
}

/* The bytes from start on, up to end, are not there on the way: what comes there again is zeroes. */
static int
clear_bytes(struct filling *f, unsigned i, uint64_t start, uint64_t end)
{
	uint64_t size = f->at->disks[i].size;
	struct extent e = { .kind = EXTENT_ZERO };

	if (end > size)
		end = size;
	if (f->overlays[i] == NULL || start >= end)
		return (0);
	e.offset = start;
	e.length = end - start;
	return (overlay_apply(f->overlays[i], &e, 1, NULL));
}

static int
open_disk(struct filling *f, unsigned i)
{
	char path[PATH_MAX], base[PATH_MAX];
	uint64_t size = f->at->disks[i].size;
	int rc, there;

	/* Of one that never had a size, there may be no file. */
	f->sums[i] = f->from->disks[i].sum;
	if (replica_leaves_path(f->R, i, path) != 0 || (there = io_exists(path)) < 0 ||
	    (f->leaves[i] = there ? leaves_open(path, 0) : leaves_temporary(f->R->dir)) == NULL ||
	    (f->over[i] = leaves_temporary(f->R->dir)) == NULL)
		return (-1);
	if (size == 0)
		return (0);
	if (overlays_base(f->R, i, base) != 0 || overlays_path(f->R, f->name, i, path) != 0)
		return (-1);
	if ((rc = overlay_create(path, base, size)) != 0 || f->from == f->at)
		return (rc);
	if ((rc = overlay_open(&f->overlays[i], path)) != 0)
		return (rc);
	/* A device or export may be longer than the disk on it. */
	return (clear_bytes(f, i, f->from->disks[i].size, size));
}

/* What of a segment is within the disk as it is at the point, which a disk on the way may exceed. */
static int
write_within(struct overlay *O, uint64_t size, const struct unpacked *u)
{
	const uint8_t *data = u->data;

	for (uint32_t i = 0; i < u->member.record.extents; i++) {
		struct extent e = u->extents[i];

		if (e.offset < size) {
			if (e.length > size - e.offset)
				e.length = size - e.offset;
			if (overlay_apply(O, &e, 1, data) != 0)
				return (-1);
		}
		if (e.kind == EXTENT_DATA)
			data += u->extents[i].length;
	}
	return (0);
}

static int
is_within(uint64_t size, const struct unpacked *u)
{
	for (uint32_t i = 0; i < u->member.record.extents; i++)
		if (u->extents[i].offset > size || u->extents[i].length > size - u->extents[i].offset)
			return (0);
	return (1);
}

static int
apply(void *context, const struct unpacked *u)
{
	struct filling *f = context;
	const struct record *r = &u->member.record;
	struct disks_tally t;
	struct overlay *O;
	uint64_t size;

	if (r->type != RECORD_SEGMENT)
		return (0);
	t = tally(f, r->disk);
	if (disks_sum(&t, u) != 0)
		return (-1);
	O = f->overlays[r->disk];
	size = f->at->disks[r->disk].size;
	if (O == NULL)
		return (0);
	return (is_within(size, u) ? overlay_apply(O, u->extents, r->extents, u->data)
	                           : write_within(O, size, u));
}

/* One point back. */
static int
go_back(struct filling *f)
{
	const struct replica_point *to = f->from - 1;
	struct inbox b;
	int rc = inbox_open_undo(&b, f->R, f->S, &to->point);

	for (unsigned i = 0; rc == 0 && i < f->R->ndisks; i++) {
		struct disks_tally t = tally(f, i);

		rc = disks_sum_cut(&t, to->disks[i].size, f->from->disks[i].size);
		if (rc == 0)
			rc = clear_bytes(f, i, to->disks[i].size, f->from->disks[i].size);
	}
	if (rc == 0)
		rc = inbox_run(&b, f, apply, "overlay");
	inbox_close(&b);
	f->from = to;
	return (rc);
}

/*
 * The leaves of the disks, which the merges proved, with those of what the undos brought, have the root of the point: so
 * all that was written is right.  What the disks themselves hold where nothing was written is for scrub to prove.
 */
static int
prove(const struct filling *f, unsigned i)
{
	const struct replica_disk_point *want = &f->at->disks[i];
	uint8_t root[LEAF_ROOT];

	leaf_root(root, &f->R->secret, &f->sums[i], want->size);
	if (memcmp(root, want->root, LEAF_ROOT) == 0)
		return (0);
	return (say_refused("%s: disk %s does not come out with the root of point %" PRIu64
	                    "; try another point, and run scrub",
	    f->R->vm, f->R->disks[i], f->at->point.seq));
}

/* Of n leaves from start on, those that lie over the disk's; 0 is none, and a leaf has its bits turned. */
static int
log_batch(struct changelog *L, uint64_t start, size_t n, uint64_t *over)
{
	size_t from = 0, to;

	while (from < n) {
		int is_zero = over[from] == ~UINT64_C(0);

		for (to = from; to < n && over[to] != 0 && (over[to] == ~UINT64_C(0)) == is_zero; to++)
			over[to] = ~over[to];
		if (to == from)
			from++;
		else if (changelog_add(L, start + from, to - from, is_zero ? NULL : over + from) != 0)
			return (-1);
		else
			from = to;
	}
	return (0);
}

static int
write_log(const struct filling *f, unsigned i)
{
	uint64_t start = 0, count, over[BATCH];
	struct changelog *L;
	char path[PATH_MAX];
	int rc;

	if (log_path(f->R, f->name, i, path) != 0 || (L = changelog_create(path)) == NULL)
		return (-1);
	while ((rc = leaves_next(f->over[i], &start, LIMIT_DISK_SIZE / LIMIT_BLOCK, &count)) == 0) {
		size_t n = count < BATCH ? (size_t)count : BATCH;

		if (leaves_read(f->over[i], start, n, over) != 0 || log_batch(L, start, n, over) != 0) {
			rc = -1;
			break;
		}
		start += n;
	}
	if (rc < 0) {
		changelog_free(L);
		return (-1);
	}
	return (changelog_commit(L));
}

static int
fill(struct filling *f)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < f->R->ndisks; i++)
		rc = open_disk(f, i);
	while (rc == 0 && f->from > f->at)
		rc = go_back(f);
	for (unsigned i = 0; rc == 0 && i < f->R->ndisks; i++)
		if ((rc = prove(f, i)) == 0 && (rc = write_log(f, i)) == 0 && f->overlays[i] != NULL)
			rc = overlay_flush(f->overlays[i]);
	for (unsigned i = 0; i < f->R->ndisks; i++) {
		overlay_close(f->overlays[i]);
		leaves_free(f->leaves[i]);
		leaves_free(f->over[i]);
	}
	return (rc);
}

static int
publish(const struct replica *R, const char *dir, const char *name)
{
	char path[PATH_MAX];

	if (io_sync_dir(dir) != 0 || io_path(path, "%s/%s", R->dir, name) != 0)
		return (-1);
	return (io_publish(dir, path, R->dir));
}

int
overlays_make(const struct replica *R, const struct site *S, const char *name, const struct replica_point *at)
{
	struct filling *f = calloc(1, sizeof *f);
	char dir[PATH_MAX];
	int rc = -1;

	if (f == NULL)
		return (say_failed("out of memory"));
	f->R = R;
	f->S = S;
	f->at = at;
	f->from = replica_last(R);
	snprintf(f->name, sizeof f->name, "%s.new", name);
	if (io_path(dir, "%s/%s", R->dir, f->name) == 0 && io_mkdir(dir, 0700) == 0 && (rc = fill(f)) == 0)
		rc = publish(R, dir, name);
	/* Also of what was published, nothing stands yet: replica_tidy takes it. */
	if (rc != 0)
		replica_tidy(R);
	free(f);
	return (rc);
}

int
overlays_need(const struct replica *R, const struct site *S, const struct replica_point *at, uint64_t *bytes)
{
	struct inbox b;
	int rc = 0;

	*bytes = R->ndisks * OVERLAY_LEAST;
	for (const struct replica_point *p = replica_last(R); rc == 0 && p > at; p--) {
		if ((rc = inbox_open_undo(&b, R, S, &(p - 1)->point)) == 0)
			*bytes += b.header->most;
		inbox_close(&b);
	}
	return (rc);
}

/* --- use ---------------------------------------------------------------------------------------------- */

int
overlays_check_idle(const struct replica *R, const char *name, const struct replica_point *at)
{
	char path[PATH_MAX];
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < R->ndisks; i++) {
		if (at->disks[i].size == 0)
			continue;
		if (overlays_path(R, name, i, path) != 0 || (rc = overlay_is_used(path)) < 0)
			return (-1);
		if (rc == 1)
			rc = say_refused(
			    "%s: a VM or another program has it open; shut the VM down, and say this again",
			    path);
	}
	return (rc);
}

int
overlays_rewind(const struct replica *R, const char *name)
{
	char log[PATH_MAX], path[PATH_MAX];
	struct leaves *L;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < R->ndisks; i++) {
		if (log_path(R, name, i, log) != 0 || replica_leaves_path(R, i, path) != 0 ||
		    (L = leaves_open(path, 1)) == NULL)
			return (-1);
		if ((rc = changelog_apply(log, L)) == 0)
			rc = leaves_sync(L);
		leaves_free(L);
	}
	return (rc);
}

/* A disk that was not there at the point is of no size again; what a device, export or image has of it stays. */
static int
empty_disk(const char *path)
{
	int fd, rc, there = source_is_plain(path) ? io_exists(path) : 0;

	if (there <= 0)
		return (there);
	if ((fd = io_open_write(path)) < 0)
		return (-1);
	rc = io_is_regular(fd) && (io_resize(fd, path, 0) != 0 || io_sync(fd, path) != 0) ? -1 : 0;
	io_close(fd);
	return (rc);
}

int
overlays_settle(const struct replica *R, const char *name, const struct replica_point *at)
{
	char path[PATH_MAX], base[PATH_MAX];
	int rc = overlays_check_idle(R, name, at);

	for (unsigned i = 0; rc == 0 && i < R->ndisks; i++) {
		if (at->disks[i].size == 0) {
			rc = replica_disk_path(R, i, path) != 0 ? -1 : empty_disk(path);
			continue;
		}
		if (overlays_base(R, i, base) != 0 || overlays_path(R, name, i, path) != 0)
			return (-1);
		rc = overlay_commit(path, base);
	}
	return (rc);
}

int
overlays_remove(const struct replica *R, const char *name)
{
	char path[PATH_MAX];

	return (io_path(path, "%s/%s", R->dir, name) != 0 ? -1 : io_remove_tree(path));
}
