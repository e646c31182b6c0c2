#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "status/health.h"
#include "primary/ledger.h"

/* What health says of records in memory, at each threshold and one step before it. */

#define DAY INT64_C(86400)
#define NOW (INT64_C(20000) * 86400)

static struct health h;

/* The grade with which a cause is named, HEALTH_NORMAL if it is not.  At most once. */
static enum health_grade
found(const char *name)
{
	enum health_grade grade = HEALTH_NORMAL;

	for (unsigned i = 0; i < h.n; i++)
		if (strcmp(h.causes[i].name, name) == 0) {
			cr_expect_eq(grade, HEALTH_NORMAL, "%s is named twice", name);
			grade = h.causes[i].grade;
			cr_expect(h.causes[i].text[0] != '\0', "%s without a text", name);
			cr_expect(grade == HEALTH_NOTE || h.causes[i].remedy[0] != '\0',
			    "%s without a remedy", name);
		}
	return (grade);
}

/* A primary in good health, whose only target has acknowledged point 1, cut now. */
static struct primary *
primary_of(uint64_t frequency)
{
	struct primary *P = calloc(1, sizeof *P);

	cr_assert_not_null(P);
	cr_assert_not_null(P->points = calloc(4, sizeof *P->points));
	strcpy(P->vm, "web1");
	role_begin(&P->role, ROLE_PRIMARY, ROLE_REPLICATING);
	P->wishes.frequency = frequency;
	P->npoints = P->ntargets = 1;
	P->points[0].point = (struct point){ 1, 1, NOW, POINT_STANDARD };
	strcpy(P->targets[0].name, "dr");
	P->targets[0].acked = P->targets[0].sent = 1;
	return (P);
}

static enum health_grade
primary_says(const struct primary *P, const char *name, struct health_facts f)
{
	if (f.now == 0)
		f.now = NOW;
	health_primary(&h, P, &f);
	return (found(name));
}

static void
primary_drop(struct primary *P)
{
	free(P->points);
	free(P);
}

/* A replica in good health at point 1, cut now. */
static struct replica *
replica_of(void)
{
	struct replica *R = calloc(1, sizeof *R);

	cr_assert_not_null(R);
	cr_assert_not_null(R->points = calloc(4, sizeof *R->points));
	strcpy(R->vm, "web1");
	strcpy(R->primary, "hq");
	role_begin(&R->role, ROLE_REPLICA, ROLE_REPLICATING);
	R->npoints = 1;
	R->points[0].point = (struct point){ 1, 1, NOW, POINT_STANDARD };
	R->reminders.since = NOW;
	return (R);
}

static enum health_grade
replica_says(const struct replica *R, const char *name, struct health_facts f)
{
	if (f.now == 0)
		f.now = NOW;
	health_replica(&h, R, &f);
	return (found(name));
}

static void
replica_drop(struct replica *R)
{
	free(R->points);
	free(R->staged);
	free(R);
}

#define FACTS(...) ((struct health_facts){ __VA_ARGS__ })
#define NONE FACTS(.is_home = 1)

Test(health, is_normal_where_there_is_nothing_to_say)
{
	struct primary *P = primary_of(3600);
	struct replica *R = replica_of();

	cr_expect_eq(primary_says(P, "acknowledged", NONE), HEALTH_NOTE);
	cr_expect_eq(h.grade, HEALTH_NORMAL);
	cr_expect_eq(h.n, 1);
	replica_says(R, "late", NONE);
	cr_expect_eq(h.grade, HEALTH_NORMAL);
	cr_expect_eq(h.n, 0);
	primary_drop(P);
	replica_drop(R);
}

