#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "place.h"
#include "tally/tally.h"
#include "tally/tally_file.h"

/* The file of what became of the cycles: bounded, survives damage and company, and is never in anybody's way. */

TestSuite(tally, .init = place_make, .fini = place_remove);

#define NOW (INT64_C(500000) * 3600 + 1800)

static struct tally_event events[TALLY_EVENTS];
static struct tally_hour hours[TALLY_HOURS];

static struct tally_event
event(enum tally_kind kind, int64_t when, uint64_t seq)
{
	struct tally_event e = { .kind = kind,
		.at = when,
		.site = "dr",
		.seq = seq,
		.point_at = when - 10,
		.bytes = 100 * seq,
		.data = 300 * seq,
		.ms = seq,
		.missed = 2,
		.settled = 1 };

	return (e);
}

static void
put(enum tally_kind kind, int64_t when, uint64_t seq)
{
	struct tally_event e = event(kind, when, seq);

	tally_note(place, &e);
}

Test(tally, gives_back_what_was_noted_in_its_order)
{
	put(TALLY_SENT, NOW, 1);
	put(TALLY_ACKED, NOW + 5, 1);
	put(TALLY_SENT, NOW + 60, 2);
	put(TALLY_ACKED, NOW + 65, 2);
	cr_assert_eq(tally_events(place, events), 4);
	cr_expect(events[0].kind == TALLY_SENT && events[0].at == NOW && events[0].seq == 1 &&
	          strcmp(events[0].site, "dr") == 0 && events[0].point_at == NOW - 10 &&
	          events[0].bytes == 100 && events[0].data == 300 && events[0].ms == 1 &&
	          events[0].missed == 2 && events[0].settled == 1 && events[0].rpo == 0);
	cr_expect_eq(events[3].rpo, 70, "the point before was cut 70 seconds ago, not %u", events[3].rpo);
	cr_assert_eq(tally_hours(place, NOW - 3600, NOW, hours), 1);
	cr_expect(hours[0].n[TALLY_SENT] == 2 && hours[0].n[TALLY_ACKED] == 2 && hours[0].bytes == 300 &&
	          hours[0].data == 900 && hours[0].largest_delta == 200 && hours[0].deltas == 2 &&
	          hours[0].latency == 20 && hours[0].latencies == 2 && hours[0].largest_latency == 10 &&
	          hours[0].rpo == 70 && hours[0].longest_ms == 2);
}

Test(tally, is_nothing_where_nothing_was_noted)
{
	struct tally_now now;
	struct tally_hour sum;
	int64_t since = NOW - 3600;

	tally_look(place, &now);
	tally_sum(place, &since, NOW, &sum);
	cr_expect(now.nsites == 0 && now.reset == 0 && tally_events(place, events) == 0);
	cr_expect(tally_hours(place, 0, NOW, hours) == 0 && sum.n[TALLY_SENT] == 0);
	cr_expect_eq(io_exists(at("cycles")), 0, "looking has made a file");
}

Test(tally, stays_bounded_and_keeps_the_last_ones)
{
	struct stat st;
	struct tally_now now;

	for (uint64_t i = 0; i < 3000; i++)
		put(TALLY_SENT, NOW + (int64_t)i * 1800, i + 1);
	cr_assert_eq(stat(at("cycles"), &st), 0);
	cr_expect_leq(st.st_size, 200000);
	cr_assert_eq(tally_events(place, events), TALLY_EVENTS);
	for (unsigned i = 0; i < TALLY_EVENTS; i++)
		cr_expect_eq(events[i].seq, 3000 - TALLY_EVENTS + 1 + i);
	cr_expect_eq(tally_hours(place, 0, NOW + 2999 * 1800, hours), TALLY_HOURS);
	for (unsigned i = 0; i < TALLY_HOURS; i++)
		cr_expect(hours[i].n[TALLY_SENT] <= 2 && (i == 0 || hours[i].hour == hours[i - 1].hour + 1));
	tally_look(place, &now);
	cr_expect_eq(now.total.n[TALLY_SENT], 3000);
}

