#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "schedule/schedule.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

static struct schedule *S;
static struct schedule_line *dr;

static void
begin(unsigned parallel, unsigned on_line)
{
	cr_assert_not_null(S = schedule_new(parallel));
	cr_assert_not_null(dr = schedule_line(S));
	schedule_line_set(dr, on_line, 1);
}

static struct schedule_job *
add(struct schedule_line *l, unsigned vm, int64_t frequency, int64_t last, int is_initial, int64_t now)
{
	struct schedule_terms t = {
		.frequency = (uint64_t)frequency, .last = last, .is_initial = is_initial
	};
	struct schedule_job *j;
	char uuid[SCHEDULE_UUID];

	snprintf(uuid, sizeof uuid, "%08x-0000-4000-8000-000000000000", vm);
	cr_assert_not_null(j = schedule_add(S, l, uuid, NULL, &t, now, NULL));
	return (j);
}

/* Wait until the job is due, which must be the next one; its time. */
static int64_t
await(struct schedule_job *j, int64_t now)
{
	for (;;) {
		struct schedule_job *next = schedule_next(S, now);
		int64_t when;

		if (next != NULL) {
			cr_assert_eq(next, j);
			return (now);
		}
		when = schedule_when(S, now);
		cr_assert_lt(when, INT64_MAX, "it never comes again");
		cr_assert_gt(when, now);
		now = when;
	}
}

Test(schedule, begins_cycles_a_frequency_apart_however_long_they_take)
{
	struct schedule_job *j;
	int64_t first, then;

	begin(1, 1);
	j = add(dr, 1, 5 * MINUTE, SCHEDULE_NEVER, 0, 7 * SECOND);
	cr_assert_eq(schedule_next(S, 7 * SECOND), j, "what was never sent is due at once");
	schedule_done(S, j, SCHEDULE_DONE, 8 * SECOND);
	first = await(j, 8 * SECOND);
	for (int i = 1; i < 100; i++) {
		schedule_done(S, j, SCHEDULE_DONE, first + i * 2 * SECOND);
		then = await(j, first + i * 2 * SECOND);
		cr_assert_eq(then, first + 5 * MINUTE);
		first = then;
	}
	schedule_done(S, j, SCHEDULE_DONE, first + 1);
	schedule_free(S);
}

Test(schedule, spreads_vms_over_their_frequency_and_does_so_again_after_a_restart)
{
	int64_t due[1000];
	unsigned at[300] = { 0 };

	for (int turn = 0; turn < 2; turn++) {
		begin(1, 1);
		for (unsigned i = 0; i < 1000; i++) {
			struct schedule_job *j = add(dr, i, 5 * MINUTE, HOUR, 0, HOUR);

			if (turn == 0)
				at[(due[i] = schedule_due(j)) / SECOND % 300]++;
			cr_expect_eq(schedule_due(j), due[i]);
			cr_expect_gt(due[i], HOUR);
			cr_expect_leq(due[i], HOUR + 5 * MINUTE);
		}
		schedule_free(S);
	}
	for (unsigned i = 0; i < 300; i++)
		cr_expect_leq(at[i], 15, "%u begin within a second", at[i]);
}

Test(schedule, takes_first_what_has_used_up_the_largest_part_of_its_frequency)
{
	struct schedule_job *a, *b, *c;

	begin(3, 3);
	a = add(dr, 1, 1 * HOUR, 0, 0, 10 * HOUR);
	b = add(dr, 2, 1 * MINUTE, 9 * HOUR + 50 * MINUTE, 0, 10 * HOUR); /* 10 times */
	c = add(dr, 3, 5 * MINUTE, 9 * HOUR, 0, 10 * HOUR);               /* 12 times */
	cr_expect_eq(schedule_next(S, 10 * HOUR), c);
	cr_expect_eq(schedule_next(S, 10 * HOUR), a, "which is as much as b, and came first");
	cr_expect_eq(schedule_next(S, 10 * HOUR), b);
	schedule_done(S, a, SCHEDULE_CUT, 10 * HOUR);
	schedule_done(S, b, SCHEDULE_CUT, 10 * HOUR);
	schedule_done(S, c, SCHEDULE_CUT, 10 * HOUR);
	schedule_free(S);
}

Test(schedule, keeps_the_limits_over_all_and_by_line)
{
	struct schedule_job *j, *running[8];
	struct schedule_line *far;
	unsigned n = 0;

	begin(4, 3);
	cr_assert_not_null(far = schedule_line(S));
	for (unsigned i = 0; i < 10; i++)
		add(i % 2 ? dr : far, i, MINUTE, SCHEDULE_NEVER, 0, 0);
	while (n < 8 && (j = schedule_next(S, 0)) != NULL)
		running[n++] = j;
	cr_expect_eq(n, 4, "one by far, which has one at a time, and three by dr");
	while (n > 0)
		schedule_done(S, running[--n], SCHEDULE_CUT, 0);
	schedule_set_parallel(S, 8);
	schedule_line_set(dr, 1, 1);
	while (n < 8 && (j = schedule_next(S, 0)) != NULL)
		running[n++] = j;
	cr_expect_eq(n, 2, "one by each");
	while (n > 0)
		schedule_done(S, running[--n], SCHEDULE_CUT, 0);
	schedule_free(S);
}

