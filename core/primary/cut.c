#include "primary/cut.h"

#include <inttypes.h>
#include <string.h>

#include "disk/changelist.h"
#include "disk/changelog.h"
#include "disk/scan.h"
#include "primary/against.h"
#include "primary/ledger.h"
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

/* --- for whom, and from where ------------------------------------------------------------------------- */

static int
adopt_target(struct cut *c, const struct trust_entry *e)
{
	struct primary_target *t = primary_target_of(c->P, e);

	if (t == NULL && c->P->ntargets == LIMIT_TARGETS)
		return (say_refused("%s: a VM is replicated to at most %u sites", c->P->vm, LIMIT_TARGETS));
	if (t == NULL) {
		t = &c->P->targets[c->P->ntargets++];
		memset(t, 0, sizeof *t);
		strcpy(t->name, e->card.name);
		memcpy(t->key, e->card.sign, RECORD_KEY);
	}
	c->targets[c->ntargets++] = t;
	return (0);
}

/* Those that are reached by way of the targets chosen, and so on. */
static void
add_followers(struct cut *c)
{
	unsigned before;

	do {
		uint32_t chosen = cut_targets(c);

		before = c->ntargets;
		for (unsigned i = 0; i < c->P->ntargets; i++)
			if ((chosen & (UINT32_C(1) << i)) == 0 &&
			    ledger_follows(c->P, &c->P->targets[i], chosen))
				c->targets[c->ntargets++] = &c->P->targets[i];
	} while (c->ntargets > before);
}

static int
has_something(const struct primary_target *t)
{
	return (t->acked != 0 || t->seeded != 0);
}

static void
say_left_out(const struct primary *P, const struct primary_target *t)
{
	if (primary_epoch(P) > 1)
		say_note(
		    "%s: what site '%s' has is not known since the roles changed hands, so this is not for "
		    "it; bring a receipt of it, or what 'vmferry resync' says there",
		    P->vm, t->name);
	else
		say_note("%s: site '%s' has no initial copy yet, so this is not for it; 'vmferry export %s "
		         "--seed --to %s' makes one",
		    P->vm, t->name, P->vm, t->name);
}

/* A seed is large: one site that has nothing yet does not make a seed of what the others get. */
static void
leave_out_new(struct cut *c)
{
	uint32_t all = cut_targets(c);
	unsigned n = 0, have = 0;

	for (unsigned i = 0; i < c->ntargets; i++)
		have += has_something(c->targets[i]) ? 1 : 0;
	if (c->o->seed || have == 0)
		return;
	for (unsigned i = 0; i < c->ntargets; i++) {
		struct primary_target *t = c->targets[i];

		if (has_something(t) || ledger_follows(c->P, t, all))
			c->targets[n++] = t;
		else
			say_left_out(c->P, t);
	}
	c->ntargets = n;
}

void
cut_only_named(struct cut *c, const struct header *H)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->ntargets; i++)
		for (unsigned k = 0; k < H->ntargets; k++) {
			const struct trust_entry *e = trust_by_key(site_trust(c->S), H->targets[k].key);

			if (e == NULL || !trust_has_key(e, c->targets[i]->key))
				continue;
			c->targets[n++] = c->targets[i];
			break;
		}
	c->ntargets = n;
}

uint32_t
cut_targets(const struct cut *c)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < c->ntargets; i++)
		bits |= UINT32_C(1) << (c->targets[i] - c->P->targets);
	return (bits);
}

/* --to, else those of enable, else the only one that is known. */
static int
choose_targets(struct cut *c)
{
	const struct trust *T = site_trust(c->S);
	const struct trust_entry *e;
	int rc;

	if (c->o->to != NULL) {
		if ((rc = site_find(c->S, c->o->to, &e)) == 0)
			rc = adopt_target(c, e);
		return (rc);
	}
	for (unsigned i = 0; i < c->P->ntargets; i++)
		c->targets[c->ntargets++] = &c->P->targets[i];
	leave_out_new(c);
	if (c->ntargets > 0)
		return (0);
	if (T->n == 1)
		return (adopt_target(c, &T->entries[0]));
	if (T->n > 1)
		return (say_refused("%s: several sites are known; say --to SITE", c->P->vm));
	if (!c->is_plain)
		return (say_refused(
		    "%s: no site's card is known, so there is nobody to encrypt to; add one with 'vmferry "
		    "trust add', or say --plain",
		    c->P->vm));
	say_note("%s: the bundle is for no site in particular: whoever has it can read it and its leaf seed",
	    c->P->vm);
	return (0);
}

