#include <criterion/criterion.h>
#include <sodium.h>

#include "chain.h"
#include "sample.h"
#include "wire.h"

#define SPAN UINT64_C(0x10000)

static void
init(void)
{
	cr_assert(sodium_init() >= 0);
}

TestSuite(chain, .init = init);

/* The next record of that type as an honest writer would make it: segments ascend on one disk. */
static struct record
next(const struct chain *C, enum record_type type)
{
	struct record R = sample_record(type);

	chain_link(C, &R);
	if (type == RECORD_SEGMENT) {
		R.offset = C->segments * SPAN;
		R.span = SPAN;
	}
	if (type == RECORD_INDEX || type == RECORD_MANIFEST)
		chain_expect(C, &R);
	return (R);
}

/* Sign R and show it to the chain, which must be as it was if it refuses. */
static const char *
show(struct chain *C, const struct record *R)
{
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET], rec[RECORD_SIZE];
	struct chain before;
	const char *why;

	sample_keys(key, secret, 1);
	record_pack(rec, R, secret);
	memcpy(&before, C, sizeof before);
	why = chain_next(C, R, rec);
	cr_expect_eq(memcmp(&before, C, sizeof before) == 0, why != NULL, "refused, and changed by it");
	return (why);
}

static const char *
add(struct chain *C, enum record_type type)
{
	struct record R = next(C, type);

	return (show(C, &R));
}

/* A chain that has taken a header, a volume and n segments. */
static struct chain
begun(unsigned n)
{
	struct chain C;

	chain_init(&C);
	cr_assert_null(add(&C, RECORD_HEADER));
	cr_assert_null(add(&C, RECORD_VOLUME));
	for (unsigned i = 0; i < n; i++)
		cr_assert_null(add(&C, RECORD_SEGMENT));
	return (C);
}

Test(chain, takes_a_bundle_of_any_number_of_segments_then_nothing_more)
{
	for (unsigned n = 0; n < 5; n++) {
		struct chain C = begun(n);

		cr_expect_null(add(&C, RECORD_INDEX));
		cr_expect_null(add(&C, RECORD_MANIFEST));
		cr_expect_null(add(&C, RECORD_END));
		cr_expect_eq(C.last, RECORD_END);
		cr_expect_eq(C.segments, n);
		for (int t = RECORD_HEADER; t <= RECORD_END; t++)
			cr_expect_not_null(add(&C, (enum record_type)t), "type %d after the end", t);
	}
}

/* Does a sequence of n types begin a bundle, by the grammar read straight from its definition? */
static int
begins_a_bundle(const enum record_type *seq, unsigned n)
{
	unsigned i = 0;

	if (i < n && seq[i++] != RECORD_HEADER)
		return (0);
	if (i < n && seq[i++] != RECORD_VOLUME)
		return (0);
	while (i < n && seq[i] == RECORD_SEGMENT)
		i++;
	for (int t = RECORD_INDEX; t <= RECORD_END; t++)
		if (i < n && seq[i++] != (enum record_type)t)
			return (0);
	return (i == n);
}

/* Try every type after the sequence, and every sequence after those that were taken. */
static unsigned
descend(const struct chain *C, enum record_type *seq, unsigned n, unsigned most)
{
	unsigned taken = 0;

	for (int t = RECORD_HEADER; n < most && t <= RECORD_END; t++) {
		struct chain D = *C;
		int ok;

		seq[n] = (enum record_type)t;
		ok = add(&D, seq[n]) == NULL;
		cr_expect_eq(ok, begins_a_bundle(seq, n + 1), "type %d at place %u", t, n);
		if (ok)
			taken += 1 + descend(&D, seq, n + 1, most);
	}
	return (taken);
}

Test(chain, refuses_any_other_order)
{
	enum record_type seq[9];
	struct chain C;

	chain_init(&C);
	cr_expect_gt(descend(&C, seq, 0, 9), 20u);
}

Test(chain, takes_the_records_of_a_bundle_at_their_own_place_only)
{
	static const enum record_type types[] = { RECORD_HEADER, RECORD_VOLUME, RECORD_SEGMENT,
		RECORD_SEGMENT, RECORD_SEGMENT, RECORD_INDEX, RECORD_MANIFEST, RECORD_END };
	struct record records[8];
	struct chain C;

	chain_init(&C);
	for (unsigned i = 0; i < 8; i++) {
		records[i] = next(&C, types[i]);
		cr_assert_null(show(&C, &records[i]));
	}
	chain_init(&C);
	for (unsigned i = 0; i < 8; i++) {
		for (unsigned j = 0; j < 8; j++) {
			struct chain D = C;

			cr_expect_eq(show(&D, &records[j]) == NULL, i == j, "record %u at place %u", j, i);
		}
		cr_assert_null(show(&C, &records[i]));
	}
}

