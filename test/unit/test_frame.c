#include <archive.h>
#include <archive_entry.h>
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>

#include "frame.h"
#include "sample.h"

#define PLENTY 65536u

static void
init(void)
{
	cr_assert(sodium_init() >= 0);
}

TestSuite(frame, .init = init);

/* An archive of every type of record, the segments of sizes around a tar block. */
struct written {
	uint8_t *bytes;
	size_t size;
	unsigned n;
	struct record records[14];
};

static void
put(struct written *W, struct record R, uint64_t stored)
{
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET], rec[RECORD_SIZE];
	size_t before = W->size;

	R.stored = stored;
	sample_keys(key, secret, 1);
	record_pack(rec, &R, secret);
	frame_head(W->bytes + W->size, &R, rec);
	W->size += FRAME_HEAD;
	if (stored != 0) {
		frame_payload(W->bytes + W->size, &R);
		memset(W->bytes + W->size + FRAME_TAR, 'a' + (int)W->n, (size_t)stored);
		W->size += FRAME_TAR + (size_t)stored + frame_padding(stored);
	}
	cr_assert_eq(W->size - before, frame_size(stored), "stored %zu", (size_t)stored);
	W->records[W->n++] = R;
}

static struct written
write_archive(void)
{
	static const uint64_t sizes[] = { 1, 511, 512, 513, 3000 };
	struct written W = { .bytes = calloc(1, PLENTY) };

	cr_assert_not_null(W.bytes);
	put(&W, sample_record(RECORD_HEADER), 700);
	put(&W, sample_record(RECORD_VOLUME), 0);
	for (unsigned i = 1; i <= 2; i++) {
		struct record R = sample_record(RECORD_BLOB);

		R.number = i;
		put(&W, R, 700 / i);
	}
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct record R = sample_record(RECORD_SEGMENT);

		R.number = i + 1;
		put(&W, R, sizes[i]);
	}
	put(&W, sample_record(RECORD_INDEX), 5 * 32);
	put(&W, sample_record(RECORD_MANIFEST), 5 * 98);
	put(&W, sample_record(RECORD_END), 400);
	put(&W, sample_record(RECORD_VOLUME_END), 0);
	W.size += FRAME_TRAILER;
	return (W);
}

/* The next member must be that one, as any tar would find it. */
static void
expect_member(struct archive *a, const char *name, const uint8_t *data, size_t size)
{
	struct archive_entry *e;
	uint8_t got[4096];

	cr_assert_eq(archive_read_next_header(a, &e), ARCHIVE_OK, "%s", name);
	cr_expect_eq(archive_format(a), ARCHIVE_FORMAT_TAR_USTAR, "%s", name);
	cr_expect_str_eq(archive_entry_pathname(e), name);
	cr_expect_eq(archive_entry_size(e), (la_int64_t)size, "%s", name);
	cr_expect_eq(archive_entry_filetype(e), AE_IFREG, "%s", name);
	cr_expect_eq(archive_entry_perm(e), 0644u, "%s", name);
	cr_expect(archive_entry_uid(e) == 0 && archive_entry_gid(e) == 0 && archive_entry_mtime(e) == 0);
	cr_expect_eq(archive_read_data(a, got, sizeof got), (la_ssize_t)size, "%s", name);
	cr_expect_eq(memcmp(got, data, size), 0, "%s", name);
}

Test(frame, is_plain_ustar_to_libarchive)
{
	static const char *const names[][2] = {
		{ "header.rec", "header.json" },
		{ "volume.rec", NULL },
		{ "b/0000000001.rec", "b/0000000001.dat" },
		{ "b/0000000002.rec", "b/0000000002.dat" },
		{ "s/0000000001.rec", "s/0000000001.dat" },
		{ "s/0000000002.rec", "s/0000000002.dat" },
		{ "s/0000000003.rec", "s/0000000003.dat" },
		{ "s/0000000004.rec", "s/0000000004.dat" },
		{ "s/0000000005.rec", "s/0000000005.dat" },
		{ "index.rec", "index" },
		{ "manifest.rec", "manifest" },
		{ "end.rec", "end.json" },
		{ "volume-end.rec", NULL },
	};
	struct written W = write_archive();
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	const uint8_t *p = W.bytes;

	archive_read_support_format_tar(a);
	cr_assert_eq(archive_read_open_memory(a, W.bytes, W.size), ARCHIVE_OK);
	for (unsigned i = 0; i < W.n; i++) {
		size_t stored = (size_t)W.records[i].stored;

		expect_member(a, names[i][0], frame_record(p), RECORD_SIZE);
		if (names[i][1] != NULL)
			expect_member(a, names[i][1], p + FRAME_HEAD + FRAME_TAR, stored);
		p += frame_size(stored);
	}
	cr_expect_eq(archive_read_next_header(a, &e), ARCHIVE_EOF);
	archive_read_free(a);
	free(W.bytes);
}

Test(frame, is_refused_by_libarchive_when_spoilt)
{
	struct written W = write_archive();
	struct archive *a = archive_read_new();
	struct archive_entry *e;

	W.bytes[0] ^= 1;
	archive_read_support_format_tar(a);
	cr_expect(archive_read_open_memory(a, W.bytes, W.size) != ARCHIVE_OK ||
	          archive_read_next_header(a, &e) != ARCHIVE_OK);
	archive_read_free(a);
	free(W.bytes);
}

