#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>

#include "bounds.h"
#include "record.h"
#include "sample.h"
#include "wire.h"

static void
init(void)
{
	cr_assert(sodium_init() >= 0);
}

TestSuite(record, .init = init);

/* Unpack R as its signer would have written it. */
static const char *
through(const struct record *R)
{
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET], rec[RECORD_SIZE];
	struct record again;

	sample_keys(key, secret, 1);
	record_pack(rec, R, secret);
	return (record_unpack(&again, rec, key));
}

/* Sign what stands in the 192 bytes at rec, whatever it is, in the context of a type. */
static void
sign(uint8_t rec[RECORD_SIZE], const char *context)
{
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET], m[32 + 192] = { 0 };

	sample_keys(key, secret, 1);
	memcpy(m, context, strlen(context));
	memcpy(m + 32, rec, 192);
	crypto_sign_detached(rec + 192, NULL, m, sizeof m, secret);
}

static void
expect_same(const struct record *a, const struct record *b)
{
	cr_expect(a->type == b->type && a->codec == b->codec && a->cipher == b->cipher);
	cr_expect(
	    a->part == b->part && a->number == b->number && a->disk == b->disk && a->extents == b->extents);
	cr_expect(a->offset == b->offset && a->span == b->span);
	cr_expect(a->plain == b->plain && a->stored == b->stored);
	cr_expect_arr_eq(a->bundle, b->bundle, RECORD_ID);
	cr_expect_arr_eq(a->nonce, b->nonce, RECORD_NONCE);
	cr_expect_arr_eq(a->digest, b->digest, RECORD_DIGEST);
	cr_expect_arr_eq(a->link, b->link, RECORD_DIGEST);
}

Test(record, gives_back_every_field_of_every_type)
{
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET], rec[RECORD_SIZE];
	struct record again;

	sample_keys(key, secret, 1);
	for (int t = RECORD_HEADER; t <= RECORD_VOLUME_END; t++) {
		struct record R = sample_record((enum record_type)t);

		record_pack(rec, &R, secret);
		cr_expect_null(record_unpack(&again, rec, key), "type %d", t);
		expect_same(&R, &again);
	}
}

Test(record, lies_on_the_wire_as_documented)
{
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET], rec[RECORD_SIZE], again[RECORD_SIZE] = "VMFERRY1";
	struct record R = sample_record(RECORD_SEGMENT);

	sample_keys(key, secret, 1);
	record_pack(rec, &R, secret);
	wire_put32(again + 8, 3);
	again[12] = 1;
	again[13] = 1;
	wire_put16(again + 14, 5);
	memset(again + 16, 0xb1, 16);
	wire_put64(again + 32, 1);
	wire_put32(again + 40, 3);
	wire_put32(again + 44, 2);
	wire_put64(again + 48, UINT64_C(5) << 32);
	wire_put64(again + 56, 0x10000);
	wire_put64(again + 64, 48 + 0x3000);
	wire_put64(again + 72, 0x1234);
	memset(again + 80, 0x60, 24);
	memset(again + 104, 0xd1, 32);
	memset(again + 136, 0x71, 32);
	sign(again, "vmferry 1 bundle segment");
	cr_expect_arr_eq(rec, again, RECORD_SIZE);
}

Test(record, refuses_every_single_bit_flip)
{
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET], rec[RECORD_SIZE];
	struct record again;

	sample_keys(key, secret, 1);
	for (int t = RECORD_HEADER; t <= RECORD_VOLUME_END; t++) {
		struct record R = sample_record((enum record_type)t);

		record_pack(rec, &R, secret);
		for (unsigned bit = 0; bit < 8 * RECORD_SIZE; bit++) {
			rec[bit / 8] ^= (uint8_t)(1u << bit % 8);
			cr_expect_not_null(record_unpack(&again, rec, key), "type %d, bit %u", t, bit);
			rec[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		cr_expect_null(record_unpack(&again, rec, key), "and as it was");
	}
}

Test(record, refuses_another_signer)
{
	uint8_t key[RECORD_KEY], other[RECORD_KEY], secret[RECORD_SECRET], rec[RECORD_SIZE];
	struct record again;

	sample_keys(key, secret, 1);
	sample_keys(other, secret, 2);
	for (int t = RECORD_HEADER; t <= RECORD_VOLUME_END; t++) {
		struct record R = sample_record((enum record_type)t);

		record_pack(rec, &R, secret);
		cr_expect_not_null(record_unpack(&again, rec, key), "type %d", t);
	}
}

Test(record, refuses_a_header_that_names_another_than_its_signer)
{
	struct record R = sample_record(RECORD_HEADER);

	R.link[0] ^= 1;
	cr_expect_str_eq(through(&R), "the header names another signer");
}

Test(record, refuses_a_signature_made_for_another_type)
{
	static const char *const contexts[] = { "header", "volume", "segment", "index", "manifest", "end",
		"blob", "volume end" };
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET], rec[RECORD_SIZE];
	struct record again;
	char context[32];

	sample_keys(key, secret, 1);
	for (int t = RECORD_HEADER; t <= RECORD_VOLUME_END; t++)
		for (int c = RECORD_HEADER; c <= RECORD_VOLUME_END; c++) {
			struct record R = sample_record((enum record_type)t);

			record_pack(rec, &R, secret);
			snprintf(context, sizeof context, "vmferry 1 bundle %s", contexts[c - 1]);
			sign(rec, context);
			cr_expect_eq(record_unpack(&again, rec, key) == NULL, c == t, "type %d as %d", t, c);
		}
}

