#include "status/health.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "history.h"
#include "replica/branch.h"
#include "replica/intake.h"
#include "replica/missing.h"
#include "replica/outbox.h"
#include "tally/figures.h"

/* --- causes ------------------------------------------------------------------------------------------- */

/* A new cause behind those that are as bad; NULL: there are too many. */
static struct health_cause *
place(struct health *h, const char *name, enum health_grade grade)
{
	unsigned i = h->n;

	if (grade != HEALTH_NOTE && grade > h->grade)
		h->grade = grade;
	while (i > 0 && h->causes[i - 1].grade < grade)
		i--;
	if (i == HEALTH_CAUSES)
		return (NULL);
	if (h->n == HEALTH_CAUSES)
		h->n--;
	memmove(&h->causes[i + 1], &h->causes[i], (h->n - i) * sizeof *h->causes);
	h->n++;
	h->causes[i] = (struct health_cause){ .name = name, .grade = grade };
	return (&h->causes[i]);
}

/* What is so: a cause without a remedy as yet, or NULL. */
static struct health_cause *__attribute__((format(printf, 4, 5)))
cause(struct health *h, const char *name, enum health_grade grade, const char *format, ...)
{
	struct health_cause *c = place(h, name, grade);
	va_list ap;

	if (c == NULL)
		return (NULL);
	va_start(ap, format);
	vsnprintf(c->text, sizeof c->text, format, ap);
	va_end(ap);
	return (c);
}

/* And what a person should do. */
static void __attribute__((format(printf, 2, 3))) remedy(struct health_cause *c, const char *format, ...)
{
	va_list ap;

	if (c == NULL)
		return;
	va_start(ap, format);
	vsnprintf(c->remedy, sizeof c->remedy, format, ap);
	va_end(ap);
}

const char *
health_grade_text(enum health_grade grade)
{
	static const char *const texts[] = { "normal", "note", "warning", "critical" };

	return (texts[grade]);
}

/* Seconds since then; 0 where a clock went back. */
static int64_t
since(const struct health_facts *f, int64_t then)
{
	return (then < f->now ? f->now - then : 0);
}

/* --- at both ------------------------------------------------------------------------------------------ */

static void
look_at_claims(struct health *h, const char *vm, const struct role *r)
{
	if (r->nclaims == 0)
		return;
	remedy(cause(h, "split-history", HEALTH_WARNING,
	           "%u other site%s told of points that are no part of the history here", r->nclaims,
	           r->nclaims == 1 ? " has" : "s have"),
	    "see 'vmferry status %s --branches'", vm);
}

static void
look_at_rest(struct health *h, const char *vm, const struct role *r)
{
	if (r->state == ROLE_SUSPENDED)
		remedy(cause(h, "paused", HEALTH_WARNING, "it is paused"),
		    "'vmferry resume %s' takes it up again", vm);
	if (r->state == ROLE_DISABLED)
		remedy(cause(h, "disabled", HEALTH_NOTE, "it is disabled"),
		    "'vmferry resume %s' takes it up again", vm);
	if (r->state == ROLE_RESYNCING)
		remedy(cause(h, "resynchronizing", HEALTH_WARNING, "it is being resynchronized%s%s",
		           r->cause[0] == '\0' ? "" : ": ", r->cause),
		    "%s",
		    r->side == ROLE_REPLICA ? "bring what 'vmferry export --against' makes at its primary"
		                            : "wait for the receipt");
}

/* What keeps it from going on by itself. */
static void
look_at_stop(struct health *h, const char *vm, const struct role *r)
{
	const char *why = r->cause[0] != '\0' ? r->cause : "no cause was written down";

	if (r->is_fenced)
		remedy(cause(h, "fenced", HEALTH_CRITICAL, "%s", why),
		    "see 'vmferry status %s --branches', then say 'vmferry resync %s --keep SITE'", vm, vm);
	else if (r->state == ROLE_ERROR && strcmp(r->cause, REPLICA_DAMAGE) == 0)
		remedy(cause(h, "root-mismatch", HEALTH_CRITICAL, "%s", why),
		    "'vmferry compare %s' says what the disks hold; import what the primary makes of it", vm);
	else if (r->state == ROLE_ERROR)
		remedy(cause(h, "stopped", HEALTH_CRITICAL, "%s", why),
		    "when you have looked, say 'vmferry resync %s%s'", vm,
		    r->side == ROLE_PRIMARY ? " --keep SITE" : "");
	else if (r->state == ROLE_WAITING_RESYNC)
		remedy(
		    cause(h, "resync-needed", HEALTH_CRITICAL, "%s%s", r->cause[0] == '\0' ? "" : r->cause,
		        r->cause[0] == '\0' ? "it cannot be proven that both sites go on from the same" : ""),
		    "%s 'vmferry resync %s'",
		    r->side == ROLE_REPLICA ? "begin with" : "at the replica, begin with", vm);
	else if (r->cause[0] != '\0' && r->state != ROLE_RESYNCING)
		remedy(cause(h, "stopped", HEALTH_CRITICAL, "%s", why),
		    "look at it, then say 'vmferry resync %s'", vm);
}

