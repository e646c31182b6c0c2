#include "session/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/program.h"

#define PIPE_SIZE (1 << 20)
#define GRACE 10000 /* ms that one which was told to stop has for it */

struct pump {
	pid_t child;
	int input, output, status;
	int has_ended;
	const char *what;
	struct pump_result result;
};

/* What it hands back, through a pipe that is never written twice: so it is whole or not there. */
struct word {
	int rc;
	uint64_t value;
	char why[SAY_LAST];
};

/* --- the other process ---------------------------------------------------------------------------------- */

/* Its standard input and output, and status at 3; nothing else of ours is open, the line least of all. */
static int
take_places(int in, int out, int status)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(in < 0 ? null : in, 0) < 0 || dup2(out < 0 ? null : out, 1) < 0)
		return (-1);
	/* The places may be among these descriptors themselves. */
	if (status != 3 && dup3(status, 3, O_CLOEXEC) < 0)
		return (-1);
	return (program_close_from(4));
}

static _Noreturn void
be_child(const struct pump_work *w, int in, int out, int status, pid_t parent)
{
	struct word word = { .rc = -1 };

	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent || take_places(in, out, status) != 0)
		_exit(3);
	word.rc = w->run(w->context, &word.value);
	if (fflush(stdout) != 0 && word.rc == 0)
		word.rc = say_failed("standard output: cannot write: %s", strerror(errno));
	say_last(word.why);
	if (write(3, &word, sizeof word) != (ssize_t)sizeof word)
		_exit(3);
	_exit(say_status(word.rc));
}

/* --- starting it ------------------------------------------------------------------------------------------ */

struct pipes {
	int in[2], out[2], status[2];
};

static void
close_pipes(struct pipes *p)
{
	for (int i = 0; i < 2; i++) {
		io_close(p->in[i]);
		io_close(p->out[i]);
		io_close(p->status[i]);
	}
}

/* A pipe with some room, whose end of ours does not block. */
static int
open_pipe(int p[2], int ours)
{
	if (pipe2(p, O_CLOEXEC) != 0)
		return (-1);
	fcntl(p[0], F_SETPIPE_SZ, PIPE_SIZE);
	return (fcntl(p[ours], F_SETFL, O_NONBLOCK));
}

static int
open_pipes(struct pipes *p, const struct pump_work *w)
{
	*p = (struct pipes){ { -1, -1 }, { -1, -1 }, { -1, -1 } };
	if ((!w->has_input || open_pipe(p->in, 1) == 0) && (!w->has_output || open_pipe(p->out, 0) == 0) &&
	    pipe2(p->status, O_CLOEXEC) == 0)
		return (0);
	close_pipes(p);
	return (-1);
}

static void
keep_ours(struct pump *P, struct pipes *p)
{
	P->input = p->in[1];
	P->output = p->out[0];
	P->status = p->status[0];
	p->in[1] = p->out[0] = p->status[0] = -1;
	close_pipes(p);
}

int
pump_start(struct pump **out, const struct pump_work *w)
{
	struct pump *P = calloc(1, sizeof *P);
	pid_t parent = getpid();
	struct pipes p;

	*out = NULL;
	if (P == NULL)
		return (say_failed("out of memory"));
	fflush(stdout);
	if (open_pipes(&p, w) != 0) {
		free(P);
		return (say_failed("cannot make a pipe: %s", strerror(errno)));
	}
	if ((P->child = fork()) < 0) {
		say_failed("cannot start another process: %s", strerror(errno));
		close_pipes(&p);
		free(P);
		return (-1);
	}
	if (P->child == 0)
		be_child(w, p.in[0], p.out[1], p.status[1], parent);
	keep_ours(P, &p);
	P->what = w->what;
	*out = P;
	return (0);
}

/* --- its pipes ---------------------------------------------------------------------------------------------- */

int
pump_input(const struct pump *P)
{
	return (P->input);
}

int
pump_output(const struct pump *P)
{
	return (P->output);
}

void
pump_close_input(struct pump *P)
{
	io_close(P->input);
	P->input = -1;
}

void
pump_close_output(struct pump *P)
{
	io_close(P->output);
	P->output = -1;
}

static int
wait_for(int fd, short events, int ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return (poll(&p, 1, ms) > 0);
}

/* Something of its output is here; what it has started itself may keep that open behind its end. */
static int
wait_for_output(const struct pump *P, int ms)
{
	struct pollfd p[2] = { { .fd = P->output, .events = POLLIN }, { .fd = P->status, .events = POLLIN } };

	return (poll(p, 2, ms) > 0 && p[0].revents != 0);
}

ssize_t
pump_write(struct pump *P, const void *buf, size_t n, int ms)
{
	ssize_t done;

	if (P->input < 0)
		return (-1);
	if ((done = write(P->input, buf, n)) >= 0)
		return (done);
	if (errno == EAGAIN && wait_for(P->input, POLLOUT, ms))
		done = write(P->input, buf, n);
	return (done >= 0 ? done : errno == EAGAIN || errno == EINTR ? 0 : -1);
}

ssize_t
pump_read(struct pump *P, void *buf, size_t n, int ms)
{
	ssize_t got;

	if (P->output < 0)
		return (0);
	if ((got = read(P->output, buf, n)) < 0 && errno == EAGAIN && ms > 0 && wait_for_output(P, ms))
		got = read(P->output, buf, n);
	return (got >= 0 ? got : errno == EAGAIN || errno == EINTR ? -1 : 0);
}

/* --- its end ------------------------------------------------------------------------------------------------- */

static void
say_how(struct pump *P, int status)
{
	if (WIFSIGNALED(status))
		say_failed("%s was ended by signal %d", P->what, WTERMSIG(status));
	else
		say_failed("%s ended without a word", P->what);
	P->result.rc = -1;
	say_last(P->result.why);
}

/* Its status is here, or the pipe for it is at its end. */
static void
take_word(struct pump *P)
{
	struct word word;
	int status = 0;
	ssize_t n;

	while ((n = read(P->status, &word, sizeof word)) < 0 && errno == EINTR)
		;
	io_close(P->status);
	P->status = -1;
	while (waitpid(P->child, &status, 0) < 0 && errno == EINTR)
		;
	P->has_ended = 1;
	if (n != (ssize_t)sizeof word) {
		say_how(P, status);
		return;
	}
	P->result.rc = word.rc;
	P->result.value = word.value;
	if (word.rc != 0)
		snprintf(P->result.why, sizeof P->result.why, "%.*s", (int)sizeof word.why - 1, word.why);
}

int
pump_ended(struct pump *P, struct pump_result *r, int ms)
{
	if (!P->has_ended && wait_for(P->status, POLLIN, ms))
		take_word(P);
	if (P->has_ended && r != NULL)
		*r = P->result;
	return (P->has_ended);
}

void
pump_finish(struct pump *P, struct pump_result *r, int is_wanted)
{
	int64_t until = clock_ms() + GRACE;

	pump_close_input(P);
	pump_close_output(P);
	if (!P->has_ended && !is_wanted)
		kill(P->child, SIGTERM);
	while (!pump_ended(P, r, 1000))
		if (!is_wanted && clock_ms() > until)
			kill(P->child, SIGKILL);
}

void
pump_free(struct pump *P)
{
	struct pump_result r;

	if (P == NULL)
		return;
	pump_finish(P, &r, 0);
	free(P);
}