Test(record, refuses_an_unknown_type_though_signed)
{
	static const uint32_t unknown[] = { 0, 9, 256 + 3, UINT32_MAX };
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET], rec[RECORD_SIZE];
	struct record again, R = sample_record(RECORD_SEGMENT);

	sample_keys(key, secret, 1);
	record_pack(rec, &R, secret);
	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
		wire_put32(rec + 8, unknown[i]);
		sign(rec, "vmferry 1 bundle segment");
		cr_expect_str_eq(record_unpack(&again, rec, key), "a record of an unknown type");
	}
}

Test(record, refuses_an_unknown_codec_or_cipher_or_reserved_byte_though_signed)
{
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET], rec[RECORD_SIZE];
	struct record again, R = sample_record(RECORD_SEGMENT);

	sample_keys(key, secret, 1);
	R.part = 0;
	for (unsigned at = 12; at < 192; at = at == 13 ? 168 : at + 1) {
		record_pack(rec, &R, secret);
		rec[at] = 2;
		sign(rec, "vmferry 1 bundle segment");
		cr_expect_not_null(record_unpack(&again, rec, key), "byte %u", at);
		rec[at] = at < 14 ? 1 : 0;
		sign(rec, "vmferry 1 bundle segment");
		cr_expect_null(record_unpack(&again, rec, key), "byte %u as it was", at);
	}
}

Test(record, refuses_a_nonce_in_clear)
{
	struct record R = sample_record(RECORD_SEGMENT);

	R.cipher = RECORD_CLEAR;
	cr_expect_str_eq(through(&R), "a record in clear has a nonce");
	memset(R.nonce, 0, sizeof R.nonce);
	cr_expect_null(through(&R));
	R.nonce[RECORD_NONCE - 1] = 1;
	cr_expect_str_eq(through(&R), "a record in clear has a nonce");
}

/* One field of a sample record set to a value. */
struct change {
	const char *what;
	enum record_type type;
	enum { PART, CODEC, CIPHER, NUMBER, DISK, EXTENTS, OFFSET, SPAN, PLAIN, STORED, BOTH } field;
	uint64_t value;
	int valid;
};

static void
apply(struct record *R, const struct change *c)
{
	switch (c->field) {
	case PART:
		R->part = (uint32_t)c->value;
		break;
	case CODEC:
		R->codec = (enum record_codec)c->value;
		break;
	case CIPHER:
		R->cipher = (enum record_cipher)c->value;
		break;
	case NUMBER:
		R->number = c->value;
		break;
	case DISK:
		R->disk = (uint32_t)c->value;
		break;
	case EXTENTS:
		R->extents = (uint32_t)c->value;
		break;
	case OFFSET:
		R->offset = c->value;
		break;
	case SPAN:
		R->span = c->value;
		break;
	case PLAIN:
		R->plain = c->value;
		break;
	case STORED:
		R->stored = c->value;
		break;
	case BOTH:
		R->plain = R->stored = c->value;
		break;
	}
}

static void
expect_changes(const struct change *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct record R = sample_record(c[i].type);

		apply(&R, &c[i]);
		cr_expect_eq(through(&R) == NULL, c[i].valid, "%s (row %zu)", c[i].what, i);
	}
}

