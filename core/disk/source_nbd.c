#include <inttypes.h>
#include <libnbd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk/source.h"
#include "base/io.h"
#include "base/say.h"

/*
 * An NBD export: qemu-nbd for qcow2, VHDX, VMDK and the rest, nbdkit, or a running QEMU.  The server is asked
 * for what the person configured; its answers are checked for length, as those of a stranger.
 */
#define REQUEST (256u * 1024) /* bytes in one read, of which many are under way */
#define REQUESTS 16u
#define STATUS_MAX UINT64_C(0x40000000) /* bytes asked about at a time */

struct nbd {
	struct nbd_handle *h;
	pthread_mutex_t lock; /* around what takes several calls */
	char *uri;
	uint64_t size;
	int has_allocation;
	char *bitmap; /* the context of the bitmap that is wanted, or NULL */
};

static int
failed(const struct nbd *n, const char *what)
{
	return (say_failed("%s: cannot %s: %s", n->uri, what, nbd_get_error()));
}

static void
nbd_end(void *state)
{
	struct nbd *n = state;

	if (n->h != NULL) {
		nbd_shutdown(n->h, 0);
		nbd_close(n->h);
	}
	pthread_mutex_destroy(&n->lock);
	free(n->uri);
	free(n->bitmap);
	free(n);
}

/* Connect, asking for the contexts that are wanted: they are settled when the connection is made. */
static int
connect_to(struct nbd *n)
{
	if ((n->h = nbd_create()) == NULL)
		return (-1);
	nbd_set_uri_allow_local_file(n->h, true);
	if (nbd_add_meta_context(n->h, LIBNBD_CONTEXT_BASE_ALLOCATION) == -1 ||
	    (n->bitmap != NULL && nbd_add_meta_context(n->h, n->bitmap) == -1))
		return (-1);
	return (nbd_connect_uri(n->h, n->uri));
}

static int
open_export(struct nbd *n, const char *uri, const char *bitmap)
{
	int64_t size;

	if ((n->uri = strdup(uri)) == NULL ||
	    (bitmap != NULL && asprintf(&n->bitmap, "qemu:dirty-bitmap:%s", bitmap) < 0))
		return (say_failed("out of memory"));
	if (connect_to(n) == -1)
		return (failed(n, "connect"));
	if ((size = nbd_get_size(n->h)) < 0)
		return (failed(n, "learn the size"));
	n->has_allocation = nbd_can_meta_context(n->h, LIBNBD_CONTEXT_BASE_ALLOCATION) == 1;
	n->size = (uint64_t)size;
	return (0);
}

int
source_nbd_open(void **state, uint64_t *size, const char *uri, const char *bitmap)
{
	struct nbd *n = calloc(1, sizeof *n);

	if (n == NULL)
		return (say_failed("out of memory"));
	pthread_mutex_init(&n->lock, NULL);
	if (open_export(n, uri, bitmap) != 0) {
		nbd_end(n);
		return (-1);
	}
	*state = n;
	*size = n->size;
	return (0);
}

/* The requests of one read. */
struct reading {
	unsigned under_way;
	int error;
};

static int
completed(void *user, int *error)
{
	struct reading *r = user;

	r->under_way--;
	if (*error != 0)
		r->error = *error;
	return (1);
}

static int
start(struct nbd *n, struct reading *r, char *buf, size_t length, uint64_t offset)
{
	nbd_completion_callback cb = { .callback = completed, .user_data = r };

	r->under_way++;
	if (nbd_aio_pread(n->h, buf, length, offset, cb, 0) != -1)
		return (0);
	r->under_way--;
	return (-1);
}

/* Many requests at once; the lock is held. */
static int
read_locked(struct nbd *n, char *buf, size_t length, uint64_t offset)
{
	struct reading r = { 0, 0 };
	size_t done = 0;
	int rc = 0;

	while (rc == 0 && (done < length || r.under_way > 0)) {
		while (rc == 0 && done < length && r.under_way < REQUESTS) {
			size_t k = length - done < REQUEST ? length - done : REQUEST;

			rc = start(n, &r, buf + done, k, offset + done);
			done += k;
		}
		if (rc == 0 && r.under_way > 0 && nbd_poll(n->h, -1) == -1)
			rc = -1;
	}
	if (rc != 0)
		return (failed(n, "read"));
	if (r.error != 0)
		return (
		    say_failed("%s: cannot read at byte %" PRIu64 ": %s", n->uri, offset, strerror(r.error)));
	return (0);
}