/* What was compared is of use to one site: the one that compared it, if it is one that the VM may go to. */
static int
only_compared(struct cut *c)
{
	const struct trust_entry *e = against_site(c->against);

	for (unsigned i = 0; i < c->ntargets; i++) {
		struct primary_target *t = c->targets[i];

		if (!trust_has_key(e, t->key))
			continue;
		for (unsigned k = 0; k < c->ntargets; k++)
			if (ledger_follows(c->P, c->targets[k], UINT32_C(1) << (t - c->P->targets)))
				say_note("%s: this is for '%s' alone: for '%s', which is reached by way of "
				         "it, say "
				         "'vmferry export %s --to %s' too",
				    c->P->vm, t->name, c->targets[k]->name, c->P->vm, c->targets[k]->name);
		c->targets[0] = t;
		c->ntargets = 1;
		return (0);
	}
	return (say_refused(
	    "%s: site '%s' made the comparison, and the VM is not replicated to it; if it shall be, "
	    "say --to %s",
	    c->P->vm, e->card.name, e->card.name));
}

int
cut_choose_targets(struct cut *c)
{
	int rc = choose_targets(c);

	if (rc == 0)
		add_followers(c);
	if (rc != 0 || c->o->against == NULL)
		return (rc);
	rc = against_open(&c->against, c->S, c->P, c->o->against);
	return (rc == 0 ? only_compared(c) : rc);
}

/* The lowest point from which every target can start that is not reached by way of another; 0 where one needs a seed. */
static uint64_t
common_base(const struct cut *c)
{
	const struct primary_point *first = c->P->npoints > 0 ? &c->P->points[0] : NULL;
	uint64_t low = 0;

	if (c->ntargets == 0)
		return (first == NULL ? 0 : first->point.seq);
	for (unsigned i = 0; i < c->ntargets; i++) {
		uint64_t base;

		if (ledger_follows(c->P, c->targets[i], cut_targets(c)))
			continue;
		base = ledger_base(
		    c->P, c->targets[i], c->o->since == EXPORT_SINCE_SENT ? LEDGER_SENT : LEDGER_ACKED);

		if (base == 0)
			return (0);
		if (low == 0 || base < low)
			low = base;
	}
	return (low);
}

/* A target has a point, but none from which on the changes are kept: a seed is large, so it takes a person's word. */
static int
check_stranded(const struct cut *c)
{
	for (unsigned i = 0; i < c->ntargets; i++) {
		const struct primary_target *t = c->targets[i];
		uint64_t has = t->acked != 0 ? t->acked : t->seeded;

		if (ledger_follows(c->P, t, cut_targets(c)))
			continue;
		if (has != 0 && c->P->npoints > 0 && c->P->points[0].point.seq > has)
			return (
			    say_refused("%s: site '%s' has point %" PRIu64
			                ", as far as is known here, and the changes since are not kept; "
			                "bring a receipt of it, export --against what 'vmferry compare' says "
			                "there, or export --seed",
			        c->P->vm, t->name, has));
	}
	return (0);
}

/* Of a site that was not heard of since the roles changed hands it is not known what it has: a seed takes a person's word. */
static int
check_unheard(const struct cut *c)
{
	for (unsigned i = 0; primary_epoch(c->P) > 1 && i < c->ntargets; i++)
		if (c->targets[i]->acked == 0 && c->targets[i]->seeded == 0)
			return (say_refused("%s: what site '%s' has is not known since the roles changed "
			                    "hands; bring a receipt of "
			                    "it, or what 'vmferry resync %s --keep %s' says there, and "
			                    "export --against that; or "
			                    "export --seed%s",
			    c->P->vm, c->targets[i]->name, c->P->vm, site_card(c->S)->name,
			    c->ntargets > 1 ? "; or say --to another site" : ""));
	return (0);
}

