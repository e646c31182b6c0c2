#include "primary/primary.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk/changelog.h"
#include "disk/leaves.h"
#include "disk/ranges.h"
#include "base/io.h"
#include "jsontext.h"
#include "name.h"
#include "base/say.h"
#include "base/state.h"

/* --- the record --------------------------------------------------------------------------------------- */

static json_t *
encode_disks(const struct primary *P)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < P->ndisks; i++) {
		const struct primary_disk *d = &P->disks[i];
		json_t *o = json_pack("{s:s,s:s,s:b,s:I}", "id", d->id, "where", d->where, "excluded",
		    d->is_excluded, "size", (json_int_t)d->size);
		uint8_t sum[LEAF_ROOT];

		leaf_sum_pack(sum, &d->sum);
		bad |= jsontext_set_bytes(o, "sum", sum, sizeof sum);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_targets(const struct primary *P)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < P->ntargets; i++) {
		const struct primary_target *t = &P->targets[i];
		json_t *o = json_pack("{s:s,s:I,s:I,s:I,s:I}", "name", t->name, "seeded",
		    (json_int_t)t->seeded, "sent", (json_int_t)t->sent, "acked", (json_int_t)t->acked,
		    "acked_at", (json_int_t)t->acked_at);

		bad |= jsontext_set_bytes(o, "key", t->key, RECORD_KEY);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_points(const struct primary *P)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < P->npoints; i++) {
		const struct primary_point *p = &P->points[i];
		json_t *disks = json_array();

		for (unsigned k = 0; k < P->nreplicated; k++) {
			json_t *d = json_pack("{s:I}", "size", (json_int_t)p->size[k]);

			bad |= jsontext_set_bytes(d, "root", p->root[k], LEAF_ROOT);
			bad |= json_array_append_new(disks, d);
		}
		bad |= json_array_append_new(
		    a, json_pack("{s:I,s:I,s:I,s:i,s:o}", "epoch", (json_int_t)p->point.epoch, "seq",
		           (json_int_t)p->point.seq, "time", (json_int_t)p->point.time, "kind",
		           (int)p->point.kind, "disks", disks));
	}
	return (jsontext_whole(a, bad));
}

int
primary_save(const struct primary *P)
{
	char path[PATH_MAX];
	json_t *o = json_pack("{s:i,s:s,s:s,s:I,s:i,s:I,s:I}", "version", 1, "vm", P->vm, "uuid", P->uuid,
	    "epoch", (json_int_t)P->epoch, "keep", (int)P->keep, "frequency", (json_int_t)P->frequency,
	    "leaves_at", (json_int_t)P->leaves_at);
	int bad = 0;

	bad |= jsontext_set_bytes(o, "lineage", P->lineage, RECORD_ID);
	bad |= jsontext_set_bytes(o, "leaf_seed", P->leaf_seed, LEAF_SEED);
	bad |= json_object_set_new(o, "disks", encode_disks(P));
	bad |= json_object_set_new(o, "targets", encode_targets(P));
	bad |= json_object_set_new(o, "points", encode_points(P));
	if (io_path(path, "%s/state", P->dir) != 0) {
		json_decref(o);
		return (-1);
	}
	return (state_write(path, jsontext_whole(o, bad)));
}

static int
decode_disks(struct primary *P, const json_t *a)
{
	for (P->ndisks = 0; P->ndisks < json_array_size(a); P->ndisks++) {
		struct primary_disk *d = &P->disks[P->ndisks];
		const json_t *o = json_array_get(a, P->ndisks);
		uint8_t sum[LEAF_ROOT];

		if (P->ndisks == 2 * LIMIT_DISKS || jsontext_get_string(o, "id", d->id, sizeof d->id) != 0 ||
		    jsontext_get_string(o, "where", d->where, sizeof d->where) != 0 ||
		    jsontext_get_number(o, "size", LIMIT_DISK_SIZE, &d->size) != 0 ||
		    jsontext_get_bytes(o, "sum", sum, sizeof sum) != 0)
			return (-1);
		leaf_sum_unpack(&d->sum, sum);
		d->is_excluded = json_is_true(json_object_get(o, "excluded"));
		P->nreplicated += !d->is_excluded;
	}
	return (P->nreplicated > 0 && P->nreplicated <= LIMIT_DISKS ? 0 : -1);
}