/* Seconds without a point until that is late, of each frequency. */
Test(health, is_late_after_an_hour_or_three_cycles)
{
	static const struct {
		uint64_t frequency;
		int64_t most;
	} tries[] = { { 30, 3600 }, { 1199, 3600 }, { 1200, 3600 }, { 1201, 3603 }, { 3600, 10800 },
		{ 86400, 3 * DAY } };

	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		struct primary *P = primary_of(tries[i].frequency);
		struct replica *R = replica_of();
		struct health_facts on = { .now = NOW + tries[i].most, .is_home = 1 },
		                    after = { .now = NOW + tries[i].most + 1, .is_home = 1 };

		R->wishes.frequency = tries[i].frequency;
		cr_expect_eq(primary_says(P, "late", on), HEALTH_NORMAL);
		cr_expect_eq(primary_says(P, "late", after), HEALTH_WARNING);
		cr_expect_eq(h.grade, HEALTH_WARNING);
		cr_expect_eq(replica_says(R, "late", on), HEALTH_NORMAL);
		cr_expect_eq(replica_says(R, "late", after), HEALTH_WARNING);
		primary_drop(P);
		replica_drop(R);
	}
}

Test(health, is_never_late_without_a_frequency_nor_where_it_is_disabled_or_lives)
{
	struct primary *P = primary_of(0);
	struct replica *R = replica_of();
	struct health_facts f = { .now = NOW + 1000 * DAY, .is_home = 1 };

	cr_expect_eq(primary_says(P, "late", f), HEALTH_NORMAL);
	P->wishes.frequency = R->wishes.frequency = 60;
	cr_expect_eq(primary_says(P, "late", f), HEALTH_WARNING);
	P->role.state = R->role.state = ROLE_DISABLED;
	cr_expect_eq(primary_says(P, "late", f), HEALTH_NORMAL);
	cr_expect_eq(primary_says(P, "disabled", f), HEALTH_NOTE);
	cr_expect_eq(replica_says(R, "late", f), HEALTH_NORMAL);
	R->role.state = ROLE_FAILED_OVER;
	cr_expect_eq(replica_says(R, "late", f), HEALTH_NORMAL);
	primary_drop(P);
	replica_drop(R);
}

/* Cuts at every cycle of an hour but those of the missing ones, up to now. */
static void
cut_all_but(struct primary *P, unsigned n, const unsigned *missing, unsigned nmissing)
{
	for (unsigned i = 0; i < n; i++) {
		int is_missing = 0;

		for (unsigned k = 0; k < nmissing; k++)
			is_missing |= missing[k] == i;
		if (!is_missing)
			ledger_cut(P, NOW - (int64_t)(n - 1 - i) * 3600);
	}
}

Test(health, a_fifth_of_the_cycles_missed_is_a_warning)
{
	static const unsigned gone[] = { 2, 5, 8 };
	struct primary *P = primary_of(3600);
	uint64_t missed;

	/* 10 cycles between 11 cuts: one missed of them is below, two are a fifth. */
	cut_all_but(P, 11, gone, 1);
	cr_expect_eq(health_cycles(P, NOW, &missed), 10);
	cr_expect_eq(missed, 1);
	cr_expect_eq(primary_says(P, "cycles-missed", NONE), HEALTH_NORMAL);
	P->cuts.n = 0;
	cut_all_but(P, 11, gone, 2);
	cr_expect_eq(health_cycles(P, NOW, &missed), 10);
	cr_expect_eq(missed, 2);
	cr_expect_eq(primary_says(P, "cycles-missed", NONE), HEALTH_WARNING);
	/* The same two of 11 are less than a fifth again. */
	P->cuts.n = 0;
	cut_all_but(P, 12, gone, 2);
	cr_expect_eq(primary_says(P, "cycles-missed", NONE), HEALTH_NORMAL);
	primary_drop(P);
}

Test(health, a_few_cycles_say_nothing)
{
	static const unsigned gone[] = { 1 };
	struct primary *P = primary_of(3600);

	cut_all_but(P, 5, gone, 1);
	cr_expect_eq(primary_says(P, "cycles-missed", NONE), HEALTH_NORMAL, "4 cycles");
	P->cuts.n = 0;
	cut_all_but(P, 6, gone, 1);
	cr_expect_eq(primary_says(P, "cycles-missed", NONE), HEALTH_WARNING, "5 cycles");
	primary_drop(P);
}