int
cut_choose_base(struct cut *c)
{
	int rc;

	if (c->o->seed || c->against != NULL)
		return (0);
	c->base = c->o->since == EXPORT_SINCE_SEQ ? c->o->since_seq : common_base(c);
	if (c->base == 0 && c->o->since != EXPORT_SINCE_SEQ &&
	    ((rc = check_unheard(c)) != 0 || (rc = check_stranded(c)) != 0))
		return (rc);
	if (c->base == 0 && (!c->o->delta || c->o->since == EXPORT_SINCE_SEQ))
		return (0);
	if (c->base == 0)
		return (say_refused(
		    "%s: nothing was sent yet that a delta could start from; export --seed first", c->P->vm));
	if (primary_point(c->P, c->base) == NULL)
		return (say_refused("%s: the changes since point %" PRIu64
		                    " are not kept any more; choose another --since, "
		                    "or export --seed",
		    c->P->vm, c->base));
	for (unsigned i = 0; c->o->since == EXPORT_SINCE_ACKED && i < c->ntargets; i++)
		if (c->targets[i]->acked == 0 && !ledger_follows(c->P, c->targets[i], cut_targets(c)))
			say_note("%s: no receipt of site '%s' has come yet, so the delta starts at its seed "
			         "(point %" PRIu64 "); give the receipt of 'import --receipt' to 'vmferry "
			         "import' here, or say --since sent",
			    c->P->vm, c->targets[i]->name, c->base);
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

/* The bitmap that --changes names, or NULL. */
static const char *
wanted_bitmap(const struct export_options *o)
{
	return (o->changes != NULL && strncmp(o->changes, "bitmap:", 7) == 0 ? o->changes + 7 : NULL);
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
		if (c->o->changes != NULL && !is_first_of_epoch(c))
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
	const char *bitmap = wanted_bitmap(c->o);
	int rc;

	for (unsigned i = 0; i < c->P->nreplicated; i++)
		if ((rc = primary_open_disk(c->P, i, use, bitmap, &c->sources[i])) != 0)
			return (rc);
	for (unsigned i = 0; i < c->P->nreplicated; i++)
		if ((rc = open_leaves(c, i)) != 0)
			return (rc);
	return (0);
}

/* The changes from the base to the newest point that are on record. */
static int
known_changes(struct cut *c, unsigned i)
{
	int rc = 0;

	for (unsigned k = 0; rc == 0 && k < c->P->npoints; k++) {
		struct ranges one = RANGES_EMPTY;
		char path[PATH_MAX];
		uint64_t seq = c->P->points[k].point.seq;

		if (seq <= c->base || (k > 0 && primary_was_gone(c->P, k, i)))
			continue;
		rc = primary_changes_path(c->P, seq, c->P->disks[i].id, path);
		if (rc == 0 && (rc = changelog_ranges(path, &one)) == 0) {
			ranges_sort(&one);
			rc = ranges_join(&c->must[i], &one);
		}
		ranges_free(&one);
	}
	ranges_sort(&c->must[i]);
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

static int
tracked_changes(struct cut *c)
{
	const char *ids[LIMIT_DISKS] = { NULL };
	uint64_t sizes[LIMIT_DISKS];
	int rc = 0;

	for (unsigned i = 0; i < c->P->nreplicated; i++) {
		ids[i] = c->P->disks[i].id;
		sizes[i] = source_size(c->sources[i]);
	}
	if (wanted_bitmap(c->o) == NULL)
		return (changelist_read(c->o->changes, ids, sizes, c->P->nreplicated, c->maybe));
	for (unsigned i = 0; rc >= 0 && i < c->P->nreplicated; i++) {
		rc = source_dirty(c->sources[i], &c->maybe[i]);
		if (rc != 1)
			continue;
		say_note("%s: disk %s: there is no dirty bitmap '%s' to ask (qemu-nbd serves one with -B); "
		         "the disk is compared "
		         "instead",
		    c->P->vm, ids[i], wanted_bitmap(c->o));
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
		                  : known_changes(c, i);
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
	if (c->base == 0 || c->o->changes == NULL || is_first_of_epoch(c))
		return (cut_find_by_comparing(c));
	if ((rc = cut_find_known(c)) == 0)
		rc = tracked_changes(c);
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
	against_close(c->against);
	primary_close(c->P);
}
