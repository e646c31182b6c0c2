#include "replica/intake.h"

#include <string.h>

struct replica_staged *
intake_find(const struct replica *R, const uint8_t id[RECORD_ID])
{
	for (unsigned i = 0; i < R->nstaged; i++)
		if (memcmp(R->staged[i].id, id, RECORD_ID) == 0)
			return (&R->staged[i]);
	return (NULL);
}

/* Where the disks are; seq 0 in a placeholder. */
static struct point
merged(const struct replica *R)
{
	return (R->npoints > 0 ? R->points[R->npoints - 1].point : (struct point){ 0, 0, 0, POINT_STANDARD });
}

/* A point, and the history that has led to it. */
struct place {
	struct point at;
	struct history history;
};

static void
start(struct place *p, const struct replica *R)
{
	p->at = merged(R);
	p->history = R->role.history;
}

static int
is_point(const struct point *a, const struct point *b)
{
	return (a->seq == b->seq && a->epoch == b->epoch);
}

/* Can a bundle be applied to disks at that place?  The first seed of a replica does not come this way. */
static int
applies(const struct place *p, const struct replica_staged *s)
{
	if (p->at.seq == 0 || s->to.seq <= p->at.seq)
		return (0);
	if (s->is_exact && s->type == BUNDLE_DELTA)
		return (is_point(&s->from, &p->at));
	return ((s->type == BUNDLE_SEED || s->from.seq <= p->at.seq) &&
	        history_has(&s->history, &p->history, &p->at));
}

static int
next_from(const struct replica *R, const struct place *p)
{
	int best = -1;

	for (unsigned i = 0; i < R->nstaged; i++) {
		const struct replica_staged *s = &R->staged[i], *b = best < 0 ? NULL : &R->staged[best];

		if (!s->is_whole || s->on_disks || !applies(p, s))
			continue;
		if (b == NULL || s->to.seq < b->to.seq ||
		    (s->to.seq == b->to.seq && s->from.seq > b->from.seq))
			best = (int)i;
	}
	return (best);
}

/* Step on by the bundle that is merged next: which, or -1: there is none. */
static int
advance(const struct replica *R, struct place *p)
{
	int i = next_from(R, p);

	if (i >= 0) {
		p->at = R->staged[i].to;
		p->history = R->staged[i].history;
	}
	return (i);
}

int
intake_next(const struct replica *R)
{
	struct place p;

	start(&p, R);
	return (R->merging ? 0 : next_from(R, &p));
}

struct point
intake_held_by(const struct replica *R, struct history *h)
{
	struct place p;

	start(&p, R);
	while (advance(R, &p) >= 0)
		;
	*h = p.history;
	return (p.at);
}

struct point
intake_held(const struct replica *R)
{
	struct history h;

	return (intake_held_by(R, &h));
}

int
intake_is_ours(const struct replica *R, const struct point *p)
{
	const struct replica_point *have = replica_point(R, p->seq);

	if (have != NULL && have->point.epoch == p->epoch)
		return (have->point.time == p->time);
	for (unsigned i = 0; i < R->nstaged; i++)
		if (is_point(&R->staged[i].to, p) && R->staged[i].is_whole)
			return (R->staged[i].to.time == p->time);
	return (p->time <= intake_held(R).time);
}

int
intake_has_roots(const struct replica *R, const struct point *p, const struct trailer *T)
{
	const struct replica_point *have = replica_point(R, p->seq);

	for (unsigned i = 0; i < R->nstaged; i++)
		if (R->staged[i].has_end && is_point(&R->staged[i].to, p))
			return (memcmp(R->staged[i].end.root, T->root, T->ndisks * LEAF_ROOT) == 0);
	for (unsigned i = 0; have != NULL && is_point(&have->point, p) && i < T->ndisks; i++)
		if (memcmp(have->disks[i].root, T->root[i], LEAF_ROOT) != 0)
			return (0);
	return (1);
}

int
intake_is_useless(const struct replica *R, const struct replica_staged *s)
{
	struct point at = merged(R);

	if (at.seq == 0)
		return (0);
	if (s->to.seq <= at.seq || s->to.epoch < at.epoch)
		return (1);
	return (s->is_exact && s->type == BUNDLE_DELTA &&
	        (s->from.seq < at.seq || (s->from.seq == at.seq && s->from.epoch != at.epoch)));
}

static int
has_volume(const struct replica_staged *s, uint32_t number)
{
	for (unsigned i = 0; i < s->nvolumes; i++)
		if (s->volumes[i].chain.number == number)
			return (1);
	return (0);
}

