#ifndef ROAD_H_
#define ROAD_H_

/* What happens: exports, couriers with bags of media, receipts that travel back, and all that goes wrong with them. */

#include "check.h"

static inline struct parcel *
new_parcel(struct world *w, unsigned site)
{
	struct parcel *p;

	if (w->nparcels == PARCELS)
		w->parcels[below(w, PARCELS)] = w->parcels[--w->nparcels];
	p = &w->parcels[w->nparcels++];
	p->is_receipt = 0;
	p->site = site;
	p->nitems = 0;
	return (p);
}

static inline void
drop_parcel(struct world *w, unsigned i)
{
	w->parcels[i] = w->parcels[--w->nparcels];
}

/* Volumes from..to of a bundle leave for each of its sites, on one medium or on several. */
static inline void
dispatch(struct world *w, unsigned bundle, unsigned from, unsigned to)
{
	const struct bundle *b = &w->bundles[bundle];

	for (unsigned i = 0; i < w->nsites; i++) {
		struct parcel *p = NULL;

		for (unsigned v = from; (b->targets >> i & 1) && v <= to; v++) {
			if (p == NULL || p->nitems == ITEMS || chance(w, 25))
				p = new_parcel(w, i);
			p->items[p->nitems++] = (struct item){ bundle, v };
		}
	}
}

/* Put two parcels into one bag, or take one apart. */
static inline void
repack(struct world *w)
{
	struct parcel *a, *b;

	if (w->nparcels < 2)
		return;
	a = &w->parcels[below(w, w->nparcels)];
	b = &w->parcels[below(w, w->nparcels)];
	if (a == b || a->is_receipt || b->is_receipt || a->site != b->site || a->nitems + b->nitems > ITEMS)
		return;
	memcpy(a->items + a->nitems, b->items, b->nitems * sizeof *b->items);
	a->nitems += b->nitems;
	drop_parcel(w, (unsigned)(b - w->parcels));
}

/* --- exports ---------------------------------------------------------------------------------------------- */

static inline void
finish_export(struct world *w, unsigned bundle, unsigned from)
{
	struct bundle *b = &w->bundles[bundle];

	commit_point(w, b);
	if (chance(w, 10)) {
		tell(w, "  it is not delivered");
		happened(w, EV_NOT_DELIVERED);
		b->is_cut_off = 1;
		if (b->nvolumes > from)
			dispatch(w, bundle, from, b->nvolumes - 1);
		return;
	}
	enter_ledger(w, b);
	dispatch(w, bundle, from, b->nvolumes);
}

static inline void
export_to(struct world *w, unsigned sites, uint64_t base, int exact, unsigned stops)
{
	struct bundle *b;
	unsigned bundle, n;

	if (w->hq.pending >= 0) {
		w->bundles[w->hq.pending].is_cut_off = 1;
		happened(w, EV_BEGUN_ANEW);
	}
	w->hq.pending = -1;
	if ((b = make_bundle(w, sites, base, exact)) == NULL)
		return;
	bundle = (unsigned)(b - w->bundles);
	tell(w, "hq exports bundle %u for %x: %s %" PRIu64 " to %" PRIu64 "%s, %u blocks, %u volumes", bundle,
	    sites, header_type_text(b->type), b->from.seq, b->to.seq, exact ? " exactly" : "", b->npairs,
	    b->nvolumes);
	if (!chance(w, stops)) {
		finish_export(w, bundle, 1);
		return;
	}
	n = below(w, b->nvolumes);
	tell(w, "  it stops after volume %u", n);
	b->is_cut_off = 1;
	if (n > 0)
		dispatch(w, bundle, 1, n);
	w->hq.pending = (int)bundle;
	b->sent = n;
}

static inline void
resume_export(struct world *w)
{
	struct primary_side *h = &w->hq;
	struct bundle *b = h->pending < 0 ? NULL : &w->bundles[h->pending];

	if (b == NULL)
		return;
	tell(w, "hq goes on with bundle %d", h->pending);
	b->is_cut_off = 0;
	happened(w, EV_RESUMED);
	finish_export(w, (unsigned)h->pending, b->sent + 1);
	h->pending = -1;
}