Test(health, a_cycle_is_missed_when_its_cut_is_half_a_cycle_late)
{
	struct primary *P = primary_of(3600);
	uint64_t missed;

	ledger_cut(P, NOW);
	cr_expect_eq(health_cycles(P, NOW + 5399, &missed), 0);
	cr_expect_eq(missed, 0);
	cr_expect_eq(health_cycles(P, NOW + 5400, &missed), 1);
	cr_expect_eq(missed, 1);
	ledger_cut(P, NOW + 5399);
	health_cycles(P, NOW + 5399, &missed);
	cr_expect_eq(missed, 0);
	P->cuts.n = 1;
	ledger_cut(P, NOW + 5400);
	health_cycles(P, NOW + 5400, &missed);
	cr_expect_eq(missed, 1);
	primary_drop(P);
}

Test(health, what_is_64_cycles_ago_does_not_count)
{
	struct primary *P = primary_of(3600);
	uint64_t missed;

	/* A month of nothing, then regular: the month is out of sight 64 cycles later. */
	ledger_cut(P, NOW - 30 * DAY);
	for (int i = 1; i <= 10; i++)
		ledger_cut(P, NOW + i * 3600);
	health_cycles(P, NOW + 10 * 3600, &missed);
	cr_expect(missed > 50, "%d", (int)missed);
	for (int i = 11; i <= 80; i++)
		ledger_cut(P, NOW + i * 3600);
	cr_expect_eq(P->cuts.n, PRIMARY_CUTS);
	cr_expect_eq(health_cycles(P, NOW + 80 * 3600, &missed), PRIMARY_CUTS - 1);
	cr_expect_eq(missed, 0);
	/* And of the past no more counts than that, however long ago the oldest cut is. */
	cr_expect_eq(health_cycles(P, NOW + 8000 * 3600, &missed), PRIMARY_CUTS - 1);
	primary_drop(P);
}

Test(health, a_changed_frequency_begins_anew)
{
	static const unsigned gone[] = { 2, 3, 4, 5 };
	struct primary *P = primary_of(3600);

	cut_all_but(P, 11, gone, 4);
	cr_expect_eq(primary_says(P, "cycles-missed", NONE), HEALTH_WARNING);
	P->wishes.frequency = 7200;
	cr_expect_eq(primary_says(P, "cycles-missed", NONE), HEALTH_NORMAL);
	ledger_cut(P, NOW);
	cr_expect_eq(P->cuts.n, 1);
	cr_expect_eq(primary_says(P, "cycles-missed", NONE), HEALTH_NORMAL);
	primary_drop(P);
}

Test(health, any_times_of_cuts_are_taken)
{
	struct primary *P = primary_of(1);
	uint64_t missed, all;

	srand(1);
	for (int round = 0; round < 20000; round++) {
		P->wishes.frequency = P->cuts.frequency = (uint64_t)1 << (rand() % 48);
		P->cuts.n = (unsigned)rand() % (PRIMARY_CUTS + 1);
		for (unsigned i = 0; i < P->cuts.n; i++)
			P->cuts.at[i] = (int64_t)rand() << (rand() % 32);
		all = health_cycles(P, (int64_t)rand() << (rand() % 32), &missed);
		cr_assert(missed <= all && all <= 2 * PRIMARY_CUTS, "%d of %d", (int)missed, (int)all);
	}
	primary_drop(P);
}