static int
decode_targets(struct primary *P, const json_t *a)
{
	for (P->ntargets = 0; P->ntargets < json_array_size(a); P->ntargets++) {
		struct primary_target *t = &P->targets[P->ntargets];
		const json_t *o = json_array_get(a, P->ntargets);
		uint64_t at;

		if (P->ntargets == LIMIT_TARGETS ||
		    jsontext_get_string(o, "name", t->name, sizeof t->name) != 0 ||
		    jsontext_get_bytes(o, "key", t->key, RECORD_KEY) != 0 ||
		    jsontext_get_number(o, "seeded", LIMIT_SEQ, &t->seeded) != 0 ||
		    jsontext_get_number(o, "sent", LIMIT_SEQ, &t->sent) != 0 ||
		    jsontext_get_number(o, "acked", LIMIT_SEQ, &t->acked) != 0 ||
		    jsontext_get_number(o, "acked_at", INT64_MAX, &at) != 0)
			return (-1);
		t->acked_at = (int64_t)at;
	}
	return (0);
}

static int
decode_point(const struct primary *P, struct primary_point *p, const json_t *o)
{
	const json_t *disks = json_object_get(o, "disks");
	uint64_t time, kind;

	if (jsontext_get_number(o, "epoch", LIMIT_SEQ, &p->point.epoch) != 0 ||
	    jsontext_get_number(o, "seq", LIMIT_SEQ, &p->point.seq) != 0 ||
	    jsontext_get_number(o, "time", INT64_MAX, &time) != 0 ||
	    jsontext_get_number(o, "kind", POINT_FINAL, &kind) != 0 || kind == 0 ||
	    json_array_size(disks) != P->nreplicated)
		return (-1);
	p->point.time = (int64_t)time;
	p->point.kind = (enum point_kind)kind;
	for (unsigned k = 0; k < P->nreplicated; k++) {
		const json_t *d = json_array_get(disks, k);

		if (jsontext_get_number(d, "size", LIMIT_DISK_SIZE, &p->size[k]) != 0 ||
		    jsontext_get_bytes(d, "root", p->root[k], LEAF_ROOT) != 0)
			return (-1);
	}
	return (0);
}

static int
decode_points(struct primary *P, const json_t *a)
{
	size_t n = json_array_size(a);

	/* One more than there are, for the point that an export adds. */
	if (n > 2 * LIMIT_POINTS || (P->points = calloc(n + 1, sizeof *P->points)) == NULL)
		return (-1);
	for (P->npoints = 0; P->npoints < n; P->npoints++)
		if (decode_point(P, &P->points[P->npoints], json_array_get(a, P->npoints)) != 0)
			return (-1);
	return (0);
}

static int
decode(struct primary *P, const json_t *o)
{
	uint64_t version, keep;

	if (jsontext_get_number(o, "version", 1, &version) != 0 || version != 1 ||
	    jsontext_get_string(o, "vm", P->vm, sizeof P->vm) != 0 ||
	    jsontext_get_string(o, "uuid", P->uuid, sizeof P->uuid) != 0 ||
	    jsontext_get_bytes(o, "lineage", P->lineage, RECORD_ID) != 0 ||
	    jsontext_get_number(o, "epoch", LIMIT_SEQ, &P->epoch) != 0 ||
	    jsontext_get_bytes(o, "leaf_seed", P->leaf_seed, LEAF_SEED) != 0 ||
	    jsontext_get_number(o, "keep", LIMIT_POINTS, &keep) != 0 ||
	    jsontext_get_number(o, "frequency", LIMIT_SEQ, &P->frequency) != 0 ||
	    jsontext_get_number(o, "leaves_at", LIMIT_SEQ, &P->leaves_at) != 0)
		return (-1);
	P->keep = (unsigned)keep;
	leaf_secret_make(&P->secret, P->leaf_seed);
	if (decode_disks(P, jsontext_get(o, "disks")) != 0 ||
	    decode_targets(P, jsontext_get(o, "targets")) != 0)
		return (-1);
	return (decode_points(P, jsontext_get(o, "points")));
}

/* --- looking things up -------------------------------------------------------------------------------- */

int
primary_each(const struct site *S, int (*each)(void *context, const char *uuid), void *context)
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
		if (name_check_uuid(e->d_name) == NULL)
			rc = each(context, e->d_name);
	closedir(d);
	return (rc);
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

	if (strcmp(uuid, s->vm) != 0) {
		/* A UUID is nothing else, whatever names there are. */
		if (name_check_uuid(s->vm) == NULL)
			return (0);
		if (primary_look(&P, s->S, uuid) != 0)
			return (0); /* said; it is not in the way of the others */
		found = strcmp(P->vm, s->vm) == 0;
		primary_close(P);
		if (!found)
			return (0);
	}
	strcpy(s->uuid, uuid);
	return (1);
}

