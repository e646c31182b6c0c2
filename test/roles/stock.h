#ifndef STOCK_H_
#define STOCK_H_

/* A replica's stock of bundles and points: the real intake, merges, and where the disks are. */

#include "plants.h"

static inline struct bundle *
bundle_of(struct world *w, const uint8_t id[RECORD_ID])
{
	return (&w->bundles[(unsigned)(id[0] | id[1] << 8) - 1]);
}

static inline void
id_of(const struct world *w, const struct bundle *b, uint8_t id[RECORD_ID])
{
	unsigned n = (unsigned)(b - w->bundles) + 1;

	memset(id, 0, RECORD_ID);
	id[0] = (uint8_t)n;
	id[1] = (uint8_t)(n >> 8);
}

/*
 * The intake compares epochs by their number; whether a bundle of another one continues what is here is for the
 * histories to say.  So it is given points of one epoch: this is the one place where that is done.
 */
static inline struct point
flat(struct point p)
{
	p.epoch = p.seq == 0 ? 0 : 1;
	return (p);
}

static inline uint64_t
flatten(struct replica *R)
{
	struct replica_point *p = R->npoints == 0 ? NULL : &R->points[R->npoints - 1];
	uint64_t epoch = p == NULL ? 0 : p->point.epoch;

	if (p != NULL)
		p->point.epoch = 1;
	return (epoch);
}

static inline void
unflatten(struct replica *R, uint64_t epoch)
{
	if (R->npoints > 0)
		R->points[R->npoints - 1].point.epoch = epoch;
}

static inline struct header *
header_of(struct world *w, const struct bundle *b)
{
	static struct header H;

	H.type = b->type;
	id_of(w, b, H.id);
	H.created = b->created;
	H.from = flat(b->from);
	H.to = flat(b->to);
	H.has_against = b->is_exact;
	H.ndisks = 1;
	H.disks[0].size = H.disks[0].before_size = LIMIT_BLOCK * BLOCKS;
	memcpy(H.disks[0].before, &b->before, LEAF_ROOT);
	return (&H);
}

static inline enum intake
judge(struct world *w, struct replica *R, const struct bundle *b)
{
	uint64_t epoch = flatten(R);
	enum intake x = intake_judge(R, header_of(w, b), 1);

	unflatten(R, epoch);
	return (x);
}

static inline int
next_to_merge(struct replica *R)
{
	uint64_t epoch = flatten(R);
	int i = intake_next(R);

	unflatten(R, epoch);
	return (i);
}

/* The newest point that is here for good and on the way. */
static inline struct point
held(struct world *w, struct replica *R)
{
	struct point p =
	    R->npoints == 0 ? (struct point){ 0, 0, 0, POINT_STANDARD } : R->points[R->npoints - 1].point;
	uint64_t epoch = flatten(R), seq = intake_held(R).seq;

	unflatten(R, epoch);
	for (unsigned i = 0; i < R->nstaged; i++) {
		const struct bundle *b = bundle_of(w, R->staged[i].id);

		if (b->is_exact)
			return (p);
	}
	for (unsigned i = 0; i < R->nstaged; i++)
		if (R->staged[i].to.seq == seq && seq > p.seq)
			return (bundle_of(w, R->staged[i].id)->to);
	return (p);
}

/* A bundle, in one volume, is here whole. */
static inline void
stage(struct world *w, struct site *s, const struct bundle *b)
{
	struct replica_staged *x = intake_entry(s->R, header_of(w, b), w->sites[b->signer].key);
	struct replica_volume v;
	struct trailer end;
	uint64_t epoch = flatten(s->R);

	memset(&v, 0, sizeof v);
	memset(&end, 0, sizeof end);
	v.chain.number = end.volumes = 1;
	v.chain.is_last = 1;
	if (x == NULL || intake_add(s->R, x, &v, &end) != 0)
		fail(w, "a bundle cannot be staged");
	unflatten(s->R, epoch);
}

