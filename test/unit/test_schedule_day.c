#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "../dice.h"
#include "schedule/schedule.h"

/*
 * A day of the scheduler as it is, against a world of numbers: 1,000 VMs at 5 minutes, on two cores, by a line that fails
 * at random.  Cycles take some tenths of a second, and a few of them much longer.  Where the line allows it, each VM must have a cycle in
 * each of its five minutes.
 */
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define VMS 1000u
#define FREQUENCY (5 * MINUTE)
#define CORES 2u
#define OUTAGES 64u

enum plant {
	PLANT_NOTHING,
	PLANT_LOST,   /* of one cycle nobody hears how it ended */
	PLANT_BLAME,  /* the failure of the line is put down to each VM */
	PLANT_FORGET, /* a failure counts as done */
	PLANT_SLOW,   /* one at a time goes, whatever the cores */
	PLANTS
};

struct vm {
	struct schedule_job *job;
	int64_t began, ends; /* of the cycle under way; ends 0: none */
	int64_t grid;        /* when the five minutes begin that are to have its next cycle */
};

struct outage {
	int64_t from, to;
	int64_t well; /* the cycles have caught up with it; INT64_MAX: not yet */
};

static struct day {
	uint64_t dice;
	enum plant plant;
	struct schedule *S;
	struct vm vms[VMS];
	struct vm *running[CORES];
	unsigned nrunning, noutages;
	struct outage outages[OUTAGES];
	unsigned cycles, failures, missed, late, longer;
} d;

static int64_t
roll(int64_t from, int64_t to)
{
	return (from + (int64_t)dice_below(&d.dice, (unsigned)(to - from)));
}

static int64_t
duration(void)
{
	unsigned kind = dice_below(&d.dice, 100);

	return (kind == 0 ? roll(1000, 5000) : kind < 10 ? roll(400, 1000) : roll(100, 400));
}

static struct outage *
outage_at(int64_t now)
{
	for (unsigned i = 0; i < d.noutages; i++)
		if (now >= d.outages[i].from && now < d.outages[i].to)
			return (&d.outages[i]);
	return (NULL);
}

/* Short ones and long ones. */
static void
plan_outages(void)
{
	int64_t now = HOUR;

	while (d.noutages < OUTAGES && (now += roll(0, 3 * HOUR)) < 23 * HOUR) {
		struct outage *o = &d.outages[d.noutages++];

		o->from = now;
		o->to = now += roll(SECOND, dice_below(&d.dice, 2) ? MINUTE : 40 * MINUTE);
		o->well = INT64_MAX;
	}
}

/* Was something in the way between these times? */
static int
is_excused(int64_t from, int64_t to)
{
	for (unsigned i = 0; i < d.noutages; i++)
		if (from < d.outages[i].well && to > d.outages[i].from)
			return (1);
	return (0);
}

/* One of its five minutes after the other is to have a cycle in it, up to the one of now. */
static void
count_missed(struct vm *v, int64_t now)
{
	for (; v->grid + FREQUENCY <= now; v->grid += FREQUENCY)
		d.missed += !is_excused(v->grid, v->grid + FREQUENCY);
}

static void
good(struct vm *v, int64_t now)
{
	int64_t first = INT64_MAX, over = 0;

	count_missed(v, v->began);
	/* One that comes later than its time may have the next one sooner. */
	if (v->began >= v->grid)
		v->grid += FREQUENCY;
	d.cycles++;
	for (unsigned i = 0; i < d.noutages; i++) {
		struct outage *o = &d.outages[i];

		if (o->well == INT64_MAX && v->began >= o->to) {
			first = first < o->from ? first : o->from;
			over = o->to;
			o->well = now + FREQUENCY; /* in which the others catch up */
		}
	}
	/* The first one after an outage, or after several in a row: it is to come soon. */
	if (over != 0)
		d.late += v->began - over >
		          (over - first < 25 * MINUTE ? (over - first) * 6 / 5 + 2 * MINUTE : 31 * MINUTE);
}

