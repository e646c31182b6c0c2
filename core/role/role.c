#include "role/role.h"

#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "role/table.h"

static const char *const states[ROLE_STATES] = { NULL, "disabled", "ready-for-initial", "waiting-for-initial",
	"replicating", "prepared-for-failover", "failover-waiting-completion", "failed-over", "suspended",
	"error", "waiting-for-resync", "resynchronizing", "turned" };

static const char *const events[ROLE_EVENTS] = { NULL, "send", "receipt", "prepare", "fence", "follow",
	"keep-own", "receive", "seeded", "merge", "test", "take-over", "fail-over", "complete", "reverse",
	"part", "resync", "resynced", "cancel", "pause", "resume", "break", "start", "disable" };

const char *
role_state_text(enum role_state state)
{
	return (states[state]);
}

const char *
role_event_text(enum role_event event)
{
	return (events[event]);
}

enum role_state
role_state_parse(const char *s)
{
	for (int i = 1; i < ROLE_STATES; i++)
		if (strcmp(s, states[i]) == 0)
			return ((enum role_state)i);
	return ((enum role_state)0);
}

void
role_begin(struct role *r, enum role_side side, enum role_state state)
{
	memset(r, 0, sizeof *r);
	r->side = side;
	r->state = r->before = state;
	r->seen = 1;
}

enum role_state
role_beneath(const struct role *r)
{
	return (r->state == ROLE_DISABLED ? r->before : r->state);
}

/* Where somebody else is the primary, only a person's word goes on. */
static int
is_held(const struct role *r, enum role_event event)
{
	if (r->state == ROLE_DISABLED && event == ROLE_RESUME)
		return (0); /* to where that word may be said */
	return (r->is_fenced && event != ROLE_FENCE && event != ROLE_RECEIPT && event != ROLE_FOLLOW &&
	        event != ROLE_KEEP_OWN && event != ROLE_DISABLE);
}

/* A handover stands, whatever has become of the state since: the VM may run at the other site. */
static int
is_given_away(const struct role *r, enum role_event event)
{
	return (r->side == ROLE_PRIMARY && r->locked != 0 && event == ROLE_START);
}

const char *
role_objection(const struct role *r, enum role_event event, char words[ROLE_WORDS])
{
	const struct table_cell *c = table_cell(r->side, r->state, event);
	const char *why = c->why != NULL ? c->why : table_default(r->side, r->state);

	if (is_held(r, event)) {
		snprintf(words, ROLE_WORDS,
		    "%s: it is fenced until a person says 'vmferry resync --keep SITE'", r->cause);
		return (words);
	}
	if (c->next != 0 && !is_given_away(r, event))
		return (NULL);
	if (c->next != 0)
		why = table_default(r->side, ROLE_PREPARED);
	if (r->cause[0] != '\0' && c->why == NULL &&
	    (r->state == ROLE_ERROR || r->state == ROLE_WAITING_RESYNC))
		snprintf(words, ROLE_WORDS, "%s: %s", why, r->cause);
	else
		snprintf(words, ROLE_WORDS, "%s", why);
	return (words);
}

/* Some states are left for what was before them. */
static int
is_interlude(enum role_state s)
{
	return (s == ROLE_SUSPENDED || s == ROLE_DISABLED || s == ROLE_FAILOVER);
}

int
role_step(struct role *r, enum role_event event)
{
	enum role_state next = (enum role_state)table_cell(r->side, r->state, event)->next;

	if (next == 0 || is_held(r, event) || is_given_away(r, event))
		return (1);
	if (next == TABLE_BEFORE)
		next = r->before;
	/* A suspended one that fails over, and is cancelled, is what it was before it was suspended. */
	if (is_interlude(next) && !is_interlude(r->state))
		r->before = r->state;
	r->state = next;
	if (next != ROLE_ERROR && next != ROLE_WAITING_RESYNC && next != ROLE_RESYNCING &&
	    !is_interlude(next))
		r->cause[0] = '\0';
	if (event == ROLE_FOLLOW)
		r->is_fenced = 0; /* it is nobody's rival any more */
	if (event == ROLE_FOLLOW || (event == ROLE_CANCEL && r->side == ROLE_REPLICA)) {
		r->at.seq = 0;
		r->is_planned = 0;
	}
	return (0);
}

static uint64_t
epoch(const struct role *r)
{
	return (history_epoch(&r->history));
}

