#include "replica/failover.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/say.h"
#include "replica/intake.h"
#include "replica/merge.h"
#include "replica/missing.h"
#include "replica/readiness.h"
#include "replica/standing.h"

/* --- unplanned -------------------------------------------------------------------------------------- */

static void
say_missing(void *context, const char *text)
{
	const struct replica *R = context;

	say_note("%s: not here yet: %s", R->vm, text);
}

/* What a person is to know before the word is given.  The point may be one that is still to be merged. */
static void
say_loss(const struct replica *R, const struct point *p)
{
	char when[POINT_TIME], age[POINT_AGE];

	point_time_text(when, p->time);
	point_age_text(age, (int64_t)time(NULL) - p->time);
	say_note("%s: point %" PRIu64 " is of %s: what the VM wrote in the %s since then is lost", R->vm,
	    p->seq, when, age);
	missing_each(R, say_missing, (void *)(uintptr_t)R);
}

static int
confirm(const struct replica *R, const struct failover_options *o, const char *what)
{
	if (o->yes)
		return (0);
	if (!say_has_person())
		return (say_refused("%s: nothing was changed; say --yes if this is meant: %s", R->vm, what));
	return (say_ask("%s: %s", R->vm, what) ? 0 : say_refused("%s: nothing was changed", R->vm));
}

/* The point that is asked for, merged or not. */
static int
foresee_point(const struct replica *R, uint64_t seq, struct point *out)
{
	const struct replica_point *p = seq == 0 ? NULL : replica_point(R, seq);
	int rc;

	*out = p != NULL ? p->point : intake_held(R);
	for (unsigned i = 0; p == NULL && seq != 0 && i < R->nstaged; i++)
		if (R->staged[i].to.seq == seq && R->staged[i].to.seq <= intake_held(R).seq) {
			*out = R->staged[i].to;
			return (0);
		}
	rc = out->seq == 0 || (seq != 0 && out->seq != seq);
	return (rc == 0 ? 0 : standing_point(R, seq, &p));
}

/* The overlays are there: the VM too. */
static int
stand(struct replica *R, const struct site *S, const struct failover_options *o, const char *act)
{
	enum guest g = R->failover.has_overlays ? GUEST_FAILOVER : GUEST_PRIMARY;
	const struct replica_point *at = replica_point(R, R->role.at.seq);
	int rc;

	if (at == NULL)
		return (say_failed("%s: its record does not have the point of its failover", R->vm));
	rc = standing_define(R, g, at, R->failover.is_defined);
	if (rc == 0 && !R->failover.is_defined) {
		R->failover.is_defined = 1;
		rc = replica_save(R);
	}
	return (rc == 0 && o->start ? guest_start(R, S, g, act) : rc);
}

/* The history that is here did not lead to a branch that was left, so none can begin behind it. */
static int
object_to_branch(const struct replica *R, const struct replica_point *at)
{
	if (!at->is_branch || at == replica_last(R))
		return (0);
	return (say_refused("%s: point %" PRIu64
	                    " is of a branch that was given up: nothing goes on from there; look at it with "
	                    "a test failover, or write it out with 'vmferry restore'",
	    R->vm, at->point.seq));
}

static int
begin_unplanned(struct replica *R, const struct site *S, const struct failover_options *o)
{
	const struct replica_point *at;
	struct point foreseen;
	int rc;

	if ((rc = standing_check(R, ROLE_FAIL_OVER)) != 0 || (rc = standing_check_test(R)) != 0 ||
	    (rc = foresee_point(R, o->point, &foreseen)) != 0)
		return (rc);
	say_loss(R, &foreseen);
	if (role_may_take_over(&R->role, &foreseen))
		say_note("%s: but '%s' has handed over at this very point: 'vmferry failover %s --planned "
		         "--complete' loses nothing",
		    R->vm, R->primary, R->vm);
	if ((rc = confirm(R, o, "fail over to here, without its primary")) != 0 ||
	    (rc = guest_prepare(R, S)) != 0 || (rc = standing_catch_up(R, S, o->point)) != 0 ||
	    (rc = standing_point(R, o->point, &at)) != 0 || (rc = object_to_branch(R, at)) != 0)
		return (rc);
	if (at->point.seq != foreseen.seq) {
		say_loss(R, &at->point);
		if ((rc = confirm(R, o, "fail over to that point instead")) != 0)
			return (rc);
	}
	if ((rc = standing_check_space(R, S, at)) != 0 ||
	    (rc = overlays_make(R, S, OVERLAYS_FAILOVER, at)) != 0 ||
	    (rc = guest_make_excluded(R, GUEST_FAILOVER)) != 0)
		return (rc);
	if (role_fail_over(&R->role, &at->point) != 0)
		return (say_failed("%s: cannot fail over now", R->vm));
	R->failover =
	    (struct replica_failover){ .since = (int64_t)time(NULL), .has_overlays = 1, .is_defined = 0 };
	return (replica_save(R));
}