Test(health, a_clock_that_went_back_is_named_and_raises_nothing_else)
{
	struct primary *P = primary_of(3600);
	struct replica *R = replica_of();
	struct health_facts f = { .now = NOW - HEALTH_AHEAD, .is_home = 1 }, before = {
		.now = NOW - 400 * DAY, .is_home = 0, .pending = "", .pending_since = NOW
	};

	for (int i = 9; i >= 0; i--)
		ledger_cut(P, NOW - i * 3600);
	cr_expect_eq(primary_says(P, "clock", f), HEALTH_NORMAL);
	f.now--;
	cr_expect_eq(primary_says(P, "clock", f), HEALTH_WARNING);
	P->reminders.since = NOW;
	cr_expect_eq(primary_says(P, "clock", before), HEALTH_WARNING);
	cr_expect_eq(found("late"), HEALTH_NORMAL);
	cr_expect_eq(found("cycles-missed"), HEALTH_NORMAL);
	cr_expect_eq(found("not-failed-back"), HEALTH_NORMAL);
	cr_expect_eq(found("export-unfinished"), HEALTH_NOTE);
	R->wishes.frequency = 3600;
	replica_says(R, "late", before);
	cr_expect_eq(h.grade, HEALTH_NORMAL);
	primary_drop(P);
	replica_drop(R);
}

Test(health, a_test_is_overdue_one_second_after_its_time)
{
	struct replica *R = replica_of();

	/* Never tested: counted from when it came to be here. */
	cr_expect_eq(replica_says(R, "test-overdue", FACTS(.now = NOW + 90 * DAY)), HEALTH_NORMAL);
	cr_expect_eq(replica_says(R, "test-overdue", FACTS(.now = NOW + 90 * DAY + 1)), HEALTH_WARNING);
	/* A record that does not know since when: from its oldest point. */
	R->reminders.since = 0;
	cr_expect_eq(replica_says(R, "test-overdue", FACTS(.now = NOW + 90 * DAY)), HEALTH_NORMAL);
	cr_expect_eq(replica_says(R, "test-overdue", FACTS(.now = NOW + 90 * DAY + 1)), HEALTH_WARNING);
	R->reminders.since = NOW;
	/* Tested, by hand. */
	R->reminders.tested = NOW + 10 * DAY;
	cr_expect_eq(replica_says(R, "test-overdue", FACTS(.now = NOW + 100 * DAY)), HEALTH_NORMAL);
	cr_expect_eq(replica_says(R, "test-overdue", FACTS(.now = NOW + 100 * DAY + 1)), HEALTH_WARNING);
	/* Another interval. */
	R->reminders.test_every = 7 * DAY;
	cr_expect_eq(replica_says(R, "test-overdue", FACTS(.now = NOW + 17 * DAY)), HEALTH_NORMAL);
	cr_expect_eq(replica_says(R, "test-overdue", FACTS(.now = NOW + 17 * DAY + 1)), HEALTH_WARNING);
	/* Not of a placeholder, nor of one that is the VM now. */
	R->role.state = ROLE_FAILED_OVER;
	cr_expect_eq(replica_says(R, "test-overdue", FACTS(.now = NOW + 1000 * DAY)), HEALTH_NORMAL);
	R->role.state = ROLE_WAITING;
	R->npoints = 0;
	cr_expect_eq(replica_says(R, "test-overdue", FACTS(.now = NOW + 1000 * DAY)), HEALTH_NORMAL);
	cr_expect_eq(found("seed-pending"), HEALTH_WARNING);
	replica_drop(R);
}

Test(health, not_failed_back_is_a_warning_after_thirty_days_away)
{
	struct primary *P = primary_of(0);

	P->reminders.since = NOW;
	cr_expect_eq(primary_says(P, "not-failed-back", FACTS(.now = NOW + 30 * DAY)), HEALTH_NORMAL);
	cr_expect_eq(primary_says(P, "not-failed-back", FACTS(.now = NOW + 30 * DAY + 1)), HEALTH_WARNING);
	cr_expect_eq(
	    primary_says(P, "not-failed-back", FACTS(.now = NOW + 999 * DAY, .is_home = 1)), HEALTH_NORMAL);
	primary_drop(P);
}

