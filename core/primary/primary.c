#include "primary/primary.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "disk/changelog.h"
#include "disk/leaves.h"
#include "disk/ranges.h"
#include "base/io.h"
#include "name.h"
#include "primary/ledger.h"
#include "primary/primary_record.h"
#include "primary/shiplog.h"
#include "site/folders.h"
#include "base/say.h"

/* --- looking things up -------------------------------------------------------------------------------- */

int
primary_each(const struct site *S, int (*each)(void *context, const char *uuid), void *context)
{
	return (folders_each(S, "primaries", each, context));
}

struct search {
	const struct site *S;
	const char *vm;
	char *uuid;
};

static int
is_wanted(void *context, const char *uuid)
{
	struct search *s = context;
	struct primary *P;
	int found;

	if (folders_may_be(s->S, "primaries", uuid, s->vm) <= 0 || primary_look(&P, s->S, uuid) != 0)
		return (0); /* said; it is not in the way of the others */
	if ((found = strcmp(P->vm, s->vm) == 0))
		strcpy(s->uuid, uuid);
	primary_close(P);
	return (found);
}

int
primary_find(const struct site *S, const char *vm, char uuid[HEADER_UUID])
{
	struct search s = { S, vm, uuid };
	int found;

	/* A UUID is nothing else, whatever names there are. */
	if (name_check_uuid(vm) != NULL)
		return (primary_each(S, is_wanted, &s));
	if ((found = folders_has(S, "primaries", vm)) == 1)
		memmove(uuid, vm, HEADER_UUID); /* which may be the same */
	return (found);
}

uint64_t
primary_epoch(const struct primary *P)
{
	return (history_epoch(&P->role.history));
}

struct primary_point *
primary_last(const struct primary *P)
{
	return (P->npoints == 0 ? NULL : &P->points[P->npoints - 1]);
}

struct primary_point *
primary_point(const struct primary *P, uint64_t seq)
{
	for (unsigned i = 0; i < P->npoints; i++)
		if (P->points[i].point.seq == seq)
			return (&P->points[i]);
	return (NULL);
}

struct primary_target *
primary_target(struct primary *P, const char *name)
{
	for (unsigned i = 0; i < P->ntargets; i++)
		if (strcmp(P->targets[i].name, name) == 0)
			return (&P->targets[i]);
	return (NULL);
}

struct primary_target *
primary_target_of(struct primary *P, const struct trust_entry *e)
{
	for (unsigned i = 0; i < P->ntargets; i++)
		if (trust_has_key(e, P->targets[i].key))
			return (&P->targets[i]);
	return (NULL);
}

struct primary_target *
primary_via(struct primary *P, const struct primary_target *t)
{
	for (unsigned i = 0; t->has_via && i < P->ntargets; i++)
		if (memcmp(P->targets[i].key, t->via, RECORD_KEY) == 0)
			return (&P->targets[i]);
	return (NULL);
}

int
primary_open_disk(
    const struct primary *P, unsigned disk, enum source_use use, const char *bitmap, struct source **out)
{
	const struct primary_disk *d = &P->disks[disk];

	return (d->is_gone ? source_open_none(out, d->id) : source_open(out, d->where, use, bitmap));
}

void
primary_no_disk(const struct primary *P, uint64_t *size, uint8_t root[LEAF_ROOT])
{
	struct leaf_sum none = { 0, 0 };

	*size = 0;
	leaf_root(root, &P->secret, &none, 0);
}

int
primary_was_gone(const struct primary *P, unsigned i, unsigned disk)
{
	return (P->points[i].size[disk] == 0 && P->points[i - 1].size[disk] == 0);
}

int
primary_leaves_path(const struct primary *P, const char *disk, char out[PATH_MAX])
{
	return (io_path(out, "%s/leaves/%s", P->dir, disk));
}

int
primary_changes_path(const struct primary *P, uint64_t seq, const char *disk, char out[PATH_MAX])
{
	return (io_path(out, "%s/changes/%" PRIu64 ".%s", P->dir, seq, disk));
}

/* --- opening ------------------------------------------------------------------------------------------ */

static int
primary_new(struct primary **P, const struct site *S, const char *uuid)
{
	if ((*P = calloc(1, sizeof **P)) == NULL)
		return (say_failed("out of memory"));
	(*P)->lock = -1;
	if (io_path((*P)->dir, "%s/primaries/%s", site_home(S), uuid) == 0)
		return (0);
	primary_close(*P);
	return (-1);
}

int
primary_save(const struct primary *P)
{
	char path[PATH_MAX];

	return (io_path(path, "%s/state", P->dir) != 0 ? -1 : primary_record_write(path, P));
}

static int
read_record(struct primary *P)
{
	char path[PATH_MAX];

	return (io_path(path, "%s/state", P->dir) != 0 ? -1 : primary_record_read(path, P));
}

int
primary_look(struct primary **P, const struct site *S, const char *uuid)
{
	if (primary_new(P, S, uuid) != 0)
		return (-1);
	if (read_record(*P) == 0)
		return (0);
	primary_close(*P);
	return (-1);
}