Test(chain, refuses_a_record_of_another_bundle_or_with_another_link)
{
	for (int t = RECORD_VOLUME; t <= RECORD_SEGMENT; t++)
		for (unsigned bit = 0; bit < 8 * RECORD_DIGEST; bit++) {
			struct chain C;
			struct record R;

			chain_init(&C);
			for (int before = RECORD_HEADER; before < t; before++)
				cr_assert_null(add(&C, (enum record_type)before));
			R = next(&C, (enum record_type)t);
			R.link[bit / 8] ^= (uint8_t)(1u << bit % 8);
			cr_expect_not_null(show(&C, &R), "link, type %d, bit %u", t, bit);
			R = next(&C, (enum record_type)t);
			R.bundle[bit / 8 % RECORD_ID] ^= (uint8_t)(1u << bit % 8);
			cr_expect_not_null(show(&C, &R), "bundle, type %d, bit %u", t, bit);
		}
}

Test(chain, names_the_record_before_by_all_its_bytes)
{
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET], rec[RECORD_SIZE];
	struct chain C, D;
	struct record R;

	sample_keys(key, secret, 1);
	chain_init(&C);
	R = next(&C, RECORD_HEADER);
	record_pack(rec, &R, secret);
	cr_assert_null(chain_next(&C, &R, rec));
	R = next(&C, RECORD_VOLUME);
	for (unsigned i = 0; i < RECORD_SIZE; i++) {
		struct record H;

		chain_init(&D);
		H = next(&D, RECORD_HEADER);
		rec[i] ^= 1;
		cr_assert_null(chain_next(&D, &H, rec));
		rec[i] ^= 1;
		cr_expect_not_null(show(&D, &R), "byte %u", i);
	}
	cr_expect_null(show(&C, &R));
}

Test(chain, refuses_a_volume_other_than_the_first)
{
	static const uint64_t numbers[] = { 0, 2, 3, UINT64_MAX };

	for (unsigned i = 0; i < 4; i++) {
		struct chain C;
		struct record R;

		chain_init(&C);
		cr_assert_null(add(&C, RECORD_HEADER));
		R = next(&C, RECORD_VOLUME);
		R.number = numbers[i];
		cr_expect_not_null(show(&C, &R), "volume %zu", (size_t)numbers[i]);
	}
}

Test(chain, refuses_a_segment_missing_or_repeated)
{
	for (unsigned n = 0; n < 4; n++)
		for (uint64_t number = 0; number < 7; number++) {
			struct chain C = begun(n);
			struct record R = next(&C, RECORD_SEGMENT);

			R.number = number;
			cr_expect_eq(
			    show(&C, &R) == NULL, number == n + 1, "%zu after %u", (size_t)number, n);
		}
}

Test(chain, refuses_segments_that_overlap_or_go_back)
{
	static const struct {
		uint32_t disk;
		uint64_t offset;
		int valid;
	} second[] = {
		{ 3, 8 * SPAN + SPAN, 1 },
		{ 3, 8 * SPAN + SPAN + 4096, 1 },
		{ 3, 8 * SPAN + SPAN - 1, 0 },
		{ 3, 8 * SPAN, 0 },
		{ 3, 7 * SPAN, 0 },
		{ 3, 0, 0 },
		{ 4, 0, 1 },
		{ 4, 8 * SPAN, 1 },
		{ 63, 0, 1 },
		{ 2, 0, 0 },
		{ 2, 100 * SPAN, 0 },
		{ 0, 100 * SPAN, 0 },
	};

	for (size_t i = 0; i < sizeof second / sizeof second[0]; i++) {
		struct chain C = begun(0);
		struct record R = next(&C, RECORD_SEGMENT);

		R.disk = 3;
		R.offset = 8 * SPAN;
		cr_assert_null(show(&C, &R));
		R = next(&C, RECORD_SEGMENT);
		R.disk = second[i].disk;
		R.offset = second[i].offset;
		cr_expect_eq(show(&C, &R) == NULL, second[i].valid, "row %zu", i);
	}
}