Test(health, dns_is_to_be_confirmed_once_for_each_failover)
{
	struct primary *P = primary_of(0);
	struct replica *R = replica_of();
	static const uint8_t dr[RECORD_KEY] = { 1 };

	cr_expect_eq(primary_says(P, "dns-unconfirmed", NONE), HEALTH_NORMAL);
	history_turn(&P->role.history, 2, 1, dr);
	cr_expect_eq(primary_says(P, "dns-unconfirmed", NONE), HEALTH_WARNING);
	P->reminders.dns = 2;
	cr_expect_eq(primary_says(P, "dns-unconfirmed", NONE), HEALTH_NORMAL);
	history_turn(&P->role.history, 3, 1, dr);
	cr_expect_eq(primary_says(P, "dns-unconfirmed", NONE), HEALTH_WARNING);
	/* At a replica only where it is the VM now. */
	history_turn(&R->role.history, 2, 1, dr);
	cr_expect_eq(replica_says(R, "dns-unconfirmed", NONE), HEALTH_NORMAL);
	R->role.state = ROLE_FAILED_OVER;
	cr_expect_eq(replica_says(R, "dns-unconfirmed", NONE), HEALTH_WARNING);
	cr_expect_eq(found("not-reversed"), HEALTH_WARNING);
	R->reminders.dns = 2;
	cr_expect_eq(replica_says(R, "dns-unconfirmed", NONE), HEALTH_NORMAL);
	primary_drop(P);
	replica_drop(R);
}

Test(health, networks_that_are_missing_are_named_until_a_person_has_made_them)
{
	static const char *const names[] = { "lan", "dmz" };
	struct replica *R = replica_of();

	cr_expect_eq(replica_says(R, "network-missing", NONE), HEALTH_NORMAL);
	reminders_networks(&R->reminders, names, 2, NOW);
	cr_expect_eq(replica_says(R, "network-missing", NONE), HEALTH_WARNING);
	cr_expect(strstr(h.causes[0].text, "lan, dmz") != NULL, "%s", h.causes[0].text);
	R->reminders.network = NOW;
	cr_expect_eq(replica_says(R, "network-missing", NONE), HEALTH_NORMAL);
	/* The host was asked again, and still has not got them all. */
	reminders_networks(&R->reminders, names, 1, NOW + 1);
	cr_expect_eq(replica_says(R, "network-missing", NONE), HEALTH_WARNING);
	reminders_networks(&R->reminders, names, 0, NOW + 2);
	cr_expect_eq(replica_says(R, "network-missing", NONE), HEALTH_NORMAL);
	replica_drop(R);
}

Test(health, many_networks_are_counted_where_their_names_do_not_fit)
{
	static char text[100][41];
	const char *names[100];
	struct reminders m;

	for (int i = 0; i < 100; i++) {
		snprintf(text[i], sizeof text[i], "%040d", i);
		names[i] = text[i];
	}
	reminders_networks(&m, names, 100, 1);
	cr_expect_str_eq(m.missing + strlen(m.missing) - 7, "95 more");
	cr_expect(strlen(m.missing) < sizeof m.missing);
}

Test(health, space_is_short_below_five_in_a_hundred_and_what_is_staged)
{
	struct replica *R = replica_of();
	struct replica_volume v[2] = { { .stored = 1000 }, { .stored = 24 } };
	uint64_t all = UINT64_C(100) << 30, least = all / 100 * 5;

	cr_expect_eq(replica_says(R, "disk-short", NONE), HEALTH_NORMAL, "nothing is known");
	cr_expect_eq(replica_says(R, "disk-short", FACTS(.has_space = 1, .space = all, .space_free = least)),
	    HEALTH_NORMAL);
	cr_expect_eq(
	    replica_says(R, "disk-short", FACTS(.has_space = 1, .space = all, .space_free = least - 1)),
	    HEALTH_CRITICAL);
	cr_expect_eq(h.grade, HEALTH_CRITICAL);
	/* Ten GiB are enough anywhere. */
	cr_expect_eq(replica_says(R, "disk-short",
	                 FACTS(.has_space = 1, .space = 100 * all, .space_free = HEALTH_SPACE_ENOUGH)),
	    HEALTH_NORMAL);
	cr_expect_eq(replica_says(R, "disk-short",
	                 FACTS(.has_space = 1, .space = 100 * all, .space_free = HEALTH_SPACE_ENOUGH - 1)),
	    HEALTH_CRITICAL);
	/* And what waits needs room for its way back. */
	cr_assert_not_null(R->staged = calloc(1, sizeof *R->staged));
	R->nstaged = 1;
	R->staged[0] = (struct replica_staged){ .type = BUNDLE_DELTA,
		.is_whole = 1,
		.to = { 1, 2, NOW, POINT_STANDARD },
		.volumes = v,
		.nvolumes = 2 };
	cr_expect_eq(health_need(R), 1024);
	cr_expect_eq(
	    replica_says(R, "disk-short", FACTS(.has_space = 1, .space = all, .space_free = least + 1024)),
	    HEALTH_NORMAL);
	cr_expect_eq(
	    replica_says(R, "disk-short", FACTS(.has_space = 1, .space = all, .space_free = least + 1023)),
	    HEALTH_CRITICAL);
	replica_drop(R);
}

