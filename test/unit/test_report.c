#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "status/report_page.h"
#include "status/report_svg.h"
#include "status/report_text.h"

/* Words and charts of the page, from what is given in memory. */

static char *text;
static size_t size;
static FILE *out;

static void
begin(void)
{
	free(text);
	text = NULL;
	cr_assert_not_null(out = open_memstream(&text, &size));
}

static const char *
end(void)
{
	cr_assert_eq(fclose(out), 0);
	return (text);
}

static unsigned
count(const char *haystack, const char *needle)
{
	unsigned n = 0;

	for (; (haystack = strstr(haystack, needle)) != NULL; haystack += strlen(needle))
		n++;
	return (n);
}

/* --- words -------------------------------------------------------------------------------------------- */

static const char *
put(const char *s)
{
	begin();
	report_text_put(out, s);
	return (end());
}

Test(report_text, never_becomes_markup)
{
	static const struct {
		const char *in, *out;
	} tries[] = { { "web1", "web1" }, { "", "" }, { "<b>&amp;\"'", "&lt;b&gt;&amp;amp;&quot;&#39;" },
		{ "b\xc3\xbc"
		  "cher",
		    "b\xc3\xbc"
		    "cher" },
		{ "\xe2\x82\xac\xf0\x9f\x98\x80", "\xe2\x82\xac\xf0\x9f\x98\x80" }, { "a\nb\tc", "a b c" },
		{ "a\x1b[2J", "a\xef\xbf\xbd[2J" },
		/* Cut within a character, a byte that is none, an overlong '<', a surrogate, a mark that turns the direction. */
		{ "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd" }, { "\xff<", "\xef\xbf\xbd&lt;" },
		{ "\xc0\xbc", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xe2\x80\xae", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" } };

	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
		cr_expect_str_eq(put(tries[i].in), tries[i].out, "%zu: %s", i, text);
	for (int c = 1; c < 256; c++) {
		char s[] = { (char)c, 'x', '\0' };

		put(s);
		cr_expect_eq(strpbrk(text, "<>\"'"), NULL, "byte %d", c);
		cr_expect(text[strlen(text) - 1] == 'x', "byte %d takes what follows", c);
	}
}

Test(report_text, is_cut_between_characters)
{
	static const struct {
		const char *in, *out;
		unsigned most;
	} tries[] = { { "abc", "abc", 3 }, { "abcd", "ab\xe2\x80\xa6", 3 }, { "<<<<", "&lt;\xe2\x80\xa6", 2 },
		{ "\xc3\xbc\xc3\xbc\xc3\xbc", "\xc3\xbc\xe2\x80\xa6", 2 }, { "", "", 3 } };

	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		begin();
		report_text_short(out, tries[i].in, tries[i].most);
		cr_expect_str_eq(end(), tries[i].out);
	}
}

Test(report_text, shows_commands_as_such)
{
	static const struct {
		const char *in, *out;
	} tries[] = {
		{ "say 'vmferry resume a<b'; or not", "say <code>vmferry resume a&lt;b</code>; or not" },
		{ "'vmferry a' and 'vmferry b'", "<code>vmferry a</code> and <code>vmferry b</code>" },
		{ "site 'dr' is", "site &#39;dr&#39; is" },
		{ "cut short: 'vmferry resu", "cut short: &#39;vmferry resu" },
	};

	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		begin();
		report_text_advice(out, tries[i].in);
		cr_expect_str_eq(end(), tries[i].out);
	}
}

Test(report_text, says_ages_with_the_exact_time_beside_them)
{
	begin();
	report_text_age(out, 1000, 1180);
	cr_expect_str_eq(end(),
	    "<time datetime=\"1970-01-01T00:16:40Z\" title=\"1970-01-01 00:16 UTC\">3 min "
	    "ago</time>");
	begin();
	report_text_age(out, 1000, 1001);
	cr_expect(strstr(end(), ">just now<"));
	begin();
	report_text_age(out, 4600, 1000);
	cr_expect(strstr(end(), ">in 60 min<"));
}

/* --- charts ------------------------------------------------------------------------------------------- */

static const struct report_svg day = {
	.id = "c", .title = "<t>", .text = "a & b", .from = 86400, .to = 172800
};

