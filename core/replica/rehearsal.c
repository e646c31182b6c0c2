#include "replica/failover.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/say.h"
#include "replica/arrival.h"
#include "replica/merge.h"
#include "replica/standing.h"

/* Test failovers. */

/* The overlays are there: the duplicate too. */
static int
stand_test(struct replica *R, const struct site *S, const struct failover_options *o)
{
	const struct replica_point *at = replica_point(R, R->test.at.seq);
	int rc = at == NULL ? say_failed("%s: its record does not have the point of its test", R->vm)
	                    : standing_define(R, GUEST_TEST, at, 0);

	if (rc == 0 && o->start)
		rc = guest_start(R, S, GUEST_TEST, "test");
	if (rc != 0)
		return (rc);
	R->test.is_complete = 1;
	if (replica_save(R) != 0)
		return (-1);
	say_note("%s: a test from point %" PRIu64
	         " stands; bundles are taken in meanwhile, and merged after 'vmferry failover --stop-test'",
	    R->vm, R->test.at.seq);
	return (0);
}

static int
begin_test(struct replica *R, const struct site *S, const struct failover_options *o)
{
	const struct replica_point *at;
	int rc;

	if ((rc = standing_check(R, ROLE_TEST)) != 0 || (rc = guest_prepare(R, S)) != 0 ||
	    (rc = standing_catch_up(R, S, o->point)) != 0 || (rc = standing_point(R, o->point, &at)) != 0 ||
	    (rc = standing_check_space(R, S, at)) != 0 ||
	    (rc = overlays_make(R, S, OVERLAYS_TEST, at)) != 0 ||
	    (rc = guest_make_excluded(R, GUEST_TEST)) != 0)
		return (rc);
	R->test.is_on = 1;
	R->test.is_complete = 0;
	R->test.at = at->point;
	R->test.since = (int64_t)time(NULL);
	return (replica_save(R));
}

/* One that was interrupted, when its overlays stood, goes on. */
static int
continue_test(struct replica *R, const struct site *S, const struct failover_options *o)
{
	if (R->test.is_complete || (o->point != 0 && o->point != R->test.at.seq))
		return (standing_check_test(R));
	return (guest_prepare(R, S));
}

int
failover_test(const struct site *S, const struct failover_options *o)
{
	struct replica *R = NULL;
	int rc = standing_open(&R, S, o->vm);

	if (rc == 0)
		rc = R->test.is_on ? continue_test(R, S, o) : begin_test(R, S, o);
	if (rc == 0)
		rc = stand_test(R, S, o);
	replica_close(R);
	return (rc);
}

static int
end_test(struct replica *R, const struct site *S, const struct failover_options *o)
{
	const struct replica_point *at = replica_point(R, R->test.at.seq);
	struct replica_test *t = &R->test;
	int rc;

	if ((rc = guest_prepare(R, S)) != 0 || (rc = guest_end(R, S, GUEST_TEST, "test")) != 0 ||
	    (at != NULL && (rc = overlays_check_idle(R, OVERLAYS_TEST, at)) != 0))
		return (rc);
	t->is_on = t->is_complete = 0;
	t->last = t->at;
	t->ended = (int64_t)time(NULL);
	snprintf(t->result, sizeof t->result, "%s", o->result == NULL ? "passed" : o->result);
	if (replica_save(R) != 0)
		return (-1);
	arrival_tested(R);
	return (overlays_remove(R, OVERLAYS_TEST));
}

int
failover_test_stop(const struct site *S, const struct failover_options *o)
{
	struct replica *R = NULL;
	int rc = standing_open(&R, S, o->vm);

	if (rc == 0 && !R->test.is_on && R->test.last.seq == 0)
		rc = say_refused("%s: no test failover of it stands", R->vm);
	else if (rc == 0 && R->test.is_on)
		rc = end_test(R, S, o);
	/* One that ended already may have been interrupted here. */
	if (rc == 0)
		rc = merge_all(R, S);
	if (rc == 0)
		say_note("%s: the test from point %" PRIu64 " has ended: %s", R->vm, R->test.last.seq,
		    R->test.result);
	replica_close(R);
	return (rc);
}