Test(record, holds_each_field_of_a_segment_to_its_range)
{
	static const struct change rows[] = {
		{ "the first part", RECORD_SEGMENT, PART, 0, 1 },
		{ "the last part", RECORD_SEGMENT, PART, LIMIT_PARTS - 1, 1 },
		{ "one part more", RECORD_SEGMENT, PART, LIMIT_PARTS, 0 },
		{ "a part in the high byte", RECORD_SEGMENT, PART, 0x100, 0 },
		{ "the most parts", RECORD_SEGMENT, PART, UINT16_MAX, 0 },
		{ "no number", RECORD_SEGMENT, NUMBER, 0, 0 },
		{ "the largest number", RECORD_SEGMENT, NUMBER, LIMIT_SEGMENTS, 1 },
		{ "a larger number", RECORD_SEGMENT, NUMBER, LIMIT_SEGMENTS + 1, 0 },
		{ "the first disk", RECORD_SEGMENT, DISK, 0, 1 },
		{ "the last disk", RECORD_SEGMENT, DISK, LIMIT_DISKS - 1, 1 },
		{ "one disk more", RECORD_SEGMENT, DISK, LIMIT_DISKS, 0 },
		{ "the most negative disk", RECORD_SEGMENT, DISK, UINT32_C(1) << 31, 0 },
		{ "no extent", RECORD_SEGMENT, EXTENTS, 0, 0 },
		{ "too many extents", RECORD_SEGMENT, EXTENTS, LIMIT_EXTENTS + 1, 0 },
		{ "extents that wrap", RECORD_SEGMENT, EXTENTS, UINT32_MAX / 24 + 2, 0 },
		{ "a table and no data", RECORD_SEGMENT, PLAIN, 48, 1 },
		{ "less than the table", RECORD_SEGMENT, PLAIN, 47, 0 },
		{ "all the data", RECORD_SEGMENT, PLAIN, 48 + LIMIT_DATA, 1 },
		{ "more data", RECORD_SEGMENT, PLAIN, 48 + LIMIT_DATA + 1, 0 },
		{ "a plain bomb", RECORD_SEGMENT, PLAIN, UINT64_MAX, 0 },
		{ "nothing stored", RECORD_SEGMENT, STORED, 0, 0 },
		{ "the most stored", RECORD_SEGMENT, STORED, LIMIT_STORED, 1 },
		{ "more stored", RECORD_SEGMENT, STORED, LIMIT_STORED + 1, 0 },
		{ "a stored bomb", RECORD_SEGMENT, STORED, UINT64_MAX, 0 },
		{ "no span", RECORD_SEGMENT, SPAN, 0, 0 },
		{ "up to the largest disk", RECORD_SEGMENT, SPAN, LIMIT_DISK_SIZE - (UINT64_C(5) << 32), 1 },
		{ "beyond it", RECORD_SEGMENT, SPAN, LIMIT_DISK_SIZE - (UINT64_C(5) << 32) + 1, 0 },
		{ "a span that wraps", RECORD_SEGMENT, SPAN, UINT64_MAX, 0 },
		{ "the last offset", RECORD_SEGMENT, OFFSET, LIMIT_DISK_SIZE - 0x10000, 1 },
		{ "an offset too far", RECORD_SEGMENT, OFFSET, LIMIT_DISK_SIZE - 0x10000 + 1, 0 },
		{ "an offset that wraps", RECORD_SEGMENT, OFFSET, UINT64_MAX - 0x8000, 0 },
	};

	expect_changes(rows, sizeof rows / sizeof rows[0]);
}

Test(record, refuses_fields_that_its_type_does_not_have)
{
	for (int t = RECORD_HEADER; t <= RECORD_VOLUME_END; t++) {
		enum record_type type = (enum record_type)t;
		int is_blob = type == RECORD_BLOB;
		int is_volume = type == RECORD_VOLUME || type == RECORD_VOLUME_END;
		const struct change rows[] = {
			{ "part", type, PART, 1, 0 },
			{ "codec", type, CODEC, 1, is_blob },
			{ "cipher", type, CIPHER, 1, is_blob },
			{ "number", type, NUMBER, 1, is_blob || is_volume },
			{ "disk", type, DISK, 1, 0 },
			{ "extents", type, EXTENTS, 1, 0 },
			{ "offset", type, OFFSET, 1, is_volume },
			{ "span", type, SPAN, 1, 0 },
			{ "plain alone", type, PLAIN, 1, is_blob },
			{ "stored alone", type, STORED, 1, is_blob },
		};

		if (type != RECORD_SEGMENT)
			expect_changes(rows, sizeof rows / sizeof rows[0]);
	}
}

