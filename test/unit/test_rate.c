#include "link/rate.h"

#include <sys/wait.h>
#include <unistd.h>

#include "place.h"

TestSuite(rate, .init = place_make, .fini = place_remove);

/* Send in pieces of n for so many ms, waiting as told: how many bytes that were. */
static uint64_t
bytes_in(struct rate *r, size_t n, int64_t from, int64_t ms)
{
	uint64_t sent = 0;

	for (int64_t now = from; now < from + ms; sent += n)
		now += rate_reserve(r, n, now);
	return (sent);
}

Test(rate, of_nothing_is_no_limit)
{
	struct rate *r = rate_new(0);

	for (int i = 0; i < 1000; i++)
		cr_assert_eq(rate_reserve(r, SIZE_MAX, 5), 0);
	cr_expect_eq(rate_reserve(NULL, 1000, 5), 0);
	rate_free(r);
	rate_free(NULL);
}

Test(rate, is_kept_over_any_time_in_any_pieces)
{
	static const size_t pieces[] = { 1, 100, 4096, 262144, 1000000 };
	static const uint64_t rates[] = { 20000, 1000000, 123456789 };

	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
		for (size_t k = i; k < sizeof pieces / sizeof *pieces; k++) {
			struct rate *r = rate_new(rates[i]);
			uint64_t sent = bytes_in(r, pieces[k], 1000000, 20000), due = rates[i] * 20;

			/* A quarter of a second at once, and the pieces at both ends. */
			cr_expect_geq(sent + pieces[k], due, "%zu at %zu", pieces[k], (size_t)rates[i]);
			cr_expect_leq(sent, due + rates[i] / 4 + 2 * pieces[k], "%zu at %zu", pieces[k],
			    (size_t)rates[i]);
			rate_free(r);
		}
}

Test(rate, a_rest_saves_up_no_more_than_a_burst)
{
	struct rate *r = rate_new(1000);

	cr_expect_eq(rate_reserve(r, 1000, 0), 0);
	cr_expect_eq(rate_reserve(r, 1000, 3600000), 0);
	cr_expect_eq(rate_reserve(r, 250, 3600000), 750);
	cr_expect_eq(rate_reserve(r, 1, 3600000), 1000);
	rate_free(r);
}

Test(rate, is_shared_by_processes)
{
	struct rate *r = rate_new(1000000);
	int64_t wait;
	pid_t pid[4];

	for (int i = 0; i < 4; i++)
		if ((pid[i] = fork()) == 0) {
			for (int k = 0; k < 10000; k++)
				rate_reserve(r, 1000, 0);
			_exit(0);
		}
	for (int i = 0; i < 4; i++)
		waitpid(pid[i], NULL, 0);
	/* All 40 MB of theirs go before ours. */
	wait = rate_reserve(r, 1, 0);
	cr_expect(wait >= 39700 && wait <= 40000, "%lld", (long long)wait);
	rate_free(r);
}

Test(rate, changes_from_now_on)
{
	struct rate *r = rate_new(1);

	rate_reserve(r, 1000000, 0);
	cr_expect_gt(rate_reserve(r, 1, 0), 999000000);
	rate_set(r, 1);
	cr_expect_gt(rate_reserve(r, 1, 0), 999000000);
	rate_set(r, 1000000);
	cr_expect_eq(rate_reserve(r, 1000000, 0), 0);
	cr_expect_eq(rate_reserve(r, 1000000, 0), 750);
	rate_set(r, 0);
	cr_expect_eq(rate_reserve(r, 1000000, 0), 0);
	rate_free(r);
}

Test(rate, of_the_smallest_and_largest_numbers_is_still_one)
{
	struct rate *slow = rate_new(1), *fast = rate_new(UINT64_MAX);

	for (int i = 0; i < 10; i++) {
		int64_t wait = rate_reserve(slow, SIZE_MAX, INT64_C(1) << 40);

		cr_expect(wait >= 0 && wait <= INT64_C(31) * 86400000, "%lld", (long long)wait);
		cr_expect_eq(rate_reserve(fast, 1 << 20, 5), 0);
	}
	rate_free(slow);
	rate_free(fast);
}
