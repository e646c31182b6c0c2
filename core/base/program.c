#include "base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/say.h"
#include "base/stop.h"

/* A program that runs, and the ends of its pipes that are ours; -1 where there is none (any more). */
struct running {
	const struct program *P;
	char path[PATH_MAX];
	pid_t pid;
	int input;          /* all of it, in memory: a program that does not read it holds nobody up */
	int output, errors; /* where we read */
	int its_output, its_errors;
	int pidfd;
	int stays;     /* it is not killed when we are */
	int is_kept;   /* it is a fork of one that is kept ready: pidfd is a pipe that brings its status */
	int listening; /* what a server is to listen on */
	char **env;    /* a server's own; NULL: it gets ours */
	char listen_pid[32]; /* one of env: a server wants its own number there, which only it knows */
	size_t nwords;       /* bytes in words, the end of what it said */
	char words[PROGRAM_WORDS / 2];
};

int
program_find(char out[PATH_MAX], const char *name, const char *package)
{
	const char *path = getenv("PATH"), *end;

	if (strchr(name, '/') != NULL)
		return (io_path(out, "%s", name));
	for (const char *p = path != NULL ? path : "/usr/bin:/bin"; *p != '\0';
	     p = *end == ':' ? end + 1 : end) {
		int n;

		end = strchrnul(p, ':');
		/* An empty or relative one would be a program from wherever we happen to be. */
		if (*p != '/')
			continue;
		n = snprintf(out, PATH_MAX, "%.*s/%s", (int)(end - p), p, name);
		if (n > 0 && n < PATH_MAX && io_is_program(out))
			return (0);
	}
	if (package != NULL)
		return (say_failed("%s: there is no such program; install the package %s", name, package));
	return (say_failed("%s: there is no such program", name));
}

static struct running
nothing_yet(const struct program *P)
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

static void
close_one(int *fd)
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

static int
make_ends(struct running *R)
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
static int
start(struct running *R)
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
	close_one(&R->input);
	close_one(&R->its_output);
	close_one(&R->its_errors);
	close_one(&R->listening);
	if ((R->pidfd = pidfd_open(R->pid, 0)) < 0)
		return (say_failed("%s: cannot watch it: %s", R->path, strerror(errno)));
	return (0);
}

/* Take what is there of its standard output. */
static int
take_output(struct running *R, struct program_result *out)
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
			close_one(&R->output);
		out->size += (size_t)n;
		if (out->size > PROGRAM_OUTPUT)
			return (say_failed(
			    "%s: writes more than the %u bytes that it may", R->path, PROGRAM_OUTPUT));
	}
	return (0);
}

/* Keep the last of what it says on standard error; someone who never stops talking is left for the next turn. */
static int
take_errors(struct running *R)
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
			close_one(&R->errors);
		keep = sizeof R->words - (size_t)n < R->nwords ? sizeof R->words - (size_t)n : R->nwords;
		drop = R->nwords - keep;
		memmove(R->words, R->words + drop, keep);
		memcpy(R->words + keep, text, (size_t)n);
		R->nwords = keep + (size_t)n;
	}
	return (0);
}

/* Wait until there is something to do: 1 if the program has ended, 0, or -1, said. */
static int
wait_for(const struct running *R, int64_t until)
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
static void
put_words(const struct running *R, char out[PROGRAM_WORDS])
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
static int
collect(struct running *R)
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

static int
finish(struct running *R, struct program_result *out)
{
	int status;

	if (take_output(R, out) != 0 || take_errors(R) != 0)
		return (-1);
	put_words(R, out->words);
	if ((status = collect(R)) < 0)
		return (-1);
	if (WIFSIGNALED(status))
		return (say_failed("%s: was killed by signal %d (%s)%s%s", R->path, WTERMSIG(status),
		    strsignal(WTERMSIG(status)), out->words[0] == '\0' ? "" : ": ", out->words));
	out->status = WEXITSTATUS(status);
	out->output[out->size] = '\0';
	return (0);
}