/* What comes before a seed of a placeholder, and what takes its place. */
static enum intake
judge_first(const struct replica *R, const struct header *H)
{
	if (H->type != BUNDLE_SEED)
		return (INTAKE_EARLY);
	for (unsigned i = 0; i < R->nstaged; i++)
		if (R->staged[i].on_disks && R->staged[i].nvolumes > 0 && R->staged[i].to.seq > H->to.seq)
			return (INTAKE_OLDER);
	return (INTAKE_FITS);
}

enum intake
intake_judge(const struct replica *R, const struct header *H, uint32_t number)
{
	const struct replica_staged *s = intake_find(R, H->id);
	int is_exact = H->has_against && H->type == BUNDLE_DELTA;
	struct replica_staged new = { .type = H->type,
		.is_exact = H->has_against,
		.from = H->from,
		.to = H->to,
		.history = H->history };
	struct point at = merged(R);
	struct place held;

	if (s != NULL && (s->is_whole || has_volume(s, number)))
		return (INTAKE_HAVE);
	if (at.seq == 0)
		return (judge_first(R, H));
	held.at = intake_held_by(R, &held.history);
	if (H->to.seq <= held.at.seq && history_has(&held.history, &H->history, &H->to))
		return (intake_is_ours(R, &H->to) ? INTAKE_HAVE : INTAKE_TWIN);
	if (is_exact && is_point(&H->from, &at) && H->to.seq > at.seq)
		return (INTAKE_FITS);
	if (!is_exact && !history_has(&H->history, &R->role.history, &at))
		return (INTAKE_PARTED);
	if (H->to.seq <= held.at.seq)
		return (INTAKE_PARTED);
	if (is_exact && (H->from.seq < at.seq || (H->from.seq == at.seq && H->from.epoch != at.epoch)))
		return (INTAKE_PAST);
	return (applies(&held, &new) ? INTAKE_FITS : INTAKE_EARLY);
}

int
intake_parted(const struct replica *R, const struct header *H)
{
	const struct replica_point *p = replica_point(R, H->from.seq);
	struct replica_disk_point none = { 0, { 0, 0 }, { 0 } };

	leaf_root(none.root, &R->secret, &none.sum, none.size);
	/* A point of that number on another way is none of its. */
	if (p != NULL && (p->is_branch || !is_point(&p->point, &H->from)))
		return (-1);
	for (unsigned i = 0; p != NULL && i < H->ndisks; i++) {
		const struct replica_disk_point *d = i < R->ndisks ? &p->disks[i] : &none;

		if (memcmp(d->root, H->disks[i].before, LEAF_ROOT) != 0 || d->size != H->disks[i].before_size)
			return ((int)i);
	}
	return (-1);
}

/* Is s on the way from where the disks are to what is held? */
static int
is_on_way(const struct replica *R, const struct replica_staged *s)
{
	struct place p;
	int i;

	start(&p, R);
	while ((i = advance(R, &p)) >= 0)
		if (&R->staged[i] == s)
			return (1);
	return (0);
}

static uint64_t
bytes_of(const struct replica_staged *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < s->nvolumes; i++)
		n += s->volumes[i].file;
	return (n);
}

uint64_t
intake_waiting(const struct replica *R)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < R->nstaged; i++)
		if (!is_on_way(R, &R->staged[i]))
			n += bytes_of(&R->staged[i]);
	return (n);
}

int
intake_gap(const struct replica *R, struct point *end, struct point *next)
{
	int found = 0;

	*end = intake_held(R);
	for (unsigned i = 0; i < R->nstaged; i++) {
		const struct replica_staged *s = &R->staged[i];

		if (!s->is_whole || s->type != BUNDLE_DELTA || s->from.seq <= end->seq)
			continue;
		if (!found || s->from.seq < next->seq)
			*next = s->from;
		found = 1;
	}
	return (found);
}

int
intake_is_complete(const struct replica_staged *s)
{
	uint64_t stored = 0, data = 0, zero = 0;

	if (!s->has_end || s->nvolumes == 0 || s->volumes[0].chain.number != 1)
		return (0);
	for (unsigned i = 0; i < s->nvolumes; i++) {
		const struct replica_volume *v = &s->volumes[i];

		if (v->chain.number != i + 1)
			return (0);
		if (i > 0 && chain_follows(&s->volumes[i - 1].chain, &v->chain) != NULL)
			return (-1);
		stored += v->stored;
		data += v->data;
		zero += v->zero;
	}
	if (s->nvolumes < s->end.volumes)
		return (0);
	return (s->nvolumes == s->end.volumes && s->volumes[s->nvolumes - 1].chain.is_last &&
	                stored == s->end.stored && data == s->end.data && zero == s->end.zero
	            ? 1
	            : -1);
}