static void
see(struct role *r, uint64_t n)
{
	if (n > r->seen)
		r->seen = n;
}

/* --- planned, at the primary -------------------------------------------------------------------------- */

int
role_prepare(struct role *r, uint64_t seq, const uint8_t site[RECORD_KEY])
{
	int again = r->state == ROLE_PREPARED && memcmp(r->locked_for, site, RECORD_KEY) == 0;

	if ((r->state == ROLE_PREPARED && !again) || role_step(r, ROLE_PREPARE) != 0)
		return (1);
	if (!again)
		r->locked_from = seq;
	r->locked = seq;
	memcpy(r->locked_for, site, RECORD_KEY);
	return (0);
}

int
role_withdraw(struct role *r)
{
	if (r->state != ROLE_PREPARED || role_step(r, ROLE_CANCEL) != 0)
		return (1);
	r->withdrawn = r->locked;
	r->locked = r->locked_from = 0;
	return (0);
}

/* --- at the replica ----------------------------------------------------------------------------------- */

void
role_received(struct role *r, const struct point *to, int is_handover)
{
	int is_first = to->epoch > r->furthest.epoch, is_further = to->seq > r->furthest.seq;

	if (is_first || (to->epoch == r->furthest.epoch && is_further))
		r->furthest = *to;
	else if (to->epoch < r->furthest.epoch || to->seq < r->furthest.seq)
		return; /* it came late: the primary has gone on since */
	/* Where it goes on, it has unlocked itself. */
	r->handover = is_handover ? to->seq : 0;
}

int
role_may_take_over(const struct role *r, const struct point *newest)
{
	return (r->handover != 0 && r->handover == newest->seq && newest->kind == POINT_FINAL);
}

/* Are there numbers left?  A record with a higher one could not be read again. */
static int
may_turn(const struct role *r)
{
	return (r->seen < LIMIT_SEQ && epoch(r) < LIMIT_SEQ);
}

/* A new epoch begins here, above all that was heard of, behind that point, of whatever epoch it is. */
static void
turn(struct role *r, const struct point *p, const uint8_t own[RECORD_KEY])
{
	struct history *h = &r->history;

	see(r, epoch(r));
	while (h->n > 0 && h->turns[h->n - 1].epoch > p->epoch)
		h->n--;
	history_turn(h, ++r->seen, p->seq, own);
}

int
role_take_over(struct role *r, const struct point *p, const uint8_t own[RECORD_KEY])
{
	if (!role_may_take_over(r, p) || !may_turn(r) || role_step(r, ROLE_TAKE_OVER) != 0)
		return (1);
	r->at = *p;
	r->is_planned = 1;
	r->handover = 0;
	turn(r, p, own);
	return (0);
}

int
role_fail_over(struct role *r, const struct point *p)
{
	if (p->seq == 0 || role_step(r, ROLE_FAIL_OVER) != 0)
		return (1);
	r->at = *p;
	r->is_planned = 0;
	return (0);
}

int
role_complete(struct role *r, const uint8_t own[RECORD_KEY])
{
	if (!may_turn(r) || role_step(r, ROLE_COMPLETE) != 0)
		return (1);
	turn(r, &r->at, own);
	r->handover = 0;
	return (0);
}

/* --- fences ------------------------------------------------------------------------------------------- */

void
role_fence(struct role *r, uint64_t other, const char *cause)
{
	see(r, other);
	if (r->side == ROLE_REPLICA && r->state == ROLE_DISABLED && r->before != ROLE_FAILED_OVER)
		return; /* it is no primary */
	if (role_step(r, ROLE_FENCE) != 0)
		return;
	/* A disabled one comes back to this, and no further. */
	if (r->side == ROLE_PRIMARY && r->state == ROLE_DISABLED)
		r->before = ROLE_ERROR;
	r->is_fenced = 1;
	snprintf(r->cause, sizeof r->cause, "%s", cause);
}

int
role_keep_own(struct role *r, const struct point *newest, const uint8_t own[RECORD_KEY])
{
	if (!may_turn(r) || role_step(r, ROLE_KEEP_OWN) != 0)
		return (1);
	turn(r, newest, own);
	r->is_fenced = 0;
	r->locked = r->locked_from = 0;
	r->cause[0] = '\0';
	return (0);
}

/* --- turning ------------------------------------------------------------------------------------------ */

