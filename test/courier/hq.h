#ifndef HQ_H_
#define HQ_H_

/* The primary: a guest that writes, points that are cut, and the real ledger that says where deltas start. */

#include "pack.h"

static inline struct primary_target *
target_of(struct world *w, unsigned site)
{
	for (unsigned i = 0; i < w->hq.P->ntargets; i++)
		if (w->hq.P->targets[i].name[0] == (char)('a' + site))
			return (&w->hq.P->targets[i]);
	return (NULL);
}

static inline struct primary_target *
adopt_target(struct world *w, unsigned site)
{
	struct primary_target *t = target_of(w, site);

	if (t != NULL)
		return (t);
	t = &w->hq.P->targets[w->hq.P->ntargets++];
	memset(t, 0, sizeof *t);
	t->name[0] = (char)('a' + site);
	return (t);
}

static inline void
guest_writes(struct world *w)
{
	unsigned n = 1 + below(w, 8);

	for (unsigned i = 0; i < n; i++)
		w->hq.now[below(w, BLOCKS)] = (uint8_t)below(w, VALUES);
}

static inline uint64_t
last_seq(const struct world *w)
{
	const struct primary *P = w->hq.P;

	return (P->npoints == 0 ? 0 : P->points[P->npoints - 1].point.seq);
}

static inline int
is_kept(const struct world *w, uint64_t seq)
{
	for (unsigned i = 0; i < w->hq.P->npoints; i++)
		if (w->hq.P->points[i].point.seq == seq)
			return (1);
	return (0);
}

/* The lowest point that every site of the set can start from; 0: one of them needs a seed. */
static inline uint64_t
common_base(struct world *w, unsigned sites, enum ledger_since since)
{
	uint64_t low = 0;

	for (unsigned i = 0; i < w->nsites; i++) {
		uint64_t base;

		if (!(sites >> i & 1))
			continue;
		if ((base = ledger_base(w->hq.P, adopt_target(w, i), since)) == 0)
			return (0);
		if (low == 0 || base < low)
			low = base;
	}
	return (low);
}

/* Every site that can be believed gets a delta that fits it, wherever a receipt of it was the last word. */
static inline void
check_base(struct world *w, unsigned sites, uint64_t base)
{
	for (unsigned i = 0; i < w->nsites; i++) {
		const struct replica_side *d = &w->sites[i];
		const struct primary_target *t = target_of(w, i);

		if (!(sites >> i & 1) || d->is_liar || d->went_back || t == NULL || t->acked == 0 ||
		    t->back != 0)
			continue;
		if (base > intake_held(d->R).seq)
			fail(w, "site %c is sent a delta from point %" PRIu64 " and holds only %" PRIu64,
			    'a' + (int)i, base, intake_held(d->R).seq);
	}
}

/* A bundle from base (0: a seed) to the newest content, packed but not committed. */
static inline struct bundle *
make_bundle(struct world *w, unsigned sites, uint64_t base, int exact)
{
	struct primary_side *h = &w->hq;
	struct bundle *b = last_seq(w) + 2 >= SEQ_MAX ? NULL : new_bundle(w);
	struct leaf_sum sums[DISKS];
	uint64_t set = base == 0 ? ~UINT64_C(0) : 0;

	if (b == NULL)
		return (NULL);
	memcpy(h->frozen, h->now, BLOCKS);
	h->changed = last_seq(w) == 0 ? ~UINT64_C(0) : difference(h->now, h->history[last_seq(w)]);
	for (unsigned i = 0; base != 0 && !exact && i < h->P->npoints; i++)
		if (h->P->points[i].point.seq > base)
			set |= h->maps[h->P->points[i].point.seq];
	b->type = base == 0 ? BUNDLE_SEED : BUNDLE_DELTA;
	b->is_exact = exact;
	b->targets = sites;
	b->to = (struct point){ primary_epoch(h->P), last_seq(w) + 1, 1772366400 + w->clock, POINT_STANDARD };
	if (base != 0) {
		b->from = (struct point){ primary_epoch(h->P), base, 1772366400, POINT_STANDARD };
		memcpy(b->before, h->roots[base], sizeof b->before);
	}
	carry(b, exact ? difference(h->now, h->history[base]) : set | h->changed, h->now);
	sum_of(w, h->now, sums);
	roots_of(w, sums, b->end.root);
	pack_bundle(w, b, 1 + below(w, chance(w, 50) ? 3 : 20));
	happened(w, exact ? EV_EXACT : base == 0 ? EV_SEED : EV_DELTA);
	return (b);
}

