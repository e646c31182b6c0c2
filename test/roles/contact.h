#ifndef CONTACT_H_
#define CONTACT_H_

/* A bundle or receipt comes in: what the meeting comes to, as doc/ROLES.md has it. */

#include "verbs.h"

/* --- at a primary --------------------------------------------------------------------------------------- */

/* Its lock was used: it becomes a replica at the point that it was locked at, if its disks are as it left them. */
static inline int
follow(struct world *w, struct site *s, const struct bundle *b)
{
	uint64_t here = primary_epoch(s->P);
	const struct primary_point *p;
	struct role next = s->P->role;
	struct content c;
	unsigned i = 0;

	while (b->history.turns[i].epoch <= here)
		i++;
	p = primary_point(s->P, b->history.turns[i].seq);
	if (p == NULL || s->runs)
		return (1);
	c = content_of(p->root[0]);
	if (!is_same(&c, &s->disk) && w->plant != PLANT_USED)
		return (1);
	if (role_step(&next, ROLE_FOLLOW) != 0)
		return (1);
	role_heard(&s->P->role, &b->history);
	turn_replica(w, s, p, b->signer, 0);
	w->events[EV_FOLLOWED]++;
	tell(w, "  %c follows %c", name_of(s), 'a' + (int)b->signer);
	return (0);
}

static inline void
acknowledge(struct world *w, struct site *s, const struct bundle *b)
{
	struct primary *P = s->P;
	struct header *H = header_of(w, b);
	const struct primary_point *p = primary_point(P, b->from.seq);
	struct content c;

	if (b->from.seq == 0 || P->npoints == 0 || b->to.seq > newest_of(P).seq || b->from.seq > b->to.seq)
		return;
	if (p != NULL)
		c = content_of(p->root[0]);
	if ((p != NULL && !is_same(&c, &b->before)) || role_step(&P->role, ROLE_RECEIPT) != 0)
		return;
	ledger_acked(P, target_of(w, P, b->signer), H, clock_of(w, s));
	save_primary(w, s);
	w->events[EV_ACKED]++;
}

/* 1 where it has become a replica, to which the same is said once more. */
static inline int
met_by_primary(struct world *w, struct site *s, const struct bundle *b)
{
	struct role *r = &s->P->role;
	struct point mine = newest_of(s->P);
	enum role_meeting m = meet(w, r, &mine, b);
	int says_primary = b->is_primary || b->type == BUNDLE_SEED || b->type == BUNDLE_DELTA;

	switch (m) {
	case ROLE_PEER:
	case ROLE_BEHIND:
		if (b->type == BUNDLE_RECEIPT)
			acknowledge(w, s, b);
		break;
	case ROLE_STRAY:
		claim(w, s, r, b);
		save_primary(w, s);
		break;
	case ROLE_OVERTAKEN:
	case ROLE_PARTED:
		if (says_primary && may_follow(w, r, b) && follow(w, s, b) == 0)
			return (1);
		/* Fallthrough. */
	case ROLE_AHEAD:
	case ROLE_RIVAL:
		fence(w, r, b);
		claim(w, s, r, b);
		save_primary(w, s);
		break;
	}
	/* What a site holds is asked for what it lacks. */
	if (b->type == BUNDLE_COMPARE && (m == ROLE_PEER || m == ROLE_BEHIND || m == ROLE_STRAY))
		export(w, s, &(struct order){ .targets = 1u << b->signer, .against = b });
	return (0);
}

/* --- at a replica ----------------------------------------------------------------------------------------- */

static inline void
met_by_failed_over(struct world *w, struct site *s, const struct bundle *b)
{
	struct role *r = &s->R->role;
	struct point mine = replica_last(s->R)->point;
	enum role_meeting m = meet(w, r, &mine, b);

	if (m == ROLE_PEER || m == ROLE_BEHIND)
		return;
	if (m != ROLE_STRAY)
		fence(w, r, b);
	claim(w, s, r, b);
	save_replica(w, s);
}