/* From the end of a disk to the start of the next one of which there is anything, or behind the last one. */
static struct chain_place
step(const struct header *H, struct chain_place at)
{
	while (at.disk < H->ndisks && at.offset == H->disks[at.disk].size) {
		at.disk++;
		at.offset = 0;
	}
	return (at);
}

int
intake_is_covered(const struct replica_staged *s, const struct header *H)
{
	struct chain_place at = { 0, 0, 0 }, first;

	for (unsigned i = 0; i < s->nvolumes; i++) {
		const struct chain_volume *v = &s->volumes[i].chain;

		if (v->after == v->before)
			continue;
		at = step(H, at);
		first = step(H, v->first);
		if (at.disk != first.disk || at.offset != first.offset)
			return (0);
		at = v->last;
	}
	return (step(H, at).disk == H->ndisks);
}

struct replica_staged *
intake_entry(struct replica *R, const struct header *H, const uint8_t key[RECORD_KEY])
{
	struct replica_staged *s = intake_find(R, H->id), new;

	if (s != NULL)
		return (s);
	memset(&new, 0, sizeof new);
	memcpy(new.id, H->id, RECORD_ID);
	memcpy(new.key, key, RECORD_KEY);
	new.type = H->type;
	new.is_exact = H->has_against;
	new.from = H->from;
	new.to = H->to;
	new.history = H->history;
	return (replica_add_staged(R, &new) != 0 ? NULL : &R->staged[R->nstaged - 1]);
}

int
intake_add(
    struct replica *R, struct replica_staged *s, const struct replica_volume *v, const struct trailer *end)
{
	struct point held = intake_held(R);
	int rc;

	if (replica_add_volume(s, v) != 0)
		return (-1);
	if (s->cut == v->chain.number)
		s->cut = 0;
	if (v->chain.is_last) {
		s->has_end = 1;
		s->end = *end;
	}
	if ((rc = intake_is_complete(s)) < 0) {
		replica_drop_staged(R, (unsigned)(s - R->staged));
		return (1);
	}
	s->is_whole = rc;
	/* What was held is held: a late one must not lead past a bundle that fits at one point alone. */
	if (rc == 1 && s->to.seq <= held.seq)
		replica_drop_staged(R, (unsigned)(s - R->staged));
	return (0);
}

struct replica_staged *
intake_to_disks(struct replica *R, struct replica_staged *s)
{
	uint8_t id[RECORD_ID];

	memcpy(id, s->id, RECORD_ID);
	s->on_disks = 1;
	for (unsigned i = R->nstaged; i-- > 0;)
		if (R->staged[i].on_disks && memcmp(R->staged[i].id, id, RECORD_ID) != 0)
			replica_drop_staged(R, i);
	memset(&R->seed, 0, sizeof R->seed);
	return (intake_find(R, id));
}

void
intake_cut_seed(struct replica *R, struct replica_staged *s, uint32_t volume, const struct intake_progress *p)
{
	R->seed.records = p->records;
	R->seed.data = p->data;
	R->seed.zero = p->zero;
	memcpy(R->seed.cut, p->sums, R->ndisks * sizeof *R->seed.cut);
	s->cut = volume;
}

void
intake_add_seed(
    struct replica *R, const struct replica_staged *s, uint32_t volume, const struct leaf_sum *sums)
{
	for (unsigned i = 0; i < R->ndisks; i++)
		leaf_join(&R->seed.sums[i], &sums[i]);
	/* Another one that was cut short stays so. */
	if (s->cut == volume)
		R->seed.records = R->seed.data = R->seed.zero = 0;
}

/* Points that are not on the new way are kept where they are pinned, and are none of ours any more. */
static void
branch_off(struct replica *R, const struct history *new)
{
	for (unsigned i = 0; i < R->npoints; i++)
		if (!R->points[i].is_branch && !history_has(new, &R->role.history, &R->points[i].point))
			R->points[i].is_branch = 1;
}

int
intake_moved(struct replica *R, const struct replica_point *p)
{
	/* Without a way back the older points are no more. */
	role_step(&R->role, R->npoints == 0 ? ROLE_SEEDED : ROLE_MERGE);
	if (R->merging && (R->staged[0].is_exact || R->staged[0].type == BUNDLE_SEED))
		role_step(&R->role, ROLE_RESYNCED);
	if (R->merging) {
		branch_off(R, &R->staged[0].history);
		R->role.history = R->staged[0].history;
	}
	if (!R->merging_undo)
		R->npoints = 0;
	if (replica_add_point(R, p) != 0)
		return (-1);
	for (unsigned i = R->nstaged; i-- > 0;)
		if (intake_is_useless(R, &R->staged[i]))
			replica_drop_staged(R, i);
	R->merging = R->merging_undo = 0;
	return (0);
}