static int
nbd_read(void *state, void *buf, size_t n, uint64_t offset)
{
	struct nbd *d = state;
	int rc;

	pthread_mutex_lock(&d->lock);
	rc = read_locked(d, buf, n, offset);
	pthread_mutex_unlock(&d->lock);
	return (rc);
}

/* What a block status request is after: the extents of one context from offset on. */
struct status {
	const char *context;
	uint64_t offset; /* where the next extent starts */
	uint64_t end;
	uint64_t length; /* of the first stretch of one kind */
	uint32_t flags;
	int seen;
	int error;
	struct ranges *dirty; /* or NULL: then only the first stretch is wanted */
};

static int
extents(void *user, const char *context, uint64_t offset, uint32_t *entries, size_t n, int *error)
{
	struct status *s = user;

	(void)error;
	if (strcmp(context, s->context) != 0 || offset != s->offset)
		return (0);
	for (size_t i = 0; i + 1 < n && s->offset < s->end; i += 2) {
		uint64_t length = entries[i];

		if (length > s->end - s->offset)
			length = s->end - s->offset;
		if (s->dirty != NULL && (entries[i + 1] & 1) != 0 &&
		    ranges_add_bytes(s->dirty, s->offset, length) != 0)
			s->error = 1;
		if (!s->seen)
			s->flags = entries[i + 1];
		if (s->flags == entries[i + 1] && s->offset == offset + s->length)
			s->length += length;
		s->seen = 1;
		s->offset += length;
	}
	return (0);
}

/* Ask about [s->offset, s->end); at least one byte must be answered. */
static int
ask(const struct nbd *n, struct status *s)
{
	nbd_extent_callback cb = { .callback = extents, .user_data = s };
	uint64_t from = s->offset, count = s->end - from;

	if (nbd_block_status(n->h, count < STATUS_MAX ? count : STATUS_MAX, from, cb, 0) == -1)
		return (failed(n, "learn which blocks are in use"));
	if (s->error)
		return (-1);
	if (s->offset == from)
		return (say_failed(
		    "%s: the server does not say which blocks are in use at byte %" PRIu64, n->uri, from));
	return (0);
}

static int
nbd_stretch(void *state, uint64_t offset, uint64_t end, uint64_t *length, int *is_hole)
{
	struct nbd *n = state;
	struct status s = { .context = LIBNBD_CONTEXT_BASE_ALLOCATION, .offset = offset, .end = end };
	int rc;

	*length = end - offset;
	*is_hole = 0;
	if (!n->has_allocation)
		return (0);
	pthread_mutex_lock(&n->lock);
	rc = ask(n, &s);
	pthread_mutex_unlock(&n->lock);
	if (rc != 0)
		return (-1);
	*is_hole = (s.flags & LIBNBD_STATE_ZERO) != 0;
	*length = s.length;
	return (0);
}

static int
nbd_dirty(void *state, struct ranges *out)
{
	struct nbd *n = state;
	struct status s = { .context = n->bitmap, .end = n->size, .dirty = out };

	if (n->bitmap == NULL || nbd_can_meta_context(n->h, n->bitmap) != 1)
		return (1);
	while (s.offset < s.end)
		if (ask(n, &s) != 0)
			return (-1);
	ranges_sort(out);
	return (0);
}

/* A server's view is its own affair; that it still answers with the same size is all that can be asked. */
static int
nbd_check(void *state)
{
	const struct nbd *n = state;

	return (nbd_aio_is_dead(n->h) == 1 ? say_failed("%s: the server is gone", n->uri) : 0);
}

const struct source_kind source_nbd = { nbd_read, nbd_stretch, nbd_dirty, nbd_check, NULL, nbd_end };
