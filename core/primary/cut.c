#include "primary/cut.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "disk/changelist.h"
#include "disk/changelog.h"
#include "disk/scan.h"
#include "primary/against.h"
#include "primary/live.h"
#include "base/io.h"
#include "base/say.h"

/* --- may it be cut? ----------------------------------------------------------------------------------- */

void
cut_describe(struct cut *c, const struct site *S, const struct export_options *o, struct primary *P)
{
	static const enum segment_level levels[] = { SEGMENT_DEFAULT, SEGMENT_NONE, SEGMENT_FAST,
		SEGMENT_DEFAULT, SEGMENT_BEST };

	c->S = S;
	c->o = o;
	c->P = P;
	c->level = levels[o->level != 0 ? o->level : P->wishes.level];
	c->is_plain = o->plain != 0 ? o->plain > 0 : P->wishes.is_plain;
}

int
cut_begin(struct cut *c, const struct site *S, const struct export_options *o, struct primary *P)
{
	char words[ROLE_WORDS];
	const char *why;
	int rc;

	if (P == NULL && (rc = primary_open(&P, S, o->vm)) != 0)
		return (rc);
	cut_describe(c, S, o, P);
	if ((why = role_objection(&P->role, o->final ? ROLE_PREPARE : ROLE_SEND, words)) != NULL)
		return (say_refused("%s: %s", P->vm, why));
	/* What the replica has is not known: what goes there is whole, or made for what it says. */
	if (P->role.state == ROLE_WAITING_RESYNC && !o->seed && o->against == NULL)
		return (say_refused("%s: %s: it waits for a resynchronization; bring what 'vmferry compare' "
		                    "says at the replica and export --against it, or export --seed",
		    P->vm, P->role.cause));
	return (0);
}

/* --- the disks and what changed on them --------------------------------------------------------------- */

/* A tracker may have begun only after the VM had begun to write here, so the first point of an epoch is found by comparing. */
static int
is_first_of_epoch(const struct cut *c)
{
	const struct primary_point *last = primary_last(c->P);

	return (last != NULL && last->point.epoch != primary_epoch(c->P));
}

/* Is it known without --changes what to ask for changes: the view of a VM that runs, or the bitmaps of one that is off? */
static int
is_tracked(const struct cut *c)
{
	return (live_is_running(c) || (c->live != NULL && live_tracker(c->P)[0] != '\0'));
}

/* The bitmap that --changes names, or else the one by which a host tracks, in a VM that is off; or NULL. */
static const char *
wanted_bitmap(const struct cut *c)
{
	if (c->o->changes != NULL)
		return (strncmp(c->o->changes, "bitmap:", 7) == 0 ? c->o->changes + 7 : NULL);
	return (is_tracked(c) && live_tracker(c->P)[0] != '\0' ? live_tracker(c->P) : NULL);
}

int
cut_is_seed(const struct cut *c)
{
	return (c->against == NULL ? c->base == 0 : against_header(c->against)->from.seq == 0);
}

/*
 * The leaves of disk i, and whether they are those of the newest point.  They are read, all of them, where all of
 * the disk is; a list of changes is there to spare that.
 */
static int
open_leaves(struct cut *c, unsigned i)
{
	const struct primary_disk *d = &c->P->disks[i];
	int is_whole = c->base == 0, there;
	char path[PATH_MAX];

	if (c->leaves[i] != NULL)
		return (0);
	if (primary_leaves_path(c->P, d->id, path) != 0 || (there = io_exists(path)) < 0)
		return (-1);
	c->sums[i] = d->sum;
	/* Of a disk that was not there at the newest point there need be none yet. */
	if (there || is_whole || c->P->npoints == 0 || primary_last(c->P)->size[i] == 0) {
		if ((c->leaves[i] = leaves_open(path, 1)) == NULL)
			return (-1);
		if ((c->o->changes != NULL || is_tracked(c)) && !is_first_of_epoch(c))
			return (0);
		if (leaves_sum(c->leaves[i], &c->P->secret, &c->sums[i]) != 0)
			return (-1);
		if (c->sums[i].low == d->sum.low && c->sums[i].high == d->sum.high)
			return (0);
	}
	if (!is_whole)
		return (say_refused(
		    "%s: %s is %s: what changed on disk %s since point %" PRIu64
		    " cannot be told; bring what 'vmferry compare' says at the replica and export "
		    "--against it, or export --seed",
		    c->P->vm, path, there ? "damaged" : "not there", d->id, primary_last(c->P)->point.seq));
	say_note(
	    "%s: %s was damaged or lost, and is made anew; no delta can start at an older point any more",
	    c->P->vm, path);
	c->is_lost = 1;
	return (0);
}

