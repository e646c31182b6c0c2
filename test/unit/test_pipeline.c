#include "place.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/pipeline.h"
#include "base/say.h"

#define MANY 3000u

TestSuite(pipeline, .init = place_make, .fini = place_remove);

/* A pipeline over the numbers from 0; where something goes wrong, and what was seen. */
struct line {
	unsigned end;                                          /* fill has no more from here on */
	unsigned fill_fails_at, work_fails_at, drain_fails_at; /* MANY or more: never */
	unsigned interrupt_at;
	int fill_rc, work_rc, drain_rc;
	unsigned makes_left;
	unsigned filled, drained, after; /* after: drains after a failure */
	atomic_uint filling, draining, working;
	unsigned made, most_made;
	atomic_int dropped;
	int failed;
};

struct slot {
	struct line *L;
	unsigned number, squared;
	atomic_uint users;
};

static int
fill(void *context, void *slot)
{
	struct line *L = context;
	struct slot *s = slot;

	cr_assert_eq(atomic_fetch_add(&L->filling, 1), 0, "two fill at once");
	cr_assert_eq(atomic_fetch_add(&s->users, 1), 0, "a slot is in use by two");
	if (L->filled == L->interrupt_at)
		raise(SIGINT);
	s->number = L->filled;
	atomic_fetch_sub(&s->users, 1);
	atomic_fetch_sub(&L->filling, 1);
	if (L->filled == L->fill_fails_at)
		return (L->fill_rc);
	if (L->filled == L->end)
		return (1);
	L->filled++;
	return (0);
}

static int
work(void *context, void *slot)
{
	struct line *L = context;
	struct slot *s = slot;
	uint64_t seed = s->number;

	cr_assert_eq(atomic_fetch_add(&s->users, 1), 0, "a slot is in use by two");
	/* Some take much longer than their neighbours. */
	for (uint64_t i = dice(&seed) % 8; i > 0; i--)
		sched_yield();
	s->squared = s->number * s->number;
	atomic_fetch_sub(&s->users, 1);
	return (s->number == L->work_fails_at ? L->work_rc : 0);
}

static int
drain(void *context, void *slot)
{
	struct line *L = context;
	struct slot *s = slot;

	cr_assert_eq(atomic_fetch_add(&L->draining, 1), 0, "two drain at once");
	cr_assert_eq(atomic_fetch_add(&s->users, 1), 0, "a slot is in use by two");
	cr_assert_eq(s->number, L->drained, "out of order");
	cr_assert_eq(s->squared, s->number * s->number, "drained before it was worked on");
	L->after += (unsigned)L->failed;
	L->drained++;
	atomic_fetch_sub(&s->users, 1);
	atomic_fetch_sub(&L->draining, 1);
	if (s->number != L->drain_fails_at)
		return (0);
	L->failed = 1;
	return (L->drain_rc);
}

static int
make(void *context, void **slot)
{
	struct line *L = context;
	struct slot *s = calloc(1, sizeof *s);

	cr_assert_not_null(s);
	if (L->made == L->makes_left) {
		free(s);
		return (say_failed("no more slots"));
	}
	s->L = L;
	L->made++;
	*slot = s;
	return (0);
}

static void
drop(void *slot)
{
	struct slot *s = slot;

	if (s == NULL)
		return;
	atomic_fetch_add(&s->L->dropped, 1);
	free(s);
}

/* Run L, whose end and failures are set; every slot that is made is dropped. */
static int
run(struct line *L)
{
	struct pipeline P = { L, fill, work, drain, make, drop };
	int rc = pipeline_run(&P);

	cr_expect_eq(L->dropped, (int)L->made);
	cr_expect(L->made <= 2 * pipeline_threads() + 1);
	cr_expect_eq(L->after, 0, "drained after a failure");
	return (rc);
}

#define LINE(n)                                                                                    \
	{                                                                                          \
		.end = (n), .fill_fails_at = UINT32_MAX, .work_fails_at = UINT32_MAX,              \
		.drain_fails_at = UINT32_MAX, .interrupt_at = UINT32_MAX, .makes_left = UINT32_MAX \
	}

Test(pipeline, drains_all_in_the_order_of_filling)
{
	static const unsigned n[] = { 0, 1, 2, 3, 7, MANY };

	for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
		struct line L = LINE(n[i]);

		cr_expect_eq(run(&L), 0);
		cr_expect(L.filled == n[i] && L.drained == n[i]);
	}
}

Test(pipeline, stops_with_what_a_failed_fill_gave)
{
	static const int rcs[] = { -1, 2 };

	for (unsigned i = 0; i < 2 * 20; i++) {
		struct line L = LINE(MANY);

		L.fill_fails_at = i * i;
		L.fill_rc = rcs[i % 2];
		cr_expect_eq(run(&L), rcs[i % 2]);
		cr_expect(L.filled == i * i && L.drained <= i * i);
	}
}

Test(pipeline, stops_with_what_a_failed_work_gave_and_never_drains_it)
{
	for (unsigned i = 0; i < 40; i++) {
		struct line L = LINE(MANY);

		L.work_fails_at = i * i;
		L.work_rc = -1;
		cr_expect_eq(run(&L), -1);
		cr_expect(L.drained <= i * i && L.filled < MANY);
	}
}

Test(pipeline, passes_a_refusal_of_drain_on_and_drains_no_more)
{
	static const int rcs[] = { -1, 1 };

	for (unsigned i = 0; i < 2 * 20; i++) {
		struct line L = LINE(MANY);

		L.drain_fails_at = i * i;
		L.drain_rc = rcs[i % 2];
		cr_expect_eq(run(&L), rcs[i % 2]);
		cr_expect_eq(L.drained, i * i + 1);
		cr_expect(L.filled <= L.drained + 2 * pipeline_threads() + 1);
	}
}

Test(pipeline, gives_the_first_of_two_failures)
{
	for (unsigned i = 0; i < 40; i++) {
		struct line L = LINE(MANY);

		/* Its turn comes long after the slots between have run out. */
		L.drain_fails_at = i;
		L.drain_rc = 1;
		L.fill_fails_at = i + 2 * pipeline_threads() + 2;
		L.fill_rc = -1;
		cr_expect_eq(run(&L), 1);
	}
}

Test(pipeline, refused_by_the_very_last_drain_is_refused)
{
	for (unsigned i = 1; i < 60; i++) {
		struct line L = LINE(i);

		L.drain_fails_at = i - 1;
		L.drain_rc = 1;
		cr_expect_eq(run(&L), 1);
		cr_expect_eq(L.drained, i);
	}
}

Test(pipeline, without_memory_for_its_slots_does_nothing)
{
	for (unsigned n = 0; n < 3; n++) {
		struct line L = LINE(MANY);

		L.makes_left = n;
		cr_expect_eq(run(&L), -1);
		cr_expect(L.made == n && L.filled == 0 && said("no more slots"));
	}
}

Test(pipeline, that_is_interrupted_fills_no_more_and_fails)
{
	struct line L = LINE(MANY);

	L.interrupt_at = 100;
	say_init("test");
	cr_expect_eq(run(&L), -1);
	cr_expect(L.filled == 101 && L.drained <= 101 && said("interrupted"));
}

Test(pipeline, runs_on_at_least_one_thread_and_no_more_than_there_are_processors)
{
	cr_expect(pipeline_threads() >= 1 && pipeline_threads() <= 64);
	cr_expect(pipeline_threads() <= (unsigned)sysconf(_SC_NPROCESSORS_CONF));
}
