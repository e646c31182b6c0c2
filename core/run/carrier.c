#include "run/carrier.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/jot.h"
#include "base/program.h"
#include "base/say.h"
#include "base/stop.h"
#include "export_media.h"
#include "import_media.h"
#include "media.h"
#include "send.h"

#define KEEP 5000 /* ms between two signs of life on an idle line */
#define TRIES 3   /* of what a mailbox refuses, a second apart */

struct carrier {
	pid_t pid;
	int fd;    /* jobs there, results back; one message each */
	int words; /* its standard error; -1: closed */
	size_t nline;
	char line[SAY_LAST]; /* what has come of the next line */
	char last[SAY_LAST]; /* the last whole one */
	char way[SAY_LAST];  /* the last one of another program, such as the ssh of the way */
};

struct job {
	char uuid[40];
	int is_seed;
};

/* --- the process --------------------------------------------------------------------------------------- */

struct carrying {
	const struct carrier_way *w;
	struct site *S;
	struct sync_line *line; /* NULL: closed */
	int fd;
};

static void
failed(struct sync_result *r, int rc, int is_line)
{
	*r = (struct sync_result){ .rc = rc, .is_line = is_line };
	if (rc != 0)
		say_last(r->why);
}

static void
go_by_line(struct carrying *c, const struct job *j, struct sync_result *r)
{
	int rc = 0;

	if (c->line == NULL)
		rc = sync_open(&c->line, c->S, c->w->site, c->w->where, c->w->limits, CARRIER_LIMITS);
	if (rc != 0) {
		failed(r, rc, 1);
		return;
	}
	sync_next(c->line, j->uuid, j->is_seed, r);
	if (r->is_line) {
		sync_close(c->line);
		c->line = NULL;
	}
}

/* By an empty file it is remembered that the folder is a mailbox: its path.  0 or -1. */
static int
mailbox_mark(const struct carrying *c, char path[PATH_MAX])
{
	const char *where = c->w->where;

	if (io_path(path, "%s/mailboxes", c->w->home) != 0 || io_mkdir(path, 0700) != 0)
		return (-1);
	return (io_path(path, "%s/mailboxes/%016" PRIx64, c->w->home, XXH3_64bits(where, strlen(where))));
}

/*
 * Is the folder there, and does it hold what a mailbox does, if it was one before?  A share that is not mounted leaves its
 * mount point, and what is written there would fill another file system, where nobody fetches it.  1 or 0, said; -1.
 */
static int
mailbox_is_there(const char *where, const char *mark)
{
	char inside[PATH_MAX];
	int there = io_exists(where), was = io_exists(mark);

	if (there < 0 || was < 0 || io_path(inside, "%s/vmferry", where) != 0)
		return (-1);
	if (there == 0)
		say_failed("%s: is not there; is it mounted?", where);
	else if (was && (there = io_exists(inside)) == 0)
		say_failed(
		    "%s: has no folder 'vmferry' any more; is it mounted?  If it is to begin anew, say "
		    "'mkdir %s'",
		    where, inside);
	return (there);
}

/* A folder that is not there is so for all VMs. */
static void
go_to_mailbox(struct carrying *c, const struct job *j, struct sync_result *r)
{
	struct export_options o = {
		.vm = j->uuid, .to = c->w->site, .media = c->w->where, .seed = j->is_seed
	};
	char mark[PATH_MAX];
	int there = mailbox_mark(c, mark) != 0 ? -1 : mailbox_is_there(c->w->where, mark), rc = -1;

	/* The other site, or another VM, may be writing there just now. */
	for (unsigned i = 0; there == 1 && i < TRIES && (i == 0 || rc == 1) && !stop_wanted(); i++) {
		if (i > 0)
			poll(NULL, 0, 1000);
		rc = send_bundle(c->S, &o);
	}
	failed(r, rc, there != 1);
	if (rc != 0)
		return;
	io_close(jot_open_alone(mark));
	/* What is acknowledged would fill it; that it could not be deleted is seen the next time. */
	(void)media_tidy(c->S, c->w->where);
}

static void
take_from_folder(struct carrying *c, struct sync_result *r)
{
	struct import_options o = { 0 };

	failed(r, import_media(c->S, &o, c->w->where), 0);
}

/* The next job: 0; 1: there is none any more. */
static int
hear(struct carrying *c, struct job *j)
{
	int64_t since = clock_ms();

	for (;;) {
		struct pollfd p = { .fd = c->fd, .events = POLLIN };
		int n = poll(&p, 1, c->line != NULL ? KEEP : -1);

		if (stop_wanted())
			return (1);
		if (n > 0)
			return (recv(c->fd, j, sizeof *j, 0) == sizeof *j ? 0 : 1);
		/* A line that is gone is opened again when there is something to do. */
		if (n == 0 && (clock_ms() - since > (int64_t)c->w->idle * 1000 || sync_keep(c->line) != 0))
			return (1);
	}
}

static void
carry(struct carrying *c)
{
	struct sync_result r;
	struct job j;

	/* What an earlier one has read may be old by now. */
	if ((c->S = site_open(c->w->home)) == NULL)
		return;
	while (hear(c, &j) == 0) {
		memset(&r, 0, sizeof r);
		if (c->w->kind == CARRIER_LINE)
			go_by_line(c, &j, &r);
		else if (c->w->kind == CARRIER_MAILBOX)
			go_to_mailbox(c, &j, &r);
		else
			take_from_folder(c, &r);
		/* What a confined one may do: write, and not send. */
		if (write(c->fd, &r, sizeof r) != sizeof r || c->w->kind != CARRIER_LINE)
			break;
	}
	sync_close(c->line);
	site_close(c->S);
}