static void
look_at_age(
    struct health *h, const struct health_facts *f, const struct point *last, uint64_t every, int is_primary)
{
	uint64_t most = every > HEALTH_LATE / HEALTH_LATE_CYCLES ? every * HEALTH_LATE_CYCLES : HEALTH_LATE;
	int64_t age = since(f, last->time);
	char old[POINT_AGE], due[POINT_AGE];

	if (last->seq == 0)
		return;
	if (is_primary && last->time > f->now + HEALTH_AHEAD)
		remedy(cause(h, "clock", HEALTH_WARNING,
		           "the last point is of a time to come: the clock went back, so ages are not known"),
		    "set the clock right");
	point_age_text(old, age);
	point_age_text(due, every > INT64_MAX ? INT64_MAX : (int64_t)every);
	if (every != 0 && (uint64_t)age > most)
		remedy(cause(h, "late", HEALTH_WARNING,
		           "the last point is %s old; one is meant to come every %s", old, due),
		    "%s",
		    is_primary ? "see why no export has run"
		               : "bring the bundles that are on their way, or export at the primary");
}

/* After a failover: addresses and names lead to this site only when a person has seen to that. */
static void
look_at_names(struct health *h, const char *vm, const struct role *r, const struct reminders *m)
{
	uint64_t epoch = history_epoch(&r->history);

	if (epoch > 1 && m->dns < epoch && !r->is_fenced)
		remedy(
		    cause(h, "dns-unconfirmed", HEALTH_WARNING,
		        "nobody has confirmed that addresses and DNS lead to this site since its failover"),
		    "change them, then say 'vmferry confirm %s dns'", vm);
}

/* What the site's own script was to do around a start, a person does. */
static void
look_at_script(struct health *h, const char *vm, const struct reminders *m)
{
	if (m->script[0] != '\0')
		remedy(cause(h, "script-failed", HEALTH_WARNING, "the site's script failed, %s", m->script),
		    strncmp(m->script, "before-start", 12) == 0
		        ? "nothing was started: see to what it says, and say the same failover of %s again"
		        : "do what it was to do, then say 'vmferry confirm %s dns'",
		    vm);
}

/* --- a primary ---------------------------------------------------------------------------------------- */

uint64_t
health_cycles(const struct primary *P, int64_t now, uint64_t *missed)
{
	const struct primary_cuts *c = &P->cuts;
	uint64_t every = P->wishes.frequency, all = 0, n;
	int64_t start, at;

	*missed = 0;
	if (every == 0 || c->frequency != every || c->n == 0)
		return (0);
	start = every > (uint64_t)INT64_MAX / PRIMARY_CUTS || now <= (int64_t)(every * PRIMARY_CUTS)
	            ? 0
	            : now - (int64_t)(every * PRIMARY_CUTS);
	at = c->at[0] > start ? c->at[0] : start;
	for (unsigned i = c->at[0] > start ? 1 : 0; i < c->n; i++) {
		/* Longer ago than is looked at, or of a time to come: the clock went back. */
		if (c->at[i] < at || c->at[i] > now)
			continue;
		n = figures_cycles(at, c->at[i], every);
		all += n;
		*missed += n > 0 ? n - 1 : 0;
		at = c->at[i];
	}
	n = figures_cycles(at, now, every);
	n -= n > 0; /* the one that is due now may still come */
	*missed += n;
	return (all + n);
}

/* Points that were to be application-consistent, and are not. */
static void
look_at_apps(struct health *h, const struct primary *P)
{
	if (P->apps.why[0] != '\0' && (P->apps.every != 0 || P->apps.seconds != 0))
		remedy(cause(h, "not-app-consistent", HEALTH_WARNING,
		           "its points are not application-consistent: %.200s", P->apps.why),
		    "see to the guest agent in the VM, or say 'vmferry enable %s --app 0'", P->vm);
}

