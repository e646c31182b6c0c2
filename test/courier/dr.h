#ifndef DR_H_
#define DR_H_

/* A replica: the real record and the real decisions about it; a disk of blocks in place of files. */

#include "world.h"

static inline void
free_replica(struct replica *R)
{
	if (R == NULL)
		return;
	for (unsigned i = 0; i < R->nstaged; i++)
		free(R->staged[i].volumes);
	free(R->staged);
	free(R->points);
	free(R);
}

static inline void *
copy_of(const void *p, size_t n)
{
	void *q = n == 0 ? NULL : malloc(n);

	if (n > 0)
		memcpy(q, p, n);
	return (q);
}

static inline struct replica *
copy_replica(const struct replica *R)
{
	struct replica *C = copy_of(R, sizeof *R);

	C->points = copy_of(R->points, R->npoints * sizeof *R->points);
	C->staged = copy_of(R->staged, R->nstaged * sizeof *R->staged);
	for (unsigned i = 0; i < C->nstaged; i++)
		C->staged[i].volumes =
		    copy_of(C->staged[i].volumes, C->staged[i].nvolumes * sizeof *C->staged[i].volumes);
	return (C);
}

static inline struct bundle *
bundle_of(struct world *w, const uint8_t id[RECORD_ID])
{
	return (&w->bundles[id[0] - 1]);
}

static inline uint64_t
merged_seq(const struct replica *R)
{
	return (R == NULL || R->npoints == 0 ? 0 : R->points[R->npoints - 1].point.seq);
}

static inline uint64_t
held_seq(const struct replica *R)
{
	return (R == NULL ? 0 : intake_held(R).seq);
}

/* --- merge ------------------------------------------------------------------------------------------------ */

static inline void
apply_pairs(struct replica_side *d, const struct bundle *b, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		d->disk[b->block[i]] = b->value[i];
}

/* Where does the first staged bundle lead?  By the leaves, as the merge finds it out. */
static inline void
plan_merge(struct world *w, struct replica_side *d, const struct bundle *b)
{
	struct replica *R = d->R;
	const struct replica_point *last = replica_last(R);

	for (unsigned i = 0; i < DISKS; i++)
		R->merged[i] = last->disks[i];
	for (unsigned i = 0; i < b->npairs; i++) {
		struct leaf_sum *sum = &R->merged[disk_of(b->block[i])].sum;

		leaf_remove(&w->secret, sum, place_of(b->block[i]), leaf_of_value(d->disk[b->block[i]]));
		leaf_add(&w->secret, sum, place_of(b->block[i]), leaf_of_value(b->value[i]));
	}
	for (unsigned i = 0; i < DISKS; i++) {
		leaf_root(R->merged[i].root, &w->secret, &R->merged[i].sum, size_of(i));
		if (memcmp(R->merged[i].root, R->staged[0].end.root[i], LEAF_ROOT) != 0)
			fail(w,
			    "merging the bundle from %" PRIu64 " to %" PRIu64 " at point %" PRIu64
			    " does not give disk %u its root",
			    b->from.seq, b->to.seq, last->point.seq, i);
	}
	R->merging = 1;
	R->merging_undo = R->keep > 1 || replica_has_pins(R);
}

/* 0; 1: it was interrupted. */
static inline int
merge_one(struct world *w, struct replica_side *d, unsigned crashes)
{
	struct replica *R = d->R;
	const struct bundle *b = bundle_of(w, R->staged[0].id);
	struct replica_point p;
	unsigned before;

	if (!R->merging)
		plan_merge(w, d, b);
	if (chance(w, crashes)) {
		apply_pairs(d, b, 0, below(w, b->npairs + 1));
		happened(w, EV_CRASH);
		tell(w, "  the merge to %" PRIu64 " is interrupted", b->to.seq);
		return (1);
	}
	apply_pairs(d, b, 0, b->npairs);
	memset(&p, 0, sizeof p);
	p.point = R->staged[0].to;
	memcpy(p.disks, R->merged, sizeof p.disks);
	if (intake_moved(R, &p) != 0)
		fail(w, "no memory");
	R->keep = w->hq.P->keep;
	before = R->npoints;
	w->events[EV_PRUNED] += replica_drop_surplus(R);
	if (R->npoints == 0 || (before > R->keep && R->npoints < R->keep))
		fail(w, "too many points are pruned");
	happened(w, b->type == BUNDLE_SEED ? EV_SEED_OVER : EV_MERGED);
	tell(w, "  merged to %" PRIu64, p.point.seq);
	return (0);
}