Test(schedule, never_runs_two_cycles_of_one_vm_at_once)
{
	struct schedule_terms t = { .frequency = MINUTE, .last = SCHEDULE_NEVER };
	static const char uuid[] = "00000000-0000-4000-8000-000000000000";
	struct schedule_line *far;
	struct schedule_job *a, *b, *c;

	begin(4, 4);
	cr_assert_not_null(far = schedule_line(S));
	a = schedule_add(S, dr, uuid, NULL, &t, 0, NULL);
	b = schedule_add(S, far, uuid, a, &t, 0, NULL);
	cr_assert_not_null(c = schedule_next(S, 0));
	cr_expect_null(schedule_next(S, 0));
	schedule_done(S, c, SCHEDULE_DONE, 10);
	cr_expect_eq(schedule_next(S, 10), c == a ? b : a);
	cr_expect_null(schedule_next(S, 10));
	schedule_done(S, c == a ? b : a, SCHEDULE_DONE, 20);
	schedule_remove(S, a);
	cr_expect_eq(await(b, 20), schedule_due(b));
	schedule_done(S, b, SCHEDULE_DONE, 5 * MINUTE);
	schedule_free(S);
}

Test(schedule, tries_a_vm_again_after_1_2_4_8_10_and_then_every_30_minutes)
{
	static const int minutes[] = { 1, 2, 4, 8, 10, 30, 30, 30 };
	struct schedule_job *j;
	int64_t now = 0;

	begin(1, 1);
	j = add(dr, 1, 30 * SECOND, SCHEDULE_NEVER, 0, 0);
	cr_assert_eq(schedule_next(S, now), j);
	for (size_t i = 0; i < sizeof minutes / sizeof minutes[0]; i++) {
		schedule_done(S, j, SCHEDULE_FAILED, now + 5);
		cr_assert_eq(await(j, now + 5), now + 5 + minutes[i] * MINUTE);
		now += 5 + minutes[i] * MINUTE;
	}
	schedule_done(S, j, SCHEDULE_DONE, now);
	now = await(j, now);
	schedule_done(S, j, SCHEDULE_FAILED, now);
	cr_expect_eq(await(j, now), now + MINUTE, "one that was well begins with a minute again");
	schedule_done(S, j, SCHEDULE_FAILED, now + MINUTE);
	schedule_retry(S, now + MINUTE);
	cr_expect_eq(schedule_next(S, now + MINUTE), j, "somebody says that all is well");
	schedule_done(S, j, SCHEDULE_DONE, now + MINUTE);
	schedule_free(S);
}

Test(schedule, counts_the_failure_of_a_line_once_and_tries_it_with_one_vm)
{
	struct schedule_job *running[3], *j;

	begin(3, 3);
	for (unsigned i = 0; i < 10; i++)
		add(dr, i, MINUTE, SCHEDULE_NEVER, 0, 0);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_not_null(running[i] = schedule_next(S, 0));
	for (unsigned i = 0; i < 3; i++)
		schedule_done(S, running[i], SCHEDULE_LINE, 100 + i);
	cr_expect_eq(schedule_failures(dr), 1);
	cr_expect_null(schedule_next(S, 200));
	cr_expect_eq(schedule_when(S, 200), 100 + MINUTE);
	cr_assert_not_null(j = schedule_next(S, 100 + MINUTE));
	cr_expect_null(schedule_next(S, 100 + MINUTE), "one is enough to see");
	schedule_done(S, j, SCHEDULE_LINE, 101 + MINUTE);
	cr_expect_eq(schedule_failures(dr), 2);
	cr_expect_null(schedule_next(S, 3 * MINUTE));
	cr_expect_eq(schedule_when(S, 3 * MINUTE), 101 + 3 * MINUTE);
	cr_assert_not_null(j = schedule_next(S, 101 + 3 * MINUTE));
	schedule_done(S, j, SCHEDULE_DONE, 102 + 3 * MINUTE);
	cr_expect_eq(schedule_failures(dr), 0);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_not_null(
		    running[i] = schedule_next(S, 102 + 3 * MINUTE), "the others need not wait");
	for (unsigned i = 0; i < 3; i++)
		schedule_done(S, running[i], SCHEDULE_DONE, 103 + 3 * MINUTE);
	schedule_free(S);
}