static void
look_at_cycles(struct health *h, const struct primary *P, const struct health_facts *f)
{
	uint64_t missed, all = health_cycles(P, f->now, &missed);

	if (all >= HEALTH_FEW_CYCLES && missed * 5 >= all)
		remedy(cause(h, "cycles-missed", HEALTH_WARNING,
		           "%" PRIu64 " of the last %" PRIu64 " cycles were missed", missed, all),
		    "see what kept it from running then, or give it a longer --frequency");
}

static void
look_at_target(struct health *h, const struct primary *P, const struct primary_target *t, const char *flight)
{
	const char *sep = flight == NULL ? "" : "; ", *text = flight == NULL ? "" : flight;

	if (t->back != 0)
		remedy(cause(h, "went-back", HEALTH_WARNING,
		           "site '%.64s' had point %" PRIu64 " and went back to %" PRIu64 "%s%s", t->name,
		           t->acked, t->back, sep, text),
		    "the next export starts there, where that is still kept; else export --against what "
		    "'vmferry compare' says there, or --seed");
	else if (t->acked == 0 && t->sent == 0 && primary_epoch(P) > 1)
		remedy(cause(h, "no-receipt", HEALTH_WARNING,
		           "what site '%.64s' has is not known since the roles changed hands%s%s", t->name,
		           sep, text),
		    "import the word of 'vmferry reverse %s -o FILE' there, with --receipt, and bring that "
		    "here, or what 'vmferry resync' says there",
		    P->vm);
	else if (t->acked == 0)
		remedy(cause(h, "no-receipt", HEALTH_WARNING, "no receipt of site '%.64s' has come yet%s%s",
		           t->name, sep, text),
		    "bring the receipt of its import here: 'vmferry import'");
	else
		cause(h, "acknowledged", HEALTH_NOTE, "site '%.64s' has point %" PRIu64 " for sure%s%s",
		    t->name, t->acked, sep, text);
}

/* What a site has for sure is older than it may be, though newer points were cut. */
static void
look_at_rpo(
    struct health *h, const struct primary *P, const struct primary_target *t, const struct health_facts *f)
{
	const struct primary_point *p = t->acked == 0 ? NULL : primary_point(P, t->acked);
	uint64_t every = P->wishes.frequency, most = every * HEALTH_LATE_CYCLES;
	char old[POINT_AGE], goal[POINT_AGE];

	if (most < HEALTH_BEHIND)
		most = HEALTH_BEHIND;
	if (p == NULL || every == 0 || t->back != 0 || p->point.seq == P->points[P->npoints - 1].point.seq ||
	    (uint64_t)since(f, p->point.time) <= most)
		return;
	point_age_text(old, since(f, p->point.time));
	point_age_text(goal, (int64_t)every);
	remedy(cause(h, "rpo", HEALTH_WARNING,
	           "what site '%.64s' has for sure is %s old, and one cycle is %s: so much would be lost now",
	           t->name, old, goal),
	    "see why its receipts do not come");
}

/* Cycles that came to nothing, with that site or any, and one that it takes longer than it may. */
static void
look_at_tally(
    struct health *h, const struct primary *P, const struct tally_site *s, const struct health_facts *f)
{
	char age[POINT_AGE], kept[POINT_AGE], wished[POINT_AGE], site[TALLY_SITE + 16] = "";
	uint64_t every = P->wishes.frequency;

	if (s->site[0] != '\0')
		snprintf(site, sizeof site, " to site '%s'", s->site);
	point_age_text(age, since(f, s->failed_at));
	if (s->failed > 0 && !s->is_over)
		remedy(cause(h, "failing", s->failed > 1 ? HEALTH_WARNING : HEALTH_NOTE,
		           "%" PRIu32 " cycle%s%s failed since the last receipt, the last one %s ago%s%s",
		           s->failed, s->failed == 1 ? "" : "s", site, age, s->why[0] == '\0' ? "" : ": ",
		           s->why),
		    "see to that; by hand, 'vmferry sync %s' tries a line, and 'vmferry export %s' a medium",
		    P->vm, P->vm);
	if (every == 0 || s->cycle <= every)
		return;
	point_age_text(kept, (int64_t)s->cycle);
	point_age_text(wished, (int64_t)every);
	remedy(cause(h, "slow-cycle", HEALTH_WARNING, "a cycle%s takes longer than %s: one of %s is kept to",
	           site, wished, kept),
	    "give it more of the line, or a longer --frequency");
}