/* What was made against a comparison fits the disks as they were then. */
static inline int
is_compared(const struct world *w, const struct replica *R, const struct bundle *b)
{
	const struct replica_point *last = R->npoints == 0 ? NULL : &R->points[R->npoints - 1];
	uint8_t id[RECORD_ID];

	id_of(w, &w->bundles[b->against], id);
	for (unsigned i = 0; i < R->ncompared && last != NULL; i++)
		if (memcmp(R->compared[i].id, id, RECORD_ID) == 0 &&
		    R->compared[i].at.seq == last->point.seq && R->compared[i].at.epoch == last->point.epoch)
			return (1);
	return (0);
}

/* 0: in; 1: of no use. */
static inline int
receive(struct world *w, struct site *s, const struct bundle *b)
{
	struct replica *R = s->R;
	enum intake x = intake_judge(R, header_of(w, b), 1);

	if (!may(w, &R->role, ROLE_RECEIVE) || (x != INTAKE_FITS && x != INTAKE_EARLY))
		return (1);
	if (b->is_exact && !is_compared(w, R, b))
		return (1);
	if (x == INTAKE_FITS && b->type == BUNDLE_DELTA && w->plant != PLANT_PARTED &&
	    intake_parted(R, header_of(w, b)) >= 0) {
		part(w, s, "a delta starts from what is not here");
		save_replica(w, s);
		return (1);
	}
	role_received(&R->role, &b->to, b->handover == s->id);
	if (R->npoints == 0 && b->type == BUNDLE_SEED) {
		s->disk = b->after;
		moved(w, s, b);
	} else {
		stage(w, s, b);
		w->events[x == INTAKE_EARLY ? EV_EARLY : EV_RECEIVED]++;
	}
	save_replica(w, s);
	s->got[b - w->bundles] = 1;
	return (0);
}

/* Where we are, as far as this is here for good: the role is given the history that has led there. */
static inline struct point
here(const struct replica *R, struct role *r)
{
	*r = R->role;
	return (intake_held_by(R, &r->history));
}

/* A seed or delta. */
static inline void
met_by_replica(struct world *w, struct site *s, const struct bundle *b)
{
	struct replica *R = s->R;
	struct role there;
	struct point mine = here(R, &there);
	enum role_meeting m = meet(w, &there, &mine, b);
	int is_mine = memcmp(R->key, w->sites[b->signer].key, RECORD_KEY) == 0;

	if ((b->is_exact && is_mine && is_compared(w, R, b)) ||
	    ((m == ROLE_PEER || m == ROLE_AHEAD) && is_mine)) {
		receive(w, s, b);
		return;
	}
	if (m == ROLE_OVERTAKEN && (is_heir(w, R, b->signer) || w->plant == PLANT_HEIR) && !b->is_exact) {
		if (!is_heir(w, R, b->signer))
			fail(w, "%c follows %c, which is no heir", name_of(s), 'a' + (int)b->signer);
		receive(w, s, b);
		return;
	}
	/* The same site goes on in an epoch of which a part is here already. */
	if (m == ROLE_PEER || m == ROLE_AHEAD || m == ROLE_BEHIND) {
		for (unsigned i = 0; i < R->nstaged; i++)
			if (m != ROLE_BEHIND &&
			    memcmp(R->staged[i].key, w->sites[b->signer].key, RECORD_KEY) == 0) {
				receive(w, s, b);
				return;
			}
		return;
	}
	claim(w, s, &R->role, b);
	if (m == ROLE_PARTED)
		part(w, s, "the histories have parted");
	save_replica(w, s);
}

static inline void
meet_replica(struct world *w, struct site *s, const struct bundle *b)
{
	struct role there;
	struct point mine;
	enum role_meeting m;

	if (b->type == BUNDLE_SEED || b->type == BUNDLE_DELTA) {
		if (may(w, &s->R->role, ROLE_RECEIVE))
			met_by_replica(w, s, b);
		return;
	}
	mine = here(s->R, &there);
	m = meet(w, &there, &mine, b);
	if (m == ROLE_PEER || m == ROLE_AHEAD || m == ROLE_BEHIND)
		return;
	claim(w, s, &s->R->role, b);
	save_replica(w, s);
}