static void
start(struct schedule_job *j, int64_t now)
{
	struct vm *v = schedule_context(j);

	cr_assert_lt(d.nrunning, CORES);
	cr_assert_eq(v->ends, 0, "it runs twice");
	d.running[d.nrunning++] = v;
	v->began = now;
	v->ends = now + duration();
	/* The line is down: there is no answer, or it is refused at once. */
	if (outage_at(now) != NULL)
		v->ends = now + (dice_below(&d.dice, 2) ? 20 * SECOND : 50);
}

static void
finish(unsigned i, int64_t now)
{
	struct vm *v = d.running[i];
	int is_down = outage_at(v->began) != NULL || outage_at(now) != NULL;
	enum schedule_outcome outcome = SCHEDULE_DONE;

	d.running[i] = d.running[--d.nrunning];
	v->ends = 0;
	d.failures += (unsigned)is_down;
	if (!is_down)
		good(v, now);
	else if (d.plant != PLANT_FORGET)
		outcome = d.plant == PLANT_BLAME ? SCHEDULE_FAILED : SCHEDULE_LINE;
	if (d.plant == PLANT_LOST && d.cycles == 5000)
		return;
	d.longer += schedule_done(d.S, v->job, outcome, now) != SCHEDULE_NOTHING;
}

static int64_t
step(int64_t now)
{
	struct schedule_job *j;
	int64_t next;

	while ((j = schedule_next(d.S, now)) != NULL)
		start(j, now);
	next = schedule_when(d.S, now);
	for (unsigned i = 0; i < d.nrunning; i++)
		next = d.running[i]->ends < next ? d.running[i]->ends : next;
	if (next == INT64_MAX) /* nothing comes any more */
		return (24 * HOUR);
	for (unsigned i = d.nrunning; i > 0; i--)
		if (d.running[i - 1]->ends <= next)
			finish(i - 1, next);
	return (next);
}

static void
live(enum plant plant, uint64_t seed)
{
	struct schedule_terms t = { .frequency = FREQUENCY, .last = 0 };
	struct schedule_line *dr;
	char uuid[SCHEDULE_UUID];
	int64_t now = 0;

	memset(&d, 0, sizeof d);
	d.dice = seed;
	d.plant = plant;
	plan_outages();
	cr_assert_not_null(d.S = schedule_new(plant == PLANT_SLOW ? 1 : CORES));
	cr_assert_not_null(dr = schedule_line(d.S));
	schedule_line_set(dr, CORES, 1);
	for (unsigned i = 0; i < VMS; i++) {
		snprintf(uuid, sizeof uuid, "%08x-%04x-4000-8000-%012x", (unsigned)dice_roll(&d.dice), i, i);
		d.vms[i].job = schedule_add(d.S, dr, uuid, NULL, &t, 0, &d.vms[i]);
		cr_assert_not_null(d.vms[i].job);
		d.vms[i].grid = schedule_due(d.vms[i].job);
	}
	while (now < 24 * HOUR)
		now = step(now);
	for (unsigned i = 0; i < VMS; i++) {
		count_missed(&d.vms[i], now);
		if (schedule_is_running(d.vms[i].job))
			schedule_done(d.S, d.vms[i].job, SCHEDULE_CUT, now);
	}
	schedule_free(d.S);
}

Test(schedule_day, of_1000_vms_misses_no_cycle_that_the_line_allows)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		live(PLANT_NOTHING, seed);
		cr_log_info("seed %u: %u cycles, %u outages, %u cycles failed, %u missed, %u late",
		    (unsigned)seed, d.cycles, d.noutages, d.failures, d.missed, d.late);
		cr_expect_eq(d.missed, 0, "seed %u: %u cycles missed", (unsigned)seed, d.missed);
		cr_expect_eq(d.late, 0, "seed %u: an outage was noticed to be over too late", (unsigned)seed);
		cr_expect_eq(d.longer, 0, "no cycle is too long");
		cr_expect_gt(d.cycles, VMS * 200);
		/* A line that is down is tried now and then, and not by everybody. */
		cr_expect_lt(d.failures, d.noutages * 12);
	}
}

Test(schedule_day, finds_what_was_planted)
{
	for (enum plant p = PLANT_LOST; p < PLANTS; p++) {
		live(p, 1);
		cr_expect(d.missed > 0 || d.late > 0 || d.failures >= d.noutages * 12, "plant %d", (int)p);
	}
}