static void
look_at_work(struct health *h, const struct primary *P, const struct health_facts *f)
{
	for (unsigned i = 0; P->npoints > 0 && i < P->ntargets; i++)
		look_at_rpo(h, P, &P->targets[i], f);
	for (unsigned i = 0; f->tally != NULL && i < f->tally->nsites; i++) {
		const struct tally_site *s = &f->tally->sites[i];
		int is_ours = s->site[0] == '\0';

		for (unsigned k = 0; k < P->ntargets; k++)
			is_ours |= strncmp(P->targets[k].name, s->site, TALLY_SITE - 1) == 0;
		if (is_ours)
			look_at_tally(h, P, s, f);
	}
}

static void
look_at_sending(struct health *h, const struct primary *P, const struct health_facts *f)
{
	char age[32];

	if (P->role.state == ROLE_PREPARED)
		remedy(cause(h, "locked", HEALTH_WARNING,
		           "it is locked at point %" PRIu64 " for a planned failover", P->role.locked),
		    "complete that at the replica, or take it back with 'vmferry failover %s --cancel'",
		    P->vm);
	if (P->npoints == 0)
		remedy(cause(h, "seed-pending", HEALTH_WARNING, "nothing was sent yet"),
		    "start with 'vmferry sync %s', or 'vmferry export %s --seed'; 'vmferry run' does it when "
		    "its "
		    "routes let it",
		    P->vm, P->vm);
	for (unsigned i = 0; P->npoints > 0 && i < P->ntargets; i++)
		look_at_target(h, P, &P->targets[i], f->flight == NULL ? NULL : f->flight[i]);
	if (f->pending == NULL)
		return;
	point_age_text(age, since(f, f->pending_since));
	remedy(cause(h, "export-unfinished",
	           since(f, f->pending_since) > HEALTH_UNFINISHED ? HEALTH_WARNING : HEALTH_NOTE,
	           "an export, begun %s ago, is not finished%s%s", age, f->pending[0] == '\0' ? "" : ": ",
	           f->pending),
	    "the same command goes on with it");
}

static void
look_at_return(struct health *h, const struct primary *P, const struct health_facts *f)
{
	char age[32];

	if (f->is_home || P->reminders.since == 0 || since(f, P->reminders.since) <= HEALTH_BACK_AFTER)
		return;
	point_age_text(age, since(f, P->reminders.since));
	remedy(cause(h, "not-failed-back", HEALTH_WARNING, "it has run here for %s, away from %s%s%s", age,
	           f->home == NULL ? "the site where it began" : "site '", f->home == NULL ? "" : f->home,
	           f->home == NULL ? "" : "'"),
	    "fail back with 'vmferry failover %s --planned'", P->vm);
}

void
health_primary(struct health *h, const struct primary *P, const struct health_facts *f)
{
	struct point last = { 0, 0, 0, POINT_STANDARD };

	h->grade = HEALTH_NORMAL;
	h->n = 0;
	if (P->npoints > 0)
		last = P->points[P->npoints - 1].point;
	look_at_stop(h, P->vm, &P->role);
	look_at_rest(h, P->vm, &P->role);
	look_at_claims(h, P->vm, &P->role);
	look_at_sending(h, P, f);
	/* Why comes before what came of it. */
	if (P->role.state != ROLE_DISABLED)
		look_at_work(h, P, f);
	look_at_age(h, f, &last, P->role.state == ROLE_DISABLED ? 0 : P->wishes.frequency, 1);
	if (P->role.state != ROLE_DISABLED) {
		look_at_cycles(h, P, f);
		look_at_apps(h, P);
	}
	look_at_names(h, P->vm, &P->role, &P->reminders);
	look_at_script(h, P->vm, &P->reminders);
	look_at_return(h, P, f);
}

/* --- a replica ---------------------------------------------------------------------------------------- */

static void
look_at_points(struct health *h, const struct replica *R)
{
	for (unsigned i = 0; i < R->npoints; i++) {
		if (!R->points[i].is_damaged)
			continue;
		remedy(cause(h, "points-damaged", HEALTH_CRITICAL,
		           "point %" PRIu64
		           " and others before it may not come back: the disks had changed by themselves",
		           R->points[i].point.seq),
		    "'vmferry scrub %s' proves what is here; test the disks below it", R->vm);
		return;
	}
}

