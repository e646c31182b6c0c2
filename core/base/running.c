#include "base/running.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/say.h"
#include "base/stop.h"

struct running
running_new(const struct program *P)
{
	return ((struct running){ .P = P,
	    .pid = -1,
	    .input = -1,
	    .output = -1,
	    .errors = -1,
	    .its_output = -1,
	    .its_errors = -1,
	    .pidfd = -1,
	    .listening = -1 });
}

void
running_close(int *fd)
{
	io_close(*fd);
	*fd = -1;
}

static int
make_pipe(int *ours, int *its)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) != 0)
		return (-1);
	*ours = p[0];
	*its = p[1];
	return (fcntl(*ours, F_SETFL, O_NONBLOCK));
}

int
running_make_ends(struct running *R)
{
	const struct program *P = R->P;

	if ((R->input = memfd_create("input", MFD_CLOEXEC)) < 0 ||
	    make_pipe(&R->output, &R->its_output) != 0 || make_pipe(&R->errors, &R->its_errors) != 0)
		return (say_failed("%s: cannot prepare to run it: %s", R->path, strerror(errno)));
	if (P->input != NULL &&
	    (io_write(R->input, R->path, P->input, P->input_size) != 0 || io_seek(R->input, R->path, 0) != 0))
		return (-1);
	return (0);
}

/* The number of this process behind the words that are there, without a call that is not safe behind fork. */
static void
put_pid(char *out)
{
	char digits[16];
	unsigned n = 0;

	for (pid_t pid = getpid(); pid > 0; pid /= 10)
		digits[n++] = (char)('0' + pid % 10);
	out += strlen(out);
	while (n > 0)
		*out++ = digits[--n];
	*out = '\0';
}

#define LISTEN_FD 3 /* the first of those that systemd hands over */

/* Only what the program is to have is open in it. */
static int
arrange(const struct running *R)
{
	unsigned from = LISTEN_FD;

	if (dup2(R->input, STDIN_FILENO) < 0 || dup2(R->its_output, STDOUT_FILENO) < 0 ||
	    dup2(R->its_errors, STDERR_FILENO) < 0)
		return (-1);
	if (R->listening >= 0) {
		if (R->listening == LISTEN_FD ? fcntl(LISTEN_FD, F_SETFD, 0) != 0
		                              : dup2(R->listening, LISTEN_FD) < 0)
			return (-1);
		from = LISTEN_FD + 1;
	}
	return (close_range(from, ~0u, CLOSE_RANGE_CLOEXEC));
}

