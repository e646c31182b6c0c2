#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedule/routes.h"

static struct routes T;

static void
good(const char *text)
{
	unsigned line;
	const char *why = routes_decode(&T, text, &line);

	cr_assert_null(why, "line %u %s", line, why);
}

/* The text is none, by that line. */
static void
bad(const char *text, unsigned wanted)
{
	unsigned line;
	const char *why = routes_decode(&T, text, &line);

	cr_expect_not_null(why, "%s", text);
	cr_expect_eq(line, wanted, "%s: %s", text, why);
	cr_expect_null(T.routes);
}

Test(routes, are_what_a_person_wrote)
{
	good("# how to get there\n"
	     "site=\"dr\" via=\"ssh dr vmferry serve\" rate=2M parallel=2 initial=\"22:00-06:00\"   # at "
	     "night\n"
	     "\n"
	     "  site=far mailbox=\"/srv/mail box/far\"\n"
	     "take=/srv/mailbox/in every=5m\n"
	     "rate=10M parallel=4 initial=Sat-Sun\n");
	cr_assert_eq(T.n, 3);
	cr_expect_eq(T.rate, 10u << 20);
	cr_expect_eq(T.parallel, 4);
	cr_expect_str_eq(T.initial, "Sat-Sun");
	cr_expect_str_eq(routes_to(&T, "dr")->via, "ssh dr vmferry serve");
	cr_expect_eq(routes_to(&T, "dr")->rate, 2u << 20);
	cr_expect_eq(routes_to(&T, "dr")->parallel, 2);
	cr_expect_eq(routes_to(&T, "dr")->line, 2);
	cr_expect_str_eq(routes_to(&T, "far")->mailbox, "/srv/mail box/far");
	cr_expect_str_eq(T.routes[2].take, "/srv/mailbox/in");
	cr_expect_eq(T.routes[2].every, 300);
	cr_expect_null(routes_to(&T, "hq"));
	cr_expect_null(routes_to(&T, ""));
	routes_free(&T);
}

Test(routes, may_be_none_at_all)
{
	good("");
	cr_expect_eq(T.n, 0);
	routes_free(&T);
	good("# nothing\n\n \t\n");
	cr_expect_eq(T.n, 0);
	routes_free(&T);
}

Test(routes, name_the_line_that_is_none)
{
	static const char *const lines[] = { "dr", "site=dr", "site=dr via=", "via=x", "site=-x via=x",
		"site=dr via=x mailbox=/x", "site=dr mailbox=x", "take=x", "take=/x rate=1M",
		"take=/x site=dr via=x", "site=dr via=x every=5m", "site=dr via=x rate=fast",
		"site=dr via=x parallel=0", "site=dr via=x parallel=65", "site=dr via=x initial=never",
		"site=dr via=x via=y", "site=dr mailbox=/x rate=1M", "take=/x every=0", "take=/x every=soon",
		"speed=1M", "site=dr via=\"x", "site=dr via=x\"y\"", "every=5m" };
	char text[256];

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		snprintf(text, sizeof text, "# first\nsite=far mailbox=/far\n%s\n", lines[i]);
		bad(text, 3);
	}
}

Test(routes, have_one_line_for_a_site_and_one_for_all)
{
	bad("site=dr via=x\nsite=dr mailbox=/x\n", 2);
	bad("rate=1M\nparallel=2\n", 2);
}

Test(routes, are_bounded)
{
	static char text[ROUTES_MAX * 64];
	size_t n = 0;

	for (unsigned i = 0; i < ROUTES_MAX; i++)
		n += (size_t)sprintf(text + n, "site=s%u via=x\n", i);
	good(text);
	cr_expect_eq(T.n, ROUTES_MAX);
	routes_free(&T);
	sprintf(text + n, "site=more via=x\n");
	bad(text, ROUTES_MAX + 1);
}
