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

static inline struct header *
header_of(struct world *w, const struct bundle *b)
{
	static struct header H;

	H.type = b->type;
	id_of(w, b, H.id);
	H.created = b->created;
	H.from = b->from;
	H.to = b->to;
	H.history = b->history;
	H.has_against = b->is_exact;
	H.ndisks = 1;
	H.disks[0].size = H.disks[0].before_size = LIMIT_BLOCK * BLOCKS;
	memcpy(H.disks[0].before, &b->before, LEAF_ROOT);
	return (&H);
}

/* A bundle, in one volume, is here whole. */
static inline void
stage(struct world *w, struct site *s, const struct bundle *b)
{
	struct replica_staged *x = intake_entry(s->R, header_of(w, b), w->sites[b->signer].key);
	struct replica_volume v;
	struct trailer end;

	memset(&v, 0, sizeof v);
	memset(&end, 0, sizeof end);
	v.chain.number = end.volumes = 1;
	v.chain.is_last = 1;
	if (x == NULL || intake_add(s->R, x, &v, &end) != 0)
		fail(w, "a bundle cannot be staged");
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

/* The disks are at the end of that bundle, and who made it is followed. */
static inline void
moved(struct world *w, struct site *s, const struct bundle *b)
{
	struct replica *R = s->R;
	struct replica_point p;
	char text[80];

	memset(&p, 0, sizeof p);
	p.point = b->to;
	p.disks[0].size = LIMIT_BLOCK * BLOCKS;
	memcpy(p.disks[0].root, &b->after, LEAF_ROOT);
	if (memcmp(R->key, w->sites[b->signer].key, RECORD_KEY) != 0) {
		w->events[EV_FOLLOWED_HEIR]++;
		tell(w, "  %c follows %c, which is an heir", name_of(s), 'a' + (int)b->signer);
	}
	memcpy(R->key, w->sites[b->signer].key, RECORD_KEY);
	R->nheirs = 0;
	for (unsigned i = 0; i < w->nsites; i++)
		if (b->heirs >> i & 1)
			memcpy(R->heirs[R->nheirs++], w->sites[i].key, RECORD_KEY);
	if (!R->merging)
		R->role.history = b->history;
	if (intake_moved(R, &p) != 0)
		fail(w, "no memory");
	role_received(&R->role, &b->to, b->handover == s->id);
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
	while (R->npoints > 0 && (i = intake_next(R)) >= 0 && may(w, &R->role, ROLE_MERGE)) {
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
