#include <errno.h>
#include <inttypes.h>
#include <libnbd.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "base/io.h"
#include "base/say.h"
#include "disk/image.h"
#include "disk/overlay.h"

/*
 * An NBD export that we write: Ceph RBD and other storage behind qemu-nbd, nbdkit or a storage daemon.  What was written
 * is durable when the server has answered a flush, so there must be one.  What reads as zeroes is written as zeroes that
 * may be a hole: the server gives back the space where it can.
 */
#define REQUESTS 64u                  /* under way at a time */
#define DATA_MAX (256u * 1024)        /* bytes in one of them */
#define ZERO_MAX UINT64_C(0x10000000) /* the same where no bytes travel */

struct nbd;

/* A request that is under way. */
struct request {
	struct nbd *nbd;
	uint64_t offset;
	int is_busy;
};

struct nbd {
	struct nbd_handle *h;
	uint64_t size;
	uint64_t data_max;
	int has_zero;
	unsigned under_way;
	int error; /* of the first request that failed, or 0 */
	uint64_t error_at;
	struct request requests[REQUESTS];
	char uri[PATH_MAX];
};

static int
failed(const struct nbd *n, const char *what)
{
	return (say_failed("%s: cannot %s: %s", n->uri, what, nbd_get_error()));
}

/* --- open ----------------------------------------------------------------------------------------------- */

static void
nbd_end(void *state)
{
	struct nbd *n = state;

	nbd_shutdown(n->h, 0);
	nbd_close(n->h);
	free(n);
}

/* A VM is to run from it one day, by the same name. */
static int
check_name(const char *uri)
{
	if (strncmp(uri, "nbd://", 6) != 0 && strncmp(uri, "nbd+unix://", 11) != 0)
		return (say_refused(
		    "%s: QEMU would not open it; the disk of a replica is at nbd:// or nbd+unix://", uri));
	if (strlen(uri) > OVERLAY_PATH)
		return (say_refused("%s: has more than %u bytes", uri, OVERLAY_PATH));
	return (0);
}

static int
check_export(struct nbd *n)
{
	int64_t size = nbd_get_size(n->h), least, most;

	if (size < 0)
		return (failed(n, "learn the size"));
	n->size = (uint64_t)size;
	if (nbd_is_read_only(n->h) != 0)
		return (say_refused("%s: the server does not let us write", n->uri));
	if (nbd_can_flush(n->h) != 1)
		return (say_refused("%s: the server cannot make durable what is written (flush); no disk of "
		                    "a replica can lie "
		                    "there",
		    n->uri));
	if ((least = nbd_get_block_size(n->h, LIBNBD_SIZE_MINIMUM)) > LIMIT_SECTOR)
		return (say_refused("%s: the server takes multiples of %" PRId64
		                    " bytes alone; have it take those of %u",
		    n->uri, least, LIMIT_SECTOR));
	most = nbd_get_block_size(n->h, LIBNBD_SIZE_MAXIMUM);
	n->data_max = most >= LIMIT_BLOCK && most < DATA_MAX ? (uint64_t)most : DATA_MAX;
	n->has_zero = nbd_can_zero(n->h) == 1;
	return (0);
}

int
image_nbd_wrap(void **state, uint64_t *room, const char *name, struct nbd_handle *h)
{
	struct nbd *n = calloc(1, sizeof *n);
	int rc;

	if (n == NULL) {
		nbd_close(h);
		return (say_failed("out of memory"));
	}
	n->h = h;
	for (unsigned i = 0; i < REQUESTS; i++)
		n->requests[i].nbd = n;
	rc = io_path(n->uri, "%s", name) != 0 ? -1 : check_export(n);
	if (rc != 0) {
		nbd_end(n);
		return (rc);
	}
	*state = n;
	*room = n->size;
	return (0);
}