static void
note_missing(void *context, const char *text)
{
	remedy(cause(context, "bundles-missing", HEALTH_WARNING, "%s", text), "bring what is missing");
}

static void
look_at_intake(struct health *h, const struct replica *R)
{
	if (R->role.state == ROLE_WAITING)
		remedy(cause(h, "seed-pending", HEALTH_WARNING, "the seed is not in yet"),
		    "import all of it: 'vmferry import'");
	missing_each(R, note_missing, h);
	if (R->merging)
		remedy(cause(h, "merge-interrupted", HEALTH_WARNING, "a merge was interrupted"),
		    "the next command on it goes on: 'vmferry merge %s'", R->vm);
}

/* The sites that it is forwarded to. */
static void
look_at_forwards(struct health *h, const struct replica *R)
{
	struct point held = intake_held(R);

	for (unsigned i = 0; i < R->nforwards; i++) {
		const struct replica_forward *f = &R->forwards[i];
		struct outbox_tally t = outbox_tally(R, f);
		struct point reach = outbox_reach(R, f);

		if (f->acked.seq == 0)
			cause(h, "forwarded", HEALTH_NOTE,
			    "it is forwarded to '%s', of which no receipt has come yet; %u volumes wait for "
			    "it, "
			    "%u of them sent",
			    f->name, t.volumes, t.sent);
		else
			cause(h, "forwarded", HEALTH_NOTE,
			    "it is forwarded to '%s', which has point %" PRIu64
			    " for sure; %u volumes wait for it, %u of them sent",
			    f->name, f->acked.seq, t.volumes, t.sent);
		if (f->lost.seq != 0 || (f->acked.seq != 0 && reach.seq < held.seq))
			remedy(cause(h, "forward-gap", HEALTH_WARNING,
			           "what leads '%s' on to point %" PRIu64 " is not kept here", f->name,
			           reach.seq < held.seq ? held.seq : f->lost.seq),
			    "'%s' must make it: 'vmferry export %s --to %s' there", R->primary, R->vm,
			    f->name);
	}
}

uint64_t
health_need(const struct replica *R)
{
	uint64_t need = 0;

	for (unsigned i = 0; i < R->nstaged; i++)
		for (unsigned k = 0; k < R->staged[i].nvolumes; k++)
			if (R->staged[i].type != BUNDLE_SEED && need <= INT64_MAX)
				need += R->staged[i].volumes[k].stored;
	return (need);
}

static void
look_at_space(struct health *h, const struct replica *R, const struct health_facts *f)
{
	uint64_t need = health_need(R), least = f->space / 100 * HEALTH_SPACE_PERCENT;

	if (least > HEALTH_SPACE_ENOUGH)
		least = HEALTH_SPACE_ENOUGH;
	if (!f->has_space || f->space_free >= need + least)
		return;
	remedy(cause(h, "disk-short", HEALTH_CRITICAL,
	           "the disk of the replica is short of space: %" PRIu64 " MiB are free, and %" PRIu64
	           " MiB are needed",
	           f->space_free >> 20, (need + least + 0xfffff) >> 20),
	    "make room there, or keep fewer points: 'vmferry points %s --prune'", R->vm);
}

static void
look_at_failover(struct health *h, const struct replica *R)
{
	if (R->role.state == ROLE_FAILOVER)
		remedy(
		    cause(h, "failover-incomplete", HEALTH_WARNING,
		        "it has failed over to here, to point %" PRIu64 ", and is not complete; merges wait",
		        R->role.at.seq),
		    "say 'vmferry failover %s --complete' or '--cancel'", R->vm);
	if (R->role.state == ROLE_TURNED)
		remedy(cause(h, "reverse-unfinished", HEALTH_CRITICAL,
		           "turning it into the primary was interrupted"),
		    "'vmferry reverse %s' completes it", R->vm);
	if (R->role.state != ROLE_FAILED_OVER)
		return;
	remedy(
	    cause(h, "not-reversed", HEALTH_WARNING,
	        "it has failed over to here, to point %" PRIu64 ", and nothing protects it", R->role.at.seq),
	    R->failover.has_overlays ? "shut it down when that can be, then turn the direction with 'vmferry "
	                               "reverse %s'"
	                             : "turn the direction with 'vmferry reverse %s'",
	    R->vm);
	look_at_names(h, R->vm, &R->role, &R->reminders);
}

