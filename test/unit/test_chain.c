#include <criterion/criterion.h>
#include <sodium.h>

#include "bounds.h"
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
		for (int t = RECORD_HEADER; t <= RECORD_VOLUME_END; t++)
			cr_expect_not_null(add(&C, (enum record_type)t), "type %d after the end", t);
	}
}

/* Does a sequence of n types begin a bundle, by the grammar read straight from its definition? */
static int
begins_a_bundle(const enum record_type *seq, unsigned n)
{
	unsigned i = 0, segments;

	if (i < n && seq[i++] != RECORD_HEADER)
		return (0);
	if (i < n && seq[i++] != RECORD_VOLUME)
		return (0);
	while (i < n && seq[i] == RECORD_BLOB)
		i++;
	for (segments = 0; i < n && seq[i] == RECORD_SEGMENT; segments++)
		i++;
	for (int t = RECORD_INDEX; t <= RECORD_MANIFEST; t++)
		if (i < n && seq[i++] != (enum record_type)t)
			return (0);
	if (i < n && seq[i] != RECORD_END && (seq[i] != RECORD_VOLUME_END || segments == 0))
		return (0);
	return (n - i <= 1);
}

/* Try every type after the sequence, and every sequence after those that were taken. */
static unsigned
descend(const struct chain *C, enum record_type *seq, unsigned n, unsigned most)
{
	unsigned taken = 0;

	for (int t = RECORD_HEADER; n < most && t <= RECORD_VOLUME_END; t++) {
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
	static const enum record_type types[] = { RECORD_HEADER, RECORD_VOLUME, RECORD_BLOB, RECORD_BLOB,
		RECORD_SEGMENT, RECORD_SEGMENT, RECORD_SEGMENT, RECORD_INDEX, RECORD_MANIFEST, RECORD_END };
	struct record records[10];
	struct chain C;

	chain_init(&C);
	for (unsigned i = 0; i < 10; i++) {
		records[i] = next(&C, types[i]);
		cr_assert_null(show(&C, &records[i]));
	}
	chain_init(&C);
	for (unsigned i = 0; i < 10; i++) {
		for (unsigned j = 0; j < 10; j++) {
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

Test(chain, refuses_a_first_volume_that_counts_segments_before_it)
{
	for (uint64_t n = 0; n < 3; n++) {
		struct chain C;
		struct record R;

		chain_init(&C);
		cr_assert_null(add(&C, RECORD_HEADER));
		R = next(&C, RECORD_VOLUME);
		R.offset = n;
		cr_expect_eq(show(&C, &R) == NULL, n == 0, "%zu before", (size_t)n);
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

Test(chain, refuses_a_blob_missing_or_repeated)
{
	for (unsigned n = 0; n < 4; n++)
		for (uint64_t number = 0; number < 7; number++) {
			struct chain C = begun(0);
			struct record R;

			for (unsigned i = 0; i < n; i++)
				cr_assert_null(add(&C, RECORD_BLOB));
			R = next(&C, RECORD_BLOB);
			R.number = number;
			cr_expect_eq(
			    show(&C, &R) == NULL, number == n + 1, "%zu after %u", (size_t)number, n);
		}
}

Test(chain, refuses_segments_that_overlap_or_go_back)
{
	static const struct {
		uint32_t part, disk;
		uint64_t offset;
		int valid;
	} second[] = {
		{ 5, 3, 8 * SPAN + SPAN, 1 },
		{ 5, 3, 8 * SPAN + SPAN + 4096, 1 },
		{ 5, 3, 8 * SPAN + SPAN - 1, 0 },
		{ 5, 3, 8 * SPAN, 0 },
		{ 5, 3, 7 * SPAN, 0 },
		{ 5, 3, 0, 0 },
		{ 5, 4, 0, 1 },
		{ 5, 4, 8 * SPAN, 1 },
		{ 5, 63, 0, 1 },
		{ 5, 2, 0, 0 },
		{ 5, 2, 100 * SPAN, 0 },
		{ 5, 0, 100 * SPAN, 0 },
		{ 6, 3, 8 * SPAN, 1 },
		{ 6, 3, 0, 1 },
		{ 6, 0, 0, 1 },
		{ 31, 0, 0, 1 },
		{ 4, 3, 8 * SPAN + SPAN, 0 },
		{ 4, 63, 100 * SPAN, 0 },
		{ 0, 4, 0, 0 },
	};

	for (size_t i = 0; i < sizeof second / sizeof second[0]; i++) {
		struct chain C = begun(0);
		struct record R = next(&C, RECORD_SEGMENT);

		R.disk = 3;
		R.offset = 8 * SPAN;
		cr_assert_null(show(&C, &R));
		R = next(&C, RECORD_SEGMENT);
		R.part = second[i].part;
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

/* The manifest has the blobs, in front of the segments; the index has not. */
Test(chain, manifest_names_the_blobs)
{
	struct chain C = begun(0), D = begun(0);
	struct record R = next(&C, RECORD_BLOB), S;
	char line[CHAIN_LINE];
	size_t n = chain_line(line, &R);

	cr_expect_eq(strncmp(line, "BLAKE2b-256 (b/0000000001.dat) = ", 33), 0, "%s", line);
	cr_assert_null(show(&C, &R));
	R = next(&C, RECORD_INDEX);
	S = next(&D, RECORD_INDEX);
	cr_expect_eq(R.stored, 0u);
	cr_expect_arr_eq(R.digest, S.digest, RECORD_DIGEST);
	cr_assert_null(show(&C, &R));
	cr_assert_null(show(&D, &S));
	R = next(&C, RECORD_MANIFEST);
	S = next(&D, RECORD_MANIFEST);
	cr_expect_eq(R.stored, S.stored + n);
	cr_expect_arr_neq(R.digest, S.digest, RECORD_DIGEST);
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

/* --- volumes ------------------------------------------------------------------------------------------ */

#define VOLUMES 4u

/* The records of a bundle of several volumes, n segments in each, and what each volume is. */
struct written {
	unsigned n, first[VOLUMES + 1]; /* record that a volume starts with */
	struct record records[64];
	struct chain_volume volumes[VOLUMES];
};

static void
keep(struct written *W, struct chain *C, enum record_type type)
{
	W->records[W->n] = next(C, type);
	cr_assert_null(show(C, &W->records[W->n++]), "type %d", type);
}

static struct written
write_volumes(unsigned blobs, unsigned n)
{
	struct written W = { .n = 0 };
	struct chain C;

	chain_init(&C);
	for (unsigned v = 0; v < VOLUMES; v++) {
		W.first[v] = W.n;
		keep(&W, &C, RECORD_HEADER);
		keep(&W, &C, RECORD_VOLUME);
		for (unsigned i = 0; v == 0 && i < blobs; i++)
			keep(&W, &C, RECORD_BLOB);
		for (unsigned i = 0; i < n; i++)
			keep(&W, &C, RECORD_SEGMENT);
		keep(&W, &C, RECORD_INDEX);
		keep(&W, &C, RECORD_MANIFEST);
		keep(&W, &C, v == VOLUMES - 1 ? RECORD_END : RECORD_VOLUME_END);
		W.volumes[v] = C.volume;
		if (v < VOLUMES - 1)
			chain_turn(&C);
	}
	W.first[VOLUMES] = W.n;
	return (W);
}

/* Read volume v of W by itself. */
static struct chain
alone(const struct written *W, unsigned v)
{
	struct chain C;

	chain_init(&C);
	for (unsigned i = W->first[v]; i < W->first[v + 1]; i++)
		cr_assert_null(show(&C, &W->records[i]), "volume %u, record %u", v, i);
	return (C);
}

static int
is_same_volume(const struct chain_volume *a, const struct chain_volume *b)
{
	return (a->number == b->number && a->is_last == b->is_last && a->before == b->before &&
	        a->after == b->after && memcmp(a->header, b->header, RECORD_DIGEST) == 0 &&
	        memcmp(a->follows, b->follows, RECORD_DIGEST) == 0 &&
	        memcmp(a->end, b->end, RECORD_DIGEST) == 0 && a->first.part == b->first.part &&
	        a->first.disk == b->first.disk && a->first.offset == b->first.offset &&
	        a->last.part == b->last.part && a->last.disk == b->last.disk &&
	        a->last.offset == b->last.offset);
}

Test(chain, volume_is_the_same_read_alone_or_after_the_one_before)
{
	struct written W = write_volumes(2, 3);

	for (unsigned v = 0; v < VOLUMES; v++) {
		struct chain C = alone(&W, v);

		cr_expect(is_same_volume(&C.volume, &W.volumes[v]), "volume %u", v);
		cr_expect(C.volume.number == v + 1 && C.volume.is_last == (v == VOLUMES - 1));
		cr_expect(C.volume.before == 3 * v && C.volume.after == 3 * (v + 1));
		cr_expect(C.volume.first.part == 5 && C.volume.first.disk == 3);
		cr_expect_eq(C.volume.first.offset, 3 * v * SPAN);
		cr_expect_eq(C.volume.last.offset, 3 * (v + 1) * SPAN);
	}
}

Test(chain, volumes_follow_each_other_and_no_others)
{
	struct written W = write_volumes(1, 2);

	for (unsigned a = 0; a < VOLUMES; a++)
		for (unsigned b = 0; b < VOLUMES; b++)
			cr_expect_eq(chain_follows(&W.volumes[a], &W.volumes[b]) == NULL, b == a + 1,
			    "volume %u after %u", b, a);
}

/* Every way in which b can fail to follow a; a's end is that of its last segment: part 5, disk 3, offset 2 SPAN. */
Test(chain, volume_does_not_follow_when_any_field_says_otherwise)
{
	struct written W = write_volumes(0, 2);
	const struct chain_volume *a = &W.volumes[0];
	struct chain_volume b;

	for (unsigned bit = 0; bit < 8 * RECORD_DIGEST; bit++) {
		b = W.volumes[1];
		b.header[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_expect_str_eq(chain_follows(a, &b), "the volumes are of different bundles");
		b = W.volumes[1];
		b.follows[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_expect_str_eq(chain_follows(a, &b), "a volume does not follow the one before it");
	}
	b = W.volumes[1];
	for (b.number = 0; b.number < 5; b.number++)
		cr_expect_eq(chain_follows(a, &b) == NULL, b.number == 2, "number %u", b.number);
	b = W.volumes[1];
	for (b.before = 0; b.before < 5; b.before++)
		cr_expect_eq(chain_follows(a, &b) == NULL, b.before == 2, "%zu before", (size_t)b.before);
	b = *a;
	b.is_last = 1;
	cr_expect_str_eq(chain_follows(&b, &W.volumes[1]), "the volumes are not neighbours");
}

Test(chain, volume_does_not_follow_when_its_segments_begin_before_the_others_end)
{
	static const struct {
		struct chain_place first;
		int valid;
	} rows[] = {
		{ { 5, 3, 2 * SPAN }, 1 },
		{ { 5, 3, 2 * SPAN + 4096 }, 1 },
		{ { 5, 3, 2 * SPAN - 1 }, 0 },
		{ { 5, 3, 0 }, 0 },
		{ { 5, 4, 0 }, 1 },
		{ { 5, 2, 100 * SPAN }, 0 },
		{ { 6, 0, 0 }, 1 },
		{ { 6, 3, SPAN }, 1 },
		{ { 4, 63, 100 * SPAN }, 0 },
		{ { 0, 0, 0 }, 0 },
	};
	struct written W = write_volumes(0, 2);

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct chain_volume b = W.volumes[1];
		struct chain C;
		struct record R;

		b.first = rows[i].first;
		cr_expect_eq(chain_follows(&W.volumes[0], &b) == NULL, rows[i].valid, "row %zu", i);
		b.after = b.before;
		cr_expect_null(chain_follows(&W.volumes[0], &b), "it has none");
		/* And the same of a writer that turned to it. */
		chain_resume(&C, W.records[0].bundle, &W.volumes[0]);
		cr_assert_null(add(&C, RECORD_HEADER));
		cr_assert_null(add(&C, RECORD_VOLUME));
		R = next(&C, RECORD_SEGMENT);
		R.part = rows[i].first.part;
		R.disk = rows[i].first.disk;
		R.offset = rows[i].first.offset;
		cr_expect_eq(show(&C, &R) == NULL, rows[i].valid, "row %zu, turned", i);
	}
}

Test(chain, resumed_goes_on_as_the_one_that_was_not_interrupted)
{
	struct written W = write_volumes(2, 2);

	for (unsigned v = 1; v < VOLUMES; v++) {
		struct chain C;

		chain_resume(&C, W.records[0].bundle, &W.volumes[v - 1]);
		for (unsigned i = W.first[v]; i < W.first[v + 1]; i++) {
			struct record R = next(&C, W.records[i].type);

			cr_expect(R.number == W.records[i].number && R.offset == W.records[i].offset);
			cr_expect_arr_eq(R.link, W.records[i].link, RECORD_DIGEST);
			cr_assert_null(show(&C, &R), "record %u", i);
		}
		cr_expect(is_same_volume(&C.volume, &W.volumes[v]), "volume %u", v);
	}
}

/* A chain that was turned or resumed takes the header and volume that continue it, and no other. */
Test(chain, turned_takes_no_other_header_or_volume)
{
	struct written W = write_volumes(0, 1);

	for (unsigned v = 0; v < VOLUMES - 1; v++) {
		struct chain T = alone(&W, v), C;
		struct record R;

		chain_turn(&T);
		for (unsigned bit = 0; bit < 8 * RECORD_DIGEST; bit++) {
			C = T;
			R = next(&C, RECORD_HEADER);
			R.digest[bit / 8] ^= (uint8_t)(1u << bit % 8);
			cr_expect_str_eq(show(&C, &R), "a volume has another header than the one before it");
			cr_assert_null(add(&C, RECORD_HEADER));
			R = next(&C, RECORD_VOLUME);
			R.link[bit / 8] ^= (uint8_t)(1u << bit % 8);
			cr_expect_str_eq(show(&C, &R), "a volume does not follow the one before it");
		}
		for (unsigned other = 0; other < VOLUMES; other++) {
			C = T;
			cr_assert_null(add(&C, RECORD_HEADER));
			R = W.records[W.first[other] + 1];
			cr_expect_eq(show(&C, &R) == NULL, other == v + 1, "volume %u after %u", other, v);
		}
		C = T;
		cr_assert_null(add(&C, RECORD_HEADER));
		R = next(&C, RECORD_VOLUME);
		R.offset++;
		cr_expect_not_null(show(&C, &R), "it counts a segment more");
		R.offset -= 2;
		cr_expect_not_null(show(&C, &R), "and one less");
	}
}

/* Read by itself a later volume may stand anywhere; what comes in it must fit that. */
Test(chain, later_volume_alone_starts_where_it_says)
{
	static const uint64_t befores[] = { 1, 2, 1000, LIMIT_SEGMENTS - 1 };

	for (size_t i = 0; i < sizeof befores / sizeof befores[0]; i++) {
		struct chain C;
		struct record R;

		chain_init(&C);
		cr_assert_null(add(&C, RECORD_HEADER));
		R = next(&C, RECORD_VOLUME);
		R.number = 2;
		R.offset = befores[i];
		memset(R.link, 0x99, sizeof R.link);
		cr_assert_null(show(&C, &R));
		cr_expect_not_null(add(&C, RECORD_BLOB), "a blob stands in a later volume");
		R = next(&C, RECORD_SEGMENT);
		cr_expect_eq(R.number, befores[i] + 1);
		R.number = 1;
		cr_expect_not_null(show(&C, &R), "numbered anew");
		cr_assert_null(add(&C, RECORD_SEGMENT));
		cr_expect_eq(next(&C, RECORD_INDEX).stored, CHAIN_ENTRY);
	}
}

Test(chain, blob_stands_in_the_first_volume_alone)
{
	struct written W = write_volumes(1, 1);

	for (unsigned v = 0; v < VOLUMES - 1; v++) {
		struct chain C = alone(&W, v);

		chain_turn(&C);
		cr_assert_null(add(&C, RECORD_HEADER));
		cr_assert_null(add(&C, RECORD_VOLUME));
		cr_expect_str_eq(add(&C, RECORD_BLOB), "a blob stands in a later volume");
	}
}

Test(chain, end_of_a_volume_counts_its_segments_and_names_its_number)
{
	for (unsigned n = 0; n < 4; n++)
		for (uint64_t number = 0; number < 4; number++)
			for (uint64_t count = 0; count < 5; count++) {
				struct chain C = begun(n);
				struct record R;

				cr_assert_null(add(&C, RECORD_INDEX));
				cr_assert_null(add(&C, RECORD_MANIFEST));
				R = next(&C, RECORD_VOLUME_END);
				R.number = number;
				R.offset = count;
				cr_expect_eq(show(&C, &R) == NULL, n > 0 && number == 1 && count == n,
				    "volume %zu of %zu after %u", (size_t)number, (size_t)count, n);
			}
}

/* However long the volume that now ends can be: with the longest end of a bundle, or with the end of a volume. */
Test(chain, size_with_a_segment_is_never_less_than_what_is_written)
{
	static const uint64_t sizes[] = { 1, 511, 512, 513, 4096, 70000, LIMIT_STORED };

	for (unsigned blobs = 0; blobs < 3; blobs++)
		for (unsigned n = 0; n < 40; n++)
			for (unsigned last = 0; last < 2; last++) {
				struct chain C = begun(0);
				uint64_t foreseen = 0;
				struct record R;

				for (unsigned i = 0; i < blobs; i++)
					cr_assert_null(add(&C, RECORD_BLOB));
				for (unsigned i = 0; i <= n; i++) {
					R = next(&C, RECORD_SEGMENT);
					R.stored = sizes[(n + i * i) % 7];
					foreseen = chain_size_with(&C, &R);
					cr_assert_null(show(&C, &R));
				}
				cr_assert_null(add(&C, RECORD_INDEX));
				cr_assert_null(add(&C, RECORD_MANIFEST));
				R = next(&C, last ? RECORD_END : RECORD_VOLUME_END);
				if (last)
					R.stored = R.plain = LIMIT_JSON;
				cr_assert_null(show(&C, &R));
				cr_expect_geq(foreseen, C.position + FRAME_TRAILER, "%u segments", n);
				cr_expect_lt(foreseen, C.position + FRAME_TRAILER + 2 * LIMIT_JSON);
			}
}