static int
run(struct running *R, struct program_result *out)
{
	int64_t until = R->P->seconds == 0 ? 0 : clock_ms() + (int64_t)R->P->seconds * 1000;
	int ended = 0;

	while (ended == 0) {
		if ((ended = wait_for(R, until)) < 0 || take_output(R, out) != 0 || take_errors(R) != 0)
			return (-1);
	}
	return (finish(R, out));
}

static void
end(struct running *R)
{
	if (R->pid > 0) {
		/* The group is made by the new process; one that never got there is alone. */
		if (kill(-R->pid, SIGKILL) != 0)
			kill(R->pid, SIGKILL);
		collect(R);
	}
	close_one(&R->input);
	close_one(&R->output);
	close_one(&R->errors);
	close_one(&R->its_output);
	close_one(&R->its_errors);
	close_one(&R->pidfd);
	close_one(&R->listening);
	free(R->env);
}

int
program_run(const struct program *P, struct program_result *out)
{
	struct running R = nothing_yet(P);
	int rc = -1;

	*out = (struct program_result){ 0 };
	if (stop_check() != 0 || program_find(R.path, P->argv[0], P->package) != 0)
		return (-1);
	if ((out->output = malloc(PROGRAM_OUTPUT + 2)) == NULL)
		return (say_failed("out of memory"));
	if (make_ends(&R) == 0 && start(&R) == 0)
		rc = run(&R, out);
	end(&R);
	if (rc != 0)
		program_release(out);
	return (rc);
}

void
program_release(struct program_result *R)
{
	free(R->output);
	R->output = NULL;
}

/* --- servers -------------------------------------------------------------------------------------------- */

struct program_server {
	struct running running;
};

/* The environment, with what tells a server that it has a socket. */
static int
make_environment(struct running *R)
{
	static char one[] = "LISTEN_FDS=1";
	size_t n = 0, k = 0;
	char **env; /* a server's own; NULL: it gets ours */

	while (environ[n] != NULL)
		n++;
	if ((env = calloc(n + 3, sizeof *env)) == NULL)
		return (say_failed("out of memory"));
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "LISTEN_", 7) != 0)
			env[k++] = environ[i];
	strcpy(R->listen_pid, "LISTEN_PID=");
	env[k++] = one;
	env[k] = R->listen_pid;
	R->env = env;
	return (0);
}

