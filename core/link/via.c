#include "link/via.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
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

#define UNIX "unix:"
#define FIFO "fifo:"
#define OPENING 20000       /* ms that the other side may take to be there */
#define AGAIN 20            /* ms between two looks at whether it is */
#define LINGER 2000         /* ms that a command may take to end by itself */
#define PIPE_ROOM (1 << 20) /* bytes on the way, as far as the kernel grants it */

/* --- words --------------------------------------------------------------------------------------------- */

static int
starts(const char *words, const char *with)
{
	return (strncmp(words, with, strlen(with)) == 0);
}

/* The two paths of fifo:OUT,IN: 0, or -1 if it is not that. */
static int
split(const char *words, char out[PATH_MAX], char in[PATH_MAX])
{
	const char *paths = words + strlen(FIFO), *comma = strchr(paths, ',');
	size_t n;

	if (comma == NULL || strchr(comma + 1, ',') != NULL)
		return (-1);
	n = (size_t)(comma - paths);
	if (n == 0 || n >= PATH_MAX || comma[1] == '\0' || strlen(comma + 1) >= PATH_MAX)
		return (-1);
	memcpy(out, paths, n);
	out[n] = '\0';
	strcpy(in, comma + 1);
	return (0);
}

const char *
via_check(const char *words)
{
	char out[PATH_MAX], in[PATH_MAX];
	size_t n = strlen(words);

	if (strspn(words, " \t") == n)
		return ("no way to the site is named");
	if (starts(words, UNIX) &&
	    (n == strlen(UNIX) || n - strlen(UNIX) >= sizeof((struct sockaddr_un *)NULL)->sun_path))
		return ("unix: takes the path of a socket, of at most 107 bytes");
	if (starts(words, FIFO) && split(words, out, in) != 0)
		return ("fifo: takes the paths of two named pipes, OUT,IN");
	return (NULL);
}

/* --- a socket ------------------------------------------------------------------------------------------ */

/* Between two looks at whether the other side is there: 0; -1, said. */
static int
wait_again(const char *words, int64_t until)
{
	if (clock_ms() >= until)
		return (say_failed("%s: nobody is at the other end", words));
	poll(NULL, 0, AGAIN);
	return (stop_check());
}

static int
open_socket(struct via *V, const char *words)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int64_t until = clock_ms() + OPENING;

	strncpy(a.sun_path, words + strlen(UNIX), sizeof a.sun_path - 1);
	V->in = V->out = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (V->in < 0)
		return (say_failed("%s: cannot make a socket: %s", words, strerror(errno)));
	while (connect(V->in, (const struct sockaddr *)&a, sizeof a) != 0) {
		/* EAGAIN: it has so many waiting that it takes no more just now. */
		if (errno != EAGAIN && errno != EINTR)
			return (say_failed("%s: cannot connect: %s", words, strerror(errno)));
		if (wait_again(words, until) != 0)
			return (-1);
	}
	return (fcntl(V->in, F_SETFL, 0) == 0 ? 0 : say_failed("%s: %s", words, strerror(errno)));
}

/* --- two named pipes ----------------------------------------------------------------------------------- */

/*
 * What we read from is opened first, which never waits; then what we write to, as soon as somebody has it open, or
 * waits to have it open, for reading.  So whichever of the two the other side opens first, it finds us there.
 */
static int
open_fifos(struct via *V, const char *words)
{
	char out[PATH_MAX], in[PATH_MAX];
	int64_t until = clock_ms() + OPENING;

	if (split(words, out, in) != 0 || (V->in = io_open_fifo(in, 0)) < 0)
		return (-1);
	while ((V->out = io_open_fifo(out, 1)) == -2)
		if (wait_again(words, until) != 0)
			return (-1);
	return (V->out < 0 ? -1 : 0);
}

/* --- a command ----------------------------------------------------------------------------------------- */

