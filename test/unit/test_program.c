#include "place.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/program.h"

TestSuite(program, .init = place_make, .fini = place_remove);

/* A script of these lines, run with these words on its standard input. */
static int
run(const char *script, const char *input, unsigned seconds, struct program_result *R)
{
	const char *argv[] = { at("script"), "one arg; echo no shell", NULL };
	const struct program P = {
		.argv = argv,
		.input = input,
		.input_size = input == NULL ? 0 : strlen(input),
		.seconds = seconds,
	};
	FILE *f = fopen(argv[0], "w");

	cr_assert(f != NULL && fprintf(f, "#!/bin/sh\n%s\n", script) > 0 && fclose(f) == 0);
	cr_assert_eq(chmod(argv[0], 0700), 0);
	return (program_run(&P, R));
}

/* No child is left, not even a zombie. */
static void
expect_none_left(void)
{
	cr_expect(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

Test(program, gets_its_arguments_and_input_and_gives_output_words_and_status)
{
	struct program_result R;

	cr_assert_eq(run("echo \"$1\"; cat; echo first >&2; echo last >&2; exit 7", "the input", 0, &R), 0);
	cr_expect_eq(R.status, 7);
	cr_expect_str_eq(R.output, "one arg; echo no shell\nthe input");
	cr_expect_eq(R.size, strlen(R.output));
	cr_expect_str_eq(R.words, "first; last");
	program_release(&R);
	expect_none_left();
}

Test(program, that_does_not_read_its_input_harms_nobody)
{
	static char much[300000];
	struct program_result R;

	memset(much, 'x', sizeof much - 1);
	cr_assert_eq(run("exec <&-; echo done", much, 0, &R), 0);
	cr_expect_str_eq(R.output, "done\n");
	program_release(&R);
}

Test(program, has_nothing_of_ours_open_and_signals_as_usual)
{
	struct program_result R;
	int fd = open("/dev/full", O_RDONLY); /* not close-on-exec */

	cr_assert_geq(fd, 3);
	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(run("ls /proc/self/fd; grep SigIgn /proc/self/status", NULL, 0, &R), 0);
	/* 3 is the folder that ls lists. */
	cr_assert_eq(strncmp(R.output, "0\n1\n2\n3\nSigIgn:\t", 16), 0, "%s", R.output);
	cr_expect_eq(strtoull(R.output + 16, NULL, 16) & (1u << (SIGPIPE - 1)), 0u, "%s", R.output);
	program_release(&R);
	close(fd);
}

Test(program, that_is_missing_or_no_program_is_named_with_its_package)
{
	const char *argv[] = { "vmferry-no-such-program", NULL }, *path[] = { at("none"), NULL };
	struct program P = { .argv = argv, .package = "qemu-utils" };
	struct program_result R;

	cr_expect_eq(program_run(&P, &R), -1);
	cr_expect(said("install the package qemu-utils"));
	P = (struct program){ .argv = path };
	cr_expect_eq(program_run(&P, &R), -1);
	cr_expect(said("there is no such program"));
	place_put("none", "echo no first line\n", 19);
	chmod(at("none"), 0700);
	cr_expect_eq(program_run(&P, &R), -1);
	cr_expect(said("#!/bin/sh"));
	place_put("none", "#!/no/such/shell\n", 17);
	cr_expect_eq(program_run(&P, &R), -1);
	cr_expect(said("first line"));
	chmod(at("none"), 0600);
	cr_expect_eq(program_run(&P, &R), -1);
	cr_expect(said("Permission denied"));
	expect_none_left();
}

Test(program, killed_by_a_signal_says_which_and_its_last_words)
{
	struct program_result R;

	cr_expect_eq(run("echo goodbye >&2; kill -SEGV $$", NULL, 0, &R), -1);
	cr_expect(said("signal 11 (Segmentation fault): goodbye"));
	expect_none_left();
}

Test(program, that_takes_too_long_is_killed_with_all_that_it_started)
{
	struct program_result R;
	char c;
	int fd;

	/* Whoever has the fifo open for writing is alive. */
	cr_assert(mkfifo(at("fifo"), 0600) == 0 && (fd = open(at("fifo"), O_RDONLY | O_NONBLOCK)) >= 0);
	cr_expect_eq(run("sleep 1000 > \"${0%script}fifo\" & wait", NULL, 1, &R), -1);
	cr_expect(said("after 1 seconds"));
	cr_expect_eq(fcntl(fd, F_SETFL, 0), 0);
	cr_expect_eq(read(fd, &c, 1), 0);
	close(fd);
	expect_none_left();
}

Test(program, that_leaves_something_in_the_background_is_done_when_it_ends)
{
	struct program_result R;

	cr_assert_eq(run("sleep 1000 & echo $!", NULL, 60, &R), 0);
	cr_expect_eq(R.status, 0);
	cr_expect_eq(kill(atoi(R.output), SIGKILL), 0);
	program_release(&R);
	expect_none_left();
}

Test(program, output_is_taken_up_to_its_bound_and_no_further)
{
	struct program_result R;

	cr_assert_eq(run("head -c 1048576 /dev/zero", NULL, 0, &R), 0);
	cr_expect_eq(R.size, PROGRAM_OUTPUT);
	program_release(&R);
	cr_expect_eq(run("cat /dev/zero", NULL, 0, &R), -1);
	cr_expect(said("more than the 1048576 bytes"));
	expect_none_left();
}

Test(program, words_are_the_last_ones_however_many_there_are)
{
	struct program_result R;

	cr_assert_eq(
	    run("yes 'many words' | head -c 1000000 >&2; echo >&2; echo the end >&2", NULL, 0, &R), 0);
	cr_expect(
	    strlen(R.words) > 6 && strcmp(R.words + strlen(R.words) - 7, "the end") == 0, "%s", R.words);
	cr_expect_lt(strlen(R.words), PROGRAM_WORDS);
	program_release(&R);
}

Test(program, dies_with_the_one_that_started_it)
{
	int status, fd;
	char c;
	pid_t pid;

	cr_assert_eq(mkfifo(at("fifo"), 0600), 0);
	if ((pid = fork()) == 0) {
		struct program_result R;

		/* Whoever has the fifo open for writing is alive. */
		_exit(run("exec sleep 1000 > \"${0%script}fifo\"", NULL, 0, &R) == 0 ? 0 : 1);
	}
	cr_assert_geq(fd = open(at("fifo"), O_RDONLY), 0); /* waits until it is opened for writing */
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(read(fd, &c, 1), 0, "somebody writes");
	close(fd);
}

Test(program, that_serves_gets_a_connection_that_is_there_before_it_and_ends_with_it)
{
	/* What is open and what it was told; then it talks as long as somebody is there. */
	const char *script =
	    "import os, socket\n"
	    "assert os.environ['LISTEN_FDS'] == '1' and int(os.environ['LISTEN_PID']) == os.getpid()\n"
	    "c = socket.socket(fileno=3).accept()[0]\n"
	    "c.sendall(c.recv(9))\n"
	    "assert c.recv(9) == b''\n"
	    "raise SystemExit('good bye')\n";
	const char *argv[] = { "python3", "-c", script, NULL };
	const struct program P = { .argv = argv };
	struct program_server *S;
	char text[PROGRAM_WORDS] = "";
	int fd;

	setenv("LISTEN_FDS", "7", 1);
	cr_assert_eq(program_serve(&P, &S, &fd), 0);
	cr_expect_eq(write(fd, "hello", 5), 5);
	cr_expect_eq(read(fd, text, sizeof text), 5);
	cr_expect_str_eq(text, "hello");
	close(fd);
	program_served(S, text);
	cr_expect_str_eq(text, "good bye");
	expect_none_left();
	argv[0] = "vmferry-no-such-program";
	cr_expect(program_serve(&P, &S, &fd) == -1 && S == NULL && fd == -1);
}

Test(program, that_serves_many_gets_our_connections_and_nobody_elses)
{
	const char *script = "import socket\n"
	                     "door = socket.socket(fileno=3)\n"
	                     "try: socket.socket(socket.AF_UNIX).connect(door.getsockname())\n"
	                     "except ConnectionRefusedError: pass\n"
	                     "else: raise SystemExit('somebody else came in')\n"
	                     "all = [door.accept()[0] for i in range(3)]\n"
	                     "for c in all: c.sendall(c.recv(1) * 2)\n"
	                     "for c in all: assert c.recv(1) == b''\n"
	                     "raise SystemExit('good bye')\n";
	const char *argv[] = { "python3", "-c", script, NULL };
	const struct program P = { .argv = argv };
	struct program_server *S;
	char text[PROGRAM_WORDS] = "";
	int fds[3];

	cr_assert_eq(program_serve_many(&P, &S, fds, 3), 0);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(write(fds[i], "abc" + i, 1), 1);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(read(fds[i], text, 2), 2);
		cr_expect(text[0] == "abc"[i] && text[1] == "abc"[i]);
		close(fds[i]);
	}
	program_served(S, text);
	cr_expect_str_eq(text, "good bye");
	expect_none_left();
	argv[0] = "vmferry-no-such-program";
	cr_expect_eq(program_serve_many(&P, &S, fds, 3), -1);
	cr_expect(S == NULL && fds[0] == -1 && fds[1] == -1 && fds[2] == -1);
}

/* Our program for QEMU, as a copy that can be taken away. */
static void
copy_ours(void)
{
	const char *bin = getenv("VMFERRY_BIN");
	char line[3 * PATH_MAX];

	cr_assert(snprintf(line, sizeof line, "cp '%s/vmferry-qmp' '%s'", bin != NULL ? bin : "build/bin",
	              at("ours")) > 0);
	cr_assert_eq(system(line), 0);
}

/* Ask it with that verb: what the talk came to, and its line. */
static int
ask_ours(const char *verb, char line[64])
{
	const char *argv[] = { at("ours"), verb, "web1", NULL }, *heard = "";
	char question[256];
	struct program P = { .argv = argv, .input = question, .seconds = 20 };
	struct program_talk *T;
	int rc;

	P.input_size = (size_t)snprintf(question, sizeof question,
	    "{\"version\": 1, \"verb\": \"%s\", \"name\": \"web1\", \"host\": \"/nowhere\"}\n", verb);
	if (program_talk(&P, &T) != 0)
		return (-1);
	if ((rc = program_talk_hear(T, &heard)) == 0)
		snprintf(line, 64, "%s", heard);
	return (program_talk_end(T, NULL) == 0 ? rc : rc != 0 ? rc : -1);
}

Test(program, that_is_kept_ready_answers_in_a_process_of_its_own_each_time)
{
	char line[64] = "";

	copy_ours();
	cr_assert_eq(ask_ours("networks", line), 0);
	cr_assert_eq(program_keep(at("ours")), 0);
	/* So nobody but the one that is kept can answer. */
	cr_assert_eq(unlink(at("ours")), 0);
	for (int i = 0; i < 3; i++) {
		line[0] = '\0';
		cr_expect_eq(ask_ours("networks", line), 0);
		cr_expect_str_eq(line, "{}");
		cr_expect_eq(ask_ours("fly", line), 1, "a verb that it does not know");
	}
	program_keep_none();
	cr_expect_eq(ask_ours("networks", line), -1, "somebody has answered");
}