static inline void
merge(struct world *w, struct replica_side *d, unsigned crashes)
{
	int i;

	while (d->R != NULL && (i = intake_next(d->R)) >= 0) {
		struct replica_staged s = d->R->staged[i];

		d->R->staged[i] = d->R->staged[0];
		d->R->staged[0] = s;
		if (merge_one(w, d, crashes) != 0)
			return;
	}
}

/* --- a volume comes in -------------------------------------------------------------------------------------- */

static inline void
new_replica(struct world *w, struct replica_side *d)
{
	struct replica *R = d->R = calloc(1, sizeof *R);

	R->lock = -1;
	role_begin(&R->role, ROLE_REPLICA, ROLE_WAITING);
	R->keep = w->hq.P->keep;
	R->ndisks = DISKS;
	strcpy(R->vm, "web1");
	strcpy(R->disks[0], "vda");
	strcpy(R->disks[1], "vdb");
}

/* The placeholder's disks after the last volume: is it the seed that was signed? */
static inline void
conclude_seed(struct world *w, struct replica_side *d, const struct replica_staged *s, const struct bundle *b)
{
	struct replica_point p;

	if (!intake_is_covered(s, header_of(w, b)))
		fail(w, "a whole seed does not cover the disks");
	memset(&p, 0, sizeof p);
	p.point = s->to;
	for (unsigned i = 0; i < DISKS; i++) {
		p.disks[i].size = size_of(i);
		p.disks[i].sum = d->R->seed.sums[i];
		leaf_root(p.disks[i].root, &w->secret, &p.disks[i].sum, size_of(i));
		if (memcmp(p.disks[i].root, s->end.root[i], LEAF_ROOT) != 0)
			fail(w, "a seed does not give disk %u its root", i);
	}
	if (intake_moved(d->R, &p) != 0)
		fail(w, "no memory");
	memset(&d->R->seed, 0, sizeof d->R->seed);
	happened(w, EV_SEEDED);
	tell(w, "  the placeholder is at %" PRIu64 " now", p.point.seq);
}

/* Pairs from..to of a seed, to the disks and into sums. */
static inline void
seed_pairs(struct world *w, struct replica_side *d, const struct bundle *b, unsigned from, unsigned to,
    struct leaf_sum sums[DISKS])
{
	apply_pairs(d, b, from, to);
	for (unsigned i = from; i < to; i++)
		leaf_add(&w->secret, &sums[disk_of(b->block[i])], place_of(b->block[i]),
		    leaf_of_value(b->value[i]));
}

/* How much of a volume comes, and from where on. */
struct stretch {
	unsigned from, to; /* pairs of the bundle */
	int is_rest, is_cut, is_crash, is_bad;
};

static inline void
take_whole(struct world *w, struct replica_side *d, struct replica_staged *s, const struct bundle *b,
    unsigned volume, const struct leaf_sum sums[DISKS])
{
	struct replica_volume v = b->volumes[volume - 1];
	int on_disks = s->on_disks;

	if (on_disks) {
		v.file = 0;
		intake_add_seed(d->R, s, volume, sums);
	}
	if (intake_add(d->R, s, &v, &b->end) != 0)
		fail(w, "the volumes of a bundle are said to contradict one another");
	if (on_disks && s->is_whole)
		conclude_seed(w, d, s, b);
}

/* 0: in; 1: not, though it may be kept. */
static inline int
take_volume(
    struct world *w, struct replica_side *d, const struct bundle *b, unsigned volume, struct stretch x)
{
	struct replica_staged *s = intake_entry(d->R, header_of(w, b), b->key);
	struct leaf_sum sums[LIMIT_DISKS] = { { 0, 0 } };
	int to_disks = replica_last(d->R) == NULL && b->type == BUNDLE_SEED;