/* What stands beside the state. */
static void
look_at_standing(struct health *h, const struct replica *R)
{
	char since[POINT_TIME];

	point_time_text(since, R->test.since);
	if (R->test.is_on)
		remedy(cause(h, "test-stands", HEALTH_NOTE,
		           "a test failover from point %" PRIu64 " stands since %s, and merges wait",
		           R->test.at.seq, since),
		    "end it with 'vmferry failover %s --stop-test'", R->vm);
	point_time_text(since, R->test.ended);
	if (R->test.last.seq != 0)
		cause(h, "tested", HEALTH_NOTE, "tested at %s, from point %" PRIu64 ": %.*s", since,
		    R->test.last.seq, (int)sizeof R->test.result, R->test.result);
	if (R->role.state == ROLE_FAILED_OVER && R->failover.has_overlays)
		remedy(cause(h, "not-settled", HEALTH_NOTE,
		           "what the VM wrote since the failover is on overlays, not in its disks"),
		    "when it is shut down, say 'vmferry failover %s --complete'", R->vm);
}

static void
look_at_networks(struct health *h, const struct replica *R)
{
	const struct reminders *m = &R->reminders;

	if (m->missing[0] != '\0' && m->network < m->asked)
		remedy(cause(h, "network-missing", HEALTH_WARNING,
		           "the host here does not have these networks of the VM: %s", m->missing),
		    "make them, or name others for them (HOME/map), then say 'vmferry confirm %s network'",
		    R->vm);
}

static void
look_at_tests(struct health *h, const struct replica *R, const struct health_facts *f)
{
	const struct reminders *m = &R->reminders;
	int64_t begun = m->since != 0    ? m->since
	                : R->npoints > 0 ? R->points[0].point.time
	                                 : f->now,
	        tested = R->test.ended > m->tested ? R->test.ended : m->tested,
	        last = tested > begun ? tested : begun,
	        every = m->test_every != 0 ? (int64_t)m->test_every : HEALTH_TEST_EVERY;
	char age[32], due[32];

	if (R->npoints == 0 || since(f, last) <= every)
		return;
	point_age_text(age, since(f, last));
	point_age_text(due, every);
	remedy(tested >= begun && tested != 0
	           ? cause(h, "test-overdue", HEALTH_WARNING, "the last test was %s ago; one is due every %s",
	                 age, due)
	           : cause(h, "test-overdue", HEALTH_WARNING,
	                 "no test was made in the %s that it is here; one is due every %s", age, due),
	    "try it: 'vmferry failover %s --test'", R->vm);
}

/* What this site had when it gave way to another one is kept, and with it all that came later. */
static void
look_at_branch(struct health *h, const struct replica *R)
{
	struct health_cause *c;
	char beyond[64] = "";
	unsigned i = 0;

	while (i < R->npoints && !R->points[i].is_branch)
		i++;
	if (i == R->npoints)
		return;
	if (branch_beyond(R) > 0)
		snprintf(beyond, sizeof beyond, "; it keeps %u points beyond the limit of %u",
		    branch_beyond(R), R->keep);
	c = cause(h, "branch-kept", HEALTH_WARNING,
	    "point %" PRIu64 " is a branch, of what this site had when it gave way%s", R->points[i].point.seq,
	    beyond);
	remedy(c, "when nothing of it is needed any more, say 'vmferry points %s --branch --drop'", R->vm);
}

void
health_replica(struct health *h, const struct replica *R, const struct health_facts *f)
{
	struct point last = { 0, 0, 0, POINT_STANDARD };
	int is_live = R->role.state == ROLE_FAILOVER || R->role.state == ROLE_FAILED_OVER ||
	              R->role.state == ROLE_TURNED;

	h->grade = HEALTH_NORMAL;
	h->n = 0;
	if (R->npoints > 0)
		last = R->points[R->npoints - 1].point;
	look_at_stop(h, R->vm, &R->role);
	look_at_points(h, R);
	look_at_space(h, R, f);
	look_at_rest(h, R->vm, &R->role);
	look_at_failover(h, R);
	look_at_standing(h, R);
	look_at_branch(h, R);
	look_at_claims(h, R->vm, &R->role);
	look_at_intake(h, R);
	look_at_forwards(h, R);
	look_at_age(h, f, &last, is_live || R->role.state == ROLE_DISABLED ? 0 : R->wishes.frequency, 0);
	look_at_networks(h, R);
	look_at_script(h, R->vm, &R->reminders);
	if (!is_live && R->role.state != ROLE_DISABLED)
		look_at_tests(h, R, f);
}
