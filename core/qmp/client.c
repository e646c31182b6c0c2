#include "qmp/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/say.h"

#define MESSAGE_MAX (16u << 20) /* bytes of one object; a VM of many disks has some hundred KiB */
#define SEND_SECONDS 10         /* for it to take what we send */

struct client {
	char path[PATH_MAX];
	int fd;
	int is_torn; /* what comes first is the rest of a line */
	char *text;
	size_t n, room;
};

/* --- connect ---------------------------------------------------------------------------------------------- */

static int
connect_to(struct client *C)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval t = { .tv_sec = SEND_SECONDS };

	if (strlen(C->path) >= sizeof a.sun_path)
		return (say_failed("%s: is too long for a socket, which has at most %zu bytes", C->path,
		    sizeof a.sun_path - 1));
	strcpy(a.sun_path, C->path);
	if ((C->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 ||
	    setsockopt(C->fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t) != 0)
		return (say_failed("%s: cannot make a socket: %s", C->path, strerror(errno)));
	if (connect(C->fd, (struct sockaddr *)&a, sizeof a) == 0)
		return (0);
	if (errno == ENOENT || errno == ECONNREFUSED)
		return (CLIENT_GONE);
	return (say_failed("%s: cannot connect: %s", C->path,
	    errno == EAGAIN ? "other programs wait there already; give vmferry a socket of its own"
	                    : strerror(errno)));
}

int
client_open(struct client **out, const char *path)
{
	struct client *C = calloc(1, sizeof *C);
	int rc = -1;

	*out = NULL;
	if (C == NULL)
		return (say_failed("out of memory"));
	C->fd = -1;
	if (io_path(C->path, "%s", path) == 0 && (rc = connect_to(C)) == 0)
		*out = C;
	else
		client_close(C);
	return (rc);
}

void
client_close(struct client *C)
{
	if (C == NULL)
		return;
	io_close(C->fd);
	free(C->text);
	free(C);
}

int
client_peer(const struct client *C, struct client_peer *out)
{
	struct ucred u;
	socklen_t n = sizeof u;
	char proc[64];
	struct stat st;

	if (getsockopt(C->fd, SOL_SOCKET, SO_PEERCRED, &u, &n) != 0)
		return (say_failed("%s: cannot learn who listens there: %s", C->path, strerror(errno)));
	*out = (struct client_peer){ .pid = u.pid, .uid = u.uid, .gid = u.gid };
	/* It may have listened as root, and be somebody else since. */
	snprintf(proc, sizeof proc, "/proc/%ld", (long)u.pid);
	if (u.pid > 0 && stat(proc, &st) == 0) {
		out->uid = st.st_uid;
		out->gid = st.st_gid;
	}
	return (0);
}

/* --- send --------------------------------------------------------------------------------------------------- */

static ssize_t
send_some(const struct client *C, const char *p, size_t n, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .room = { 0 } };
	struct iovec v = { .iov_base = (char *)(uintptr_t)p, .iov_len = n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	if (fd >= 0) {
		m.msg_control = control.room;
		m.msg_controllen = sizeof control.room;
		control.head = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS
		};
		memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
	}
	return (sendmsg(C->fd, &m, MSG_NOSIGNAL));
}

static int
send_all(const struct client *C, const char *p, size_t n, int fd)
{
	while (n > 0) {
		ssize_t k = send_some(C, p, n, fd);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return (say_failed("%s: cannot send: %s", C->path,
			    errno == EAGAIN ? "nobody reads there" : strerror(errno)));
		p += k;
		n -= (size_t)k;
		fd = -1;
	}
	return (0);
}

int
client_send(struct client *C, const char *before, json_t *J, int fd)
{
	char *text = J == NULL ? NULL : json_dumps(J, JSON_COMPACT);
	size_t n = text == NULL ? 0 : strlen(text);
	int rc = -1;

	json_decref(J);
	if (text == NULL)
		return (say_failed("out of memory"));
	text[n] = '\n'; /* in the place of its NUL */
	/* A descriptor goes with the first byte that is sent after it. */
	if (send_all(C, before, strlen(before), -1) == 0)
		rc = send_all(C, text, n + 1, fd);
	free(text);
	return (rc);
}

/* --- receive ---------------------------------------------------------------------------------------------- */

static int
make_room(struct client *C)
{
	size_t room = C->room == 0 ? 1u << 16 : 2 * C->room;
	char *more;

	if (C->n < C->room)
		return (0);
	if (C->n >= MESSAGE_MAX)
		return (
		    say_failed("%s: what comes from there is longer than %u bytes", C->path, MESSAGE_MAX));
	if ((more = realloc(C->text, room)) == NULL)
		return (say_failed("out of memory"));
	C->text = more;
	C->room = room;
	return (0);
}

/* Read more, by then: 0, CLIENT_GONE, CLIENT_LATE or -1. */
static int
read_more(struct client *C, int64_t until)
{
	struct pollfd p = { .fd = C->fd, .events = POLLIN };
	int64_t left = until - clock_ms();
	ssize_t n;
	int rc = poll(&p, 1, left < 0 ? 0 : (int)left);

	if (rc == 0)
		return (CLIENT_LATE);
	if (rc < 0)
		return (errno == EINTR ? 0 : say_failed("%s: cannot wait: %s", C->path, strerror(errno)));
	if (make_room(C) != 0)
		return (-1);
	n = recv(C->fd, C->text + C->n, C->room - C->n, 0);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return (CLIENT_GONE);
	if (n < 0)
		return (errno == EINTR ? 0 : say_failed("%s: cannot read: %s", C->path, strerror(errno)));
	C->n += (size_t)n;
	return (0);
}

/* Take the first line of size bytes, with its end: its object, or NULL; *bad if that is none but should be. */
static json_t *
take_line(struct client *C, size_t size, int *bad)
{
	size_t from = 0;
	json_t *J = NULL;

	/* The guest agent marks a new start by a byte that no text has. */
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)C->text[i] == 0xff)
			from = i + 1;
	*bad = 0;
	if (size - from > 2) {
		J = json_loadb(C->text + from, size - from, 0, NULL);
		*bad = !json_is_object(J) && !C->is_torn;
	}
	C->is_torn = 0;
	C->n -= size;
	memmove(C->text, C->text + size, C->n);
	return (J);
}

int
client_receive(struct client *C, int milliseconds, json_t **J)
{
	int64_t until = clock_ms() + milliseconds;
	int rc = 0, bad;

	for (*J = NULL; rc == 0; rc = read_more(C, until)) {
		char *end;

		while (C->n > 0 && (end = memchr(C->text, '\n', C->n)) != NULL) {
			if ((*J = take_line(C, (size_t)(end - C->text) + 1, &bad)) != NULL && !bad)
				return (0);
			json_decref(*J);
			if (bad)
				return (say_failed("%s: what comes from there is no JSON object", C->path));
		}
	}
	return (rc);
}

void
client_resume(struct client *C)
{
	C->is_torn = 1;
	C->n = 0;
}