/* Is there a person at a terminal that we have?  Then the command may ask for a password there. */
static int
has_terminal(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY), yes;

	yes = fd >= 0 && tcgetpgrp(fd) == getpgrp();
	io_close(fd);
	return (yes);
}

/* In the new process, where nothing may be called but what is safe behind fork in a program of many threads. */
static void
become(const char *words, int in, int out, pid_t parent, int has_group)
{
	static const int signals[] = { SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGHUP };
	const char *const argv[] = { "sh", "-c", words, NULL };
	sigset_t none;

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		signal(signals[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if ((!has_group || setpgid(0, 0) == 0) && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 &&
	    getppid() == parent && dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
	    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		execv("/bin/sh", (char *const *)(uintptr_t)argv);
	_exit(127);
}

static int
open_command(struct via *V, const char *words)
{
	int to[2] = { -1, -1 }, from[2] = { -1, -1 }, has_group = !has_terminal();
	pid_t parent = getpid();
	int rc = 0;

	if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) {
		rc = say_failed("%s: cannot make a pipe: %s", words, strerror(errno));
	} else {
		/* More room is a wish: it saves turns from one process to the other. */
		fcntl(to[1], F_SETPIPE_SZ, PIPE_ROOM);
		fcntl(from[0], F_SETPIPE_SZ, PIPE_ROOM);
		if ((V->child = fork()) == 0)
			become(words, to[0], from[1], parent, has_group);
		if (V->child < 0) {
			rc = say_failed("%s: cannot start a process: %s", words, strerror(errno));
			V->child = 0;
		} else if (has_group) {
			/* Whichever of the two comes first. */
			setpgid(V->child, V->child);
		}
	}
	io_close(to[0]);
	io_close(from[1]);
	V->out = to[1];
	V->in = from[0];
	return (rc);
}

/* --- both ---------------------------------------------------------------------------------------------- */

int
via_open(struct via *V, const char *words)
{
	const char *why = via_check(words);
	int rc;

	*V = (struct via){ .in = -1, .out = -1 };
	if (why != NULL)
		return (say_failed("%.60s: %s", words, why));
	snprintf(V->words, sizeof V->words, "%s", words);
	if (starts(words, UNIX))
		rc = open_socket(V, words);
	else
		rc = starts(words, FIFO) ? open_fifos(V, words) : open_command(V, words);
	if (rc != 0)
		via_close(V, 0);
	return (rc);
}

/* Has it ended within that time?  It is not waited for, so its number is still its own. */
static int
has_ended(int pidfd, int64_t ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int64_t until = clock_ms() + ms, left;
	int n = 0;

	while (n == 0 && (left = until - clock_ms()) > 0)
		if ((n = poll(&p, 1, (int)left)) < 0 && errno == EINTR)
			n = 0;
	return (n != 0);
}

static void
say_end(const struct via *V, int status)
{
	if (WIFSIGNALED(status))
		say_failure("%s: was ended by signal %d (%s)", V->words, WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		say_failure("%s: ended with status %d", V->words, WEXITSTATUS(status));
}

static void
end_child(const struct via *V, int is_cut)
{
	static const int signals[] = { SIGTERM, SIGKILL };
	pid_t whom = getpgid(V->child) == V->child ? -V->child : V->child;
	int pidfd = pidfd_open(V->child, 0), status = 0, was_killed = 0;

	for (size_t i = 0; i < 2 && !has_ended(pidfd, LINGER); i++) {
		kill(whom, signals[i]);
		was_killed = 1;
	}
	io_close(pidfd);
	while (waitpid(V->child, &status, 0) < 0 && errno == EINTR)
		;
	if (is_cut && !was_killed)
		say_end(V, status);
}

void
via_close(struct via *V, int is_cut)
{
	if (V->words[0] != '\0') {
		if (V->in != V->out)
			io_close(V->in);
		io_close(V->out);
	}
	if (V->child > 0)
		end_child(V, is_cut);
	*V = (struct via){ .in = -1, .out = -1 };
}
