#ifndef PLANTS_H_
#define PLANTS_H_

/* The real functions, each with a check that may be left out to see whether that is found. */

#include "truth.h"

static inline int
may(const struct world *w, const struct role *r, enum role_event e)
{
	char words[ROLE_WORDS];
	const char *why;

	if (w->plant == PLANT_LOCK && r->state == ROLE_PREPARED && (e == ROLE_SEND || e == ROLE_START))
		return (1);
	why = role_objection(r, e, words);
	if (why != NULL)
		tell(w, "  refused: %s", why);
	return (why == NULL);
}

static inline enum role_meeting
meet(const struct world *w, const struct role *r, const struct point *mine, const struct bundle *b)
{
	enum role_meeting m = role_meet(r, mine, &b->history, &b->to);

	if (w->plant == PLANT_EPOCH || (w->plant == PLANT_RESTORED && m == ROLE_AHEAD))
		return (ROLE_PEER);
	return (m);
}

static inline void
fence(struct world *w, struct role *r, const struct bundle *b)
{
	if (w->plant == PLANT_FENCE)
		return;
	role_fence(r, history_epoch(&b->history), "another site is further");
	w->events[EV_FENCED] += r->is_fenced != 0;
}

static inline void
claim(struct world *w, const struct site *s, struct role *r, const struct bundle *b)
{
	struct role_claim c;

	memset(&c, 0, sizeof c);
	memcpy(c.site, w->sites[b->signer].key, RECORD_KEY);
	c.history = b->history;
	c.newest = b->to;
	c.is_primary = b->is_primary || b->type != BUNDLE_RECEIPT;
	c.heard = clock_of(w, s);
	w->events[EV_CLAIMED]++;
	if (w->plant == PLANT_CLAIM)
		return;
	role_claim(r, &c);
}

static inline int
may_follow(const struct world *w, const struct role *r, const struct bundle *b)
{
	uint64_t here = history_epoch(&r->history);
	unsigned i = 0;

	while (i < b->history.n && b->history.turns[i].epoch <= here)
		i++;
	if (w->plant == PLANT_USED && i < b->history.n)
		return (1);
	return (i < b->history.n && role_may_follow(r, &b->history,
	                                memcmp(b->history.turns[i].site, r->locked_for, RECORD_KEY) == 0));
}

static inline int
is_heir(const struct world *w, const struct replica *R, unsigned signer)
{
	if (memcmp(R->key, w->sites[signer].key, RECORD_KEY) == 0)
		return (1);
	for (unsigned i = 0; i < R->nheirs; i++)
		if (memcmp(R->heirs[i], w->sites[signer].key, RECORD_KEY) == 0)
			return (1);
	return (0);
}

static inline int
take_over(const struct world *w, struct role *r, const struct point *p, const uint8_t own[RECORD_KEY])
{
	struct history before = r->history;
	struct point q = *p;
	int rc;

	if (w->plant == PLANT_HANDOVER && p->kind == POINT_FINAL)
		r->handover = q.seq;
	if ((rc = role_take_over(r, &q, own)) == 0 && w->plant == PLANT_RAISE)
		r->history = before;
	return (rc);
}

static inline int
complete_role(const struct world *w, struct role *r, const uint8_t own[RECORD_KEY])
{
	struct history before = r->history;
	int rc = role_complete(r, own);

	if (rc == 0 && w->plant == PLANT_RAISE)
		r->history = before;
	return (rc);
}

static inline int
keep_own(const struct world *w, struct role *r, const struct point *p, const uint8_t own[RECORD_KEY])
{
	uint64_t before = history_epoch(&r->history);
	int rc = role_keep_own(r, p, own);

	if (rc == 0 && w->plant == PLANT_KEEP)
		r->history.turns[r->history.n - 1].epoch = before + 1;
	return (rc);
}

#endif