void
role_turn_primary(struct role *primary, const struct role *replica)
{
	*primary = *replica;
	primary->side = ROLE_PRIMARY;
	primary->state = primary->before = ROLE_REPLICATING;
	primary->cause[0] = '\0';
	primary->at.seq = primary->furthest.seq = primary->handover = 0;
	primary->locked = primary->locked_from = primary->withdrawn = 0;
	primary->is_fenced = 0;
}

void
role_turn_replica(struct role *replica, const struct role *primary, int is_parted)
{
	*replica = *primary;
	replica->side = ROLE_REPLICA;
	replica->state = replica->before = is_parted ? ROLE_WAITING_RESYNC : ROLE_REPLICATING;
	replica->at.seq = replica->furthest.seq = replica->handover = 0;
	replica->is_planned = replica->is_fenced = 0;
	replica->locked = replica->locked_from = replica->withdrawn = 0;
	if (!is_parted)
		replica->cause[0] = '\0';
}

/* --- others ------------------------------------------------------------------------------------------- */

/* Are both of the same epoch, begun at the same place? */
static int
is_same_epoch(const struct history *a, const struct history *b)
{
	const struct history_turn *x, *y;

	if (a->n == 0 || b->n == 0)
		return (a->n == b->n);
	x = &a->turns[a->n - 1];
	y = &b->turns[b->n - 1];
	return (x->epoch == y->epoch && x->seq == y->seq && memcmp(x->site, y->site, RECORD_KEY) == 0);
}

int
role_is_credible(
    const struct role *r, const struct point *mine, const struct history *h, const struct point *newest)
{
	uint64_t seq = newest->seq;

	if (h->n > 0 && h->turns[h->n - 1].seq > seq)
		seq = h->turns[h->n - 1].seq;
	return (history_epoch(h) <= epoch(r) + ROLE_LEAP && newest->epoch <= epoch(r) + ROLE_LEAP &&
	        seq <= mine->seq + ROLE_LEAP);
}

enum role_meeting
role_meet(const struct role *r, const struct point *mine, const struct history *h, const struct point *newest)
{
	uint64_t here = epoch(r), there = history_epoch(h);

	if (there > here)
		return (mine->seq == 0 || history_has(h, &r->history, mine) ? ROLE_OVERTAKEN : ROLE_PARTED);
	if (there < here)
		return (history_has(&r->history, h, newest) ? ROLE_BEHIND : ROLE_STRAY);
	if (!is_same_epoch(&r->history, h))
		return (ROLE_RIVAL);
	return (newest->seq > mine->seq ? ROLE_AHEAD : ROLE_PEER);
}

int
role_may_follow(const struct role *r, const struct history *h, int is_locked_for)
{
	const struct history_turn *left = history_leaves(h, epoch(r));

	if (r->locked == 0 || !is_locked_for)
		return (0);
	return (left != NULL && left->seq >= r->locked_from && left->seq <= r->locked);
}

void
role_heard(struct role *r, const struct history *h)
{
	see(r, history_epoch(h));
}

void
role_claim(struct role *r, const struct role_claim *c)
{
	unsigned i = 0, oldest = 0;

	see(r, history_epoch(&c->history));
	while (i < r->nclaims && memcmp(r->claims[i].site, c->site, RECORD_KEY) != 0)
		i++;
	if (i == r->nclaims && i < ROLE_CLAIMS)
		r->nclaims++;
	if (i == ROLE_CLAIMS) {
		for (unsigned k = 1; k < ROLE_CLAIMS; k++)
			if (r->claims[k].heard < r->claims[oldest].heard)
				oldest = k;
		i = oldest;
	}
	r->claims[i] = *c;
}

void
role_settle_claims(struct role *r, const struct point *mine)
{
	for (unsigned i = r->nclaims; i-- > 0;) {
		const struct role_claim *c = &r->claims[i];

		if (history_epoch(&c->history) <= epoch(r) &&
		    history_has(&r->history, &c->history, &c->newest) && c->newest.seq <= mine->seq)
			memmove(&r->claims[i], &r->claims[i + 1], (--r->nclaims - i) * sizeof *r->claims);
	}
}

void
role_drop_claim(struct role *r, const uint8_t site[RECORD_KEY])
{
	for (unsigned i = r->nclaims; i-- > 0;)
		if (memcmp(r->claims[i].site, site, RECORD_KEY) == 0)
			memmove(&r->claims[i], &r->claims[i + 1], (--r->nclaims - i) * sizeof *r->claims);
}