Test(record, bounds_json_and_gives_a_volume_no_payload)
{
	static const struct change rows[] = {
		{ "the largest header", RECORD_HEADER, BOTH, LIMIT_JSON, 1 },
		{ "a larger one", RECORD_HEADER, BOTH, LIMIT_JSON + 1, 0 },
		{ "a bomb", RECORD_HEADER, BOTH, UINT64_MAX, 0 },
		{ "the largest end", RECORD_END, BOTH, LIMIT_JSON, 1 },
		{ "a larger one", RECORD_END, BOTH, LIMIT_JSON + 1, 0 },
		{ "a volume of one byte", RECORD_VOLUME, BOTH, 1, 0 },
		{ "the end of one, of one byte", RECORD_VOLUME_END, BOTH, 1, 0 },
		{ "an empty index", RECORD_INDEX, BOTH, 0, 1 },
		{ "a large index", RECORD_INDEX, BOTH, UINT64_C(1) << 31, 1 },
	};

	expect_changes(rows, sizeof rows / sizeof rows[0]);
}

Test(record, holds_each_field_of_a_blob_to_its_range)
{
	static const struct change rows[] = {
		{ "no number", RECORD_BLOB, NUMBER, 0, 0 },
		{ "the largest number", RECORD_BLOB, NUMBER, LIMIT_BLOBS, 1 },
		{ "a larger number", RECORD_BLOB, NUMBER, LIMIT_BLOBS + 1, 0 },
		{ "a number that wraps", RECORD_BLOB, NUMBER, UINT64_MAX, 0 },
		{ "nothing in it", RECORD_BLOB, PLAIN, 0, 0 },
		{ "the most in it", RECORD_BLOB, PLAIN, LIMIT_STORED, 1 },
		{ "more in it", RECORD_BLOB, PLAIN, LIMIT_STORED + 1, 0 },
		{ "a plain bomb", RECORD_BLOB, PLAIN, UINT64_MAX, 0 },
		{ "nothing stored", RECORD_BLOB, STORED, 0, 0 },
		{ "the most stored", RECORD_BLOB, STORED, LIMIT_STORED, 1 },
		{ "more stored", RECORD_BLOB, STORED, LIMIT_STORED + 1, 0 },
		{ "a stored bomb", RECORD_BLOB, STORED, UINT64_MAX, 0 },
	};

	expect_changes(rows, sizeof rows / sizeof rows[0]);
}

Test(record, holds_each_field_of_a_volume_and_its_end_to_its_range)
{
	for (int is_end = 0; is_end < 2; is_end++) {
		enum record_type t = is_end ? RECORD_VOLUME_END : RECORD_VOLUME;
		const struct change rows[] = {
			{ "no number", t, NUMBER, 0, 0 },
			{ "the largest number", t, NUMBER, LIMIT_VOLUMES, 1 },
			{ "a larger number", t, NUMBER, LIMIT_VOLUMES + 1, 0 },
			{ "a number that wraps", t, NUMBER, (UINT64_C(1) << 32) + 1, 0 },
			{ "no segments", t, OFFSET, 0, 1 },
			{ "the most segments", t, OFFSET, LIMIT_SEGMENTS, 1 },
			{ "more segments", t, OFFSET, LIMIT_SEGMENTS + 1, 0 },
			{ "segments that wrap", t, OFFSET, UINT64_MAX, 0 },
		};
		struct record R = sample_record(t);

		expect_changes(rows, sizeof rows / sizeof rows[0]);
		R.digest[RECORD_DIGEST - 1] ^= 1;
		cr_expect_str_eq(through(&R), "a volume record has a payload");
	}
}

Test(record, claims_its_key_where_the_header_has_its_link)
{
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET], rec[RECORD_SIZE];
	struct record R = sample_record(RECORD_HEADER);

	sample_keys(key, secret, 1);
	record_pack(rec, &R, secret);
	cr_expect_arr_eq(record_claimed_key(rec), key, RECORD_KEY);
}

Test(record, hash_covers_every_byte)
{
	uint8_t rec[RECORD_SIZE] = { 0 }, was[RECORD_DIGEST], now[RECORD_DIGEST];

	record_hash(was, rec);
	for (unsigned i = 0; i < RECORD_SIZE; i++) {
		rec[i] ^= 1;
		record_hash(now, rec);
		cr_expect_arr_neq(now, was, RECORD_DIGEST, "byte %u", i);
		rec[i] ^= 1;
	}
}