Test(health, an_export_is_a_note_for_a_day_and_then_a_warning)
{
	struct primary *P = primary_of(0);
	struct health_facts f = {
		.now = NOW + DAY, .is_home = 1, .pending = "volume 1 on medium 'usb1'", .pending_since = NOW
	};

	cr_expect_eq(primary_says(P, "export-unfinished", NONE), HEALTH_NORMAL);
	cr_expect_eq(primary_says(P, "export-unfinished", f), HEALTH_NOTE);
	f.now++;
	cr_expect_eq(primary_says(P, "export-unfinished", f), HEALTH_WARNING);
	cr_expect(strstr(h.causes[0].text, "'usb1'") != NULL, "%s", h.causes[0].text);
	primary_drop(P);
}

Test(health, what_a_target_has_is_said)
{
	struct primary *P = primary_of(0);
	const char *flight[] = { "2 on the way" };

	P->targets[0].acked = 0;
	cr_expect_eq(primary_says(P, "no-receipt", FACTS(.is_home = 1, .flight = flight)), HEALTH_WARNING);
	cr_expect_str_eq(h.causes[0].text, "no receipt of site 'dr' has come yet; 2 on the way");
	P->targets[0].acked = 2;
	P->targets[0].back = 1;
	cr_expect_eq(primary_says(P, "went-back", NONE), HEALTH_WARNING);
	P->npoints = 0;
	cr_expect_eq(primary_says(P, "seed-pending", NONE), HEALTH_WARNING);
	cr_expect_eq(h.n, 1);
	primary_drop(P);
}

/* Each state and what it is called, with its grade. */
Test(health, every_state_that_needs_a_person_is_named)
{
	static const struct {
		enum role_side side;
		enum role_state state;
		int is_fenced;
		const char *cause, *name;
		enum health_grade grade;
	} tries[] = {
		{ ROLE_PRIMARY, ROLE_SUSPENDED, 0, "", "paused", HEALTH_WARNING },
		{ ROLE_PRIMARY, ROLE_PREPARED, 0, "", "locked", HEALTH_WARNING },
		{ ROLE_PRIMARY, ROLE_ERROR, 0, "a disk is gone", "stopped", HEALTH_CRITICAL },
		{ ROLE_PRIMARY, ROLE_ERROR, 1, "site 'dr' is the primary", "fenced", HEALTH_CRITICAL },
		{ ROLE_PRIMARY, ROLE_DISABLED, 1, "site 'dr' is the primary", "fenced", HEALTH_CRITICAL },
		{ ROLE_PRIMARY, ROLE_WAITING_RESYNC, 0, "", "resync-needed", HEALTH_CRITICAL },
		{ ROLE_PRIMARY, ROLE_RESYNCING, 0, "", "resynchronizing", HEALTH_WARNING },
		{ ROLE_REPLICA, ROLE_SUSPENDED, 0, "", "paused", HEALTH_WARNING },
		{ ROLE_REPLICA, ROLE_FAILOVER, 0, "", "failover-incomplete", HEALTH_WARNING },
		{ ROLE_REPLICA, ROLE_FAILED_OVER, 0, "", "not-reversed", HEALTH_WARNING },
		{ ROLE_REPLICA, ROLE_TURNED, 0, "", "reverse-unfinished", HEALTH_CRITICAL },
		{ ROLE_REPLICA, ROLE_ERROR, 0, REPLICA_DAMAGE, "root-mismatch", HEALTH_CRITICAL },
		{ ROLE_REPLICA, ROLE_ERROR, 0, "", "stopped", HEALTH_CRITICAL },
		{ ROLE_REPLICA, ROLE_WAITING_RESYNC, 0, "no root", "resync-needed", HEALTH_CRITICAL },
		{ ROLE_REPLICA, ROLE_RESYNCING, 0, "no root", "resynchronizing", HEALTH_WARNING },
	};
	struct primary *P = primary_of(0);
	struct replica *R = replica_of();

	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		struct role *r = tries[i].side == ROLE_PRIMARY ? &P->role : &R->role;

		r->state = tries[i].state;
		r->is_fenced = tries[i].is_fenced;
		strcpy(r->cause, tries[i].cause);
		cr_expect_eq(r->side == ROLE_PRIMARY ? primary_says(P, tries[i].name, NONE)
		                                     : replica_says(R, tries[i].name, NONE),
		    tries[i].grade, "%s at %s: %s", role_state_text(r->state),
		    r->side == ROLE_PRIMARY ? "a primary" : "a replica", tries[i].name);
		cr_expect_eq(h.grade, tries[i].grade);
	}
	primary_drop(P);
	replica_drop(R);
}