static inline unsigned
some_sites(struct world *w)
{
	unsigned all = (1u << w->nsites) - 1, some = (unsigned)roll(w) & all;

	return (chance(w, 60) || some == 0 ? all : some);
}

static inline void
export_some(struct world *w)
{
	unsigned sites = some_sites(w), how = below(w, 100);
	uint64_t base = 0;

	for (unsigned i = 0; i < w->nsites; i++)
		if (sites >> i & 1)
			adopt_target(w, i);
	if (how < 60) {
		base = common_base(w, sites, LEDGER_ACKED);
		check_base(w, sites, base);
	} else if (how < 85) {
		base = common_base(w, sites, LEDGER_SENT);
	} else if (how < 93 && w->hq.P->npoints > 0) {
		base = w->hq.P->points[below(w, w->hq.P->npoints)].point.seq;
	}
	export_to(w, sites, base, 0, 20);
}

/* For disks that were compared: what differs from them, and for them alone. */
static inline void
export_against(struct world *w)
{
	unsigned site = below(w, w->nsites);
	uint64_t at = merged_seq(w->sites[site].R);

	if (at == 0 || w->sites[site].R->merging)
		return;
	adopt_target(w, site);
	export_to(w, 1u << site, at, 1, 20);
}

/* Two deltas of which the second continues the first, made into one by somebody on the way. */
static inline void
combine(struct world *w)
{
	const struct bundle *x, *y;
	struct bundle *b;
	uint64_t set = 0;
	uint8_t content[BLOCKS] = { 0 };

	if (w->nbundles < 2)
		return;
	x = &w->bundles[below(w, w->nbundles)];
	y = &w->bundles[below(w, w->nbundles)];
	if (x->type != BUNDLE_DELTA || y->type != BUNDLE_DELTA || x->is_exact || y->is_exact ||
	    x->is_cut_off || y->is_cut_off || y->from.seq > x->to.seq || x->to.seq >= y->to.seq ||
	    x->from.seq >= y->from.seq || (x->targets & y->targets) == 0 || (b = new_bundle(w)) == NULL)
		return;
	for (unsigned i = 0; i < x->npairs + y->npairs; i++) {
		const struct bundle *z = i < x->npairs ? x : y;
		unsigned k = i < x->npairs ? i : i - x->npairs;

		set |= UINT64_C(1) << z->block[k];
		content[z->block[k]] = z->value[k];
	}
	b->type = BUNDLE_DELTA;
	b->from = x->from;
	b->to = y->to;
	b->targets = x->targets & y->targets;
	memcpy(b->before, x->before, sizeof b->before);
	memcpy(b->end.root, y->end.root, sizeof b->end.root);
	memset(b->key, 7, RECORD_KEY);
	carry(b, set, content);
	pack_bundle(w, b, 1 + below(w, 20));
	check_bundle(w, b);
	happened(w, EV_COMBINED);
	tell(w, "bundles %u and %u become %u: %" PRIu64 " to %" PRIu64, (unsigned)(x - w->bundles),
	    (unsigned)(y - w->bundles), (unsigned)(b - w->bundles), b->from.seq, b->to.seq);
	dispatch(w, (unsigned)(b - w->bundles), 1, b->nvolumes);
}

/* --- arrivals --------------------------------------------------------------------------------------------- */

static inline void
import_item(struct world *w, unsigned site, struct item m)
{
	const struct bundle *b = &w->bundles[m.bundle];
	unsigned first = b->first[m.volume - 1], n = b->first[m.volume] - first;
	struct stretch x = { .from = first, .to = first + n };

	if (chance(w, 15)) {
		x.to = first + below(w, n + 1);
		x.is_cut = 1;
		x.is_crash = chance(w, 40);
	} else if (chance(w, 5)) {
		x.to = first + below(w, n + 1);
		x.is_bad = 1;
		happened(w, EV_TAMPERED);
	}
	import(w, site, m.bundle, m.volume, x);
}

