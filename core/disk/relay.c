#include "disk/relay.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/image.h"
#include "disk/source.h"

/* The way there: a process is confined for good, so it has one at most. */
static struct door {
	int fd; /* -1: none */
	pthread_mutex_t lock;
	struct relay_list names; /* as the other process has them */
} door = { .fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

/* --- names ------------------------------------------------------------------------------------------------ */

static int
find(const struct relay_list *l, const char *where, size_t *at)
{
	for (*at = 0; *at < l->n; (*at)++)
		if (strcmp(l->names[*at], where) == 0)
			return (1);
	return (0);
}

int
relay_add(struct relay_list *l, const char *where)
{
	char **more;
	size_t at;

	if (find(l, where, &at))
		return (0);
	if ((more = realloc(l->names, (l->n + 1) * sizeof *more)) == NULL)
		return (say_failed("out of memory"));
	l->names = more;
	if ((l->names[l->n] = strdup(where)) == NULL)
		return (say_failed("out of memory"));
	l->n++;
	return (0);
}

void
relay_free(struct relay_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->names[i]);
	free(l->names);
	*l = (struct relay_list){ 0 };
}

int
relay_is_on(void)
{
	return (door.fd >= 0);
}

/* --- start -------------------------------------------------------------------------------------------------- */

static int
copy_names(const struct relay_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (relay_add(&door.names, l->names[i]) != 0)
			return (-1);
	return (0);
}