void
primary_close(struct primary *P)
{
	size_t n;

	if (P == NULL)
		return;
	io_close(P->lock);
	free(P->points);
	sodium_memzero(P->leaf_seed, sizeof P->leaf_seed);
	/* One more: it may have been read in part. */
	n = P->nshipments < PRIMARY_SHIPMENTS ? P->nshipments + 1 : PRIMARY_SHIPMENTS;
	sodium_memzero(P->shipments, n * sizeof *P->shipments);
	free(P);
}

static int
take_lock(struct primary *P)
{
	P->lock = folders_lock(P->dir);
	return (P->lock == -2 ? 1 : P->lock < 0 ? -1 : 0);
}

/* Bring the leaves to the newest point, if an interruption left them behind. */
static int
catch_up(struct primary *P)
{
	const struct primary_point *last = primary_last(P);
	char leaves_path[PATH_MAX], changes_path[PATH_MAX];
	int rc = 0;

	if (last == NULL || P->leaves_at == last->point.seq)
		return (0);
	for (unsigned i = 0; rc == 0 && i < P->nreplicated; i++) {
		struct leaves *L;

		if (primary_leaves_path(P, P->disks[i].id, leaves_path) != 0 ||
		    primary_changes_path(P, last->point.seq, P->disks[i].id, changes_path) != 0 ||
		    (L = leaves_open(leaves_path, 1)) == NULL)
			return (-1);
		rc = changelog_apply(changes_path, L);
		if (rc == 0)
			rc = leaves_sync(L);
		leaves_free(L);
	}
	if (rc != 0)
		return (-1);
	if (io_path(leaves_path, "%s/leaves", P->dir) != 0 || io_sync_dir(leaves_path) != 0)
		return (-1);
	P->leaves_at = last->point.seq;
	return (primary_save(P));
}

int
primary_open(struct primary **P, const struct site *S, const char *vm)
{
	char uuid[HEADER_UUID];
	int rc = primary_find(S, vm, uuid);

	*P = NULL;
	if (rc < 0)
		return (-1);
	if (rc == 0)
		return (say_refused("%s: no such VM is protected here; start with 'vmferry enable'", vm));
	if (primary_new(P, S, uuid) != 0)
		return (-1);
	if ((rc = take_lock(*P)) == 0 && (rc = read_record(*P)) == 0)
		rc = catch_up(*P);
	reminders_settle_home(&(*P)->reminders, (*P)->role.history.n, site_card(S)->sign);
	if (rc != 0) {
		primary_close(*P);
		*P = NULL;
	}
	return (rc);
}

/* Make the folder with its record. */
static int
create_folder(struct primary *P)
{
	static const char *const folders[] = { "leaves", "changes" };
	char path[PATH_MAX];

	if (io_mkdir(P->dir, 0700) != 0)
		return (-1);
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (io_path(path, "%s/%s", P->dir, folders[i]) != 0 || io_mkdir(path, 0700) != 0)
			return (-1);
	return (primary_save(P));
}

/* A folder that an interrupted enable left without its name goes; the caller holds the lock of enable. */
static int
remove_abandoned(const struct site *S)
{
	char path[PATH_MAX];
	struct dirent *e;
	int rc = 0;
	DIR *d;

	if (io_path(path, "%s/primaries", site_home(S)) != 0)
		return (-1);
	if ((d = opendir(path)) == NULL)
		return (say_failed("%s: cannot open: %s", path, strerror(errno)));
	while (rc == 0 && (e = readdir(d)) != NULL)
		if (e->d_name[0] == '.' && name_check_uuid(e->d_name + 1) == NULL &&
		    (rc = io_path(path, "%s/primaries/%s", site_home(S), e->d_name)) == 0)
			rc = io_remove_tree(path);
	closedir(d);
	return (rc);
}

int
primary_make(const struct site *S, struct primary *P)
{
	if (remove_abandoned(S) != 0 || io_path(P->dir, "%s/primaries/.%s", site_home(S), P->uuid) != 0)
		return (-1);
	return (create_folder(P));
}

int
primary_publish(const struct site *S, struct primary *P)
{
	char path[PATH_MAX], parent[PATH_MAX];

	if (io_path(parent, "%s/primaries", site_home(S)) != 0 ||
	    io_path(path, "%s/%s", parent, P->uuid) != 0 || io_publish(P->dir, path, parent) != 0)
		return (-1);
	return (io_path(P->dir, "%s", path));
}

int
primary_create(const struct site *S, struct primary *P)
{
	if (primary_make(S, P) == 0 && primary_publish(S, P) == 0)
		return (0);
	io_remove_tree(P->dir);
	return (-1);
}

int
primary_lock_all(const struct site *S)
{
	char path[PATH_MAX];
	int lock;

	if (io_path(path, "%s/primaries/lock", site_home(S)) != 0)
		return (-1);
	if ((lock = io_lock(path)) == -2)
		say_refusal(
		    "%s: another vmferry is enabling or removing a VM; run the command again", site_home(S));
	return (lock);
}