Test(tally, counts_from_a_reset_on_and_keeps_the_events)
{
	int64_t now = (int64_t)time(NULL), since = now - 86400;
	struct tally_hour sum;

	put(TALLY_SENT, now - 7200, 1);
	put(TALLY_SENT, now, 2);
	tally_sum(place, &since, now, &sum);
	cr_expect_eq(sum.n[TALLY_SENT], 2);
	cr_assert_eq(tally_reset(place), 0);
	since = now - 86400;
	tally_sum(place, &since, now + 5, &sum);
	cr_expect_eq(sum.n[TALLY_SENT], 0);
	cr_expect_geq(since, now);
	put(TALLY_SENT, now + 3, 3);
	tally_sum(place, &since, now + 5, &sum);
	cr_expect_eq(sum.n[TALLY_SENT], 1);
	cr_expect_eq(tally_events(place, events), 3);
}

Test(tally, counts_short_times_one_by_one_and_long_ones_by_the_hour)
{
	struct tally_hour sum;
	int64_t since = NOW - 600;

	put(TALLY_SENT, NOW - 1200, 1);
	put(TALLY_SENT, NOW - 300, 2);
	tally_sum(place, &since, NOW, &sum);
	cr_expect(sum.n[TALLY_SENT] == 1 && since == NOW - 600);
	for (unsigned i = 0; i < TALLY_EVENTS; i++)
		put(TALLY_MERGED, NOW - 200, 3);
	tally_sum(place, &since, NOW, &sum);
	cr_expect(sum.n[TALLY_SENT] == 2 && sum.n[TALLY_MERGED] == TALLY_EVENTS, "%u", sum.n[TALLY_SENT]);
	cr_expect_eq(since, NOW - 1800, "it is said from when on");
}

Test(tally, knows_what_fails_since_the_last_receipt_and_why)
{
	struct tally_now now;
	struct tally_event e = event(TALLY_FAILED, NOW, 0);

	put(TALLY_ACKED, NOW - 100, 1);
	tally_note(place, &e);
	e.at = NOW + 60;
	tally_note(place, &e);
	tally_look(place, &now);
	cr_assert_eq(now.nsites, 1);
	cr_expect(now.sites[0].failed == 2 && now.sites[0].failed_first == NOW &&
	          now.sites[0].failed_at == NOW + 60 && !now.sites[0].is_over);
	put(TALLY_SENT, NOW + 70, 2);
	tally_look(place, &now);
	cr_expect(now.sites[0].is_over && now.sites[0].failed == 2);
	put(TALLY_ACKED, NOW + 80, 2);
	tally_look(place, &now);
	cr_expect(now.sites[0].failed == 0 && now.sites[0].point_at == NOW + 70);
	cr_expect_eq(now.total.n[TALLY_FAILED], 2);
}

Test(tally, counts_a_failure_of_which_two_tell_once)
{
	struct tally_now now;
	struct tally_event e = event(TALLY_FAILED, 0, 0);

	tally_note(place, &e);
	tally_note_failure(place, "dr", "the line is cut");
	tally_note_failure(place, "dr", NULL);
	tally_look(place, &now);
	cr_expect(now.sites[0].failed == 1 && strcmp(now.sites[0].why, "the line is cut") == 0);
	cr_expect_eq(tally_events(place, events), 1);
	tally_note_failure(place, "far", "no such host");
	tally_look(place, &now);
	cr_expect(now.nsites == 2 && now.sites[1].failed == 1 && now.sites[0].failed == 1);
}

Test(tally, keeps_the_cycle_of_each_site_and_forgets_the_site_longest_silent)
{
	struct tally_now now;
	char name[300];

	for (int64_t i = 0; i < 20; i++) {
		struct tally_event e = event(TALLY_ACKED, NOW + i, 1);

		snprintf(e.site, sizeof e.site, "site%02d", (int)i);
		tally_note(place, &e);
	}
	tally_note_cycle(place, "site19", 120);
	tally_look(place, &now);
	cr_assert_eq(now.nsites, TALLY_SITES);
	for (unsigned i = 0; i < TALLY_SITES; i++) {
		cr_expect(strcmp(now.sites[i].site, "site12") >= 0, "%s", now.sites[i].site);
		cr_expect_eq(now.sites[i].cycle, strcmp(now.sites[i].site, "site19") == 0 ? 120 : 0);
	}
	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = '\0';
	tally_note_cycle(place, name, 60);
	tally_note_cycle(place, name, 90);
	tally_look(place, &now);
	for (unsigned i = 0, n = 0; i < now.nsites; i++)
		if (now.sites[i].site[0] == 'n')
			cr_expect(n++ == 0 && now.sites[i].cycle == 90, "a long name has two entries");
}