static uint64_t
ages(const struct report_svg_arrival *a, unsigned n, uint64_t goal)
{
	struct report_svg_ages all = { .arrivals = a, .n = n, .goal = goal };
	uint64_t most;

	begin();
	most = report_svg_ages(out, &day, &all);
	end();
	cr_expect_eq(most, report_svg_largest(&day, &all));
	return (most);
}

Test(report_svg, has_words_for_those_who_do_not_see_it)
{
	ages(NULL, 0, 0);
	cr_expect(strstr(text,
	              "<svg viewBox=\"0 0 300 118\" role=\"img\" aria-labelledby=\"ct cd\"><title id=\"ct\">"
	              "&lt;t&gt;</title><desc id=\"cd\">a &amp; b</desc>") == text,
	    "%s", text);
	cr_expect_eq(count(text, "class=\"ln\""), 0, "a line of nothing");
	cr_expect_str_eq(text + strlen(text) - 7, "</svg>\n");
}

Test(report_svg, shows_the_largest_age_however_short_it_was)
{
	struct report_svg_arrival a[200];
	unsigned n = 0;

	/* A point each 10 minutes that comes a minute later, but for one hour in which none comes. */
	for (int64_t at = day.from - 600; at < day.to; at += 600)
		if (at < day.from + 36000 || at >= day.from + 39600)
			a[n++] = (struct report_svg_arrival){ at + 60, at };
	/* The last one before was cut at 35400; the next comes at 39660. */
	cr_expect_eq(ages(a, n, 900), 39660 - 35400);
	cr_expect_eq(count(text, "class=\"ln\""), 1);
	cr_expect_eq(count(text, "class=\"go\""), 1);
	/* All in one column. */
	for (unsigned i = 0; i < 200; i++)
		a[i] = (struct report_svg_arrival){ day.from + 40000 + i,
			day.from + 40000 + i - (i == 150 ? 90 : 3) };
	cr_expect_eq(ages(a, 200, 0), (uint64_t)(day.to - (day.from + 40000 + 199 - 3)));
}

Test(report_svg, ages_go_on_from_what_was_there_before_and_to_now)
{
	struct report_svg_arrival before = { day.from - 5000, day.from - 6000 },
	                          within[] = { { day.from + 100, day.from - 6000 }, { day.to, day.to } };

	cr_expect_eq(ages(&before, 1, 0), 86400 + 6000);
	cr_expect_eq(ages(within, 2, 0), 86400 + 6000);
	/* What is older than what is there makes it no older; a clock that went back makes nothing of it. */
	cr_expect_eq(
	    ages((struct report_svg_arrival[]){ { day.from, day.from }, { day.to - 1, 5 } }, 2, 0), 86400);
	cr_expect_eq(ages((struct report_svg_arrival[]){ { day.to, day.to + 5000 } }, 1, 0), 0);
	cr_expect_eq(ages((struct report_svg_arrival[]){ { day.to + 9, day.to } }, 1, 0), 0);
}

Test(report_svg, hours_stand_for_the_time_before_events)
{
	struct report_svg_peak peaks[] = { { 90000, 93600, 700 }, { 108000, 111600, 20000 } };
	struct report_svg_arrival a = { 150000, 149990 };
	struct report_svg_ages all = { .arrivals = &a, .n = 1, .peaks = peaks, .npeaks = 2 };

	cr_expect_eq(report_svg_largest(&day, &all), 172800 - 149990);
	all.n = 0;
	cr_expect_eq(report_svg_largest(&day, &all), 20000);
	all.npeaks = 1;
	cr_expect_eq(report_svg_largest(&day, &all), 700);
	all.npeaks = 0;
	cr_expect_eq(report_svg_largest(&day, &all), 0);
}

Test(report_svg, is_small_whatever_goes_in)
{
	static struct report_svg_bar bars[5000];
	static struct report_svg_mark marks[5000];
	static struct report_svg_arrival a[5000];
	static int64_t failed[5000];
	struct report_svg_lane lane = { "<kept>", marks, 5000 };
	struct report_svg_ages all = {
		.arrivals = a, .n = 5000, .failed = failed, .nfailed = 5000, .goal = UINT64_MAX
	};

	for (unsigned i = 0; i < 5000; i++) {
		int64_t at = day.from - 1000 + i * 20;

		bars[i] = (struct report_svg_bar){ at, i == 2500 ? UINT64_MAX : i };
		marks[i] = (struct report_svg_mark){ .at = at, .seq = i, .shape = REPORT_SVG_DIAMOND };
		a[i] = (struct report_svg_arrival){ at, i % 7 == 0 ? INT64_MIN / 4 : at - i };
		failed[i] = at;
	}
	begin();
	report_svg_bars(out, &day, bars, 5000);
	cr_expect_lt(strlen(end()), 4000);
	begin();
	report_svg_lanes(out, &day, &lane, 1);
	cr_expect_lt(strlen(end()), 20000);
	cr_expect(strstr(text, "&lt;kept&gt;"));
	begin();
	report_svg_ages(out, &day, &all);
	cr_expect_lt(strlen(end()), 12000);
	cr_expect_eq(count(text, "nan") + count(text, "inf") + count(text, "e+"), 0, "%s", text);
}

