#ifndef CHECK_H_
#define CHECK_H_

/* What must be true after every step, found out by brute force. */

#include "hq.h"
#include "dr.h"

/* --- the replica ------------------------------------------------------------------------------------------ */

static inline void
check_points(struct world *w, unsigned site)
{
	const struct replica_side *d = &w->sites[site];
	const struct replica *R = d->R;

	for (unsigned i = 0; i < R->npoints; i++) {
		const struct replica_point *p = &R->points[i];

		if (p->point.seq == 0 || p->point.seq > w->hq.nseq ||
		    (i > 0 && p->point.seq <= p[-1].point.seq))
			fail(
			    w, "site %c has a point %" PRIu64 " that is none", 'a' + (int)site, p->point.seq);
		for (unsigned k = 0; k < DISKS; k++)
			if (memcmp(p->disks[k].root, w->hq.roots[p->point.seq][k], LEAF_ROOT) != 0)
				fail(w, "site %c has another root at point %" PRIu64, 'a' + (int)site,
				    p->point.seq);
	}
	if (R->npoints > 0 && !R->merging && memcmp(d->disk, w->hq.history[merged_seq(R)], BLOCKS) != 0)
		fail(w, "site %c is not what hq was at point %" PRIu64, 'a' + (int)site, merged_seq(R));
}

static inline int
applies_at(const struct replica_staged *s, uint64_t at)
{
	if (!s->is_whole || s->on_disks || at == 0 || s->to.seq <= at)
		return (0);
	if (s->type == BUNDLE_SEED)
		return (1);
	return (s->is_exact ? s->from.seq == at : s->from.seq <= at);
}

/* The newest point that any order of merging what is staged leads to; without those that fit at one point alone? */
static inline uint64_t
reachable(const struct replica *R, int with_exact)
{
	uint64_t best = merged_seq(R);
	uint8_t seen[SEQ_MAX] = { 0 };

	seen[best] = 1;
	for (uint64_t at = best; at < SEQ_MAX; at++)
		for (unsigned i = 0; seen[at] && i < R->nstaged; i++)
			if ((with_exact || !R->staged[i].is_exact) && applies_at(&R->staged[i], at))
				seen[R->staged[i].to.seq] = 1;
	for (uint64_t at = best; at < SEQ_MAX; at++)
		if (seen[at])
			best = at;
	return (best);
}

static inline void
check_held(struct world *w, unsigned site)
{
	struct replica_side *d = &w->sites[site];
	uint64_t held = held_seq(d->R), at = merged_seq(d->R);

	if (held > reachable(d->R, 1) || held < reachable(d->R, 0))
		fail(w, "site %c says to hold point %" PRIu64 ", and can reach %" PRIu64, 'a' + (int)site,
		    held, reachable(d->R, 1));
	if (at < d->reached || held < d->held)
		fail(w, "site %c went back from %" PRIu64 " (%" PRIu64 ") to %" PRIu64 " (%" PRIu64 ")",
		    'a' + (int)site, d->reached, d->held, at, held);
	d->reached = at;
	d->held = held;
	for (unsigned i = 0; !d->R->merging && i < d->R->nstaged; i++) {
		const struct replica_staged *s = &d->R->staged[i];

		if (at != 0 && s->to.seq <= at)
			fail(w, "site %c keeps a bundle to %" PRIu64 " at point %" PRIu64, 'a' + (int)site,
			    s->to.seq, at);
	}
}

/* What of the bundles in part is here, and are those that are called whole? */
static inline void
check_parts(struct world *w, unsigned site)
{
	const struct replica *R = w->sites[site].R;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < R->nstaged; i++) {
		const struct replica_staged *s = &R->staged[i];
		const struct bundle *b = bundle_of(w, s->id);

		if (s->is_whole != (s->nvolumes == b->nvolumes && !b->is_cut_off))
			fail(w, "site %c has %u of %u volumes of bundle %u, and calls it %s", 'a' + (int)site,
			    s->nvolumes, b->nvolumes, s->id[0] - 1u, s->is_whole ? "whole" : "not whole");
		for (unsigned k = 0; k < s->nvolumes; k++)
			bytes += s->volumes[k].file;
	}
	if (intake_waiting(R) > bytes)
		fail(w, "site %c says that more waits than is there", 'a' + (int)site);
}

/* --- what it says is missing ------------------------------------------------------------------------------ */

struct said {
	unsigned n;
	char texts[64][320];
};

static inline void
hear(void *context, const char *text)
{
	struct said *s = context;

	if (s->n < 64)
		snprintf(s->texts[s->n++], sizeof s->texts[0], "%s", text);
}

static inline void
must_say(struct world *w, struct said *s, const char *text)
{
	for (unsigned i = 0; i < s->n; i++)
		if (strcmp(s->texts[i], text) == 0) {
			memcpy(s->texts[i], s->texts[--s->n], sizeof s->texts[0]);
			return;
		}
	fail(w, "it does not say: %s", text);
}