Test(chain, refuses_an_index_or_manifest_of_other_segments)
{
	for (int t = RECORD_INDEX; t <= RECORD_MANIFEST; t++) {
		struct chain C = begun(2), D = begun(1);
		struct record R;

		for (int before = RECORD_INDEX; before < t; before++) {
			cr_assert_null(add(&C, (enum record_type)before));
			cr_assert_null(add(&D, (enum record_type)before));
		}
		for (unsigned bit = 0; bit < 8 * RECORD_DIGEST; bit++) {
			R = next(&C, (enum record_type)t);
			R.digest[bit / 8] ^= (uint8_t)(1u << bit % 8);
			cr_expect_not_null(show(&C, &R), "type %d, bit %u", t, bit);
		}
		R = next(&C, (enum record_type)t);
		R.stored = --R.plain;
		cr_expect_not_null(show(&C, &R), "type %d, a byte less", t);
		R = next(&D, (enum record_type)t);
		chain_link(&C, &R);
		cr_expect_not_null(show(&C, &R), "type %d, of one segment only", t);
		cr_expect_null(add(&C, (enum record_type)t), "type %d, its own", t);
	}
}

/* An index holds whatever places a segment, a manifest whatever its payload hashes to. */
Test(chain, digests_change_with_every_field_of_every_segment)
{
	for (unsigned field = 0; field < 6; field++) {
		struct chain C = begun(1), D = begun(1);
		struct record R = next(&C, RECORD_SEGMENT), S = next(&C, RECORD_SEGMENT);
		int t = field < 5 ? RECORD_INDEX : RECORD_MANIFEST;

		S.disk += field == 0;
		S.extents += field == 1;
		S.offset += field == 2 ? 4096 : 0;
		S.span += field == 3 ? 4096 : 0;
		D.position += field == 4 ? 512 : 0;
		S.digest[31] ^= field == 5;
		cr_assert_null(show(&C, &R));
		cr_assert_null(show(&D, &S));
		if (t == RECORD_MANIFEST) {
			cr_assert_null(add(&C, RECORD_INDEX));
			cr_assert_null(add(&D, RECORD_INDEX));
		}
		R = next(&C, (enum record_type)t);
		S = next(&D, (enum record_type)t);
		cr_expect_arr_neq(R.digest, S.digest, RECORD_DIGEST, "field %u", field);
	}
}

Test(chain, position_counts_the_bytes_of_the_archive)
{
	struct chain C = begun(2);
	uint64_t at = frame_size(700) + frame_size(0) + 2 * frame_size(0x1234);

	cr_expect_eq(C.position, at);
	cr_assert_null(add(&C, RECORD_INDEX));
	cr_expect_eq(C.position, at + frame_size(64));
}

Test(chain, entry_lies_on_the_wire_as_documented)
{
	struct record R = sample_record(RECORD_SEGMENT);
	uint8_t got[CHAIN_ENTRY], want[CHAIN_ENTRY];

	wire_put64(want, 0x123456789a);
	wire_put32(want + 8, 3);
	wire_put32(want + 12, 2);
	wire_put64(want + 16, UINT64_C(5) << 32);
	wire_put64(want + 24, 0x10000);
	chain_entry(got, &R, 0x123456789a);
	cr_expect_arr_eq(got, want, CHAIN_ENTRY);
}

Test(chain, line_is_the_one_that_b2sum_writes)
{
	struct record R = sample_record(RECORD_SEGMENT);
	char line[CHAIN_LINE];

	crypto_generichash(R.digest, RECORD_DIGEST, NULL, 0, NULL, 0);
	R.number = 42;
	cr_expect_eq(chain_line(line, &R), strlen(line));
	cr_expect_str_eq(line, "BLAKE2b-256 (s/0000000042.dat) = "
	                       "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8\n");
}

Test(chain, index_and_manifest_digest_what_their_members_hold)
{
	struct chain C = begun(0);
	uint8_t index[2 * CHAIN_ENTRY], digest[RECORD_DIGEST];
	char manifest[4 * CHAIN_LINE];
	size_t n = 0;
	struct record R = sample_record(RECORD_HEADER);

	n += chain_line(manifest + n, &R);
	for (unsigned i = 0; i < 2; i++) {
		R = next(&C, RECORD_SEGMENT);
		chain_entry(index + i * CHAIN_ENTRY, &R, C.position);
		n += chain_line(manifest + n, &R);
		cr_assert_null(show(&C, &R));
	}
	R = next(&C, RECORD_INDEX);
	crypto_generichash(digest, sizeof digest, index, sizeof index, NULL, 0);
	cr_expect_arr_eq(R.digest, digest, RECORD_DIGEST);
	cr_expect_eq(R.stored, sizeof index);
	cr_assert_null(show(&C, &R));
	n += chain_line(manifest + n, &R);
	R = next(&C, RECORD_MANIFEST);
	crypto_generichash(digest, sizeof digest, (const uint8_t *)manifest, n, NULL, 0);
	cr_expect_arr_eq(R.digest, digest, RECORD_DIGEST);
	cr_expect_eq(R.stored, n);
}