Test(health, damage_a_merge_cut_short_and_claims_are_named)
{
	struct replica *R = replica_of();

	R->points[0].is_damaged = 1;
	R->merging = 1;
	R->role.nclaims = 1;
	cr_expect_eq(replica_says(R, "points-damaged", NONE), HEALTH_CRITICAL);
	cr_expect_eq(found("merge-interrupted"), HEALTH_WARNING);
	cr_expect_eq(found("split-history"), HEALTH_WARNING);
	replica_drop(R);
}

Test(health, a_branch_is_named_until_it_is_dropped)
{
	struct replica *R = replica_of();

	R->points[0].is_pinned = 1;
	cr_expect_eq(replica_says(R, "branch-kept", NONE), HEALTH_NORMAL);
	R->points[0].is_branch = 1;
	cr_expect_eq(replica_says(R, "branch-kept", NONE), HEALTH_WARNING);
	replica_drop(R);
}

Test(health, the_worst_comes_first_and_too_many_leave_it_there)
{
	struct primary *P = primary_of(3600);

	P->ntargets = LIMIT_TARGETS;
	P->role.nclaims = 1;
	P->role.state = ROLE_ERROR;
	primary_says(P, "stopped", FACTS(.now = NOW + 30 * DAY, .is_home = 1));
	cr_expect_str_eq(h.causes[0].name, "stopped");
	for (unsigned i = 1; i < h.n; i++)
		cr_expect(h.causes[i - 1].grade >= h.causes[i].grade);
	cr_expect(h.n <= HEALTH_CAUSES);
	primary_drop(P);
}

/* Bundles that miss volumes, more of them than there is room for causes. */
Test(health, more_causes_than_there_is_room_for_lose_the_mildest)
{
	struct replica *R = replica_of();
	static struct replica_volume v = { .chain = { .number = 2 } };

	cr_assert_not_null(R->staged = calloc(200, sizeof *R->staged));
	for (R->nstaged = 0; R->nstaged < 200; R->nstaged++)
		R->staged[R->nstaged] = (struct replica_staged){ .type = BUNDLE_DELTA,
			.from = { 1, 1, NOW, POINT_STANDARD },
			.to = { 1, 2 + R->nstaged, NOW, POINT_STANDARD },
			.nvolumes = 1,
			.volumes = &v };
	R->role.state = ROLE_ERROR;
	R->points[0].is_damaged = 1;
	health_replica(&h, R, &NONE);
	cr_expect_eq(h.n, HEALTH_CAUSES);
	cr_expect_eq(found("stopped"), HEALTH_CRITICAL);
	cr_expect_eq(found("points-damaged"), HEALTH_CRITICAL);
	replica_drop(R);
}