int
cut_open_leaves(struct cut *c)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < c->P->nreplicated; i++)
		if (c->leaves[i] == NULL && (primary_leaves_path(c->P, c->P->disks[i].id, path) != 0 ||
		                                (c->leaves[i] = leaves_open(path, 1)) == NULL))
			return (-1);
	return (0);
}

int
cut_open_disks(struct cut *c)
{
	enum source_use use = c->o->live_unsafe ? SOURCE_LIVE : SOURCE_QUIET;
	int rc = live_is_running(c) ? live_begin(c) : 0;

	for (unsigned i = 0; rc == 0 && i < c->P->nreplicated; i++)
		rc = live_is_running(c) ? live_open(c, i, &c->sources[i])
		                        : primary_open_disk(c->P, i, use, wanted_bitmap(c), &c->sources[i]);
	if (rc != 0)
		return (rc);
	for (unsigned i = 0; i < c->P->nreplicated; i++)
		if ((rc = open_leaves(c, i)) != 0)
			return (rc);
	return (0);
}

/* Add the changes from that point to the newest one that are on record. */
static int
known_changes(const struct cut *c, unsigned i, uint64_t from, struct ranges *out)
{
	int rc = 0;

	for (unsigned k = 0; rc == 0 && k < c->P->npoints; k++) {
		struct ranges one = RANGES_EMPTY;
		char path[PATH_MAX];
		uint64_t seq = c->P->points[k].point.seq;

		if (seq <= from || (k > 0 && primary_was_gone(c->P, k, i)))
			continue;
		rc = primary_changes_path(c->P, seq, c->P->disks[i].id, path);
		if (rc == 0 && (rc = changelog_ranges(path, &one)) == 0) {
			ranges_sort(&one);
			rc = ranges_join(out, &one);
		}
		ranges_free(&one);
	}
	ranges_sort(out);
	return (rc);
}

/*
 * A disk that was resized: what was added, and the block in which the end lay or lies, may have changed.  One that was
 * put in place of another, as a whole.
 */
static int
resized(struct cut *c, unsigned i)
{
	uint64_t before = c->P->disks[i].size, now = source_size(c->sources[i]);
	uint64_t low = before < now ? before : now, from = low / LIMIT_BLOCK * LIMIT_BLOCK;

	if (c->P->disks[i].is_new)
		from = 0;
	else if (before == now || c->P->npoints == 0)
		return (0);
	if (ranges_add_bytes(&c->maybe[i], from, now - from) != 0)
		return (-1);
	ranges_sort(&c->maybe[i]);
	return (0);
}

/* Find by comparison what changed on disk i since the newest point. */
static int
compare(struct cut *c, unsigned i)
{
	struct leaf_sum sum;

	return (scan_disk(c->sources[i], &c->P->secret, c->leaves[i], "comparing", &sum, &c->maybe[i]));
}

