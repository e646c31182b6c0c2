#include "hyper/stay.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"

#define CHILDREN 64u /* at a time; whoever comes then waits */

struct child {
	pid_t pid;
	int pidfd, status; /* when it ends, and who is to know how */
};

struct staying {
	unsigned n;
	struct child children[CHILDREN];
};

/* A request: 1, and its descriptors; 0: nobody can ask any more; 2: it was none. */
static int
receive(char text[PROGRAM_KEPT_TEXT], int fds[PROGRAM_KEPT_FDS])
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(PROGRAM_KEPT_FDS * sizeof(int))];
	} c;
	struct iovec part = { text, PROGRAM_KEPT_TEXT - 1 };
	struct msghdr m = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = sizeof c.room
	};
	const struct cmsghdr *h;
	ssize_t n = recvmsg(STDIN_FILENO, &m, MSG_CMSG_CLOEXEC);

	if (n <= 0)
		return (n < 0 && errno == EINTR ? 2 : 0);
	text[n] = '\0';
	h = CMSG_FIRSTHDR(&m);
	if (h == NULL || h->cmsg_type != SCM_RIGHTS ||
	    h->cmsg_len != CMSG_LEN(PROGRAM_KEPT_FDS * sizeof(int)))
		return (2);
	memcpy(fds, CMSG_DATA(h), PROGRAM_KEPT_FDS * sizeof(int));
	if (strlen(text) + 1 < (size_t)n)
		return (1);
	for (unsigned i = 0; i < PROGRAM_KEPT_FDS; i++)
		close(fds[i]);
	return (2);
}

/* What it was sent, as if it had been run so. */
static int
become(const char *argv[4], char text[PROGRAM_KEPT_TEXT], const int fds[PROGRAM_KEPT_FDS])
{
	if (setpgid(0, 0) != 0 || dup2(fds[0], STDIN_FILENO) < 0 || dup2(fds[1], STDOUT_FILENO) < 0 ||
	    dup2(fds[2], STDERR_FILENO) < 0 || close_range(STDERR_FILENO + 1, ~0u, 0) != 0)
		return (-1);
	argv[1] = text;
	argv[2] = text + strlen(text) + 1;
	argv[3] = NULL;
	return (1);
}

static void
reap(struct staying *s, unsigned i)
{
	struct child *c = &s->children[i];
	int status = 0;

	if (waitpid(c->pid, &status, 0) == c->pid)
		(void)io_write(c->status, "status", &status, sizeof status);
	close(c->status);
	close(c->pidfd);
	*c = s->children[--s->n];
}

/* Wait for whoever asks, or ends: 1 if somebody asks. */
static int
wait_for_one(struct staying *s)
{
	struct pollfd p[CHILDREN + 1];

	for (unsigned i = 0; i < s->n; i++)
		p[i] = (struct pollfd){ .fd = s->children[i].pidfd, .events = POLLIN };
	p[s->n] = (struct pollfd){ .fd = s->n < CHILDREN ? STDIN_FILENO : -1, .events = POLLIN };
	if (poll(p, s->n + 1, -1) < 0)
		return (0);
	if (p[s->n].revents != 0)
		return (1);
	for (unsigned i = s->n; i-- > 0;)
		if (p[i].revents != 0)
			reap(s, i);
	return (0);
}

/* As stay: 1 in the new process; 2: go on. */
static int
start(struct staying *s, const char *argv[4], char text[PROGRAM_KEPT_TEXT], const int fds[PROGRAM_KEPT_FDS])
{
	struct child *c = &s->children[s->n];
	pid_t pid = fork();

	if (pid == 0)
		return (become(argv, text, fds));
	for (unsigned i = 0; i + 1 < PROGRAM_KEPT_FDS; i++)
		close(fds[i]);
	*c = (struct child){ .pid = pid, .pidfd = pid < 0 ? -1 : pidfd_open(pid, 0), .status = fds[3] };
	if (c->pidfd >= 0) {
		s->n++;
		return (2);
	}
	close(fds[3]);
	return (pid < 0 ? 2 : say_failed("cannot watch a process: %s", strerror(errno)));
}

int
stay(const char *argv[4], char text[PROGRAM_KEPT_TEXT])
{
	struct staying s = { .n = 0 };
	int fds[PROGRAM_KEPT_FDS], rc = 2;

	while (rc == 2) {
		if (!wait_for_one(&s) || (rc = receive(text, fds)) != 1)
			continue;
		rc = start(&s, argv, text, fds);
	}
	return (rc);
}