/* The header that libarchive's own writer would make for that member. */
static void
libarchive_header(uint8_t out[PLENTY], const char *name, uint64_t size)
{
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();
	size_t used = 0;

	archive_write_set_format_ustar(a);
	archive_write_set_bytes_per_block(a, 0);
	cr_assert_eq(archive_write_open_memory(a, out, PLENTY, &used), ARCHIVE_OK);
	archive_entry_set_pathname(e, name);
	archive_entry_set_size(e, (la_int64_t)size);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_mtime(e, 0, 0);
	cr_assert_eq(archive_write_header(a, e), ARCHIVE_OK);
	cr_assert_geq(used, FRAME_TAR);
	archive_entry_free(e);
	archive_write_free(a);
}

/* The value of an octal field, which a NUL or a blank must end. */
static uint64_t
octal(const uint8_t *p, size_t n)
{
	char *end;
	uint64_t v = strtoull((const char *)p, &end, 8);

	cr_expect((size_t)(end - (const char *)p) < n && (*end == '\0' || *end == ' '));
	return (v);
}

Test(frame, header_says_what_the_one_of_libarchive_says)
{
	static const uint64_t sizes[] = { 1, 512, 4096, UINT64_C(1) << 32, UINT64_C(077777777777) };
	static const uint8_t fields[][2] = { { 100, 8 }, { 108, 8 }, { 116, 8 }, { 124, 12 }, { 136, 12 } };
	uint8_t tar[FRAME_TAR], other[PLENTY];

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct record R = sample_record(RECORD_INDEX);

		R.stored = sizes[i];
		frame_payload(tar, &R);
		libarchive_header(other, "index", sizes[i]);
		cr_expect_arr_eq(tar, other, 100, "name");
		cr_expect_arr_eq(tar + 156, other + 156, 109, "type, no link, magic and version");
		for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++)
			cr_expect_eq(octal(tar + fields[f][0], fields[f][1]),
			    octal(other + fields[f][0], fields[f][1]), "field at %u", fields[f][0]);
		cr_expect_eq(octal(tar + 124, 12), sizes[i]);
		cr_expect(tar[154] == '\0' && tar[155] == ' ', "how ustar ends a checksum");
	}
}

Test(frame, checks_its_own_heads_and_payloads)
{
	struct written W = write_archive();
	const uint8_t *p = W.bytes;

	for (unsigned i = 0; i < W.n; i++) {
		const struct record *R = &W.records[i];

		cr_expect_null(frame_check_head(p, R), "record %u", i);
		if (R->stored != 0)
			cr_expect_null(frame_check_payload(p + FRAME_HEAD, R), "record %u", i);
		p += frame_size(R->stored);
	}
	free(W.bytes);
}

Test(frame, refuses_every_single_bit_flip_outside_the_record)
{
	struct written W = write_archive();
	uint8_t *p = W.bytes;

	for (unsigned i = 0; i < W.n; i++) {
		const struct record *R = &W.records[i];

		for (unsigned bit = 0; bit < 8 * FRAME_HEAD; bit++) {
			if (bit / 8 >= FRAME_TAR && bit / 8 < FRAME_TAR + RECORD_SIZE)
				continue;
			p[bit / 8] ^= (uint8_t)(1u << bit % 8);
			cr_expect_not_null(frame_check_head(p, R), "record %u, bit %u", i, bit);
			p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		for (unsigned bit = 0; R->stored != 0 && bit < 8 * FRAME_TAR; bit++) {
			p[FRAME_HEAD + bit / 8] ^= (uint8_t)(1u << bit % 8);
			cr_expect_not_null(
			    frame_check_payload(p + FRAME_HEAD, R), "record %u, bit %u", i, bit);
			p[FRAME_HEAD + bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		p += frame_size(R->stored);
	}
	free(W.bytes);
}

Test(frame, refuses_the_frame_of_any_other_record)
{
	struct written W = write_archive();
	const uint8_t *p = W.bytes;

	for (unsigned i = 0; i < W.n; i++) {
		for (unsigned j = 0; j < W.n; j++)
			cr_expect_eq(frame_check_head(p, &W.records[j]) == NULL, i == j, "%u as %u", i, j);
		p += frame_size(W.records[i].stored);
	}
	free(W.bytes);
}

Test(frame, names_stay_in_their_room_and_no_two_members_share_one)
{
	static const enum record_type types[] = { RECORD_SEGMENT, RECORD_BLOB };
	static const uint64_t numbers[] = { 1, 10, UINT64_C(4294967297), UINT64_C(9999999999) };
	char names[8][FRAME_NAME];

	for (unsigned i = 0; i < 8; i++) {
		struct record R = sample_record(types[i / 4]);

		R.number = numbers[i % 4];
		frame_name(names[i], &R);
		cr_expect_eq(strlen(names[i]), strlen("s/0000000000.dat"), "%s", names[i]);
		for (unsigned j = 0; j < i; j++)
			cr_expect_str_neq(names[i], names[j]);
	}
}

Test(frame, sizes_are_whole_tar_blocks)
{
	cr_expect_eq(frame_size(0), FRAME_HEAD, "no payload, no member for it");
	for (uint64_t n = 1; n < 2000; n++) {
		cr_expect_eq((n + frame_padding(n)) % FRAME_TAR, 0u);
		cr_expect_lt(frame_padding(n), FRAME_TAR);
		cr_expect_eq(frame_size(n), FRAME_HEAD + FRAME_TAR + n + frame_padding(n));
	}
	cr_expect_eq(frame_size((UINT64_C(1) << 40) + 1), (UINT64_C(1) << 40) + 512 + FRAME_HEAD + FRAME_TAR);
}
