#include "disk/nbdlinks.h"

#include <inttypes.h>
#include <libnbd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/pipeline.h"
#include "base/say.h"

#define REQUEST (256u * 1024) /* bytes in one read, of which many are under way */
#define REQUESTS 16u
#define STATUS_MAX UINT64_C(0x40000000) /* bytes asked about at a time */
#define MAP_MAX 16384u                  /* stretches that are kept of one answer */
#define PATIENCE 1000                   /* ms for one connection more */

/* A stretch of one kind ends here, and starts where the one before it ends. */
struct stretch {
	uint64_t end;
	int is_hole;
};

/* The last answer about what is in use, since it tells of more than was asked for: [from, to). */
struct map {
	uint64_t from, to;
	unsigned n;
	struct stretch stretches[MAP_MAX];
};

struct nbdlinks {
	char *name;
	char *bitmap; /* the context of the bitmap that is wanted, or NULL */
	uint64_t size;
	int has_allocation, has_bitmap;

	pthread_mutex_t lock; /* of all that follows, but the map */
	pthread_cond_t is_free;
	struct nbd_handle *idle[NBDLINKS_MOST];
	unsigned nidle, nopen,
	    most;    /* nidle <= nopen <= most; a thread has those that are open and not idle */
	int is_lost; /* one broke, which was said: none is given out any more */

	pthread_mutex_t map_lock;
	struct map map;
};

unsigned
nbdlinks_wanted(void)
{
	unsigned n = pipeline_threads();

	return (n < NBDLINKS_MOST ? n : NBDLINKS_MOST);
}

/* --- connecting --------------------------------------------------------------------------------------- */

/* The contexts that are wanted are settled when the connection is made. */
static struct nbd_handle *
new_handle(const struct nbdlinks *N)
{
	struct nbd_handle *h = nbd_create();

	if (h == NULL)
		return (NULL);
	nbd_set_uri_allow_local_file(h, true);
	if (nbd_add_meta_context(h, LIBNBD_CONTEXT_BASE_ALLOCATION) == 0 &&
	    (N->bitmap == NULL || nbd_add_meta_context(h, N->bitmap) == 0))
		return (h);
	nbd_close(h);
	return (NULL);
}

/* Wait until it is connected, but not for ever: a server of few connections leaves the others at its door. */
static int
wait_for(struct nbd_handle *h)
{
	int64_t until = clock_ms() + PATIENCE;

	while (nbd_aio_is_connecting(h) == 1)
		if (clock_ms() > until || nbd_poll(h, PATIENCE) != 1)
			return (-1);
	return (nbd_aio_is_ready(h) == 1 ? 0 : -1);
}

/* One connection more to the same export; NULL, which is no failure. */
static struct nbd_handle *
connect_again(const struct nbdlinks *N)
{
	struct nbd_handle *h = new_handle(N);

	if (h != NULL && nbd_aio_connect_uri(h, N->name) == 0 && wait_for(h) == 0 &&
	    nbd_get_size(h) == (int64_t)N->size)
		return (h);
	nbd_close(h);
	return (NULL);
}

/* The next of the sockets, or a connection to the URI. */
static int
connect_to(struct nbdlinks *N, const struct nbdlinks_export *e, int *socket)
{
	struct nbd_handle *h = new_handle(N);
	int fd = -1;

	if (h == NULL)
		return (-1);
	N->idle[N->nidle++] = h;
	N->nopen++;
	if (e->sockets == NULL)
		return (nbd_connect_uri(h, e->name));
	fd = *socket;
	*socket = -1;
	return (nbd_connect_socket(h, fd));
}

static int
look(struct nbdlinks *N, const struct nbdlinks_export *e)
{
	struct nbd_handle *h = N->idle[0];
	int64_t size = nbd_get_size(h);

	if (size < 0)
		return (-1);
	N->size = (uint64_t)size;
	N->has_allocation = nbd_can_meta_context(h, LIBNBD_CONTEXT_BASE_ALLOCATION) == 1;
	N->has_bitmap = N->bitmap != NULL && nbd_can_meta_context(h, N->bitmap) == 1;
	N->most = e->sockets != NULL ? e->nsockets : nbd_can_multi_conn(h) == 1 ? nbdlinks_wanted() : 1;
	return (0);
}

static int
open_all(struct nbdlinks *N, const struct nbdlinks_export *e)
{
	int none = -1;

	if (connect_to(N, e, e->sockets != NULL ? &e->sockets[0] : &none) == -1 || look(N, e) == -1)
		return (-1);
	for (unsigned i = 1; e->sockets != NULL && i < e->nsockets; i++)
		if (connect_to(N, e, &e->sockets[i]) == -1)
			return (-1);
	return (0);
}