/* The first bundle of the VM makes a placeholder. */
static inline void
first_contact(struct world *w, struct site *s, const struct bundle *b)
{
	struct replica *R = s->R;

	if (b->type != BUNDLE_SEED && b->type != BUNDLE_DELTA)
		return;
	if (b->is_exact)
		return;
	clear_replica(R);
	role_begin(&R->role, ROLE_REPLICA, ROLE_WAITING);
	R->nheirs = 0;
	R->keep = 4;
	R->ndisks = 1;
	memcpy(R->key, w->sites[b->signer].key, RECORD_KEY);
	R->role.history = b->history;
	s->has_replica = 1;
	if (receive(w, s, b) != 0)
		load(w, s);
}

/* --- what a site has heard by this, and must have made of it ---------------------------------------------- */

/* Of the histories alone: is the bundle further than the primary that is here? */
static inline int
is_further(const struct site *s, const struct bundle *b)
{
	const struct role *r = is_live(s) ? &s->P->role : &s->R->role;
	struct point mine = is_live(s) ? newest_of(s->P) : replica_last(s->R)->point;
	uint64_t here = history_epoch(&r->history), there = history_epoch(&b->history);
	const struct history *h = &r->history, *k = &b->history;

	if (here != there)
		return (there > here);
	if (h->n == 0 || k->n == 0 ? h->n != k->n
	                           : memcmp(&h->turns[h->n - 1], &k->turns[k->n - 1], sizeof *h->turns) != 0)
		return (1);
	return (b->to.seq > mine.seq);
}

/* What is off our way must be remembered, or nobody would ever be told of it. */
static inline void
check_claim(struct world *w, const struct site *s, const struct role *before, const struct point *mine,
    const struct bundle *b)
{
	enum role_meeting m = role_meet(before, mine, &b->history, &b->to);
	const struct role *r = is_live(s) ? &s->P->role : &s->R->role;

	if (m != ROLE_STRAY && m != ROLE_RIVAL && m != ROLE_PARTED)
		return;
	for (unsigned i = 0; i < r->nclaims; i++)
		if (site_of(r->claims[i].site) == b->signer)
			return;
	fail(w,
	    "%c has heard %c speak of point %" PRIu64 " of epoch %" PRIu64 ", off its way, and forgets it",
	    name_of(s), 'a' + (int)b->signer, b->to.seq, b->to.epoch);
}

static inline void
import(struct world *w, struct site *s, const struct bundle *b)
{
	int was_primary = is_primary(s), was_live = is_live(s), further;
	struct role before;
	struct point mine = { 0, 0, 0, POINT_STANDARD };

	if (b->signer == s->id && b->type != BUNDLE_SEED && b->type != BUNDLE_DELTA)
		return;
	further = was_primary && is_further(s, b);
	if (was_primary) {
		before = was_live ? s->P->role : s->R->role;
		mine = was_live ? newest_of(s->P) : replica_last(s->R)->point;
	}
	if (is_live(s)) {
		if (met_by_primary(w, s, b) && (b->type == BUNDLE_SEED || b->type == BUNDLE_DELTA))
			meet_replica(w, s, b);
	} else if (is_primary(s)) {
		met_by_failed_over(w, s, b);
	} else if (is_copy(s)) {
		meet_replica(w, s, b);
	} else if (!s->has_replica) {
		first_contact(w, s, b);
	}
	if (was_primary && history_epoch(&b->history) > s->heard)
		s->heard = history_epoch(&b->history);
	if (was_primary && is_primary(s)) {
		s->is_told |= further;
		check_claim(w, s, &before, &mine, b);
	}
	if (w->is_chain && (b->type == BUNDLE_SEED || b->type == BUNDLE_DELTA) && is_copy(s))
		dispatch(w, b, s->id, s->id + 1 < w->nsites && b->signer < s->id ? s->id - 1 : s->id + 1);
}

#endif
