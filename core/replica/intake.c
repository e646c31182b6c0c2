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

/* Can a bundle be applied to disks at that point?  The first seed of a replica does not come this way. */
static int
applies(const struct point *at, enum bundle_type type, int is_exact, const struct point *from,
    const struct point *to)
{
	if (at->seq == 0 || to->epoch != at->epoch || to->seq <= at->seq)
		return (0);
	if (type == BUNDLE_SEED)
		return (1);
	return (is_exact ? from->seq == at->seq : from->seq <= at->seq);
}

static int
next_from(const struct replica *R, const struct point *at)
{
	int best = -1;

	for (unsigned i = 0; i < R->nstaged; i++) {
		const struct replica_staged *s = &R->staged[i], *b = best < 0 ? NULL : &R->staged[best];

		if (!s->is_whole || s->on_disks || !applies(at, s->type, s->is_exact, &s->from, &s->to))
			continue;
		if (b == NULL || s->to.seq < b->to.seq ||
		    (s->to.seq == b->to.seq && s->from.seq > b->from.seq))
			best = (int)i;
	}
	return (best);
}

int
intake_next(const struct replica *R)
{
	struct point at = merged(R);

	return (R->merging ? 0 : next_from(R, &at));
}

struct point
intake_held(const struct replica *R)
{
	struct point at = merged(R);
	int i;

	while ((i = next_from(R, &at)) >= 0)
		at = R->staged[i].to;
	return (at);
}

int
intake_is_useless(const struct replica *R, const struct replica_staged *s)
{
	struct point at = merged(R);

	return (at.seq != 0 &&
	        (s->to.epoch != at.epoch || s->to.seq <= at.seq || (s->is_exact && s->from.seq < at.seq)));
}

static int
has_volume(const struct replica_staged *s, uint32_t number)
{
	for (unsigned i = 0; i < s->nvolumes; i++)
		if (s->volumes[i].chain.number == number)
			return (1);
	return (0);
}

enum intake
intake_judge(const struct replica *R, const struct header *H, uint32_t number)
{
	const struct replica_staged *s = intake_find(R, H->id);
	struct point at = merged(R), held = intake_held(R);

	if (s != NULL && (s->is_whole || has_volume(s, number)))
		return (INTAKE_HAVE);
	if (at.seq == 0) {
		/* A seed makes the placeholder a replica, unless a newer one is on its way. */
		if (H->type != BUNDLE_SEED)
			return (INTAKE_EARLY);
		for (unsigned i = 0; i < R->nstaged; i++)
			if (R->staged[i].on_disks && R->staged[i].nvolumes > 0 &&
			    R->staged[i].to.seq > H->to.seq)
				return (INTAKE_OLDER);
		return (INTAKE_FITS);
	}
	if (H->to.epoch != at.epoch)
		return (INTAKE_EPOCH);
	if (H->to.seq <= held.seq)
		return (INTAKE_HAVE);
	if (H->has_against && H->type == BUNDLE_DELTA && H->from.seq < at.seq)
		return (INTAKE_PAST);
	return (applies(&held, H->type, H->has_against, &H->from, &H->to) ? INTAKE_FITS : INTAKE_EARLY);
}

int
intake_parted(const struct replica *R, const struct header *H)
{
	const struct replica_point *p = replica_point(R, H->from.seq);
	struct replica_disk_point none = { 0, { 0, 0 }, { 0 } };

	leaf_root(none.root, &R->secret, &none.sum, none.size);
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
	struct point at = merged(R);
	int i;

	while ((i = next_from(R, &at)) >= 0) {
		if (&R->staged[i] == s)
			return (1);
		at = R->staged[i].to;
	}
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

int
intake_moved(struct replica *R, const struct replica_point *p)
{
	/* Without a way back the older points are no more. */
	role_step(&R->role, R->npoints == 0 ? ROLE_SEEDED : ROLE_MERGE);
	if (R->merging && (R->staged[0].is_exact || R->staged[0].type == BUNDLE_SEED))
		role_step(&R->role, ROLE_RESYNCED);
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