static inline struct content
put(const struct content *disk, const struct bundle *b)
{
	struct content c = *disk;

	for (unsigned i = 0; i < BLOCKS; i++)
		if (b->set >> i & 1)
			c.block[i] = b->after.block[i];
	return (c);
}

/*
 * Points that are not on the new way are a branch: they stay, and nothing is to start from them.  Bundles that wait
 * and are not on it could only lead astray.
 */
static inline void
mark_branch(struct world *w, struct replica *R, const struct history *old, const struct history *new)
{
	for (unsigned i = R->nstaged; i-- > 1;) {
		const struct bundle *b = bundle_of(w, R->staged[i].id);

		if (!history_has(new, &b->history, &b->to))
			replica_drop_staged(R, i);
	}
	for (unsigned i = 0; i < R->npoints; i++)
		if (!R->points[i].is_damaged && !history_has(new, old, &R->points[i].point))
			R->points[i].is_damaged = 1;
}

/* The disks are at the end of that bundle. */
static inline void
moved(struct world *w, struct site *s, const struct bundle *b)
{
	struct replica *R = s->R;
	struct replica_point p;
	struct history old = R->role.history;
	uint64_t epoch = flatten(R);
	unsigned before = R->npoints;
	char text[80];

	memset(&p, 0, sizeof p);
	p.point = flat(b->to);
	p.disks[0].size = LIMIT_BLOCK * BLOCKS;
	memcpy(p.disks[0].root, &b->after, LEAF_ROOT);
	if (b->is_exact) {
		unflatten(R, epoch);
		mark_branch(w, R, &old, &b->history);
		R->role.history = b->history;
		epoch = flatten(R);
	}
	if (intake_moved(R, &p) != 0)
		fail(w, "no memory");
	R->points[R->npoints - 1].point = b->to;
	if (before > 0 && R->npoints > 1)
		R->points[R->npoints - 2].point.epoch = epoch;
	replica_drop_surplus(R);
	role_settle_claims(&R->role, &b->to);
	w->events[EV_MERGED]++;
	tell(w, "  %c is at point %" PRIu64 " of epoch %" PRIu64 " now: %s", name_of(s), b->to.seq,
	    b->to.epoch, show(&b->after, text));
}

/* What was begun is brought to its end. */
static inline void
finish_merge(struct world *w, struct site *s)
{
	const struct bundle *b = bundle_of(w, s->R->staged[0].id);

	if (chance(w, 30)) {
		durable(w);
		for (unsigned i = 0; i < BLOCKS / 2; i++)
			if (b->set >> i & 1)
				s->disk.block[i] = b->after.block[i];
	}
	durable(w);
	s->disk = put(&s->disk, b);
	moved(w, s, b);
	save_replica(w, s);
}

static inline void
part(struct world *w, struct site *s, const char *why)
{
	tell(w, "  %c: continuity is lost: %s", name_of(s), why);
	if (role_step(&s->R->role, ROLE_PART) == 0) {
		snprintf(s->R->role.cause, ROLE_CAUSE, "%s", why);
		w->events[EV_PARTED]++;
	}
}

static inline void
merge(struct world *w, struct site *s)
{
	struct replica *R = s->R;
	int i;

	if (R->role.state == ROLE_FAILOVER || (s->has_test && w->plant != PLANT_TEST))
		return;
	while (R->npoints > 0 && (i = next_to_merge(R)) >= 0 && may(w, &R->role, ROLE_MERGE)) {
		struct replica_staged x = R->staged[i];
		const struct bundle *b = bundle_of(w, x.id);
		struct content c = put(&s->disk, b);

		if (!is_same(&c, &b->after) && w->plant != PLANT_PARTED) {
			part(w, s, "a bundle does not give its root");
			replica_drop_staged(R, (unsigned)i);
			save_replica(w, s);
			continue;
		}
		R->staged[i] = R->staged[0];
		R->staged[0] = x;
		R->merging = R->merging_undo = 1;
		save_replica(w, s);
		finish_merge(w, s);
	}
}

#endif