/* Cycles of that length, one after the other, until there is news. */
static unsigned
until(struct schedule_job *j, int64_t *now, int64_t took, enum schedule_news wanted)
{
	for (unsigned i = 1; i < 20; i++) {
		enum schedule_news news;

		*now = await(j, *now);
		*now += took;
		news = schedule_done(S, j, SCHEDULE_DONE, *now);
		if (news == SCHEDULE_NOTHING)
			continue;
		cr_expect_eq(news, wanted, "%d", (int)news);
		return (i);
	}
	cr_expect(0, "no news");
	return (0);
}

Test(schedule, lengthens_a_cycle_that_takes_too_long_and_takes_it_back)
{
	struct schedule_job *j;
	int64_t now = 0;

	begin(1, 1);
	j = add(dr, 1, 30 * SECOND, SCHEDULE_NEVER, 0, 0);
	cr_expect_eq(
	    until(j, &now, 40 * SECOND, SCHEDULE_LENGTHENED), 2, "one alone may have been an exception");
	cr_expect_eq(schedule_cycle(j), 60 * SECOND);
	cr_expect_eq(until(j, &now, 100 * SECOND, SCHEDULE_CHANGED), 2);
	cr_expect_eq(schedule_cycle(j), 150 * SECOND);
	for (int i = 0; i < 20; i++) {
		now = await(j, now) + 100 * SECOND;
		cr_expect_eq(schedule_done(S, j, SCHEDULE_DONE, now), SCHEDULE_NOTHING, "it keeps that");
	}
	cr_expect_eq(until(j, &now, 70 * SECOND, SCHEDULE_CHANGED), 3);
	cr_expect_eq(schedule_cycle(j), 90 * SECOND);
	cr_expect_eq(until(j, &now, 10 * SECOND, SCHEDULE_BACK), 3);
	cr_expect_eq(schedule_cycle(j), 30 * SECOND);
	schedule_free(S);
}

Test(schedule, keeps_to_what_the_other_site_wants)
{
	struct schedule_terms t = { .frequency = 30 * SECOND, .least = 5 * MINUTE, .last = 0 };
	struct schedule_job *j;
	int64_t now;

	begin(1, 1);
	j = add(dr, 1, 30 * SECOND, 0, 0, 0);
	cr_expect_leq(schedule_due(j), 30 * SECOND);
	schedule_set(S, j, &t, 0);
	cr_expect_eq(schedule_cycle(j), 5 * MINUTE);
	now = await(j, 0);
	schedule_done(S, j, SCHEDULE_DONE, now + SECOND);
	cr_expect_eq(await(j, now + SECOND), now + 5 * MINUTE);
	t.least = 0;
	schedule_set(S, j, &t, now + 5 * MINUTE); /* while it runs */
	schedule_done(S, j, SCHEDULE_DONE, now + 5 * MINUTE + SECOND);
	cr_expect_leq(schedule_due(j), now + 5 * MINUTE + 31 * SECOND);
	schedule_free(S);
}

Test(schedule, gives_initial_copies_what_deltas_leave_one_at_a_time_and_in_their_window)
{
	struct schedule_job *copy, *second, *delta[3], *j;

	begin(3, 1);
	copy = add(dr, 1, MINUTE, SCHEDULE_NEVER, 1, 0);
	second = add(dr, 2, MINUTE, SCHEDULE_NEVER, 1, 0);
	for (unsigned i = 0; i < 3; i++)
		delta[i] = add(dr, 10 + i, MINUTE, SCHEDULE_NEVER, 0, 0);
	schedule_line_set(dr, 1, 0);
	cr_assert_not_null(j = schedule_next(S, 0));
	cr_expect(j == delta[0] || j == delta[1] || j == delta[2]);
	cr_expect_null(schedule_next(S, 0), "it is not the time for them");
	schedule_line_set(dr, 1, 1);
	copy = schedule_next(S, 0);
	cr_assert_not_null(copy);
	cr_expect(schedule_is_initial(copy), "beside the delta, which has the line for itself");
	cr_expect_null(schedule_next(S, 0), "the other one waits");
	schedule_done(S, j, SCHEDULE_DONE, 1);
	cr_assert_not_null(j = schedule_next(S, 1));
	cr_expect(!schedule_is_initial(j), "deltas go on while it lasts");
	schedule_done(S, j, SCHEDULE_DONE, 2);
	cr_assert_not_null(j = schedule_next(S, 2));
	schedule_done(S, j, SCHEDULE_DONE, 3);
	cr_expect_null(schedule_next(S, 3));
	cr_expect_eq(
	    schedule_done(S, copy, SCHEDULE_DONE, 3 * MINUTE), SCHEDULE_NOTHING, "however long it took");
	(void)second;
	for (int i = 0; i < 3; i++) {
		cr_assert_not_null(j = schedule_next(S, 3 * MINUTE));
		cr_expect(!schedule_is_initial(j), "deltas that are due go before it");
		schedule_done(S, j, SCHEDULE_DONE, 3 * MINUTE);
	}
	schedule_free(S);
}
