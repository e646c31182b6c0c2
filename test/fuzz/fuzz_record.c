/* A record that is taken packs to the same bytes again, and its frame is the only one it can have. */
#include <sodium.h>
#include <string.h>

#include "bounds.h"
#include "check.h"
#include "frame.h"
#include "record.h"

#define SIGNED 192u

/* A head with one bit of its frame flipped, the one that the input's last bytes choose. */
static void
check_frame(const struct record *R, const uint8_t rec[RECORD_SIZE], unsigned bit)
{
	uint8_t head[FRAME_HEAD], tar[FRAME_TAR];

	frame_head(head, R, rec);
	CHECK(frame_check_head(head, R) == NULL);
	bit %= 8 * FRAME_HEAD;
	head[bit / 8] ^= (uint8_t)(1u << bit % 8);
	if (bit / 8 < FRAME_TAR || bit / 8 >= FRAME_TAR + RECORD_SIZE)
		CHECK(frame_check_head(head, R) != NULL);
	frame_payload(tar, R);
	CHECK(frame_check_payload(tar, R) == NULL);
	tar[bit / 8 % FRAME_TAR] ^= (uint8_t)(1u << bit % 8);
	CHECK(frame_check_payload(tar, R) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t secret[RECORD_SECRET];
	uint8_t again[RECORD_SIZE];
	struct record R;

	if (size < RECORD_SIZE || record_unpack(&R, data, record_claimed_key(data)) != NULL)
		return (0);
	record_pack(again, &R, secret);
	CHECK(memcmp(again, data, SIGNED) == 0);
	if (R.type == RECORD_SEGMENT) {
		CHECK(R.stored <= LIMIT_STORED && R.plain <= LIMIT_PLAIN);
		CHECK(R.offset + R.span <= LIMIT_DISK_SIZE && R.span > 0);
		CHECK(R.part < LIMIT_PARTS && R.disk < LIMIT_DISKS && R.number - 1 < LIMIT_SEGMENTS);
	}
	if (R.type == RECORD_BLOB)
		CHECK(R.stored <= LIMIT_STORED && R.plain <= LIMIT_STORED && R.number - 1 < LIMIT_BLOBS);
	if (R.type == RECORD_VOLUME || R.type == RECORD_VOLUME_END)
		CHECK(R.stored == 0 && R.number - 1 < LIMIT_VOLUMES && R.offset <= LIMIT_SEGMENTS);
	check_frame(
	    &R, data, size < RECORD_SIZE + 2 ? 0 : data[RECORD_SIZE] | (unsigned)data[RECORD_SIZE + 1] << 8);
	return (0);
}