int
primary_find(const struct site *S, const char *vm, char uuid[HEADER_UUID])
{
	struct search s = { S, vm, uuid };

	return (primary_each(S, is_wanted, &s));
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
primary_target_by_key(struct primary *P, const uint8_t key[RECORD_KEY])
{
	for (unsigned i = 0; i < P->ntargets; i++)
		if (memcmp(P->targets[i].key, key, RECORD_KEY) == 0)
			return (&P->targets[i]);
	return (NULL);
}

uint64_t
primary_base(const struct primary_target *t)
{
	return (t->acked != 0 ? t->acked : t->seeded);
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

static int
read_record(struct primary *P)
{
	char path[PATH_MAX];
	json_t *o;
	int rc;

	if (io_path(path, "%s/state", P->dir) != 0 || (o = state_read(path)) == NULL)
		return (-1);
	if ((rc = decode(P, o)) != 0)
		say_failed("%s: the record is not one that this version understands", path);
	json_decref(o);
	return (rc);
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
	if (P == NULL)
		return;
	io_close(P->lock);
	free(P->points);
	sodium_memzero(P->leaf_seed, sizeof P->leaf_seed);
	free(P);
}

static int
take_lock(struct primary *P)
{
	char path[PATH_MAX];

	if (io_path(path, "%s/lock", P->dir) != 0)
		return (-1);
	P->lock = io_lock(path);
	if (P->lock == -2)
		return (say_refused(
		    "%s: another vmferry is working on it; run the command again when it is done", P->dir));
	return (P->lock < 0 ? -1 : 0);
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
	if (rc != 0) {
		primary_close(*P);
		*P = NULL;
	}
	return (rc);
}

/* Make the folder from with its record, then give it its name: until then it is none to anybody. */
static int
create_folder(const struct site *S, struct primary *P)
{
	static const char *const folders[] = { "leaves", "changes" };
	char path[PATH_MAX], parent[PATH_MAX];

	if (io_mkdir(P->dir, 0700) != 0)
		return (-1);
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (io_path(path, "%s/%s", P->dir, folders[i]) != 0 || io_mkdir(path, 0700) != 0)
			return (-1);
	if (primary_save(P) != 0 || io_path(parent, "%s/primaries", site_home(S)) != 0 ||
	    io_path(path, "%s/%s", parent, P->uuid) != 0 || io_publish(P->dir, path, parent) != 0)
		return (-1);
	return (io_path(P->dir, "%s", path));
}

int
primary_create(const struct site *S, struct primary *P)
{
	int rc = io_path(P->dir, "%s/primaries/.%s", site_home(S), P->uuid);

	if (rc == 0 && (rc = create_folder(S, P)) != 0)
		io_remove_tree(P->dir);
	return (rc);
}

/* --- a new point -------------------------------------------------------------------------------------- */

/* Does some target still need deltas from this point, or may it? */
static int
is_base(const struct primary *P, uint64_t seq)
{
	for (unsigned i = 0; i < P->ntargets; i++)
		if (seq == primary_base(&P->targets[i]) || seq == P->targets[i].sent)
			return (1);
	return (0);
}

static uint64_t
lowest_base(const struct primary *P)
{
	uint64_t low = primary_last(P)->point.seq;

	for (unsigned i = 0; i < P->ntargets; i++) {
		uint64_t base = primary_base(&P->targets[i]);

		if (base != 0 && base < low)
			low = base;
	}
	return (low);
}

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
	uint64_t low = lowest_base(P), gone[2 * LIMIT_POINTS];
	unsigned n = 0;

	while (P->npoints > 1 && P->points[0].point.seq < low) {
		gone[n++] = P->points[0].point.seq;
		forget_point(P, 0);
	}
	for (unsigned i = 1; P->npoints > LIMIT_POINTS && i + 2 < P->npoints;) {
		uint64_t seq = P->points[i].point.seq;

		if (is_base(P, seq)) {
			i++;
			continue;
		}
		for (unsigned k = 0; k < P->nreplicated; k++)
			if (fold_changes(P, seq, P->points[i + 1].point.seq, P->disks[k].id) != 0)
				return (-1);
		gone[n++] = seq;
		forget_point(P, i);
	}
	if (n > 0 && primary_save(P) != 0)
		return (-1);
	while (n > 0)
		if (remove_changes(P, gone[--n]) != 0)
			return (-1);
	/* Of the first point itself only what came after matters. */
	return (P->npoints > 1 ? remove_changes(P, P->points[0].point.seq) : 0);
}

int
primary_commit(struct primary *P, const struct primary_point *point)
{
	P->points[P->npoints++] = *point;
	if (primary_save(P) != 0) {
		P->npoints--;
		return (-1);
	}
	if (catch_up(P) != 0)
		return (-1);
	return (prune(P));
}
