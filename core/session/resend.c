#include "session/resend.h"

#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "frame.h"

#define FIRST (UINT64_C(1) << 20)

struct resend {
	uint8_t *ring;
	uint64_t size;       /* a power of two; 0: there is none yet */
	uint64_t start, end; /* places in the stream: what lies between them is here */
};

struct resend *
resend_new(void)
{
	struct resend *W = calloc(1, sizeof *W);

	if (W == NULL)
		say_failed("out of memory");
	return (W);
}

void
resend_free(struct resend *W)
{
	if (W == NULL)
		return;
	free(W->ring);
	free(W);
}

uint64_t
resend_start(const struct resend *W)
{
	return (W->start);
}

uint64_t
resend_end(const struct resend *W)
{
	return (W->end);
}

size_t
resend_get(const struct resend *W, uint64_t place, size_t n, const uint8_t **p)
{
	uint64_t at = place & (W->size - 1), together = W->size - at;

	*p = W->ring + at;
	if (together > W->end - place)
		together = W->end - place;
	return (together < n ? (size_t)together : n);
}

/* Room for n bytes more: a larger ring, or what is oldest goes. */
static void
make_room(struct resend *W, size_t n)
{
	uint64_t size = W->size == 0 ? FIRST : W->size, place = W->start;
	const uint8_t *p;
	uint8_t *ring;

	while (size < W->end - W->start + n && size < RESEND_MOST)
		size *= 2;
	if (size != W->size && (ring = malloc(size)) != NULL) {
		while (place < W->end) {
			size_t some = resend_get(W, place, SIZE_MAX, &p), at = (size_t)(place & (size - 1));

			if (some > size - at)
				some = (size_t)size - at;
			memcpy(ring + at, p, some);
			place += some;
		}
		free(W->ring);
		W->ring = ring;
		W->size = size;
	}
	if (W->end - W->start + n > W->size)
		W->start = W->size < n ? W->end + n : W->end + n - W->size;
}

void
resend_add(struct resend *W, const void *p, size_t n)
{
	const uint8_t *from = p;

	make_room(W, n);
	if (W->size < n) {
		W->end += n;
		return;
	}
	while (n > 0) {
		size_t at = (size_t)(W->end & (W->size - 1)), some = (size_t)W->size - at;

		if (some > n)
			some = n;
		memcpy(W->ring + at, from, some);
		from += some;
		n -= some;
		W->end += some;
	}
}

void
resend_passed(struct resend *W, uint64_t place)
{
	if (place > W->end)
		place = W->end;
	if (place > RESEND_MARGIN && place - RESEND_MARGIN > W->start)
		W->start = place - RESEND_MARGIN;
}

/* n bytes at that place, which is not behind the end, into out: 0; 1: they are not all here. */
static int
copy(const struct resend *W, uint64_t place, uint8_t *out, size_t n)
{
	const uint8_t *p;

	if (place < W->start || W->end - place < n)
		return (1);
	while (n > 0) {
		size_t some = resend_get(W, place, n, &p);

		memcpy(out, p, some);
		out += some;
		place += some;
		n -= some;
	}
	return (0);
}

/*
 * Members stand at multiples of FRAME_TAR from the start of a bundle, but a stream may be the rest of one: so they do from the
 * start of the stream, too, as what was cut off was whole members.
 */
int
resend_behind(const struct resend *W, const uint8_t record[RECORD_SIZE], uint64_t *place)
{
	uint64_t at = (W->start + FRAME_TAR - 1) / FRAME_TAR * FRAME_TAR;
	uint8_t head[FRAME_HEAD];
	struct record R;

	if (W->size == 0 || record_peek(&R, record) != 0)
		return (1);
	for (; at < W->end && copy(W, at, head, sizeof head) == 0; at += FRAME_TAR) {
		if (memcmp(frame_record(head), record, RECORD_SIZE) != 0)
			continue;
		*place = R.type == RECORD_HEADER ? at : at + frame_size(R.stored);
		return (*place > W->end);
	}
	return (1);
}
