#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/running.h"
#include "base/say.h"
#include "base/stop.h"

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
	S->running = running_new(P);
	/* Nobody reads its words before its end: what it says too much of is lost. */
	if (stop_check() == 0 && program_find(S->running.path, P->argv[0], P->package) == 0 &&
	    running_make_ends(&S->running) == 0 && fcntl(S->running.its_errors, F_SETFL, O_NONBLOCK) == 0 &&
	    fcntl(S->running.its_output, F_SETFL, O_NONBLOCK) == 0 &&
	    make_connections(&S->running, fds, n) == 0 && make_environment(&S->running) == 0 &&
	    running_start(&S->running) == 0) {
		S->running.P = NULL;
		*out = S;
		return (0);
	}
	running_end(&S->running);
	free(S);
	for (unsigned i = 0; i < n; i++)
		running_close(&fds[i]);
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
	running_collect(&S->running);
	running_take_errors(&S->running);
	if (words != NULL)
		running_words(&S->running, words);
	running_end(&S->running);
	free(S);
}
