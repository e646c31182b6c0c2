#include "primary/ledger.h"

#include <string.h>

static uint32_t
bit(const struct primary *P, const struct primary_target *t)
{
	return (UINT32_C(1) << (t - P->targets));
}

/* The newest point that is kept and not after seq; 0: there is none. */
static uint64_t
kept(const struct primary *P, uint64_t seq)
{
	uint64_t found = 0;

	for (unsigned i = 0; i < P->npoints && P->points[i].point.seq <= seq; i++)
		found = P->points[i].point.seq;
	return (found);
}

/* What t has for sure, or, while nothing came back, may have. */
static uint64_t
sure(const struct primary *P, const struct primary_target *t)
{
	uint64_t back = t->back == 0 ? 0 : kept(P, t->back);

	if (back != 0)
		return (back);
	return (t->acked != 0 ? t->acked : t->seeded);
}

uint64_t
ledger_base(const struct primary *P, const struct primary_target *t, enum ledger_since since)
{
	uint64_t base = sure(P, t);

	return (kept(P, since == LEDGER_SENT && t->sent > base ? t->sent : base));
}

int
ledger_follows(const struct primary *P, const struct primary_target *t, uint32_t targets)
{
	for (unsigned i = 0; t->has_via && i < P->ntargets; i++)
		if ((targets & bit(P, &P->targets[i])) != 0 &&
		    memcmp(P->targets[i].key, t->via, RECORD_KEY) == 0)
			return (1);
	return (0);
}

uint64_t
ledger_lowest(const struct primary *P)
{
	uint64_t low = P->npoints == 0 ? 0 : P->points[P->npoints - 1].point.seq;

	for (unsigned i = 0; i < P->ntargets; i++) {
		uint64_t base = ledger_base(P, &P->targets[i], LEDGER_ACKED);

		if (base != 0 && base < low)
			low = base;
	}
	return (low);
}

int
ledger_is_base(const struct primary *P, uint64_t seq)
{
	for (unsigned i = 0; i < P->ntargets; i++)
		if (seq == ledger_base(P, &P->targets[i], LEDGER_ACKED) ||
		    seq == ledger_base(P, &P->targets[i], LEDGER_SENT))
			return (1);
	return (0);
}

int
ledger_expendable(const struct primary *P, unsigned most)
{
	if (P->npoints > 1 && P->points[0].point.seq < ledger_lowest(P))
		return (0);
	for (unsigned i = 1; P->npoints > most && i + 2 < P->npoints; i++)
		if (!ledger_is_base(P, P->points[i].point.seq))
			return ((int)i);
	return (-1);
}

/* --- shipments ---------------------------------------------------------------------------------------- */

static void
forget(struct primary *P, unsigned i)
{
	memmove(&P->shipments[i], &P->shipments[i + 1], (P->nshipments - i - 1) * sizeof *P->shipments);
	P->nshipments--;
	/* No key lies behind those that are. */
	memset(&P->shipments[P->nshipments], 0, sizeof *P->shipments);
}

/* Does a newer one lead all the targets of s at least as far, from no later a point? */
static int
is_covered(const struct primary *P, unsigned i)
{
	const struct primary_shipment *s = &P->shipments[i];

	for (unsigned k = i + 1; k < P->nshipments; k++) {
		const struct primary_shipment *n = &P->shipments[k];

		if ((s->targets & ~n->targets) == 0 && n->to >= s->to && n->from <= s->from)
			return (1);
	}
	return (0);
}

/* Make room for one more: the oldest that is covered goes, else the oldest. */
static void
make_room(struct primary *P)
{
	unsigned i = 0;

	if (P->nshipments < PRIMARY_SHIPMENTS)
		return;
	while (i < P->nshipments && !is_covered(P, i))
		i++;
	forget(P, i < P->nshipments ? i : 0);
}

void
ledger_cut(struct primary *P, int64_t at)
{
	struct primary_cuts *c = &P->cuts;

	if (c->frequency != P->wishes.frequency)
		c->n = 0;
	c->frequency = P->wishes.frequency;
	if (c->n == PRIMARY_CUTS)
		memmove(c->at, c->at + 1, --c->n * sizeof *c->at);
	c->at[c->n++] = at;
}

void
ledger_sent(struct primary *P, const struct primary_shipment *s)
{
	for (unsigned i = 0; i < P->ntargets; i++) {
		struct primary_target *t = &P->targets[i];

		if ((s->targets & bit(P, t)) == 0)
			continue;
		if (s->from == 0 && t->seeded == 0 && !ledger_follows(P, t, s->targets))
			t->seeded = s->to;
		if (s->to > t->sent)
			t->sent = s->to;
	}
	if (s->targets == 0)
		return;
	make_room(P);
	P->shipments[P->nshipments++] = *s;
}

/* What t has is not on its way to it. */
static void
arrived(struct primary *P, const struct primary_target *t)
{
	for (unsigned i = 0; i < P->nshipments;) {
		struct primary_shipment *s = &P->shipments[i];

		if (s->to <= t->acked)
			s->targets &= ~bit(P, t);
		if (s->targets == 0)
			forget(P, i);
		else
			i++;
	}
}

enum ledger_news
ledger_acked(struct primary *P, struct primary_target *t, const struct header *H, int64_t now)
{
	int is_later = H->created > t->said_at;

	/* What it said before it said something else, it may have lost since.  A word from the future is none. */
	if (H->created < t->said_at && t->said_at <= now)
		return (LEDGER_KNOWN);
	if (is_later)
		t->said_at = H->created;
	if (H->to.seq < t->acked) {
		if (!is_later)
			return (LEDGER_KNOWN);
		t->back = H->to.seq;
		return (LEDGER_WENT_BACK);
	}
	if (is_later || H->to.seq > t->acked)
		t->back = 0;
	if (H->to.seq == t->acked)
		return (LEDGER_KNOWN);
	t->acked = H->to.seq;
	t->acked_at = now;
	arrived(P, t);
	return (LEDGER_NEWER);
}

void
ledger_end(struct primary *P, struct primary_target *t)
{
	unsigned n = (unsigned)(t - P->targets);
	uint32_t low = (UINT32_C(1) << n) - 1;

	for (unsigned i = 0; i < P->ntargets; i++)
		if (P->targets[i].has_via && memcmp(P->targets[i].via, t->key, RECORD_KEY) == 0)
			P->targets[i].has_via = 0;
	for (unsigned i = P->nshipments; i-- > 0;) {
		uint32_t *bits = &P->shipments[i].targets;

		*bits = (*bits & low) | ((*bits >> 1) & ~low);
		if (*bits == 0)
			forget(P, i);
	}
	memmove(t, t + 1, (P->ntargets - n - 1) * sizeof *t);
	P->ntargets--;
}

const struct primary_shipment *
ledger_next(const struct primary *P, const struct primary_target *t, unsigned *i)
{
	while (*i < P->nshipments) {
		const struct primary_shipment *s = &P->shipments[(*i)++];

		if (s->targets & bit(P, t))
			return (s);
	}
	return (NULL);
}

const struct primary_shipment *
ledger_find(const struct primary *P, const uint8_t id[RECORD_ID])
{
	for (unsigned i = P->nshipments; i-- > 0;)
		if (memcmp(P->shipments[i].id, id, RECORD_ID) == 0)
			return (&P->shipments[i]);
	return (NULL);
}
