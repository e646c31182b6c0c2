/*
 * A sequence of records, each behind a byte that says what to do before it is shown to the chain: make right its
 * link (1) or its digests (2); where a volume has ended, go on with the next one (4), as after an interruption (8).
 * What the chain takes must be a bundle's beginning, and each volume must follow the one before.
 */
#include <sodium.h>
#include <string.h>

#include "bounds.h"
#include "chain.h"
#include "check.h"

#define STEP (1 + RECORD_SIZE)

/* A segment does not begin before the place where the one before it ended. */
static void
check_order(const struct chain_place *p, const struct record *R)
{
	CHECK(R->part >= p->part);
	CHECK(R->part > p->part || R->disk >= p->disk);
	CHECK(R->part > p->part || R->disk > p->disk || R->offset >= p->offset);
}

/* Show one record to the chain.  Return it if it was taken. */
static int
step(struct chain *C, struct record *R, const uint8_t *data)
{
	static const uint8_t secret[RECORD_SECRET];
	struct chain before;
	uint8_t rec[RECORD_SIZE];
	const char *why;

	memcpy(rec, data + 1, RECORD_SIZE);
	if (record_unpack(R, rec, record_claimed_key(rec)) != NULL)
		return (0);
	if (data[0] & 1)
		chain_link(C, R);
	if (data[0] & 2 && (R->type == RECORD_INDEX || R->type == RECORD_MANIFEST))
		chain_expect(C, R);
	record_pack(rec, R, secret);
	memcpy(&before, C, sizeof before);
	why = chain_next(C, R, rec);
	CHECK((memcmp(&before, C, sizeof before) == 0) == (why != NULL));
	if (why != NULL)
		return (0);
	CHECK(C->position == before.position + frame_size(R->stored));
	if (R->type == RECORD_SEGMENT && before.is_placed)
		check_order(&before.place, R);
	return (1);
}

/* With the next volume, if this one has ended and the input says so. */
static void
turn(struct chain *C, uint8_t how)
{
	struct chain_volume v = C->volume;
	uint8_t bundle[RECORD_ID];

	if (C->last != RECORD_VOLUME_END || (how & 12) == 0)
		return;
	memcpy(bundle, C->bundle, RECORD_ID);
	if (how & 8)
		chain_resume(C, bundle, &v);
	else
		chain_turn(C);
}

/* It has ended: does it say of itself what it holds, and is the one that it continues the one before it? */
static void
check_volume(const struct chain_volume *before, const struct chain_volume *v, uint64_t segments)
{
	CHECK(v->after - v->before == segments && (v->is_last || segments > 0));
	if (before->number != 0)
		CHECK(chain_follows(before, v) == NULL);
	CHECK(chain_follows(v, v) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* What may come after each type. */
	static const char *const next[] = { "\1", "\2", "\3\4\7", "\3\4", "\5", "\6\10", "", "\3\4\7", "" };
	struct chain_volume before = { .number = 0 };
	struct chain C;
	struct record R;
	uint64_t segments = 0;

	chain_init(&C);
	for (; size >= STEP; data += STEP, size -= STEP) {
		int last;

		turn(&C, data[0]);
		last = C.last;
		if (!step(&C, &R, data))
			continue;
		CHECK(strchr(next[last], (int)R.type) != NULL && C.last == (int)R.type);
		segments = R.type == RECORD_VOLUME ? 0 : segments + (R.type == RECORD_SEGMENT);
		CHECK(R.type == RECORD_HEADER || C.segments == C.volume.before + segments);
		CHECK(C.place.offset <= LIMIT_DISK_SIZE && (C.blobs == 0 || C.volume.number == 1));
		if (R.type == RECORD_END || R.type == RECORD_VOLUME_END) {
			check_volume(&before, &C.volume, segments);
			before = C.volume;
		}
	}
	return (0);
}