Test(report_svg, tells_marks_apart_by_their_shape)
{
	static const struct report_svg_mark marks[] = { { .at = 90000, .seq = 1 },
		{ .at = 100000, .seq = 2, .shape = REPORT_SVG_SQUARE, .is_open = 1 },
		{ .at = 110000, .seq = 3, .is_pinned = 1 }, { .at = 120000, .seq = 4, .is_bad = 1 },
		{ .at = 120001, .seq = 5, .is_bad = 1 } };
	struct report_svg_lane lane = { "here", marks, 5 };

	begin();
	report_svg_lanes(out, &day, &lane, 1);
	end();
	cr_expect_eq(count(text, "class=\"fi\""), 3);
	cr_expect_eq(count(text, "class=\"op\""), 1);
	cr_expect_eq(count(text, "class=\"ri\""), 1);
	cr_expect_eq(count(text, "class=\"cr\""), 1);
	cr_expect(strstr(text, "point 2, 1970-01-02 03:46 UTC"));
	cr_expect(strstr(text, "point 4,") == NULL && strstr(text, "point 5,") != NULL,
	    "of two alike, the newer one");
}

/* --- the page ----------------------------------------------------------------------------------------- */

static struct report_row
row(const char *vm, enum health_grade grade)
{
	struct report_row r = { .side = "primary", .state = "replicating", .grade = grade };

	cr_assert_not_null(r.vm = strdup(vm));
	cr_assert_not_null(r.uuid = strdup("00000000-0000-0000-0000-000000000000"));
	r.cause = grade > HEALTH_NOTE ? "late" : NULL;
	cr_assert_not_null(r.text = strdup("too <old>"));
	cr_assert_not_null(r.remedy = strdup("say 'vmferry export'"));
	return (r);
}

Test(report_page, has_the_worst_first_and_counts_what_is_alike)
{
	struct report_row rows[7];
	struct report_page p = { .site = "h<q>", .now = 86400, .interval = 86400, .n = 7, .rows = rows };

	for (unsigned i = 0; i < 5; i++)
		rows[i] = row("b", HEALTH_WARNING);
	rows[5] = row("z<i>", HEALTH_CRITICAL);
	rows[5].cause = "fenced";
	rows[6] = row("a", HEALTH_NORMAL);
	qsort(rows, 7, sizeof *rows, report_page_order);
	cr_expect_str_eq(rows[0].vm, "z<i>");
	cr_expect_str_eq(rows[6].vm, "a");
	begin();
	report_page_put(out, &p);
	end();
	cr_expect(strstr(text, "6 of 7 VMs need a look.") != NULL);
	cr_expect(strstr(text, "2 more with &ldquo;late&rdquo;") != NULL);
	cr_expect_eq(count(text, "<p>Next: say <code>vmferry export</code>.</p>"), 4);
	cr_expect_eq(count(text, "<old>") + count(text, "<i>") + count(text, "<q>"), 0);
	cr_expect_eq(count(text, "<tr>"), 8);
	for (unsigned i = 0; i < 7; i++) {
		free(rows[i].vm);
		free(rows[i].uuid);
		free(rows[i].text);
		free(rows[i].remedy);
	}
}

Test(report_page, of_nothing_says_so)
{
	struct report_page p = { .site = "hq", .now = 86400, .interval = 86400, .is_partial = 1 };

	begin();
	report_page_put(out, &p);
	end();
	cr_expect(strstr(text, "Nothing is replicated here yet.") != NULL);
	cr_expect(strstr(text, "This is not all of it:") != NULL);
	cr_expect_eq(count(text, "<table"), 0);
}
