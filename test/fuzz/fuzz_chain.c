/*
 * A sequence of records, each behind a byte that says what to make right before it is shown to the chain: its
 * link (1), its digests (2).  What the chain takes must be a bundle's beginning.
 */
#include <sodium.h>
#include <string.h>

#include "bounds.h"
#include "chain.h"
#include "check.h"

#define STEP (1 + RECORD_SIZE)

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
	if (R->type == RECORD_SEGMENT && before.segments != 0)
		CHECK(R->disk > before.disk || (R->disk == before.disk && R->offset >= before.end));
	return (1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* What may come after each type. */
	static const char *const next[] = { "\1", "\2", "\3\4", "\3\4", "\5", "\6", "" };
	struct chain C;
	struct record R;
	uint64_t segments = 0;

	chain_init(&C);
	for (; size >= STEP; data += STEP, size -= STEP) {
		int last = C.last;

		if (!step(&C, &R, data))
			continue;
		CHECK(strchr(next[last], (int)R.type) != NULL && C.last == (int)R.type);
		segments += R.type == RECORD_SEGMENT;
		CHECK(C.segments == segments && C.end <= LIMIT_DISK_SIZE);
	}
	return (0);
}