static struct nbdlinks *
new_links(const struct nbdlinks_export *e)
{
	struct nbdlinks *N = calloc(1, sizeof *N);

	if (N == NULL)
		return (NULL);
	pthread_mutex_init(&N->lock, NULL);
	pthread_mutex_init(&N->map_lock, NULL);
	pthread_cond_init(&N->is_free, NULL);
	if ((N->name = strdup(e->name)) != NULL &&
	    (e->bitmap == NULL || asprintf(&N->bitmap, "qemu:dirty-bitmap:%s", e->bitmap) >= 0))
		return (N);
	N->bitmap = NULL;
	nbdlinks_close(N);
	return (NULL);
}

int
nbdlinks_open(struct nbdlinks **out, const struct nbdlinks_export *e, char why[NBDLINKS_WHY])
{
	struct nbdlinks *N = new_links(e);
	int rc = -1;

	snprintf(why, NBDLINKS_WHY, "out of memory");
	if (N != NULL && (rc = open_all(N, e)) != 0)
		snprintf(why, NBDLINKS_WHY, "%s", nbd_get_error() != NULL ? nbd_get_error() : "");
	for (unsigned i = 0; e->sockets != NULL && i < e->nsockets; i++) {
		io_close(e->sockets[i]);
		e->sockets[i] = -1;
	}
	if (rc != 0) {
		nbdlinks_close(N);
		N = NULL;
	}
	*out = N;
	return (rc);
}

void
nbdlinks_close(struct nbdlinks *N)
{
	if (N == NULL)
		return;
	for (unsigned i = 0; i < N->nidle; i++) {
		nbd_shutdown(N->idle[i], 0);
		nbd_close(N->idle[i]);
	}
	pthread_cond_destroy(&N->is_free);
	pthread_mutex_destroy(&N->map_lock);
	pthread_mutex_destroy(&N->lock);
	free(N->name);
	free(N->bitmap);
	free(N);
}

uint64_t
nbdlinks_size(const struct nbdlinks *N)
{
	return (N->size);
}

/* --- one connection for one thread at a time ---------------------------------------------------------- */

/* A connection that is idle, or a new one; NULL if there is none any more, which was said. */
static struct nbd_handle *
take(struct nbdlinks *N)
{
	struct nbd_handle *h = NULL;

	pthread_mutex_lock(&N->lock);
	while (h == NULL && !N->is_lost) {
		if (N->nidle > 0) {
			h = N->idle[--N->nidle];
		} else if (N->nopen == N->most) {
			pthread_cond_wait(&N->is_free, &N->lock);
		} else {
			N->nopen++;
			pthread_mutex_unlock(&N->lock);
			h = connect_again(N);
			pthread_mutex_lock(&N->lock);
			if (h == NULL)
				N->most = --N->nopen;
		}
	}
	pthread_mutex_unlock(&N->lock);
	return (h);
}

static void
give_back(struct nbdlinks *N, struct nbd_handle *h)
{
	pthread_mutex_lock(&N->lock);
	N->idle[N->nidle++] = h;
	pthread_cond_signal(&N->is_free);
	pthread_mutex_unlock(&N->lock);
}

/*
 * A call on this connection failed: what is under way on it has buffers that are about to go, so it is closed at once.
 * Of several that break together the first one's reason is said.  -1.
 */
static int
lose(struct nbdlinks *N, struct nbd_handle *h, const char *what)
{
	int is_first;

	pthread_mutex_lock(&N->lock);
	is_first = !N->is_lost;
	N->is_lost = 1;
	N->nopen--;
	pthread_cond_broadcast(&N->is_free);
	pthread_mutex_unlock(&N->lock);
	if (is_first)
		say_failed("%s: cannot %s: %s", N->name, what, nbd_get_error());
	nbd_close(h);
	return (-1);
}

/* --- reading ------------------------------------------------------------------------------------------ */

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
start(struct nbd_handle *h, struct reading *r, char *buf, size_t length, uint64_t offset)
{
	nbd_completion_callback cb = { .callback = completed, .user_data = r };

	r->under_way++;
	if (nbd_aio_pread(h, buf, length, offset, cb, 0) != -1)
		return (0);
	r->under_way--;
	return (-1);
}

static int
read_by(struct nbd_handle *h, struct reading *r, char *buf, size_t length, uint64_t offset)
{
	size_t done = 0, k;

	while (done < length || r->under_way > 0) {
		for (; done < length && r->under_way < REQUESTS; done += k) {
			k = length - done < REQUEST ? length - done : REQUEST;
			if (start(h, r, buf + done, k, offset + done) != 0)
				return (-1);
		}
		if (r->under_way > 0 && nbd_poll(h, -1) == -1)
			return (-1);
	}
	return (0);
}