/* Behind the records of header and volume, as the file of a cut seed has them. */
static inline unsigned
seed_pairs_kept(const struct replica *R)
{
	return (R->seed.records < 2 ? 0 : (unsigned)R->seed.records - 2);
}

/* The rest of what was cut short, if its bundle is one that still goes on. */
static inline void
continue_cut(struct world *w, unsigned site)
{
	struct replica_side *d = &w->sites[site];

	for (unsigned i = 0; d->R != NULL && i < d->R->nstaged; i++) {
		const struct replica_staged *s = &d->R->staged[i];
		const struct bundle *b = bundle_of(w, s->id);
		struct stretch x = { .is_rest = 1 };

		if (s->cut == 0 || (b->is_cut_off && s->cut == b->nvolumes))
			continue;
		x.from =
		    s->on_disks ? b->first[s->cut - 1] + seed_pairs_kept(d->R) : d->cut_pairs[b - w->bundles];
		x.to = b->first[s->cut];
		x.is_cut = chance(w, 25);
		if (x.is_cut && x.to > x.from)
			x.to = x.from + below(w, x.to - x.from + 1);
		import(w, site, s->id[0] - 1u, s->cut, x);
		return;
	}
}

static inline void
deliver(struct world *w, unsigned i)
{
	struct parcel p = w->parcels[i];

	if (chance(w, 85))
		drop_parcel(w, i);
	else
		happened(w, EV_TWICE);
	if (p.is_receipt) {
		take_receipt(w, &p);
		return;
	}
	for (unsigned n = p.nitems; n > 0; n--) {
		unsigned k = below(w, n);

		/* Half-imported: the medium is pulled out, and may come again. */
		if (chance(w, 3))
			return;
		import_item(w, p.site, p.items[k]);
		p.items[k] = p.items[n - 1];
		if (!chance(w, 25))
			merge(w, &w->sites[p.site], 8);
	}
}

static inline void
send_receipt(struct world *w, unsigned site)
{
	struct replica_side *d = &w->sites[site];
	struct parcel *p;

	if (d->R == NULL || d->R->npoints == 0)
		return;
	p = new_parcel(w, site);
	p->is_receipt = 1;
	p->from = replica_last(d->R)->point;
	p->to = intake_held(d->R);
	p->created = w->clock;
	memcpy(p->roots, w->hq.roots[p->from.seq], sizeof p->roots);
	if (d->is_liar && chance(w, 50)) {
		p->to.seq = 1 + below(w, (unsigned)last_seq(w) + 2);
		p->created += (int64_t)below(w, 40) - 20;
		happened(w, EV_LIE);
	}
	tell(w, "%c makes a receipt for %" PRIu64 " at %" PRId64, 'a' + (int)site, p->to.seq, p->created);
}

/* A copy is made of the whole site, or it is put back to one. */
static inline void
backup(struct world *w, unsigned site)
{
	struct replica_side *d = &w->sites[site];

	if (d->R == NULL)
		return;
	if (d->old == NULL || chance(w, 50)) {
		free_replica(d->old);
		d->old = copy_replica(d->R);
		memcpy(d->old_disk, d->disk, BLOCKS);
		memcpy(d->old_cut_pairs, d->cut_pairs, sizeof d->cut_pairs);
		return;
	}
	free_replica(d->R);
	d->R = copy_replica(d->old);
	memcpy(d->disk, d->old_disk, BLOCKS);
	memcpy(d->cut_pairs, d->old_cut_pairs, sizeof d->cut_pairs);
	d->went_back = 1;
	d->back_at = w->clock;
	d->reached = merged_seq(d->R);
	d->held = held_seq(d->R);
	happened(w, EV_RESTORED);
	tell(w, "%c is restored from an older copy, at %" PRIu64 ", holding %" PRIu64, 'a' + (int)site,
	    d->reached, d->held);
}

static inline void
pin(struct world *w, unsigned site)
{
	struct replica *R = w->sites[site].R;

	if (R != NULL && R->npoints > 0)
		R->points[below(w, R->npoints)].is_pinned ^= 1;
}

#endif