/* What no delta can start from any more goes, as in the primary. */
static inline void
prune_points(struct world *w)
{
	struct primary *P = w->hq.P;
	int i;

	while ((i = ledger_expendable(P, w->hq.most_points)) >= 0) {
		uint64_t gone = P->points[i].point.seq;

		if (i > 0) {
			w->hq.maps[P->points[i + 1].point.seq] |= w->hq.maps[gone];
			happened(w, EV_FOLDED);
		}
		tell(w, "  point %" PRIu64 " is not kept any more", gone);
		w->hq.maps[gone] = 0;
		memmove(&P->points[i], &P->points[i + 1], (P->npoints - (unsigned)i - 1) * sizeof *P->points);
		P->npoints--;
	}
	w->hq.maps[P->points[0].point.seq] = 0;
}

/* All content was read: the point is one of ours. */
static inline void
commit_point(struct world *w, const struct bundle *b)
{
	struct primary_side *h = &w->hq;
	struct primary_point *p = &h->P->points[h->P->npoints++];
	uint64_t seq = b->to.seq;

	p->point = b->to;
	memcpy(h->history[seq], h->frozen, BLOCKS);
	sum_of(w, h->frozen, h->sums[seq]);
	roots_of(w, h->sums[seq], h->roots[seq]);
	for (unsigned i = 0; i < DISKS; i++) {
		p->size[i] = size_of(i);
		memcpy(p->root[i], h->roots[seq][i], LEAF_ROOT);
	}
	h->maps[seq] = h->changed;
	h->nseq = seq;
	for (unsigned i = 0; b->type == BUNDLE_SEED && i < w->nsites; i++)
		if ((b->targets >> i & 1) && target_of(w, i)->seeded == 0)
			target_of(w, i)->seeded = seq;
	check_bundle(w, b);
	prune_points(w);
}

static inline void
enter_ledger(struct world *w, const struct bundle *b)
{
	struct primary_shipment s;

	memset(&s, 0, sizeof s);
	s.type = b->type;
	s.from = b->from.seq;
	s.to = b->to.seq;
	s.at = w->clock;
	s.volumes = b->nvolumes;
	memcpy(s.id, b->id, RECORD_ID);
	for (unsigned i = 0; i < w->nsites; i++)
		if (b->targets >> i & 1)
			s.targets |= UINT32_C(1) << (target_of(w, i) - w->hq.P->targets);
	ledger_sent(w->hq.P, &s);
}

/* --- receipts that come in -------------------------------------------------------------------------------- */

/* What acknowledge() asks of a receipt before the ledger sees it. */
static inline int
is_plausible(const struct world *w, const struct parcel *r)
{
	const struct primary *P = w->hq.P;

	if (r->from.seq == 0 || P->npoints == 0 || r->to.epoch != primary_epoch(P) ||
	    r->to.seq > last_seq(w) || r->from.seq > r->to.seq)
		return (0);
	return (!is_kept(w, r->from.seq) || memcmp(r->roots, w->hq.roots[r->from.seq], sizeof r->roots) == 0);
}

static inline void
take_receipt(struct world *w, const struct parcel *r)
{
	static struct header H;
	struct replica_side *d = &w->sites[r->site];
	struct primary_target *t = target_of(w, r->site);
	enum ledger_news news;

	if (t == NULL || !is_plausible(w, r)) {
		tell(w, "hq refuses a receipt of %c for %" PRIu64, 'a' + (int)r->site, r->to.seq);
		if (!d->is_liar && t != NULL)
			fail(w, "hq refuses an honest receipt of %c for %" PRIu64, 'a' + (int)r->site,
			    r->to.seq);
		return;
	}
	H.type = BUNDLE_RECEIPT;
	H.created = r->created;
	H.from = r->from;
	H.to = r->to;
	news = ledger_acked(w->hq.P, t, &H, w->clock);
	tell(w,
	    "hq takes a receipt of %c for %" PRIu64 " of %" PRId64 ": %s; acked %" PRIu64 ", back %" PRIu64,
	    'a' + (int)r->site, r->to.seq, r->created,
	    news == LEDGER_NEWER   ? "news"
	    : news == LEDGER_KNOWN ? "known"
	                           : "went back",
	    t->acked, t->back);
	happened(w, news == LEDGER_NEWER ? EV_NEWER : news == LEDGER_KNOWN ? EV_STALE : EV_WENT_BACK);
	d->base = t->back == 0 && is_kept(w, t->acked) ? t->acked : 0;
	if (d->went_back && r->created > d->back_at)
		d->went_back = 0;
}

#endif
