#include <criterion/criterion.h>
#include <sodium.h>
#include <time.h>

#include "point.h"

#define LAST INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

static void
init(void)
{
	cr_assert(sodium_init() >= 0);
}

TestSuite(point, .init = init);

Test(point, known_times_read_as_they_should)
{
	static const struct {
		int64_t time;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 951782400, "2000-02-29T00:00:00Z" },
		{ 1772366400, "2026-03-01T12:00:00Z" },
		{ INT32_MAX, "2038-01-19T03:14:07Z" },
		{ INT64_C(1) + INT32_MAX, "2038-01-19T03:14:08Z" },
		{ INT64_C(4107542400), "2100-03-01T00:00:00Z" },
		{ LAST, "9999-12-31T23:59:59Z" },
	};
	char text[POINT_TIME];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		point_time_text(text, rows[i].time);
		cr_expect_str_eq(text, rows[i].text);
		cr_expect_eq(point_time_parse(rows[i].text), rows[i].time, "%s", rows[i].text);
	}
}

Test(point, an_age_is_said_in_the_largest_unit_that_says_something)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = { { -5, "0 seconds" }, { 0, "0 seconds" }, { 1, "1 second" }, { 119, "119 seconds" },
		{ 120, "2 minutes" }, { 7199, "119 minutes" }, { 7200, "2 hours" }, { 172799, "47 hours" },
		{ 172800, "2 days" }, { INT64_MAX, "106751991167300 days" } };
	char text[POINT_AGE];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		point_age_text(text, rows[i].seconds);
		cr_expect_str_eq(text, rows[i].text);
	}
}

Test(point, every_time_comes_back)
{
	char text[POINT_TIME];

	for (int64_t t = 0; t <= LAST; t += 7777777 + t % 1013) {
		point_time_text(text, t);
		cr_expect_eq(point_time_parse(text), t, "%s", text);
	}
}

Test(point, is_in_utc_wherever_the_host_is)
{
	char text[POINT_TIME];

	setenv("TZ", "Asia/Kathmandu", 1);
	tzset();
	point_time_text(text, 1772366400);
	cr_expect_str_eq(text, "2026-03-01T12:00:00Z");
	cr_expect_eq(point_time_parse(text), 1772366400);
}

Test(point, refuses_every_text_that_is_not_how_it_would_write_it)
{
	static const char *const bad[] = { "", "Z", "1969-12-31T23:59:59Z", "2026-03-01T12:00:00",
		"2026-03-01T12:00:00z", "2026-03-01 12:00:00Z", "2026-03-01T12:00:00Z ",
		" 2026-03-01T12:00:00Z", "2026-02-29T12:00:00Z", "2026-02-30T12:00:00Z",
		"2026-13-01T12:00:00Z", "2026-00-01T12:00:00Z", "2026-03-00T12:00:00Z",
		"2026-03-32T12:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T12:60:00Z",
		"2026-03-01T12:00:60Z", "2026-03-01T12:00:61Z", "2100-02-29T00:00:00Z", "2026-3-1T12:00:00Z",
		"2026-3-01T12:00:00ZZ", "2026- 3-01T12:00:00Z", "+026-03-01T12:00:00Z",
		"-026-03-01T12:00:00Z", "10000-01-01T00:00:0Z", "10000-01-01T00:00:00Z",
		"0000-01-01T00:00:00Z", "2026-03-01T12:00:0 Z", "2026-03-01T 2:00:00Z",
		"2026-03-01T12:00:00+00:00" };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_expect_eq(point_time_parse(bad[i]), -1, "\"%s\"", bad[i]);
}

Test(point, a_changed_byte_is_refused_or_another_time)
{
	char s[] = "2026-03-01T12:00:00Z", text[POINT_TIME];

	for (size_t i = 0; i < sizeof s - 1; i++) {
		char was = s[i];

		for (int c = 1; c < 256; c++) {
			int64_t t;

			s[i] = (char)c;
			if ((t = point_time_parse(s)) != -1) {
				point_time_text(text, t);
				cr_expect_str_eq(text, s);
			}
		}
		s[i] = was;
	}
}

Test(point, a_time_that_has_no_text_still_gets_a_valid_one)
{
	static const int64_t wild[] = { INT64_MIN, INT64_MAX, LAST + 1, INT64_C(1) << 40,
		-INT64_C(62167219201) };
	char text[POINT_TIME];

	for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++) {
		point_time_text(text, wild[i]);
		cr_expect_str_eq(text, "1970-01-01T00:00:00Z");
	}
}

Test(point, kinds_come_back_and_others_are_refused)
{
	static const char *const bad[] = { "", "Standard", "standard ", "stand", "final\n", "undefined" };

	for (int k = POINT_STANDARD; k <= POINT_FINAL; k++)
		cr_expect_eq((int)point_kind_parse(point_kind_text((enum point_kind)k)), k);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_expect_eq((int)point_kind_parse(bad[i]), 0, "\"%s\"", bad[i]);
}
