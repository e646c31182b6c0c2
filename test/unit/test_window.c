#include <criterion/criterion.h>
#include <string.h>

#include "schedule/window.h"

/* 2026-11-22 is a Sunday. */
static int
is_open(const char *words, int day, int hour, int minute)
{
	struct tm t = { .tm_year = 126,
		.tm_mon = 10,
		.tm_mday = day,
		.tm_hour = hour,
		.tm_min = minute,
		.tm_wday = (day - 22 + 7) % 7 };
	struct window W;

	cr_assert_null(window_parse(&W, words), "%s", words);
	return (window_is_open(&W, &t));
}

Test(window, of_no_words_is_always_open)
{
	cr_expect(is_open("", 22, 0, 0));
	cr_expect(is_open("  ", 25, 12, 30));
}

Test(window, of_a_night_is_open_on_both_sides_of_midnight)
{
	cr_expect(!is_open("22:00-06:00", 22, 21, 59));
	cr_expect(is_open("22:00-06:00", 22, 22, 0));
	cr_expect(is_open("22:00-06:00", 23, 5, 59));
	cr_expect(!is_open("22:00-06:00", 23, 6, 0));
	cr_expect(is_open("08:00-24:00", 23, 23, 59));
	cr_expect(!is_open("08:00-24:00", 23, 7, 59));
}

Test(window, gives_a_night_to_the_day_on_which_it_begins)
{
	static const char words[] = "Mon-Fri 20:00-06:00, Sat-Sun";

	cr_expect(is_open(words, 22, 23, 59), "Sunday, all of it");
	cr_expect(!is_open(words, 23, 1, 0), "the night before Monday began on a Sunday");
	cr_expect(!is_open(words, 23, 19, 59));
	cr_expect(is_open(words, 23, 20, 0));
	cr_expect(is_open(words, 24, 5, 59));
	cr_expect(is_open(words, 28, 3, 0), "Saturday");
	cr_expect(!is_open("Fri 20:00-06:00", 27, 5, 0));
	cr_expect(is_open("Fri 20:00-06:00", 28, 5, 0));
	cr_expect(!is_open("Fri 20:00-06:00", 28, 20, 0));
}

Test(window, of_days_goes_over_the_end_of_the_week)
{
	cr_expect(is_open("Sat-Mon", 28, 0, 0));
	cr_expect(is_open("Sat-Mon", 22, 0, 0));
	cr_expect(is_open("Sat-Mon", 23, 23, 59));
	cr_expect(!is_open("Sat-Mon", 24, 0, 0));
	cr_expect(is_open("sun", 22, 12, 0));
}

Test(window, that_starts_at_a_time_is_closed_before_it)
{
	cr_expect(!is_open("2026-11-24T22:00", 24, 21, 59));
	cr_expect(is_open("2026-11-24T22:00", 24, 22, 0));
	cr_expect(is_open("2026-11-24T22:00", 30, 0, 0));
	cr_expect(!is_open("2026-11-24T22:00, 22:00-06:00", 25, 12, 0));
	cr_expect(is_open("22:00-06:00,2026-11-24T22:00", 25, 2, 0));
	cr_expect(!is_open("22:00-06:00,2026-11-24T22:00", 23, 23, 0));
}

Test(window, refuses_words_that_are_none)
{
	static const char *const bad[] = { "always", "22:00", "22:00-", "22-06", "22:00-25:00", "22:60-23:00",
		"24:00-06:00", "08:00-08:00", "Mo", "Monday", "Mon-", "Mon-Fri 20:00", "22:00-06:00,", ",",
		"22:00-06:00 Mon", "22:00-06:00;23:00-24:00", "2026-13-01T10:00", "2026-11-24 22:00",
		"2026-11-24T24:00", "2026-11-24T22:00, 2026-11-25T22:00", "22:00-06:00 x", "20:00 - 22:00",
		"Mon,Mon,Mon,Mon,Mon,Mon,Mon,Mon,Mon,Mon,Mon,Mon,Mon,Mon,Mon,Mon,Mon" };
	struct window W;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_expect_not_null(window_parse(&W, bad[i]), "%s", bad[i]);
}