/* A connection that is made at once, or not at all: a wait would be for a place that somebody else has taken. */
static int
make_connection(const struct sockaddr_un *a, socklen_t n, int *fd)
{
	if ((*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0 ||
	    connect(*fd, (const struct sockaddr *)a, n) != 0)
		return (-1);
	return (fcntl(*fd, F_SETFL, 0));
}

/*
 * A socket with no name in any folder, and connections to it that are there before anybody accepts them.  There is
 * room for no more of them, so they are all ours; and then the door is shut, since whoever is on this machine could
 * come in by it.
 */
static int
make_connections(struct running *R, int *fds, unsigned n)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t size = sizeof a;
	int rc;

	if ((R->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		rc = -1;
	else
		rc = bind(R->listening, (struct sockaddr *)&a, sizeof a.sun_family);
	if (rc == 0)
		rc = listen(R->listening, (int)n - 1);
	if (rc == 0)
		rc = getsockname(R->listening, (struct sockaddr *)&a, &size);
	for (unsigned i = 0; rc == 0 && i < n; i++)
		rc = make_connection(&a, size, &fds[i]);
	if (rc == 0)
		rc = shutdown(R->listening, SHUT_RD);
	return (rc == 0 ? 0 : say_failed("%s: cannot prepare to talk to it: %s", R->path, strerror(errno)));
}

int
program_serve_many(const struct program *P, struct program_server **out, int *fds, unsigned n)
{
	struct program_server *S = calloc(1, sizeof *S);

	*out = NULL;
	for (unsigned i = 0; i < n; i++)
		fds[i] = -1;
	if (S == NULL)
		return (say_failed("out of memory"));
	S->running = nothing_yet(P);
	/* Nobody reads its words before its end: what it says too much of is lost. */
	if (stop_check() == 0 && program_find(S->running.path, P->argv[0], P->package) == 0 &&
	    make_ends(&S->running) == 0 && fcntl(S->running.its_errors, F_SETFL, O_NONBLOCK) == 0 &&
	    fcntl(S->running.its_output, F_SETFL, O_NONBLOCK) == 0 &&
	    make_connections(&S->running, fds, n) == 0 && make_environment(&S->running) == 0 &&
	    start(&S->running) == 0) {
		S->running.P = NULL;
		*out = S;
		return (0);
	}
	end(&S->running);
	free(S);
	for (unsigned i = 0; i < n; i++)
		close_one(&fds[i]);
	return (-1);
}

int
program_serve(const struct program *P, struct program_server **out, int *fd)
{
	return (program_serve_many(P, out, fd, 1));
}

void
program_served(struct program_server *S, char words[PROGRAM_WORDS])
{
	if (S == NULL)
		return;
	collect(&S->running);
	take_errors(&S->running);
	if (words != NULL)
		put_words(&S->running, words);
	end(&S->running);
	free(S);
}

/* --- talks ---------------------------------------------------------------------------------------------- */

struct program_talk {
	struct running running;
	struct program program;
	int to; /* its input, our end; -1: closed */
	struct program_result heard;
	size_t from; /* where in that its next line begins */
};

/* In place of an input in memory a pipe. */
static int
make_talk(struct program_talk *T)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) != 0)
		return (say_failed("%s: cannot prepare to talk to it: %s", T->running.path, strerror(errno)));
	close_one(&T->running.input);
	T->running.input = p[0];
	T->to = p[1];
	/* What it says too much of is lost: nobody reads it before its end. */
	return (fcntl(T->running.its_errors, F_SETFL, O_NONBLOCK));
}

static void
talk_free(struct program_talk *T)
{
	close_one(&T->to);
	/* One that is still there is left to itself. */
	if (T->running.pid > 0)
		T->running.pid = -1;
	end(&T->running);
	program_release(&T->heard);
	free(T);
}

/* --- kept ready --- */

/* One program of this process and those forked from it, so that it is known wherever a program is talked with. */
static struct {
	char path[PATH_MAX];
	int fd;
} kept = { "", -1 };

/* Where its process that is to come finds its ends, in this order: PROGRAM_KEPT_FDS. */
static int
send_ends(const struct running *R, int status)
{
	const int fds[PROGRAM_KEPT_FDS] = { R->input, R->its_output, R->its_errors, status };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof fds)];
	} c = { .room = { 0 } };
	char text[PROGRAM_KEPT_TEXT];
	int n = snprintf(text, sizeof text, "%s%c%s", R->P->argv[1], '\0', R->P->argv[2]);
	struct iovec part = { text, (size_t)n + 1 };
	struct msghdr m = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = sizeof c.room
	};

	if (n < 0 || (size_t)n >= sizeof text)
		return (-1);
	c.head = (struct cmsghdr){ CMSG_LEN(sizeof fds), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(&c.head), fds, sizeof fds);
	return (sendmsg(kept.fd, &m, MSG_NOSIGNAL) < 0 ? -1 : 0);
}

/* Have it from the one that is kept: 0; 1, unsaid, if that is not it, or has gone. */
static int
start_kept(struct running *R)
{
	int status[2];

	if (kept.fd < 0 || strcmp(kept.path, R->path) != 0 || pipe2(status, O_CLOEXEC) != 0)
		return (1);
	if (send_ends(R, status[1]) != 0) {
		close(status[0]);
		close(status[1]);
		return (1);
	}
	close(status[1]);
	R->pidfd = status[0];
	R->is_kept = 1;
	R->pid = 0;
	close_one(&R->input);
	close_one(&R->its_output);
	close_one(&R->its_errors);
	return (0);
}