int
nbdlinks_read(struct nbdlinks *N, void *buf, size_t n, uint64_t offset)
{
	struct nbd_handle *h = take(N);
	struct reading r = { 0, 0 };

	if (h == NULL)
		return (-1);
	if (read_by(h, &r, buf, n, offset) != 0)
		return (lose(N, h, "read"));
	give_back(N, h);
	if (r.error != 0)
		return (say_failed(
		    "%s: cannot read at byte %" PRIu64 ": %s", N->name, offset, strerror(r.error)));
	return (0);
}

/* --- which blocks are what ---------------------------------------------------------------------------- */

/* What a block status request is after: the extents of one context from offset on. */
struct status {
	const char *context;
	uint64_t offset; /* where the next extent starts */
	uint64_t end;
	struct map *map;      /* for what is in use, or */
	struct ranges *dirty; /* for what is dirty */
	int error;
};

/* 1 if there is no room in the map for more. */
static int
add_stretch(struct map *m, uint64_t end, int is_hole)
{
	if (m->n > 0 && m->stretches[m->n - 1].is_hole == is_hole) {
		m->stretches[m->n - 1].end = end;
		return (0);
	}
	if (m->n == MAP_MAX)
		return (1);
	m->stretches[m->n++] = (struct stretch){ end, is_hole };
	return (0);
}

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
		if (length == 0)
			continue;
		if (s->dirty != NULL && (entries[i + 1] & 1) != 0 &&
		    ranges_add_bytes(s->dirty, s->offset, length) != 0)
			s->error = 1;
		if (s->map != NULL &&
		    add_stretch(s->map, s->offset + length, (entries[i + 1] & LIBNBD_STATE_ZERO) != 0) != 0)
			return (0);
		s->offset += length;
	}
	return (0);
}

/* Ask about [s->offset, s->end); at least one byte must be answered. */
static int
ask(struct nbdlinks *N, struct status *s)
{
	nbd_extent_callback cb = { .callback = extents, .user_data = s };
	uint64_t from = s->offset, count = s->end - from;
	struct nbd_handle *h = take(N);

	if (h == NULL)
		return (-1);
	if (nbd_block_status(h, count < STATUS_MAX ? count : STATUS_MAX, from, cb, 0) == -1)
		return (lose(N, h, "learn which blocks are in use"));
	give_back(N, h);
	if (s->error)
		return (-1);
	if (s->offset == from)
		return (say_failed(
		    "%s: the server does not say which blocks are in use at byte %" PRIu64, N->name, from));
	return (0);
}

/* The stretch of the map at offset, which is in it. */
static const struct stretch *
find(const struct map *m, uint64_t offset)
{
	unsigned low = 0, high = m->n - 1;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (m->stretches[middle].end > offset)
			high = middle;
		else
			low = middle + 1;
	}
	return (&m->stretches[low]);
}

static int
stretch_locked(struct nbdlinks *N, uint64_t offset, uint64_t end, uint64_t *length, int *is_hole)
{
	struct status s = {
		.context = LIBNBD_CONTEXT_BASE_ALLOCATION, .offset = offset, .end = N->size, .map = &N->map
	};
	const struct stretch *found;

	if (offset < N->map.from || offset >= N->map.to) {
		N->map.from = N->map.to = offset;
		N->map.n = 0;
		if (ask(N, &s) != 0)
			return (-1);
		N->map.to = s.offset;
	}
	found = find(&N->map, offset);
	*length = (found->end < end ? found->end : end) - offset;
	*is_hole = found->is_hole;
	return (0);
}

int
nbdlinks_stretch(struct nbdlinks *N, uint64_t offset, uint64_t end, uint64_t *length, int *is_hole)
{
	int rc;

	*length = end - offset;
	*is_hole = 0;
	if (!N->has_allocation)
		return (0);
	pthread_mutex_lock(&N->map_lock);
	rc = stretch_locked(N, offset, end, length, is_hole);
	pthread_mutex_unlock(&N->map_lock);
	return (rc);
}

int
nbdlinks_dirty(struct nbdlinks *N, struct ranges *out)
{
	struct status s = { .context = N->bitmap, .end = N->size, .dirty = out };

	if (!N->has_bitmap)
		return (1);
	while (s.offset < s.end)
		if (ask(N, &s) != 0)
			return (-1);
	ranges_sort(out);
	return (0);
}

int
nbdlinks_check(struct nbdlinks *N)
{
	int is_dead;

	pthread_mutex_lock(&N->lock);
	is_dead = N->is_lost;
	for (unsigned i = 0; i < N->nidle; i++)
		is_dead |= nbd_aio_is_dead(N->idle[i]) == 1;
	pthread_mutex_unlock(&N->lock);
	return (is_dead ? say_failed("%s: the server is gone", N->name) : 0);
}