/* In the new process, where nothing may be called but what is safe behind fork in a program of many threads. */
static void
become(struct running *R, pid_t parent, int failure)
{
	static const int signals[] = { SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGHUP };
	sigset_t none;
	int error;

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		signal(signals[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	failure = fcntl(failure, F_DUPFD_CLOEXEC, LISTEN_FD + 1);
	put_pid(R->listen_pid);
	/* When we are killed it is too; or a second command would meet the work of the first one. */
	if (setpgid(0, 0) == 0 && (R->stays || prctl(PR_SET_PDEATHSIG, SIGKILL) == 0) &&
	    (R->stays || getppid() == parent) && arrange(R) == 0)
		execve(R->path, (char *const *)(uintptr_t)R->P->argv, R->env != NULL ? R->env : environ);
	error = errno;
	_exit(write(failure, &error, sizeof error) == sizeof error ? 126 : 127);
}

static int
cannot_run(const struct running *R, int error)
{
	if (error == ENOENT && R->P->package != NULL)
		return (say_failed(
		    "%s: there is no such program; install the package %s", R->path, R->P->package));
	if (error == ENOENT && access(R->path, F_OK) == 0)
		return (say_failed("%s: cannot be run: what its first line names is not there", R->path));
	if (error == ENOENT)
		return (say_failed("%s: there is no such program", R->path));
	if (error == ENOEXEC)
		return (say_failed(
		    "%s: cannot be run: it is no program; a script starts with a line such as #!/bin/sh",
		    R->path));
	return (say_failed("%s: cannot be run: %s", R->path, strerror(error)));
}

/* Start it; what hinders it to become the program comes back through a pipe that closes when it does. */
int
running_start(struct running *R)
{
	int failure[2], error = 0;
	pid_t parent = getpid();
	ssize_t got;

	if (pipe2(failure, O_CLOEXEC) != 0)
		return (say_failed("%s: cannot prepare to run it: %s", R->path, strerror(errno)));
	if ((R->pid = fork()) == 0)
		become(R, parent, failure[1]);
	error = errno;
	close(failure[1]);
	if (R->pid < 0) {
		close(failure[0]);
		return (say_failed("%s: cannot start a process: %s", R->path, strerror(error)));
	}
	got = io_read(failure[0], R->path, &error, sizeof error);
	close(failure[0]);
	if (got != 0)
		return (got < 0 ? -1 : cannot_run(R, error));
	running_close(&R->input);
	running_close(&R->its_output);
	running_close(&R->its_errors);
	running_close(&R->listening);
	if ((R->pidfd = pidfd_open(R->pid, 0)) < 0)
		return (say_failed("%s: cannot watch it: %s", R->path, strerror(errno)));
	return (0);
}

/* Take what is there of its standard output. */
int
running_take_output(struct running *R, struct program_result *out)
{
	while (R->output >= 0) {
		ssize_t n = read(R->output, out->output + out->size, PROGRAM_OUTPUT + 1 - out->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return (0);
		if (n < 0)
			return (say_failed("%s: cannot read what it writes: %s", R->path, strerror(errno)));
		if (n == 0)
			running_close(&R->output);
		out->size += (size_t)n;
		if (out->size > PROGRAM_OUTPUT)
			return (say_failed(
			    "%s: writes more than the %u bytes that it may", R->path, PROGRAM_OUTPUT));
	}
	return (0);
}

/* Keep the last of what it says on standard error; someone who never stops talking is left for the next turn. */
int
running_take_errors(struct running *R)
{
	for (int turn = 0; R->errors >= 0 && turn < 64; turn++) {
		char text[sizeof R->words];
		ssize_t n = read(R->errors, text, sizeof text);
		size_t keep, drop;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return (errno == EAGAIN
			            ? 0
			            : say_failed("%s: cannot read its errors: %s", R->path, strerror(errno)));
		if (n == 0)
			running_close(&R->errors);
		keep = sizeof R->words - (size_t)n < R->nwords ? sizeof R->words - (size_t)n : R->nwords;
		drop = R->nwords - keep;
		memmove(R->words, R->words + drop, keep);
		memcpy(R->words + keep, text, (size_t)n);
		R->nwords = keep + (size_t)n;
	}
	return (0);
}

/* Wait until there is something to do: 1 if the program has ended, 0, or -1, said. */
int
running_wait(const struct running *R, int64_t until)
{
	struct pollfd p[] = { { .fd = R->pidfd, .events = POLLIN }, { .fd = R->output, .events = POLLIN },
		{ .fd = R->errors, .events = POLLIN } };
	int64_t left = until == 0 ? -1 : until - clock_ms();

	if (stop_check() != 0)
		return (-1);
	if (until != 0 && left <= 0)
		return (say_failed("%s: is not done after %u seconds%s", R->path, R->P->seconds,
		    R->stays ? "; it is left to itself" : ", and was killed"));
	/* A second, since a wish to stop may come just before. */
	if (poll(p, 3, left < 0 || left > 1000 ? 1000 : (int)left) < 0 && errno != EINTR)
		return (say_failed("%s: cannot wait for it: %s", R->path, strerror(errno)));
	return (p[0].revents != 0);
}

/* What was said, on one line: ends of lines become "; ", so it can be twice as long. */
void
running_words(const struct running *R, char out[PROGRAM_WORDS])
{
	size_t n = 0;
	int is_between = 0;

	for (size_t i = 0; i < R->nwords; i++) {
		char c = R->words[i];

		if (c == '\n' || c == '\r' || c == '\0') {
			is_between = n > 0;
			continue;
		}
		if (is_between) {
			out[n++] = ';';
			out[n++] = ' ';
		}
		is_between = 0;
		out[n++] = c;
	}
	out[n] = '\0';
}

/* Of a process that is not our child its parent tells; who is gone without a word was killed. */
static int
collect_kept(struct running *R)
{
	int status = 0;
	ssize_t n = io_read(R->pidfd, R->path, &status, sizeof status);

	R->pid = -1;
	return (n < 0 ? -1 : n == (ssize_t)sizeof status && status >= 0 ? status : SIGKILL);
}

/* The process is gone after this, and not a zombie. */
int
running_collect(struct running *R)
{
	int status = 0;

	if (R->is_kept)
		return (collect_kept(R));
	while (waitpid(R->pid, &status, 0) < 0)
		if (errno != EINTR)
			return (say_failed("%s: cannot wait for it: %s", R->path, strerror(errno)));
	R->pid = -1;
	return (status);
}

int
running_finish(struct running *R, struct program_result *out)
{
	int status;

	if (running_take_output(R, out) != 0 || running_take_errors(R) != 0)
		return (-1);
	running_words(R, out->words);
	if ((status = running_collect(R)) < 0)
		return (-1);
	if (WIFSIGNALED(status))
		return (say_failed("%s: was killed by signal %d (%s)%s%s", R->path, WTERMSIG(status),
		    strsignal(WTERMSIG(status)), out->words[0] == '\0' ? "" : ": ", out->words));
	out->status = WEXITSTATUS(status);
	out->output[out->size] = '\0';
	return (0);
}

void
running_end(struct running *R)
{
	if (R->pid > 0) {
		/* The group is made by the new process; one that never got there is alone. */
		if (kill(-R->pid, SIGKILL) != 0)
			kill(R->pid, SIGKILL);
		running_collect(R);
	}
	running_close(&R->input);
	running_close(&R->output);
	running_close(&R->errors);
	running_close(&R->its_output);
	running_close(&R->its_errors);
	running_close(&R->pidfd);
	running_close(&R->listening);
	free(R->env);
}