	if (s == NULL)
		fail(w, "no memory");
	if (!x.is_rest && s->cut == volume) {
		s->cut = 0;
		happened(w, EV_AFRESH);
	}
	if (to_disks && !s->on_disks) {
		s = intake_to_disks(d->R, s);
		memset(d->disk, 0, BLOCKS);
	}
	if (s->on_disks) {
		if (x.is_rest)
			memcpy(sums, d->R->seed.cut, DISKS * sizeof *sums);
		seed_pairs(w, d, b, x.from, x.to, sums);
	}
	if (x.is_bad) {
		/* What came before the bad record was right, and is nothing to the record. */
		if (s->nvolumes == 0 && s->cut == 0)
			replica_drop_staged(d->R, (unsigned)(s - d->R->staged));
		return (1);
	}
	if (x.is_crash) {
		/* Of the record, nothing more was saved. */
		if (s->nvolumes == 0 && s->cut == 0 && !s->on_disks)
			replica_drop_staged(d->R, (unsigned)(s - d->R->staged));
		return (1);
	}
	if (!x.is_cut) {
		take_whole(w, d, s, b, volume, sums);
		if (x.is_rest)
			happened(w, EV_REST);
		return (0);
	}
	if (s->on_disks) {
		intake_cut_seed(d->R, s, volume,
		    &(struct intake_progress){ .records = x.to - b->first[volume - 1] + 2, .sums = sums });
	} else {
		s->cut = volume;
		d->cut_pairs[b - w->bundles] = x.to;
	}
	happened(w, EV_CUT);
	return (1);
}

/* Only what is here or better may be called so. */
static inline void
check_have(struct world *w, const struct replica *R, const struct bundle *b, unsigned volume)
{
	const struct replica_staged *s = intake_find(R, b->id);

	if (s != NULL && (s->is_whole || s->nvolumes > 0))
		for (unsigned i = 0; i < s->nvolumes; i++)
			if (s->volumes[i].chain.number == volume)
				return;
	if (held_seq(R) >= b->to.seq)
		return;
	fail(w, "volume %u of the bundle from %" PRIu64 " to %" PRIu64 " is said to be here, and is not",
	    volume, b->from.seq, b->to.seq);
}

/* A seed may be turned away only for a newer one. */
static inline void
check_older(struct world *w, const struct replica *R, const struct bundle *b)
{
	for (unsigned i = 0; b->type == BUNDLE_SEED && R->npoints == 0 && i < R->nstaged; i++)
		if (R->staged[i].on_disks && R->staged[i].nvolumes > 0 && R->staged[i].to.seq > b->to.seq)
			return;
	fail(w, "a bundle to %" PRIu64 " is turned away for a newer seed that is not there", b->to.seq);
}

/* May it come in?  As receive() decides it. */
static inline int
may_come(struct world *w, struct replica_side *d, const struct bundle *b, unsigned volume)
{
	const struct header *H = header_of(w, b);

	switch (intake_judge(d->R, H, volume)) {
	case INTAKE_HAVE:
		check_have(w, d->R, b, volume);
		happened(w, EV_HAVE);
		return (0);
	case INTAKE_OLDER:
		check_older(w, d->R, b);
		happened(w, EV_OLDER);
		return (0);
	case INTAKE_TWIN:
		if (!b->is_cut_off)
			fail(w, "a number is said to have been used twice");
		return (0);
	case INTAKE_PARTED:
		fail(w, "there is only one epoch");
	case INTAKE_PAST:
		if (!b->is_exact || b->from.seq >= merged_seq(d->R))
			fail(w, "a bundle is called too late that is not");
		happened(w, EV_PAST);
		return (0);
	case INTAKE_EARLY:
		happened(w, EV_EARLY);
		if (intake_waiting(d->R) + b->volumes[volume - 1].file > d->inbox) {
			happened(w, EV_NO_ROOM);
			return (0);
		}
		return (1);
	case INTAKE_FITS:
		if (b->type == BUNDLE_DELTA && intake_parted(d->R, H) >= 0)
			fail(w, "histories are said to have parted");
		return (1);
	}
	return (0);
}

static inline void
import(struct world *w, unsigned site, unsigned bundle, unsigned volume, struct stretch x)
{
	struct replica_side *d = &w->sites[site];
	const struct bundle *b = &w->bundles[bundle];
	int is_new = d->R == NULL;

	if (is_new)
		new_replica(w, d);
	tell(w, "%c imports %s of volume %u of %u of bundle %u, %s %" PRIu64 " to %" PRIu64 "%s",
	    'a' + (int)site,
	    x.is_bad    ? "something bad"
	    : x.is_rest ? "the rest"
	    : x.is_cut  ? "a part"
	                : "all",
	    volume, b->nvolumes, bundle, header_type_text(b->type), b->from.seq, b->to.seq,
	    b->is_exact ? " exactly" : "");
	if (x.is_rest || may_come(w, d, b, volume))
		take_volume(w, d, b, volume, x);
	if (is_new && d->R->nstaged == 0 && d->R->npoints == 0) {
		free_replica(d->R);
		d->R = NULL;
	}
}

#endif