/* What a list, or bitmaps that a person named, say of all disks. */
static int
listed_changes(struct cut *c)
{
	const char *ids[LIMIT_DISKS] = { NULL };
	uint64_t sizes[LIMIT_DISKS];
	const char *why;
	int rc = 0;

	for (unsigned i = 0; i < c->P->nreplicated; i++) {
		ids[i] = c->P->disks[i].id;
		sizes[i] = source_size(c->sources[i]);
	}
	if (wanted_bitmap(c) == NULL)
		return (changelist_read(c->o->changes, ids, sizes, c->P->nreplicated, c->maybe));
	for (unsigned i = 0; rc >= 0 && i < c->P->nreplicated; i++) {
		rc = source_dirty(c->sources[i], &c->maybe[i], &why);
		if (rc != 1)
			continue;
		say_note(
		    "%s: disk %s: there is no dirty bitmap '%s' to ask: %s; the disk is compared instead",
		    c->P->vm, ids[i], wanted_bitmap(c), why);
		ranges_free(&c->maybe[i]);
		rc = compare(c, i);
	}
	return (rc);
}

/* What the bitmap by which the host tracks says of a disk of a VM that is off: 0; 2, said, if it cannot; -1. */
static int
offline_changes(struct cut *c, unsigned i)
{
	const char *why;
	int rc = source_dirty(c->sources[i], &c->maybe[i], &why);

	if (rc != 1)
		return (rc);
	say_note(
	    "%s: disk %s: what changed since the newest point cannot be asked for: %s; the disk is compared",
	    c->P->vm, c->P->disks[i].id, why);
	return (2);
}

/*
 * What the host says of all disks.  A tracker tells what differs from the point that it began at.  A later point need
 * not have been cut of the same file: an image may have been put back since, as it was before that point, its bitmaps
 * with it.  So what later points say of themselves counts as well.
 */
static int
tracked_changes(struct cut *c)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < c->P->nreplicated; i++) {
		rc = live_is_running(c) ? live_changes(c, i, &c->maybe[i]) : offline_changes(c, i);
		if (rc == 0)
			rc = known_changes(c, i, c->P->tracker_seq, &c->maybe[i]);
		if (rc != 2)
			continue;
		ranges_free(&c->maybe[i]);
		rc = compare(c, i);
	}
	return (rc);
}

int
cut_find_known(struct cut *c)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < c->P->nreplicated; i++)
		rc = c->base == 0 ? ranges_add_bytes(&c->must[i], 0, source_size(c->sources[i]))
		                  : known_changes(c, i, c->base, &c->must[i]);
	return (rc);
}

int
cut_find_by_comparing(struct cut *c)
{
	int rc = cut_find_known(c);

	for (unsigned i = 0; rc == 0 && c->base != 0 && i < c->P->nreplicated; i++)
		if ((rc = compare(c, i)) == 0)
			rc = resized(c, i);
	return (rc);
}

int
cut_find_changes(struct cut *c)
{
	int rc;

	if (c->against != NULL)
		return (against_find_changes(c->against, c));
	if (c->o->changes != NULL && is_first_of_epoch(c))
		say_note(
		    "%s: it is the first point since this site took over: all blocks are compared, whatever "
		    "--changes says",
		    c->P->vm);
	if (c->base == 0 || (c->o->changes == NULL && !is_tracked(c)) || is_first_of_epoch(c))
		return (cut_find_by_comparing(c));
	if ((rc = cut_find_known(c)) == 0)
		rc = c->o->changes != NULL ? listed_changes(c) : tracked_changes(c);
	for (unsigned i = 0; rc == 0 && i < c->P->nreplicated; i++)
		rc = resized(c, i);
	return (rc);
}

void
cut_close(struct cut *c)
{
	for (unsigned i = 0; i < LIMIT_DISKS; i++) {
		source_close(c->sources[i]);
		leaves_free(c->leaves[i]);
		c->sources[i] = NULL;
		c->leaves[i] = NULL;
		ranges_free(&c->must[i]);
		ranges_free(&c->maybe[i]);
	}
}

void
cut_free(struct cut *c)
{
	cut_close(c);
	free(c->definition);
	live_close(c);
	against_close(c->against);
	primary_close(c->P);
}
