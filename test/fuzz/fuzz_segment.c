/*
 * Codec (1 byte), number of extents (4), offset (8), span (8), plain length (8), disk size (8), then the stored
 * payload, in clear.  A segment that is taken lies on its disk, and encodes and decodes to the same again.
 */
#include <sodium.h>
#include <string.h>

#include "bundle/segment.h"
#include "check.h"
#include "wire.h"

#define HEAD 37u

/* A record such as the reader hands on, or not. */
static int
describe(struct record *R, const uint8_t *data, size_t size)
{
	static const uint8_t secret[RECORD_SECRET];
	struct record S = { .type = RECORD_SEGMENT, .number = 1, .stored = size - HEAD };
	uint8_t rec[RECORD_SIZE];

	S.codec = data[0] & 1 ? RECORD_ZSTD : RECORD_RAW;
	S.extents = wire_get32(data + 1);
	S.offset = wire_get64(data + 5);
	S.span = wire_get64(data + 13);
	S.plain = wire_get64(data + 21);
	crypto_generichash(S.digest, RECORD_DIGEST, data + HEAD, S.stored, NULL, 0);
	record_pack(rec, &S, secret);
	return (record_unpack(R, rec, rec) == NULL);
}

static void
check_again(struct segment_coder *C, const struct record *R, const uint8_t *plain, const struct extent *e,
    uint64_t disk_size)
{
	const struct segment_crypt clear = { .cipher = RECORD_CLEAR };
	uint8_t *out = malloc(segment_bound(R->plain)), *again = malloc(LIMIT_PLAIN);
	struct extent *extents = malloc(R->extents * sizeof *extents);
	struct record S = *R;

	CHECK(out != NULL && again != NULL && extents != NULL);
	CHECK(segment_encode(C, &clear, plain, R->plain, out, &S) == 0);
	CHECK(segment_decode(C, &clear, &S, out, again, extents, disk_size) == NULL);
	CHECK(S.plain == R->plain && memcmp(again, plain, R->plain) == 0);
	for (uint32_t i = 0; i < R->extents; i++)
		CHECK(extents[i].offset == e[i].offset && extents[i].length == e[i].length &&
		      extents[i].kind == e[i].kind);
	free(extents);
	free(again);
	free(out);
}

/* What was in the buffer before is nowhere in what is decoded. */
static void
check_fresh(struct segment_coder *C, const struct record *R, const uint8_t *stored, uint8_t *plain,
    struct extent *e, uint64_t disk_size)
{
	const struct segment_crypt clear = { .cipher = RECORD_CLEAR };
	uint8_t *other = malloc(R->plain);

	CHECK(other != NULL);
	memset(plain, 0x55, R->plain);
	CHECK(segment_decode(C, &clear, R, stored, plain, e, disk_size) == NULL);
	memcpy(other, plain, R->plain);
	memset(plain, 0xaa, R->plain);
	CHECK(segment_decode(C, &clear, R, stored, plain, e, disk_size) == NULL);
	CHECK(memcmp(other, plain, R->plain) == 0);
	free(other);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct segment_coder *C;
	static uint8_t *plain;
	const struct segment_crypt clear = { .cipher = RECORD_CLEAR };
	uint64_t disk_size;
	struct extent *e;
	struct record R;

	if (C == NULL)
		CHECK((C = segment_coder_new(SEGMENT_FAST)) != NULL && (plain = malloc(LIMIT_PLAIN)) != NULL);
	if (size < HEAD || !describe(&R, data, size))
		return (0);
	disk_size = wire_get64(data + 29);
	CHECK((e = calloc(R.extents, sizeof *e)) != NULL);
	if (segment_decode(C, &clear, &R, data + HEAD, plain, e, disk_size) == NULL) {
		CHECK(e[0].offset == R.offset && R.offset + R.span <= disk_size);
		check_again(C, &R, plain, e, disk_size);
		check_fresh(C, &R, data + HEAD, plain, e, disk_size);
	}
	free(e);
	return (0);
}