int
primary_sweep(const struct site *S)
{
	int lock = primary_lock_all(S), rc = lock == -2 ? 1 : -1;

	if (lock >= 0)
		rc = remove_abandoned(S);
	io_close(lock);
	return (rc);
}

int
primary_remove(struct primary *P, const struct site *S)
{
	char made[PATH_MAX], all[PATH_MAX];
	int rc = -1;

	/* First it is none to anybody any more, then its files go. */
	if (io_path(all, "%s/primaries", site_home(S)) == 0 && io_path(made, "%s/.%s", all, P->uuid) == 0 &&
	    io_remove_tree(made) == 0 && io_publish(P->dir, made, all) == 0)
		rc = io_remove_tree(made);
	primary_close(P);
	return (rc);
}

/* --- a new point -------------------------------------------------------------------------------------- */

static int
remove_changes(const struct primary *P, uint64_t seq)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < P->nreplicated; i++)
		if (primary_changes_path(P, seq, P->disks[i].id, path) != 0 || io_remove(path) != 0)
			return (-1);
	return (0);
}

/* Put the changes of point a into those of point b after it, which then is a superset, whatever happens. */
static int
fold_changes(const struct primary *P, uint64_t a, uint64_t b, const char *disk)
{
	char from[PATH_MAX], to[PATH_MAX], new[PATH_MAX], dir[PATH_MAX];
	struct ranges both = RANGES_EMPTY;
	struct changelog *L = NULL;
	int rc = -1;

	if (primary_changes_path(P, a, disk, from) != 0 || primary_changes_path(P, b, disk, to) != 0 ||
	    io_path(new, "%s.new", to) != 0 || io_path(dir, "%s/changes", P->dir) != 0 ||
	    changelog_ranges(from, &both) != 0 || changelog_ranges(to, &both) != 0 ||
	    (L = changelog_create(new)) == NULL)
		goto done;
	ranges_sort(&both);
	rc = 0;
	for (size_t i = 0; rc == 0 && i < both.n; i++)
		rc = changelog_add(L, both.runs[i].start, both.runs[i].count, NULL);
	if (rc != 0)
		changelog_free(L);
	else if ((rc = changelog_commit(L)) == 0)
		rc = io_publish(new, to, dir);
done:
	ranges_free(&both);
	return (rc);
}

static void
forget_point(struct primary *P, unsigned i)
{
	memmove(&P->points[i], &P->points[i + 1], (P->npoints - i - 1) * sizeof *P->points);
	P->npoints--;
}

/* Points below the lowest base go; where there are too many above it, one that nobody starts from is folded. */
static int
prune(struct primary *P)
{
	uint64_t gone[2 * LIMIT_POINTS];
	unsigned n = 0;
	int i;

	while ((i = ledger_expendable(P, LIMIT_POINTS)) >= 0) {
		uint64_t seq = P->points[i].point.seq;

		for (unsigned k = 0; i > 0 && k < P->nreplicated; k++)
			if (!primary_was_gone(P, (unsigned)i, k) &&
			    fold_changes(P, seq, P->points[i + 1].point.seq, P->disks[k].id) != 0)
				return (-1);
		gone[n++] = seq;
		forget_point(P, (unsigned)i);
	}
	if (n > 0 && primary_save(P) != 0)
		return (-1);
	while (n > 0)
		if (remove_changes(P, gone[--n]) != 0)
			return (-1);
	if (shiplog_prune(P) != 0)
		return (-1);
	/* Of the first point itself only what came after matters. */
	return (P->npoints > 1 ? remove_changes(P, P->points[0].point.seq) : 0);
}

int
primary_commit(struct primary *P, const struct primary_point *point)
{
	struct primary_cuts before = P->cuts;
	char dir[PATH_MAX];

	/* The record is to name maps of changes whose entries are durable. */
	if (io_path(dir, "%s/changes", P->dir) != 0 || io_sync_dir(dir) != 0)
		return (-1);
	P->points[P->npoints++] = *point;
	ledger_cut(P, point->point.time);
	if (primary_save(P) != 0) {
		P->npoints--;
		P->cuts = before;
		return (-1);
	}
	if (catch_up(P) != 0)
		return (-1);
	return (prune(P));
}

int
primary_commit_alone(struct primary *P, const struct primary_point *point)
{
	unsigned n = P->npoints;
	uint64_t *gone = calloc(n + 1, sizeof *gone);
	int rc;

	if (gone == NULL)
		return (say_failed("out of memory"));
	for (unsigned i = 0; i < n; i++)
		gone[i] = P->points[i].point.seq;
	P->npoints = 0;
	if ((rc = primary_commit(P, point)) == 0)
		while (rc == 0 && n > 0)
			rc = remove_changes(P, gone[--n]);
	free(gone);
	return (rc);
}
