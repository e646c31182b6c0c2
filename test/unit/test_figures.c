#include <criterion/criterion.h>
#include <string.h>

#include "tally/figures.h"

/* The figures of what was counted, at their edges. */

#define NOW (INT64_C(500000) * 3600)

static struct figures f;
static struct tally_hour sum;

static void
note(enum tally_kind kind, int64_t at, int64_t point_at, uint64_t bytes)
{
	struct tally_event e = { .kind = kind,
		.at = at,
		.point_at = point_at,
		.bytes = bytes,
		.data = 2 * bytes,
		.ms = bytes,
		.settled = kind == TALLY_ACKED,
		.missed = kind == TALLY_SENT };

	tally_count(&sum, &e);
}

static const struct figures *
make(struct figures_facts facts)
{
	figures_make(&f, &sum, &facts);
	return (&f);
}

#define FACTS(...) ((struct figures_facts){ .now = NOW, .since = NOW - 86400, __VA_ARGS__ })

Test(figures, are_zero_and_divide_by_nothing_where_nothing_was_counted)
{
	make(FACTS(.is_primary = 1));
	cr_expect(f.ok == 0 && f.missed == 0 && f.failed == 0 && f.average_size == 0 && f.compression == 0 &&
	          f.average_latency == 0 && f.average_ms == 0 && !f.has_rpo && f.rpo == 0);
	cr_expect_eq(f.since, NOW - 86400);
}

Test(figures, of_a_primary_count_what_was_acknowledged_as_done)
{
	note(TALLY_SENT, NOW - 100, NOW - 101, 1000);
	note(TALLY_SENT, NOW - 50, NOW - 51, 3000);
	note(TALLY_ACKED, NOW - 90, NOW - 101, 0);
	note(TALLY_FAILED, NOW - 10, 0, 0);
	note(TALLY_RESYNC, NOW - 9, 0, 0);
	make(FACTS(.is_primary = 1, .held_at = NOW - 101, .pending = 1, .pending_bytes = 3000));
	cr_expect(f.ok == 1 && f.missed == 2 && f.failed == 1 && f.bundles == 2 && f.resyncs == 1);
	cr_expect(f.average_size == 2000 && f.largest_size == 3000 && f.bytes == 4000 && f.compression == 2);
	cr_expect(f.average_latency == 11 && f.largest_latency == 11);
	cr_expect(f.average_ms == 2000 && f.longest_ms == 3000);
	cr_expect(f.has_rpo && f.rpo == 101 && f.largest_rpo == 101 && f.pending == 1);
}

Test(figures, of_a_replica_count_what_was_taken_as_done)
{
	note(TALLY_TAKEN, NOW - 100, NOW - 130, 1000);
	note(TALLY_MERGED, NOW - 99, NOW - 130, 4);
	note(TALLY_TESTED, NOW - 50, NOW - 130, 0);
	make(FACTS(.held_at = NOW + 5, .tested = NOW - 50));
	cr_expect(f.ok == 1 && f.bundles == 1 && f.tests == 1 && f.tested == NOW - 50);
	cr_expect(f.average_latency == 30 && f.longest_ms == 1000);
	cr_expect(f.has_rpo && f.rpo == 0, "a point of a time to come is no age");
}

Test(figures, do_not_let_seeds_pass_for_deltas)
{
	struct tally_event seed = { .kind = TALLY_SENT, .at = NOW, .is_seed = 1, .bytes = 1000000 };

	tally_count(&sum, &seed);
	note(TALLY_SENT, NOW, NOW, 10);
	make(FACTS(.is_primary = 1));
	cr_expect(f.seeds == 1 && f.bundles == 2 && f.largest_size == 10 && f.average_size == 10);
	cr_expect_eq(f.bytes, 1000010);
}

Test(figures, say_missed_of_a_cycle_when_the_next_one_is_due)
{
	cr_expect_eq(make(FACTS(.is_primary = 1, .goal = 300, .last_cut = NOW - 449))->missed, 0);
	cr_expect_eq(make(FACTS(.is_primary = 1, .goal = 300, .last_cut = NOW - 450))->missed, 1);
	cr_expect_eq(make(FACTS(.is_primary = 1, .goal = 300, .last_cut = NOW - 3000))->missed, 9);
	cr_expect_eq(make(FACTS(.is_primary = 1, .goal = 300, .last_cut = NOW + 3000))->missed, 0);
	cr_expect_eq(make(FACTS(.is_primary = 1, .goal = 0, .last_cut = NOW - 3000))->missed, 0);
	cr_expect_eq(make(FACTS(.is_primary = 0, .goal = 300, .last_cut = NOW - 3000))->missed, 0);
	cr_expect_eq(make(FACTS(.is_primary = 1, .goal = 300, .last_cut = 1))->missed, 86400 / 300 - 1,
	    "no more than there are in the time");
}

Test(figures, count_cycles_to_the_nearest)
{
	cr_expect_eq(figures_cycles(0, 14, 30), 0);
	cr_expect_eq(figures_cycles(0, 15, 30), 1);
	cr_expect_eq(figures_cycles(0, 44, 30), 1);
	cr_expect_eq(figures_cycles(0, 45, 30), 2);
	cr_expect_eq(figures_cycles(0, 2, 5), 0);
	cr_expect_eq(figures_cycles(0, 3, 5), 1);
	cr_expect_eq(figures_cycles(10, 0, 30), 0);
	cr_expect_eq(figures_cycles(0, 100, 0), 0);
	cr_expect_eq(figures_cycles(0, INT64_MAX, UINT64_MAX), 0);
	cr_expect_eq(figures_cycles(0, INT64_MAX, 1), (uint64_t)INT64_MAX);
}

Test(figures, do_not_overflow)
{
	struct tally_hour most;

	memset(&most, 0xff, sizeof most);
	tally_add(&sum, &most);
	tally_add(&sum, &most);
	note(TALLY_SENT, NOW, NOW, UINT64_MAX);
	cr_expect(sum.n[TALLY_SENT] == UINT32_MAX && sum.bytes == UINT64_MAX && sum.ms == UINT64_MAX);
	make(FACTS(.is_primary = 1));
	cr_expect(f.bytes == UINT64_MAX && f.compression == 1);
}
