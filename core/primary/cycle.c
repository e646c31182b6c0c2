#include "primary/cycle.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/say.h"
#include "tally/figures.h"

/* A bundle for one site is its cycle; one for several is that of all. */
static void
name_site(const struct cut *c, char site[TALLY_SITE])
{
	snprintf(site, TALLY_SITE, "%.63s", c->ntargets == 1 ? c->targets[0]->name : "");
}

/* Cycles that were to be cut between the point of that time and the one before it. */
static uint32_t
missed_before(const struct primary *P, int64_t at)
{
	const struct primary_cuts *c = &P->cuts;
	uint64_t n = 0;
	unsigned i = c->n;

	while (i > 0 && c->at[i - 1] != at)
		i--;
	if (i > 1)
		n = figures_cycles(c->at[i - 2], at, c->frequency);
	return (n <= 1 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)(n - 1));
}

void
cycle_sent(const struct ship *s)
{
	const struct primary *P = s->cut->P;
	struct tally_event e = { .kind = TALLY_SENT,
		.seq = s->header.to.seq,
		.point_at = s->header.to.time,
		.is_seed = s->header.type == BUNDLE_SEED,
		.bytes = s->pending->bytes,
		.data = s->pending->data,
		.ms = (uint64_t)(clock_ms() - s->begun),
		.missed = missed_before(P, s->header.to.time) };

	name_site(s->cut, e.site);
	tally_note(P->dir, &e);
	if (s->cut->against == NULL || e.is_seed)
		return;
	e = (struct tally_event){ .kind = TALLY_RESYNC, .seq = s->header.to.seq };
	name_site(s->cut, e.site);
	tally_note(P->dir, &e);
}

void
cycle_failed(const struct ship *s, int rc)
{
	char site[TALLY_SITE], why[SAY_LAST];

	if (s->cut->P == NULL || (rc > 0 && (s->pending == NULL || s->writer == NULL)))
		return;
	name_site(s->cut, site);
	say_last(why);
	tally_note_failure(s->cut->P->dir, site, why);
}

void
cycle_acked(const struct primary *P, const struct primary_target *t, unsigned before, unsigned now)
{
	const struct primary_point *p = primary_point(P, t->acked);
	struct tally_event e = { .kind = TALLY_ACKED,
		.seq = t->acked,
		.point_at = p == NULL ? 0 : p->point.time,
		.settled = before > now ? before - now : 1 };

	snprintf(e.site, sizeof e.site, "%.63s", t->name);
	tally_note(P->dir, &e);
}