Test(tally, loses_only_what_is_damaged)
{
	struct tally_now now;
	size_t n;
	uint8_t *whole, *p;
	uint64_t seed = 7;

	for (uint64_t i = 1; i <= 600; i++)
		put(TALLY_SENT, NOW + (int64_t)i, i);
	whole = place_get("cycles", &n);
	cr_assert_not_null(p = malloc(n));
	for (unsigned turn = 0; turn < 200; turn++) {
		size_t where = dice(&seed) % n, cut = turn % 4 == 0 ? dice(&seed) % n : n;
		unsigned k;

		memcpy(p, whole, n);
		p[where] ^= (uint8_t)(1 + dice(&seed) % 255);
		place_put("cycles", p, cut);
		k = tally_events(place, events);
		cr_expect(cut < n || k >= TALLY_EVENTS - 1, "%u are left", k);
		for (unsigned i = 0; i < k; i++)
			cr_expect(events[i].seq * 100 == events[i].bytes && events[i].seq <= 600 &&
			          (i == 0 || events[i].seq > events[i - 1].seq));
		tally_look(place, &now);
		cr_expect(now.total.n[TALLY_SENT] == 600 || now.total.n[TALLY_SENT] == 0);
		/* And what comes next is not lost for it. */
		put(TALLY_SENT, NOW + 700, 700);
		k = tally_events(place, events);
		cr_expect(k > 0 && events[k - 1].seq == 700);
	}
	free(p);
	free(whole);
	cr_expect(!said("cycles"), "it was spoken of");
}

Test(tally, is_silent_and_leaves_alone_what_is_no_file)
{
	struct tally_now now;

	cr_assert_eq(mkfifo(at("cycles"), 0600), 0);
	put(TALLY_SENT, NOW, 1);
	tally_look(place, &now);
	cr_expect_eq(now.nsites, 0);
	cr_assert_eq(unlink(at("cycles")), 0);
	place_put("victim", "x", 1);
	cr_assert_eq(symlink("victim", at("cycles")), 0);
	put(TALLY_SENT, NOW, 1);
	cr_expect(tally_events(place, events) == 0 && io_is_link(at("cycles")));
	tally_note(at("nowhere"), &events[0]);
	fflush(stderr);
	cr_expect_eq(nwords, 0, "it was said: %s", words);
}

Test(tally, several_processes_may_note_at_a_time)
{
	struct tally_now now;
	unsigned n;
	pid_t pids[4];

	for (unsigned k = 0; k < 4; k++)
		if ((pids[k] = fork()) == 0) {
			for (uint64_t i = 1; i <= 100; i++)
				put(TALLY_SENT, NOW, k * 1000 + i);
			_exit(0);
		}
	for (unsigned k = 0; k < 4; k++)
		cr_assert_eq(waitpid(pids[k], NULL, 0), pids[k]);
	cr_assert_eq(n = tally_events(place, events), 400);
	for (unsigned k = 0; k < 4; k++) {
		uint64_t last = 0;

		for (unsigned i = 0; i < n; i++)
			if (events[i].seq / 1000 == k) {
				cr_expect_eq(events[i].seq % 1000, last + 1);
				last = events[i].seq % 1000;
			}
		cr_expect_eq(last, 100);
	}
	tally_look(place, &now);
	cr_expect_eq(now.total.n[TALLY_SENT], 400);
	cr_assert_eq(tally_hours(place, NOW, NOW, hours), 1);
	cr_expect_eq(hours[0].n[TALLY_SENT], 400);
}
