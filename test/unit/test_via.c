#include "link/via.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "place.h"

/* Without a terminal, of which a command would be given its part. */
static void
make(void)
{
	place_make();
	setsid();
}

TestSuite(via, .init = make, .fini = place_remove);

/* What comes back of a few words. */
static void
expect_echo(struct via *V)
{
	struct pollfd p = { .fd = V->in, .events = POLLIN };
	char back[6] = "";
	ssize_t n, got = 0;

	cr_assert_eq(write(V->out, "hello", 5), 5);
	/* A named pipe that nobody has opened for writing yet would read as one that has ended. */
	cr_assert_eq(poll(&p, 1, -1), 1);
	while (got < 5 && (n = read(V->in, back + got, (size_t)(5 - got))) > 0)
		got += n;
	cr_expect_str_eq(back, "hello");
}

static void
expect_none_left(void)
{
	cr_expect(waitpid(-1, NULL, WNOHANG) == -1);
}

static const char *
command(const char *format)
{
	static char text[2 * PATH_MAX];

	snprintf(text, sizeof text, format, place, place);
	return (text);
}

Test(via, words_that_are_none_are_told_why)
{
	static const char *const none[] = { "", "  ", "unix:", "fifo:", "fifo:a", "fifo:,b", "fifo:a,",
		"fifo:a,b,c" };
	static const char *const ways[] = { "unix:/a", "fifo:a,b", "ssh dr vmferry serve", "cat" };
	struct via V;

	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		cr_expect_not_null(via_check(none[i]), "%s", none[i]);
		cr_expect(via_open(&V, none[i]) == -1 && V.in == -1 && V.out == -1 && V.child == 0);
	}
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		cr_expect_null(via_check(ways[i]), "%s", ways[i]);
}

Test(via, a_command_is_the_pipe_and_ends_with_it)
{
	struct via V;

	cr_assert_eq(via_open(&V, "cat"), 0);
	expect_echo(&V);
	via_close(&V, 1);
	cr_expect(!said("ended"));
	expect_none_left();
}

Test(via, a_command_that_failed_is_told_of_where_the_line_was_cut)
{
	struct via V;
	char c;

	cr_assert_eq(via_open(&V, "exit 7"), 0);
	cr_expect_eq(read(V.in, &c, 1), 0);
	via_close(&V, 1);
	cr_expect(said("exit 7: ended with status 7"));
	cr_assert_eq(via_open(&V, "exit 7"), 0);
	cr_expect_eq(read(V.in, &c, 1), 0);
	via_close(&V, 0);
	cr_expect(!said("status"));
	expect_none_left();
}

Test(via, a_command_that_stays_is_ended_with_all_that_it_started)
{
	struct via V;
	int fd;
	char c;

	/* Whoever has the named pipe open for writing is alive. */
	cr_assert(mkfifo(at("fifo"), 0600) == 0 && (fd = open(at("fifo"), O_RDONLY | O_NONBLOCK)) >= 0);
	cr_assert_eq(via_open(&V, command("exec 3> %s/fifo; echo x; sleep 1000 & sleep 1000")), 0);
	cr_assert_eq(read(V.in, &c, 1), 1);
	via_close(&V, 1);
	cr_expect_eq(fcntl(fd, F_SETFL, 0), 0);
	cr_expect_eq(read(fd, &c, 1), 0);
	close(fd);
	expect_none_left();
}

Test(via, a_command_has_nothing_of_ours_open_and_signals_as_usual)
{
	struct via V;
	char text[200] = "";
	ssize_t n, got = 0;
	int fd = open("/dev/full", O_RDONLY); /* not close-on-exec */

	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(via_open(&V, "ls /proc/self/fd; grep SigIgn /proc/self/status"), 0);
	while ((n = read(V.in, text + got, sizeof text - 1 - (size_t)got)) > 0)
		got += n;
	cr_assert_eq(strncmp(text, "0\n1\n2\n3\nSigIgn:\t", 16), 0, "%s", text);
	cr_expect_eq(strtoull(text + 16, NULL, 16) & (1u << (SIGPIPE - 1)), 0u, "%s", text);
	via_close(&V, 1);
	close(fd);
}

Test(via, a_socket_is_both_ends)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int listening = socket(AF_UNIX, SOCK_STREAM, 0), fd;
	char words_[PATH_MAX], buf[5];
	struct via V;

	cr_assert(snprintf(words_, sizeof words_, "unix:%s", at("socket")) > 0);
	cr_expect_eq(via_open(&V, words_), -1);
	cr_expect(said("cannot connect"));
	cr_assert_lt(strlen(at("socket")), sizeof a.sun_path);
	memcpy(a.sun_path, at("socket"), strlen(at("socket")));
	cr_assert(bind(listening, (struct sockaddr *)&a, sizeof a) == 0 && listen(listening, 1) == 0);
	cr_assert_eq(via_open(&V, words_), 0);
	cr_expect(V.in == V.out && V.child == 0);
	cr_assert_geq(fd = accept(listening, NULL, NULL), 0);
	cr_assert_eq(write(V.out, "hello", 5), 5);
	cr_assert_eq(read(fd, buf, 5), 5);
	via_close(&V, 1);
	cr_expect_eq(read(fd, buf, 1), 0);
	close(fd);
	close(listening);
}

Test(via, two_named_pipes_are_opened_whichever_the_other_side_opens_first)
{
	static const char *const others[] = { "cat < %s/out > %s/in", "exec > %s/in < %s/out; cat" };
	char words_[2 * PATH_MAX];

	cr_assert(mkfifo(at("in"), 0600) == 0 && mkfifo(at("out"), 0600) == 0);
	snprintf(words_, sizeof words_, "fifo:%s,%s", at("out"), at("in"));
	for (size_t i = 0; i < 2; i++) {
		struct via V;
		pid_t pid = fork();

		if (pid == 0) {
			execl("/bin/sh", "sh", "-c", command(others[i]), NULL);
			_exit(127);
		}
		cr_assert_eq(via_open(&V, words_), 0);
		expect_echo(&V);
		via_close(&V, 1);
		cr_expect_eq(waitpid(pid, NULL, 0), pid);
	}
}

Test(via, what_is_no_named_pipe_is_left_alone)
{
	char words_[2 * PATH_MAX];
	struct via V;
	size_t n;

	place_put("out", "content", 7);
	cr_assert_eq(mkfifo(at("in"), 0600), 0);
	snprintf(words_, sizeof words_, "fifo:%s,%s", at("out"), at("in"));
	cr_expect_eq(via_open(&V, words_), -1);
	cr_expect(said("no named pipe"));
	free(place_get("out", &n));
	cr_expect_eq(n, 7);
}

Test(via, that_was_never_opened_is_closed_in_peace)
{
	struct via V = { 0 }, W = { .in = -1, .out = -1 };

	via_close(&V, 1);
	via_close(&W, 1);
	cr_expect_geq(fcntl(0, F_GETFD), 0);
}
