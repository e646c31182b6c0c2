#include "place.h"

#include <signal.h>
#include <sys/stat.h>

#include "base/say.h"
#include "base/stop.h"

static void
init(void)
{
	place_make();
	say_init("vmferry-test");
	hush();
}

TestSuite(say, .init = init, .fini = place_remove);

/* What was said since the last call is just that. */
static void
expect_said(const char *want)
{
	fflush(stderr);
	cr_expect_str_eq(words, want);
	hush();
}

Test(say, shows_control_characters_and_lets_none_through)
{
	for (int c = 1; c < 256; c++) {
		char text[4] = { 'a', (char)c, 'b', '\0' }, want[64];

		say_note("%s", text);
		if (c < 0x20 || c == 0x7f)
			snprintf(want, sizeof want, "vmferry-test: a\\x%02xb\n", (unsigned)c);
		else
			snprintf(want, sizeof want, "vmferry-test: a%cb\n", c);
		expect_said(want);
	}
}

Test(say, shows_control_characters_of_two_bytes_too)
{
	/* U+0080 to U+009F: U+009B begins a terminal's commands as ESC [ does. */
	for (unsigned c = 0x80; c < 0xa0; c++) {
		char text[4] = { (char)0xc2, (char)c, '1', '\0' }, want[64];

		say_note("%s", text);
		snprintf(want, sizeof want, "vmferry-test: \\xc2\\x%02x1\n", c);
		expect_said(want);
	}
	say_note("\xc2\xa0 b\xc3\x9b \xe2\x82\xac \xc2");
	expect_said("vmferry-test: \xc2\xa0 b\xc3\x9b \xe2\x82\xac \xc2\n");
}

Test(say, says_one_line_whatever_the_text)
{
	static char text[10000];

	memset(text, '\n', sizeof text - 1);
	say_refusal("%s", text);
	fflush(stderr);
	cr_expect_eq(strchr(words, '\n'), words + strlen(words) - 1);
	cr_expect(strlen(words) > 4000 && strlen(words) < 5 * 4096);
}

Test(say, tells_a_refusal_from_a_failure)
{
	cr_expect_eq(say_refused("%s: no", "x"), 1);
	expect_said("vmferry-test: refused: x: no\n");
	cr_expect_eq(say_failed("%s: broken", "x"), -1);
	expect_said("vmferry-test: x: broken\n");
}

Test(say, gives_each_outcome_its_exit_status)
{
	cr_expect_eq(say_exit(0), 0);
	cr_expect_eq(say_exit(1), 1);
	cr_expect_eq(say_exit(2), 1);
	cr_expect_eq(say_exit(-1), 3);
	expect_said("");
}

Test(say, never_gives_0_when_standard_output_was_not_written)
{
	FILE *saved = stdout;

	cr_assert_not_null(stdout = fopen("/dev/full", "w"));
	fputs("the answer", stdout);
	cr_expect_eq(say_exit(0), 3);
	cr_expect(said("standard output"));
	stdout = saved;
}

Test(say, shows_no_progress_where_there_is_no_terminal)
{
	int fd = open(at("words"), O_RDWR | O_CREAT | O_APPEND, 0600), saved = dup(STDERR_FILENO);
	struct progress P;
	struct stat st;

	cr_assert(fd >= 0 && saved >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	progress_start(&P, "test", 100);
	progress_add(&P, 50);
	progress_end(&P);
	cr_expect(dup2(saved, STDERR_FILENO) >= 0 && fstat(fd, &st) == 0);
	cr_expect_eq(st.st_size, 0);
	cr_expect_eq(P.done, 50);
	expect_said("");
	close(fd);
	close(saved);
}

Test(say, keeps_an_interrupt_as_a_wish)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

	cr_expect_eq(stop_check(), 0);
	for (unsigned i = 0; i < 3; i++) {
		raise(signals[i]);
		cr_expect_eq(stop_check(), -1);
		cr_expect(said("interrupted"));
	}
}

Test(say, survives_a_closed_pipe)
{
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	close(fds[0]);
	cr_expect_eq(write(fds[1], "x", 1), -1);
	close(fds[1]);
}