/* --- what became of the cycles -------------------------------------------------------------------------- */

/* A primary with another point, cut now, which nobody has acknowledged; the first is that old. */
static struct primary *
behind(uint64_t frequency, int64_t age)
{
	struct primary *P = primary_of(frequency);

	P->points[0].point.time = NOW - age;
	P->points[P->npoints++].point = (struct point){ 1, 2, NOW, POINT_STANDARD };
	return (P);
}

Test(health, says_how_much_would_be_lost_after_five_minutes_and_three_cycles)
{
	static const struct {
		uint64_t frequency;
		int64_t most;
	} tries[] = { { 30, 300 }, { 99, 300 }, { 100, 300 }, { 101, 303 }, { 3600, 10800 } };
	struct primary *P;

	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		P = behind(tries[i].frequency, tries[i].most);
		cr_expect_eq(primary_says(P, "rpo", NONE), HEALTH_NORMAL);
		P->points[0].point.time--;
		cr_expect_eq(primary_says(P, "rpo", NONE), HEALTH_WARNING);
		primary_drop(P);
	}
	P = behind(0, 10 * DAY);
	cr_expect_eq(primary_says(P, "rpo", NONE), HEALTH_NORMAL, "without a frequency there is no goal");
	primary_drop(P);
	P = primary_of(30);
	cr_expect_eq(primary_says(P, "rpo", FACTS(.is_home = 1, .now = NOW + DAY)), HEALTH_NORMAL);
	cr_expect_eq(found("late"), HEALTH_WARNING, "that is said already");
	primary_drop(P);
}

static enum health_grade
tally_says(const struct primary *P, const char *name, struct tally_site s)
{
	struct tally_now now = { .nsites = 1, .sites = { s } };

	return (primary_says(P, name, FACTS(.is_home = 1, .tally = &now)));
}

#define SITE(...) ((struct tally_site){ .site = "dr", __VA_ARGS__ })

Test(health, says_that_cycles_fail_until_one_does_not)
{
	struct primary *P = primary_of(300);

	cr_expect_eq(tally_says(P, "failing", SITE(.failed = 1, .failed_at = NOW - 60)), HEALTH_NOTE);
	cr_expect_eq(tally_says(P, "failing", SITE(.failed = 2, .failed_at = NOW - 60, .why = "no route")),
	    HEALTH_WARNING);
	cr_expect_not_null(strstr(h.causes[0].text, "60 seconds ago: no route"), "%s", h.causes[0].text);
	cr_expect_eq(tally_says(P, "failing", SITE(.failed = 2, .is_over = 1)), HEALTH_NORMAL);
	cr_expect_eq(tally_says(P, "failing", SITE(.failed = 0)), HEALTH_NORMAL);
	cr_expect_eq(tally_says(P, "failing", ((struct tally_site){ .failed = 2 })), HEALTH_WARNING);
	cr_expect_eq(
	    tally_says(P, "failing", ((struct tally_site){ .site = "gone", .failed = 2 })), HEALTH_NORMAL);
	P->role.state = ROLE_DISABLED;
	cr_expect_eq(tally_says(P, "failing", SITE(.failed = 2)), HEALTH_NORMAL);
	primary_drop(P);
}

Test(health, says_that_a_cycle_is_longer_than_was_wished)
{
	struct primary *P = primary_of(300);

	cr_expect_eq(tally_says(P, "slow-cycle", SITE(.cycle = 300)), HEALTH_NORMAL);
	cr_expect_eq(tally_says(P, "slow-cycle", SITE(.cycle = 301)), HEALTH_WARNING);
	P->wishes.frequency = 0;
	cr_expect_eq(tally_says(P, "slow-cycle", SITE(.cycle = 301)), HEALTH_NORMAL);
	primary_drop(P);
}