/* It stands already: what may have been interrupted is done, for the same point. */
static int
continue_unplanned(struct replica *R, const struct site *S, const struct failover_options *o)
{
	if (o->point != 0 && o->point != R->role.at.seq)
		return (say_refused("%s: it has failed over to point %" PRIu64
		                    "; say 'vmferry failover %s --cancel' first, then try point %" PRIu64,
		    R->vm, R->role.at.seq, R->vm, o->point));
	return (guest_prepare(R, S));
}

int
failover_unplanned(const struct site *S, const struct failover_options *o)
{
	struct replica *R = NULL;
	int rc;

	if (o->is_dry)
		return (readiness_unplanned(S, o));
	if ((rc = standing_open(&R, S, o->vm)) == 0)
		rc = R->role.state == ROLE_FAILOVER ? continue_unplanned(R, S, o) : begin_unplanned(R, S, o);
	if (rc == 0 && (rc = stand(R, S, o, "unplanned")) == 0)
		say_note("%s: it has failed over to here, to point %" PRIu64
		         "; look at it, then say 'vmferry failover %s --complete' or '--cancel'",
		    R->vm, R->role.at.seq, R->vm);
	replica_close(R);
	return (rc);
}

static int
cancel(struct replica *R, const struct site *S)
{
	const struct replica_point *at = replica_point(R, R->role.at.seq);
	int rc;

	if ((rc = standing_check(R, ROLE_CANCEL)) != 0 || (rc = guest_prepare(R, S)) != 0 ||
	    (rc = guest_end(R, S, GUEST_FAILOVER, "cancel")) != 0 ||
	    (at != NULL && (rc = overlays_check_idle(R, OVERLAYS_FAILOVER, at)) != 0))
		return (rc);
	if (role_step(&R->role, ROLE_CANCEL) != 0)
		return (say_failed("%s: cannot cancel it now", R->vm));
	memset(&R->role.at, 0, sizeof R->role.at);
	memset(&R->failover, 0, sizeof R->failover);
	if (replica_save(R) != 0 || replica_tidy(R) != 0)
		return (-1);
	return (merge_all(R, S));
}

int
failover_cancel(const struct site *S, const struct failover_options *o)
{
	struct replica *R = NULL;
	int rc = standing_open(&R, S, o->vm);

	if (rc == 0 && (rc = cancel(R, S)) == 0)
		say_note("%s: the failover was taken back; the replica is at point %" PRIu64, R->vm,
		    replica_last(R)->point.seq);
	replica_close(R);
	return (rc);
}

/* --- complete --------------------------------------------------------------------------------------- */

unsigned
failover_kept(const struct replica *R, uint64_t at)
{
	unsigned n = 0;

	for (unsigned i = 0; i < R->npoints; i++)
		n += R->points[i].point.seq != at && R->points[i].is_pinned ? 1 : 0;
	return (n);
}

/* Of all points only that one is left, and nothing waits; only in memory. */
static void
keep_one(struct replica *R, uint64_t seq)
{
	const struct replica_point *p = replica_point(R, seq);

	if (p != NULL)
		R->points[0] = *p;
	R->npoints = 1;
	R->ncompared = 0;
	while (R->nstaged > 0)
		replica_drop_staged(R, R->nstaged - 1);
}

int
failover_settle(struct replica *R, const struct site *S)
{
	const struct replica_point *at = replica_last(R);
	int rc;

	if (!R->failover.has_overlays)
		return (0);
	if (R->role.state != ROLE_FAILED_OVER || at == NULL)
		return (say_refused("%s: the failover is not complete", R->vm));
	if (overlays_rewind(R, OVERLAYS_FAILOVER) != 0)
		return (-1);
	if ((rc = guest_prepare(R, S)) != 0 || (rc = guest_check_off(R, GUEST_FAILOVER)) != 0 ||
	    (rc = overlays_settle(R, OVERLAYS_FAILOVER, at)) != 0)
		return (rc);
	R->failover.has_overlays = R->failover.is_defined = 0;
	return (replica_save(R) != 0 ? -1 : overlays_remove(R, OVERLAYS_FAILOVER));
}

/* What a person wanted to keep goes by another word of a person alone. */
static int
confirm_planned(const struct replica *R, const struct failover_options *o)
{
	unsigned n = failover_kept(R, replica_last(R)->point.seq);
	char what[256];

	if (n == 0)
		return (0);
	snprintf(what, sizeof what,
	    "drop %u points for good that are pinned or a branch, as the VM is to write to these disks", n);
	return (confirm(R, o, what));
}