int
image_nbd_open(void **state, uint64_t *room, const char *uri)
{
	int rc = check_name(uri);
	struct nbd_handle *h;

	if (rc != 0)
		return (rc);
	if ((h = nbd_create()) == NULL || nbd_connect_uri(h, uri) == -1) {
		rc = say_failed("%s: cannot connect: %s", uri, nbd_get_error());
		nbd_close(h);
		return (rc);
	}
	return (image_nbd_wrap(state, room, uri, h));
}

/* --- requests ------------------------------------------------------------------------------------------- */

/* The first failure counts, and stays: whatever comes later, not all that was written is durable. */
static int
note_failure(struct nbd *n, int error, uint64_t offset)
{
	if (n->error == 0) {
		n->error = error != 0 ? error : ENOTCONN;
		n->error_at = offset;
	}
	return (-1);
}

static int
completed(void *user, int *error)
{
	struct request *r = user;

	r->nbd->under_way--;
	r->is_busy = 0;
	if (*error != 0)
		note_failure(r->nbd, *error, r->offset);
	return (1);
}

/* Go on until at most so many are under way. */
static int
wait_for(struct nbd *n, unsigned most, uint64_t offset)
{
	while (n->under_way > most)
		if (nbd_poll(n->h, -1) == -1)
			return (note_failure(n, nbd_get_errno(), offset));
	return (n->error == 0 ? 0 : -1);
}

static int
nbd_drain(void *state)
{
	struct nbd *n = state;

	if (wait_for(n, 0, 0) == 0)
		return (0);
	return (
	    say_failed("%s: cannot write at byte %" PRIu64 ": %s", n->uri, n->error_at, strerror(n->error)));
}

/* Begin to write length bytes at offset; or zeroes, if there is no buf. */
static int
begin(struct nbd *n, const uint8_t *buf, uint64_t length, uint64_t offset)
{
	struct request *r = n->requests;
	nbd_completion_callback cb = { .callback = completed };
	int64_t cookie;

	if (wait_for(n, REQUESTS - 1, offset) != 0)
		return (-1);
	while (r->is_busy)
		r++;
	r->is_busy = 1;
	r->offset = offset;
	cb.user_data = r;
	n->under_way++;
	cookie = buf != NULL ? nbd_aio_pwrite(n->h, buf, (size_t)length, offset, cb, 0)
	                     : nbd_aio_zero(n->h, length, offset, cb, 0);
	if (cookie != -1)
		return (0);
	n->under_way--;
	r->is_busy = 0;
	return (note_failure(n, nbd_get_errno(), offset));
}

static int
is_within(struct nbd *n, uint64_t length, uint64_t offset)
{
	if (length <= n->size && offset <= n->size - length)
		return (1);
	note_failure(n, ENOSPC, offset);
	return (0);
}

static int
nbd_write(void *state, const uint8_t *buf, size_t length, uint64_t offset)
{
	struct nbd *n = state;
	uint64_t k;

	if (!is_within(n, length, offset))
		return (-1);
	for (uint64_t done = 0; done < length; done += k) {
		k = length - done < n->data_max ? length - done : n->data_max;
		if (begin(n, buf + done, k, offset + done) != 0)
			return (-1);
	}
	return (0);
}

static int
nbd_clear(void *state, uint64_t offset, uint64_t length)
{
	static const uint8_t zeroes[DATA_MAX];
	struct nbd *n = state;
	uint64_t k, most = n->has_zero ? ZERO_MAX : n->data_max;

	if (!is_within(n, length, offset))
		return (-1);
	for (uint64_t done = 0; done < length; done += k) {
		k = length - done < most ? length - done : most;
		if (begin(n, n->has_zero ? NULL : zeroes, k, offset + done) != 0)
			return (-1);
	}
	return (0);
}

static int
nbd_sync(void *state)
{
	struct nbd *n = state;

	if (nbd_drain(n) != 0)
		return (-1);
	return (nbd_flush(n->h, 0) == 0 ? 0 : failed(n, "make durable"));
}

const struct image_kind image_nbd = { .write = nbd_write,
	.zero = nbd_clear,
	.drain = nbd_drain,
	.sync = nbd_sync,
	.settle = nbd_sync,
	.close = nbd_end };