_Noreturn static void
become(const struct carrier_way *w, pid_t parent, int fd, int words)
{
	struct carrying c = { .w = w };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	stop_init();
	/* A group of its own, so that Ctrl-C is the parent's affair; and its own descriptors alone. */
	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent || say_to(words) != 0 ||
	    dup2(fd, 3) < 0 || program_close_from(4) != 0)
		_exit(3);
	c.fd = 3;
	if (fcntl(c.fd, F_SETFD, FD_CLOEXEC) != 0)
		_exit(3);
	carry(&c);
	_exit(0);
}

/* --- its parent ---------------------------------------------------------------------------------------- */

int
carrier_start(struct carrier **out, const struct carrier_way *w)
{
	struct carrier *c = calloc(1, sizeof *c);
	int s[2] = { -1, -1 }, words[2] = { -1, -1 }, error;
	pid_t parent = getpid();

	*out = NULL;
	if (c == NULL)
		return (say_failed("out of memory"));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) != 0 || pipe2(words, O_CLOEXEC) != 0 ||
	    fcntl(words[0], F_SETFL, O_NONBLOCK) != 0 || (c->pid = fork()) < 0) {
		error = errno;
		io_close(s[0]);
		io_close(s[1]);
		io_close(words[0]);
		io_close(words[1]);
		free(c);
		return (say_failed("cannot start a process: %s", strerror(error)));
	}
	if (c->pid == 0)
		become(w, parent, s[1], words[1]);
	io_close(s[1]);
	io_close(words[1]);
	c->fd = s[0];
	c->words = words[0];
	*out = c;
	return (0);
}

int
carrier_fd(const struct carrier *c)
{
	return (c->fd);
}

int
carrier_words(const struct carrier *c)
{
	return (c->words);
}

pid_t
carrier_pid(const struct carrier *c)
{
	return (c->pid);
}

static void
hear_byte(struct carrier *c, char b)
{
	if (b == '\r')
		return;
	if (b != '\n') {
		if (c->nline < sizeof c->line - 1)
			c->line[c->nline++] = b;
		return;
	}
	c->line[c->nline] = '\0';
	strcpy(c->last, c->line);
	if (c->nline > 0 && !say_is_own(c->line))
		strcpy(c->way, c->line);
	c->nline = 0;
}

void
carrier_listen(struct carrier *c)
{
	char text[4096];
	ssize_t n;

	while (c->words >= 0 && (n = read(c->words, text, sizeof text)) != -1) {
		if (n == 0) {
			close(c->words);
			c->words = -1;
		}
		for (ssize_t i = 0; i < n; i++)
			hear_byte(c, text[i]);
	}
}

int
carrier_give(struct carrier *c, const char *uuid, int is_seed)
{
	struct job j = { .is_seed = is_seed };

	snprintf(j.uuid, sizeof j.uuid, "%s", uuid);
	c->last[0] = c->way[0] = '\0';
	return (send(c->fd, &j, sizeof j, MSG_NOSIGNAL) == sizeof j ? 0 : -1);
}

/* What the way's own program has said comes first: it knows best why the line is none. */
static void
put_way(char why[SAY_LAST], const char *way)
{
	char words[2 * SAY_LAST + 4] = "";

	/* The second one is left out where there is no room for it. */
	if ((size_t)snprintf(words, sizeof words, "%s (%s)", way, why) >= SAY_LAST)
		strcpy(words, way);
	memcpy(why, words, SAY_LAST);
}

int
carrier_take(struct carrier *c, struct sync_result *r)
{
	ssize_t n = recv(c->fd, r, sizeof *r, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return (1);
	if (n != sizeof *r)
		return (-1);
	r->why[sizeof r->why - 1] = '\0';
	/* A process behind it may be the only one that said something. */
	carrier_listen(c);
	if (r->rc != 0 && r->why[0] == '\0')
		snprintf(r->why, sizeof r->why, "%s", c->last);
	if (r->is_line && c->way[0] != '\0')
		put_way(r->why, c->way);
	return (0);
}

void
carrier_stop(struct carrier *c)
{
	kill(c->pid, SIGTERM);
}

static void
put_end(const struct carrier *c, int status, char words[SAY_LAST])
{
	words[0] = '\0';
	if (WIFSIGNALED(status))
		snprintf(words, SAY_LAST, "its process was killed by signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		snprintf(words, SAY_LAST, "its process ended with status %d", WEXITSTATUS(status));
	else if (c->last[0] != '\0')
		snprintf(words, SAY_LAST, "%s", c->last);
}

void
carrier_end(struct carrier *c, int64_t ms, char words[SAY_LAST])
{
	int64_t until = clock_ms() + ms;
	int status = 0;
	pid_t pid;

	if (c == NULL)
		return;
	io_close(c->fd);
	while ((pid = waitpid(c->pid, &status, WNOHANG)) == 0 && clock_ms() < until) {
		struct pollfd p = { .fd = c->words, .events = POLLIN };

		/* Its words end when it does; and it must not wait for somebody to hear them. */
		poll(&p, 1, 20);
		carrier_listen(c);
	}
	if (pid == 0) {
		kill(c->pid, SIGKILL);
		pid = waitpid(c->pid, &status, 0);
	}
	carrier_listen(c);
	io_close(c->words);
	put_end(c, pid == c->pid ? status : 0, words);
	free(c);
}
