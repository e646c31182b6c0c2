#include "bundle/resync.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "base/io.h"
#include "base/say.h"

#define PIECE (1u << 20)
#define SECTOR 4096u /* what a medium fails to give back at a time */

int
resync_read(const struct resync *r, void *buf, size_t n, uint64_t offset, int *is_bad)
{
	uint8_t *to = buf;
	size_t done = 0;
	int is_worn;

	*is_bad = 0;
	while (done < n) {
		ssize_t got = io_read_worn(r->fd, r->name, to + done, n - done, offset + done, &is_worn);
		size_t skip;

		if (got < 0)
			return (-1);
		done += (size_t)got;
		if (done == n)
			break;
		*is_bad = 1;
		skip = is_worn ? (size_t)(SECTOR - (offset + done) % SECTOR) : n - done;
		if (skip > n - done)
			skip = n - done;
		memset(to + done, 0, skip);
		done += skip;
	}
	return (0);
}

/* Is in a record that one of the keys has signed? */
static int
is_record(struct resync *r, const uint8_t in[RECORD_SIZE])
{
	struct record R;

	if (record_peek(&R, in) != 0 ||
	    (!sodium_is_zero(r->bundle, RECORD_ID) && memcmp(R.bundle, r->bundle, RECORD_ID) != 0))
		return (0);
	for (unsigned i = 0; i < r->nkeys && r->budget > 0; i++) {
		if (record_unpack(&r->record, in, r->keys[i]) == NULL) {
			memcpy(r->raw, in, RECORD_SIZE);
			memcpy(r->key, r->keys[i], RECORD_KEY);
			return (1);
		}
		r->budget--;
	}
	return (0);
}

int
resync_look(struct resync *r, uint64_t at)
{
	uint8_t head[FRAME_HEAD];
	int is_bad;

	if (resync_read(r, head, sizeof head, at, &is_bad) != 0)
		return (-1);
	r->at = at;
	return (is_record(r, frame_record(head)) ? 0 : 1);
}

int
resync_find(struct resync *r, uint64_t from)
{
	uint8_t *piece = malloc(PIECE);
	/* The record itself lies behind its tar header. */
	uint64_t at = (from + FRAME_TAR - 1) / FRAME_TAR * FRAME_TAR + FRAME_TAR;
	int rc = 1, is_bad;

	if (piece == NULL)
		return (say_failed("out of memory"));
	while (rc == 1 && r->budget > 0 && at + RECORD_SIZE <= r->size) {
		size_t n = r->size - at < PIECE ? (size_t)(r->size - at) : PIECE;

		if (resync_read(r, piece, n, at, &is_bad) != 0)
			rc = -1;
		for (size_t i = 0; rc == 1 && i + RECORD_SIZE <= n; i += FRAME_TAR) {
			if (!is_record(r, piece + i))
				continue;
			r->at = at + i - FRAME_TAR;
			rc = 0;
		}
		at += PIECE;
	}
	free(piece);
	return (rc);
}