int
program_keep(const char *path)
{
	const char *argv[] = { path, "--stay", NULL };
	struct program P = { .argv = argv };
	struct running R = nothing_yet(&P);
	int pair[2] = { -1, -1 }, rc = -1;

	program_keep_none();
	if (io_path(R.path, "%s", path) != 0 || io_path(kept.path, "%s", path) != 0)
		return (-1);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return (say_failed("%s: cannot prepare to run it: %s", path, strerror(errno)));
	R.input = pair[0];
	/* What its processes say goes to pipes of their own; what it says itself, where ours goes. */
	if ((R.its_output = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) >= 0 &&
	    (R.its_errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) >= 0)
		rc = start(&R);
	kept.fd = rc == 0 ? pair[1] : -1;
	if (rc != 0)
		close(pair[1]);
	R.pid = rc == 0 ? -1 : R.pid; /* it ends when nobody has the other end any more */
	end(&R);
	return (rc);
}

void
program_keep_none(void)
{
	io_close(kept.fd);
	kept.fd = -1;
}

int
program_talk(const struct program *P, struct program_talk **out)
{
	struct program_talk *T = calloc(1, sizeof *T);

	*out = NULL;
	if (T == NULL || (T->heard.output = malloc(PROGRAM_OUTPUT + 2)) == NULL) {
		free(T);
		return (say_failed("out of memory"));
	}
	T->program = *P;
	T->program.input = NULL;
	T->running = nothing_yet(&T->program);
	T->running.stays = 1;
	T->to = -1;
	if (stop_check() == 0 && program_find(T->running.path, P->argv[0], P->package) == 0 &&
	    make_ends(&T->running) == 0 && make_talk(T) == 0 &&
	    (start_kept(&T->running) == 0 || start(&T->running) == 0) &&
	    io_write(T->to, T->running.path, P->input, P->input_size) == 0) {
		*out = T;
		return (0);
	}
	talk_free(T);
	return (-1);
}

/* It has ended: what its status and last words come to. */
static int
talk_ended(struct program_talk *T)
{
	struct program_result *r = &T->heard;

	close_one(&T->to);
	if (finish(&T->running, r) != 0)
		return (-1);
	if (r->status == 0)
		return (0);
	return (r->status == 1 ? say_refused("%s: %s", T->running.path, r->words)
	                       : say_failed("%s: failed with status %d: %s", T->running.path, r->status,
	                             r->words[0] != '\0' ? r->words : "it says nothing more"));
}

int
program_talk_hear(struct program_talk *T, const char **line)
{
	int64_t until = clock_ms() + (int64_t)T->program.seconds * 1000;
	int ended = 0, rc;

	for (;;) {
		char *start = T->heard.output + T->from, *stop;

		if (take_output(&T->running, &T->heard) != 0 || take_errors(&T->running) != 0)
			return (-1);
		if ((stop = memchr(start, '\n', T->heard.size - T->from)) != NULL) {
			*stop = '\0';
			T->from += (size_t)(stop - start) + 1;
			*line = start;
			return (0);
		}
		if (ended > 0) {
			rc = talk_ended(T);
			return (rc != 0 ? rc : say_failed("%s: ended without an answer", T->running.path));
		}
		if ((ended = wait_for(&T->running, until)) < 0)
			return (-1);
	}
}

int
program_talk_say(struct program_talk *T, const char *line, size_t size)
{
	return (io_write(T->to, T->running.path, line, size));
}

int
program_talk_end(struct program_talk *T, const char *line)
{
	int64_t until = clock_ms() + (int64_t)T->program.seconds * 1000;
	int ended = 0, is_heard, rc = -1;

	if (T->running.pid < 0) { /* it was heard of before that it is gone */
		talk_free(T);
		return (-1);
	}
	is_heard = line == NULL || io_write(T->to, T->running.path, line, strlen(line)) == 0;
	close_one(&T->to);
	while (ended == 0) {
		if (take_output(&T->running, &T->heard) != 0 || take_errors(&T->running) != 0 ||
		    (ended = wait_for(&T->running, until)) < 0)
			break;
	}
	if (ended > 0)
		rc = talk_ended(T);
	talk_free(T);
	return (rc == 0 && !is_heard ? -1 : rc);
}