int
relay_start(const struct relay_list *l)
{
	pid_t parent = getpid(), child;
	int ends[2];

	if (l->n == 0 || relay_is_on())
		return (0);
	if (copy_names(l) != 0)
		return (-1);
	fflush(stdout);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return (say_failed("cannot start another process: %s", strerror(errno)));
	if ((child = fork()) == 0) {
		close(ends[0]);
		/* It ends with us, and does not write on behind our back. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
			relay_serve(ends[1], l);
		_exit(0);
	}
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		return (say_failed("cannot start another process: %s", strerror(errno)));
	}
	door.fd = ends[0];
	return (0);
}

/* --- the confined one ------------------------------------------------------------------------------------- */

struct far {
	uint32_t handle;
	int is_lost; /* the channel ended while it wrote; drain says so */
};

static int
lost(void)
{
	return (say_failed("%s has ended", RELAY_NAME));
}

static int
tell(enum relay_what what, uint32_t handle, uint64_t offset, uint64_t length)
{
	struct relay_question q = { what, handle, offset, length };

	return (io_write(door.fd, RELAY_NAME, &q, sizeof q));
}

static int
hear(struct relay_answer *a)
{
	return (io_read(door.fd, RELAY_NAME, a, sizeof *a) == (ssize_t)sizeof *a ? 0 : lost());
}

static int
ask(enum relay_what what, uint32_t handle, uint64_t offset, uint64_t length, struct relay_answer *a)
{
	int rc;

	pthread_mutex_lock(&door.lock);
	rc = tell(what, handle, offset, length) != 0 ? -1 : hear(a);
	pthread_mutex_unlock(&door.lock);
	return (rc != 0 ? -1 : a->rc);
}

static int
find_named(const char *where, size_t *at)
{
	if (find(&door.names, where, at))
		return (0);
	return (say_failed("%s: this confined process may not use it; say the command again", where));
}

int
relay_search(const char *path)
{
	struct relay_answer a;
	size_t at;

	return (find_named(path, &at) != 0 ? -1 : ask(RELAY_SEARCH, 0, at, 0, &a));
}

static int
far_open(void **state, uint64_t *size, const char *where, enum relay_what what, enum source_use use)
{
	struct relay_answer a;
	struct far *f;
	size_t at;
	int rc;

	if (find_named(where, &at) != 0)
		return (-1);
	if ((f = calloc(1, sizeof *f)) == NULL)
		return (say_failed("out of memory"));
	if ((rc = ask(what, 0, at, (uint64_t)use, &a)) != 0) {
		free(f);
		return (rc);
	}
	f->handle = a.flag;
	*size = a.value;
	*state = f;
	return (0);
}

static void
far_close(void *state)
{
	const struct far *f = state;

	pthread_mutex_lock(&door.lock);
	tell(RELAY_CLOSE, f->handle, 0, 0);
	pthread_mutex_unlock(&door.lock);
	free(state);
}

int
source_relay_open(void **state, uint64_t *size, const char *where, enum source_use use)
{
	return (far_open(state, size, where, RELAY_OPEN_SOURCE, use));
}

static int
read_locked(const struct far *f, uint8_t *buf, size_t n, uint64_t offset)
{
	struct relay_answer a;

	if (tell(RELAY_READ, f->handle, offset, n) != 0 || hear(&a) != 0 || a.rc != 0)
		return (-1);
	return (io_read(door.fd, RELAY_NAME, buf, n) == (ssize_t)n ? 0 : lost());
}

static int
far_read(void *state, void *buf, size_t n, uint64_t offset)
{
	int rc = 0;

	pthread_mutex_lock(&door.lock);
	for (size_t done = 0, k; rc == 0 && done < n; done += k) {
		k = n - done < RELAY_PIECE ? n - done : RELAY_PIECE;
		rc = read_locked(state, (uint8_t *)buf + done, k, offset + done);
	}
	pthread_mutex_unlock(&door.lock);
	return (rc);
}

static int
far_stretch(void *state, uint64_t offset, uint64_t end, uint64_t *length, int *is_hole)
{
	const struct far *f = state;
	struct relay_answer a;

	if (ask(RELAY_STRETCH, f->handle, offset, end, &a) != 0)
		return (-1);
	*length = a.value;
	*is_hole = a.flag != 0;
	return (0);
}

static int
far_dirty(void *state, struct ranges *out, const char **why)
{
	(void)state;
	(void)out;
	*why = "who is confined asks for none";
	return (1);
}

static int
far_check(void *state)
{
	const struct far *f = state;
	struct relay_answer a;

	return (ask(RELAY_CHECK, f->handle, 0, 0, &a));
}

static int
far_stamp(void *state, struct source_stamp *out)
{
	const struct far *f = state;
	struct relay_answer a;
	int rc;

	pthread_mutex_lock(&door.lock);
	rc = tell(RELAY_STAMP, f->handle, 0, 0) != 0 || hear(&a) != 0 ? -1 : a.rc;
	if (rc >= 0 && io_read(door.fd, RELAY_NAME, out, sizeof *out) != (ssize_t)sizeof *out)
		rc = lost();
	pthread_mutex_unlock(&door.lock);
	return (rc);
}

const struct source_kind source_relay = { far_read, far_stretch, far_dirty, far_check, far_stamp, far_close };

int
image_relay_open(void **state, uint64_t *room, const char *where)
{
	return (far_open(state, room, where, RELAY_OPEN_IMAGE, SOURCE_OWN));
}

static int
far_write(void *state, const uint8_t *buf, size_t n, uint64_t offset)
{
	struct far *f = state;

	pthread_mutex_lock(&door.lock);
	for (size_t done = 0, k; !f->is_lost && done < n; done += k) {
		k = n - done < RELAY_PIECE ? n - done : RELAY_PIECE;
		if (tell(RELAY_WRITE, f->handle, offset + done, k) != 0 ||
		    io_write(door.fd, RELAY_NAME, buf + done, k) != 0)
			f->is_lost = 1;
	}
	pthread_mutex_unlock(&door.lock);
	return (f->is_lost ? -1 : 0);
}

static int
far_zero(void *state, uint64_t offset, uint64_t length)
{
	struct far *f = state;

	pthread_mutex_lock(&door.lock);
	if (!f->is_lost && tell(RELAY_ZERO, f->handle, offset, length) != 0)
		f->is_lost = 1;
	pthread_mutex_unlock(&door.lock);
	return (f->is_lost ? -1 : 0);
}

/* What was lost was said, when it was. */
static int
far_end(const struct far *f, enum relay_what what)
{
	struct relay_answer a;

	return (f->is_lost ? -1 : ask(what, f->handle, 0, 0, &a));
}

static int
far_drain(void *state)
{
	return (far_end(state, RELAY_DRAIN));
}

static int
far_sync(void *state)
{
	return (far_end(state, RELAY_SYNC));
}

static int
far_resize(void *state, uint64_t size)
{
	const struct far *f = state;
	struct relay_answer a;

	return (f->is_lost ? -1 : ask(RELAY_RESIZE, f->handle, 0, size, &a));
}

const struct image_kind image_relay = { .write = far_write,
	.zero = far_zero,
	.drain = far_drain,
	.sync = far_sync,
	.settle = far_sync,
	.resize = far_resize,
	.close = far_close };