/* Dropped for good: so it is said before. */
static int
confirm_complete(const struct replica *R, const struct failover_options *o)
{
	uint64_t at = R->role.at.seq;
	unsigned newer = 0, older = 0, kept = failover_kept(R, at);
	char what[256];

	for (unsigned i = 0; i < R->npoints; i++) {
		newer += R->points[i].point.seq > at;
		older += R->points[i].point.seq < at;
	}
	snprintf(what, sizeof what,
	    "keep point %" PRIu64
	    " for good, and drop %u newer and %u older points (%u of them pinned or a branch) and %u "
	    "bundles "
	    "that were not merged",
	    at, newer, older, kept, R->nstaged);
	return (confirm(R, o, what));
}

static int
complete(struct replica *R, const struct site *S, const struct failover_options *o)
{
	int rc;

	if ((rc = standing_check(R, ROLE_COMPLETE)) != 0 || (rc = confirm_complete(R, o)) != 0)
		return (rc);
	if (replica_point(R, R->role.at.seq) == NULL || role_complete(&R->role, site_card(S)->sign) != 0)
		return (say_failed("%s: its record does not have the point of its failover", R->vm));
	keep_one(R, R->role.at.seq);
	if (replica_save(R) != 0 || replica_tidy(R) != 0)
		return (-1);
	say_note("%s: the failover to point %" PRIu64 " is complete: the VM is this site's now, and nothing "
	         "protects it until 'vmferry reverse %s'",
	    R->vm, R->role.at.seq, R->vm);
	return (0);
}

/* It is complete: what the VM wrote goes to the disks, and the VM too. */
static int
finish(struct replica *R, const struct site *S, const struct failover_options *o, int is_new)
{
	int rc = failover_settle(R, S);

	/* That the VM runs, or something else is in the way, is no harm to what was just completed. */
	if (rc == 1 && is_new) {
		say_note(
		    "%s: the failover is complete all the same; what the VM writes stays on its overlays "
		    "until "
		    "it was shut down once, and 'vmferry failover %s --complete' or 'vmferry reverse %s' was "
		    "said",
		    R->vm, R->vm, R->vm);
		return (o->start ? guest_start(R, S, GUEST_FAILOVER, "complete") : 0);
	}
	return (rc == 0 ? stand(R, S, o, R->role.is_planned ? "planned" : "complete") : rc);
}

int
failover_complete(const struct site *S, const struct failover_options *o)
{
	struct replica *R = NULL;
	int rc, is_new;

	if (o->is_dry)
		return (readiness_complete(S, o));
	rc = standing_open(&R, S, o->vm);
	is_new = rc == 0 && R->role.state != ROLE_FAILED_OVER;
	if (is_new)
		rc = complete(R, S, o);
	if (rc == 0 && (rc = finish(R, S, o, is_new)) == 0 && !is_new)
		say_note("%s: its failover is complete, and its disks are its own", R->vm);
	replica_close(R);
	return (rc);
}

/* --- planned ---------------------------------------------------------------------------------------- */

/* The primary must have locked itself at the very point that is here, and have sent nothing since. */
static int
check_handover(const struct replica *R)
{
	char words[READINESS_WORDS];

	if (readiness_handover(R, words))
		return (0);
	missing_each(R, say_missing, (void *)(uintptr_t)R);
	return (say_refused("%s: %s", R->vm, words));
}

static int
begin_planned(struct replica *R, const struct site *S, const struct failover_options *o)
{
	const struct point *p;
	int rc;

	if ((rc = standing_check(R, ROLE_TAKE_OVER)) != 0 || (rc = standing_check_test(R)) != 0 ||
	    (rc = merge_all(R, S)) != 0 || (rc = standing_check(R, ROLE_TAKE_OVER)) != 0 ||
	    (rc = check_handover(R)) != 0 || (rc = confirm_planned(R, o)) != 0 ||
	    (rc = guest_prepare(R, S)) != 0 || (rc = guest_make_excluded(R, GUEST_PRIMARY)) != 0)
		return (rc);
	p = &replica_last(R)->point;
	if (role_take_over(&R->role, p, site_card(S)->sign) != 0)
		return (say_failed("%s: cannot take it over now", R->vm));
	R->failover = (struct replica_failover){ .since = (int64_t)time(NULL) };
	keep_one(R, R->role.at.seq);
	if (replica_save(R) != 0 || replica_tidy(R) != 0)
		return (-1);
	say_note("%s: taken over at point %" PRIu64
	         ": nothing is lost: the disks have the roots that '%s' signed",
	    R->vm, R->role.at.seq, R->primary);
	return (0);
}

int
failover_planned(const struct site *S, const struct failover_options *o)
{
	struct replica *R = NULL;
	int rc;

	if (o->is_dry)
		return (readiness_planned(S, o));
	rc = standing_open(&R, S, o->vm);
	if (rc == 0 && R->role.state != ROLE_FAILED_OVER)
		rc = begin_planned(R, S, o);
	else if (rc == 0)
		rc = guest_prepare(R, S);
	if (rc == 0)
		rc = finish(R, S, o, 0);
	replica_close(R);
	return (rc);
}
