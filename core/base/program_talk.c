#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/running.h"
#include "base/say.h"
#include "base/stop.h"

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
	running_close(&T->running.input);
	T->running.input = p[0];
	T->to = p[1];
	/* What it says too much of is lost: nobody reads it before its end. */
	return (fcntl(T->running.its_errors, F_SETFL, O_NONBLOCK));
}

static void
talk_free(struct program_talk *T)
{
	running_close(&T->to);
	/* One that is still there is left to itself. */
	if (T->running.pid > 0)
		T->running.pid = -1;
	running_end(&T->running);
	program_release(&T->heard);
	free(T);
}

/* --- kept ready --- */

#define KEPT_LEAST 65 /* the least descriptor that leads there: see program_close_from */

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
	running_close(&R->input);
	running_close(&R->its_output);
	running_close(&R->its_errors);
	return (0);
}

int
program_keep(const char *path)
{
	const char *argv[] = { path, "--stay", NULL };
	struct program P = { .argv = argv };
	struct running R = running_new(&P);
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
		rc = running_start(&R);
	/* Out of the way of those that have a place of their own. */
	if (rc == 0)
		kept.fd = fcntl(pair[1], F_DUPFD_CLOEXEC, KEPT_LEAST);
	close(pair[1]);
	R.pid = rc == 0 ? -1 : R.pid; /* it ends when nobody has the other end any more */
	running_end(&R);
	return (rc);
}

int
program_close_from(unsigned first)
{
	unsigned fd = (unsigned)kept.fd;

	if (kept.fd < 0)
		return (close_range(first, ~0u, 0));
	return (close_range(first, fd - 1, 0) != 0 ? -1 : close_range(fd + 1, ~0u, 0));
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
	T->running = running_new(&T->program);
	T->running.stays = 1;
	T->to = -1;
	if (stop_check() == 0 && program_find(T->running.path, P->argv[0], P->package) == 0 &&
	    running_make_ends(&T->running) == 0 && make_talk(T) == 0 &&
	    (start_kept(&T->running) == 0 || running_start(&T->running) == 0) &&
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

	running_close(&T->to);
	if (running_finish(&T->running, r) != 0)
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

		if (running_take_output(&T->running, &T->heard) != 0 || running_take_errors(&T->running) != 0)
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
		if ((ended = running_wait(&T->running, until)) < 0)
			return (-1);
	}
}

int
program_talk_say(struct program_talk *T, const char *line, size_t size)
{
	return (io_write(T->to, T->running.path, line, size));
}

#define LINGER 8000 /* ms that it has to let go of what it holds when we are to stop; see GRACE of pump.c */

/* As running_wait, and after a wish to stop on, until *over at most: a guest may be frozen for it. */
static int
wait_for_end(const struct running *R, int64_t until, int64_t *over)
{
	struct pollfd p[] = { { .fd = R->pidfd, .events = POLLIN }, { .fd = R->output, .events = POLLIN },
		{ .fd = R->errors, .events = POLLIN } };
	int64_t left;
	int rc = stop_wanted() ? -1 : running_wait(R, until);

	if (rc >= 0 || !stop_wanted())
		return (rc);
	if (*over == 0)
		*over = clock_ms() + LINGER;
	if ((left = *over - clock_ms()) <= 0)
		return (say_failed("%s: is left to itself", R->path));
	return (poll(p, 3, (int)left) > 0 && p[0].revents != 0);
}

int
program_talk_end(struct program_talk *T, const char *line)
{
	int64_t until = clock_ms() + (int64_t)T->program.seconds * 1000, over = 0;
	int ended = 0, is_heard, rc = -1;

	if (T->running.pid < 0) { /* it was heard of before that it is gone */
		talk_free(T);
		return (-1);
	}
	is_heard = line == NULL || io_write(T->to, T->running.path, line, strlen(line)) == 0;
	running_close(&T->to);
	while (ended == 0) {
		if (running_take_output(&T->running, &T->heard) != 0 ||
		    running_take_errors(&T->running) != 0 ||
		    (ended = wait_for_end(&T->running, until, &over)) < 0)
			break;
	}
	if (ended > 0)
		rc = talk_ended(T);
	talk_free(T);
	return (rc == 0 && !is_heard ? -1 : rc);
}