/* The volumes missing of a bundle: all that its export made, as far as can be known here. */
static inline void
must_say_volumes(struct world *w, struct said *said, const struct replica_staged *s)
{
	const struct bundle *b = bundle_of(w, s->id);
	char text[320], list[128] = "";
	unsigned most = 0, n = 0, here = 0;

	for (unsigned i = 0; i < s->nvolumes; i++) {
		here |= 1u << s->volumes[i].chain.number;
		most = s->volumes[i].chain.number > most ? s->volumes[i].chain.number : most;
	}
	for (unsigned v = 1; v <= (here >> b->nvolumes & 1 ? b->nvolumes : most) && n < 8; v++)
		if (!(here >> v & 1))
			snprintf(
			    list + strlen(list), sizeof list - strlen(list), "%s%u", n++ > 0 ? ", " : "", v);
	if (!(here >> b->nvolumes & 1))
		snprintf(list + strlen(list), sizeof list - strlen(list), "%sthose after %u",
		    n > 0 ? ", and " : "", most);
	snprintf(text, sizeof text, "of the %s to point %" PRIu64 ", %u volumes are here; missing: %s",
	    header_type_text(s->type), s->to.seq, s->nvolumes, list);
	must_say(w, said, text);
}

static inline void
must_say_gap(struct world *w, struct said *said, const struct replica *R)
{
	uint64_t held = held_seq(R), low = 0;
	char text[320];

	for (unsigned i = 0; i < R->nstaged; i++) {
		const struct replica_staged *s = &R->staged[i];

		if (s->is_whole && s->type == BUNDLE_DELTA && s->from.seq > held &&
		    (low == 0 || s->from.seq < low))
			low = s->from.seq;
	}
	if (low == 0)
		return;
	if (held == 0)
		snprintf(text, sizeof text, "a delta from point %" PRIu64 " waits for a seed", low);
	else
		snprintf(text, sizeof text,
		    "a delta from point %" PRIu64 " waits: nothing is here that leads from point %" PRIu64
		    " to point %" PRIu64 "; bring it, or export with --since %" PRIu64,
		    low, held, low, held);
	must_say(w, said, text);
}

/* It names what is missing, and nothing else. */
static inline void
check_missing(struct world *w, unsigned site)
{
	static struct said said;
	const struct replica *R = w->sites[site].R;
	char text[320];

	said.n = 0;
	missing_each(R, hear, &said);
	for (unsigned i = 0; i < R->nstaged; i++) {
		const struct replica_staged *s = &R->staged[i];

		if (!s->is_whole && s->nvolumes > 0)
			must_say_volumes(w, &said, s);
		if (s->cut == 0)
			continue;
		snprintf(text, sizeof text,
		    "volume %" PRIu32 " of the %s to point %" PRIu64
		    " was cut short; 'vmferry import --position' says where",
		    s->cut, header_type_text(s->type), s->to.seq);
		must_say(w, &said, text);
	}
	must_say_gap(w, &said, R);
	if (said.n > 0)
		fail(w, "it says without reason: %s", said.texts[0]);
}

/* --- the primary ------------------------------------------------------------------------------------------ */

static inline void
check_belief(struct world *w)
{
	const struct primary *P = w->hq.P;

	for (unsigned i = 0; i < w->nsites; i++) {
		const struct replica_side *d = &w->sites[i];
		const struct primary_target *t = target_of(w, i);
		uint64_t belief = t == NULL ? 0 : t->back != 0 ? t->back : t->acked;

		if (!d->is_liar && !d->went_back && belief > held_seq(d->R))
			fail(w, "hq believes that site %c has %" PRIu64 ", and it has %" PRIu64, 'a' + (int)i,
			    belief, held_seq(d->R));
	}
	if (P->npoints > 0 && P->npoints > 1 && ledger_lowest(P) != 0 && !is_kept(w, ledger_lowest(P)))
		fail(w, "the lowest base is not kept");
}

/* Every site that was sent something can be sent a delta that it takes, as long as it was not said to be older. */
static inline void
check_bases(struct world *w)
{
	for (unsigned i = 0; i < w->nsites; i++) {
		const struct primary_target *t = target_of(w, i);
		uint64_t base;

		if (t == NULL || (t->acked == 0 && t->seeded == 0))
			continue;
		base = ledger_base(w->hq.P, t, LEDGER_ACKED);
		if (base == 0 || !is_kept(w, base))
			fail(w, "the changes since what site %c has are not kept", 'a' + (int)i);
		if (w->sites[i].base != 0 && base != w->sites[i].base)
			fail(w, "a delta to site %c starts at %" PRIu64 ", not at %" PRIu64, 'a' + (int)i,
			    base, w->sites[i].base);
	}
}

static inline void
check_all(struct world *w, int words)
{
	for (unsigned i = 0; i < w->nsites; i++) {
		if (w->sites[i].R == NULL)
			continue;
		check_points(w, i);
		check_held(w, i);
		check_parts(w, i);
		if (words)
			check_missing(w, i);
	}
	check_belief(w);
	check_bases(w);
}

#endif
