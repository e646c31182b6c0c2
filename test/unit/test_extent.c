#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>

#include "bounds.h"
#include "extent.h"
#include "wire.h"

#define B ((uint64_t)LIMIT_BLOCK)
#define DISK (UINT64_C(100) * LIMIT_BLOCK + 512) /* ends inside a block */

static void
init(void)
{
	cr_assert(sodium_init() >= 0);
}

TestSuite(extent, .init = init);

/* The table of n extents, which size bytes of data follow. */
static const char *
table(const struct extent *e, uint32_t n, uint64_t data, uint64_t disk_size)
{
	size_t size = (size_t)n * EXTENT_SIZE + (size_t)data;
	uint8_t *plain = calloc(1, size + 1);
	struct extent *out = calloc((size_t)n + 1, sizeof *out);
	const char *why;

	cr_assert(plain != NULL && out != NULL);
	for (uint32_t i = 0; i < n; i++)
		extent_pack(plain + (size_t)i * EXTENT_SIZE, &e[i]);
	why = extent_table(out, n, plain, size, disk_size);
	for (uint32_t i = 0; why == NULL && i < n; i++)
		cr_expect(
		    out[i].offset == e[i].offset && out[i].length == e[i].length && out[i].kind == e[i].kind);
	free(out);
	free(plain);
	return (why);
}

Test(extent, gives_back_what_was_packed)
{
	static const struct extent e[] = {
		{ 0, B, EXTENT_DATA },
		{ B, 2 * B, EXTENT_ZERO },
		{ 3 * B, B, EXTENT_DATA },
		{ 50 * B, 10 * B, EXTENT_DISCARD },
		{ 99 * B, B + 512, EXTENT_DATA },
	};

	cr_expect_null(table(e, 5, 3 * B + 512, DISK));
}

Test(extent, lies_on_the_wire_as_documented)
{
	const struct extent e = { UINT64_C(0x123456789000), 0x2000, EXTENT_DISCARD };
	uint8_t got[EXTENT_SIZE], want[EXTENT_SIZE] = { 0 };

	wire_put64(want, UINT64_C(0x123456789000));
	wire_put64(want + 8, 0x2000);
	wire_put32(want + 16, 3);
	memset(got, 0xff, sizeof got);
	extent_pack(got, &e);
	cr_expect_arr_eq(got, want, EXTENT_SIZE);
}

Test(extent, refuses_what_is_not_whole_blocks_on_the_disk)
{
	static const struct {
		uint64_t offset, length, disk;
		int valid;
	} rows[] = {
		{ 0, B, DISK, 1 },
		{ 0, 100 * B, DISK, 1 },
		{ 0, DISK, DISK, 1 },
		{ 100 * B, 512, DISK, 1 },
		{ 100 * B, 512, DISK + 512, 0 },
		{ 100 * B, B, DISK, 0 },
		{ 100 * B, 513, DISK, 0 },
		{ 0, 512, DISK, 0 },
		{ 512, B, DISK, 0 },
		{ 1, B, DISK, 0 },
		{ 0, 0, DISK, 0 },
		{ DISK, 0, DISK, 0 },
		{ DISK, 512, DISK, 0 },
		{ 101 * B, B, DISK, 0 },
		{ 0, DISK + 1, DISK, 0 },
		{ 0, UINT64_MAX, DISK, 0 },
		{ B, UINT64_MAX - B + 1, DISK, 0 },
		{ 2 * B, UINT64_MAX - B + 1, DISK, 0 },
		{ UINT64_MAX - B + 1, B, DISK, 0 },
		{ UINT64_MAX, 1, DISK, 0 },
		{ 0, B, 512, 0 },
		{ 0, 512, 512, 1 },
		{ 0, B, 0, 0 },
		{ LIMIT_DISK_SIZE - B, B, LIMIT_DISK_SIZE, 1 },
		{ LIMIT_DISK_SIZE, B, LIMIT_DISK_SIZE, 0 },
		{ 0, LIMIT_DISK_SIZE, LIMIT_DISK_SIZE, 1 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct extent e = { rows[i].offset, rows[i].length, EXTENT_ZERO };

		cr_expect_eq(table(&e, 1, 0, rows[i].disk) == NULL, rows[i].valid, "row %zu", i);
	}
}

Test(extent, refuses_an_unknown_kind_or_a_used_reserve)
{
	const struct extent e = { 0, B, EXTENT_ZERO };
	uint8_t plain[EXTENT_SIZE];
	struct extent out;

	for (unsigned bit = 0; bit < 64; bit++) {
		extent_pack(plain, &e);
		plain[16 + bit / 8] ^= (uint8_t)(1u << bit % 8);
		/* Bit 0 makes it the neighbouring kind that reads alike. */
		cr_expect_eq(
		    extent_table(&out, 1, plain, sizeof plain, DISK) == NULL, bit == 0, "bit %u", bit);
	}
	extent_pack(plain, &e);
	plain[16] = 0;
	cr_expect_not_null(extent_table(&out, 1, plain, sizeof plain, DISK), "kind 0");
}

Test(extent, refuses_overlap_and_any_other_order)
{
	static const struct extent e[] = { { 0, 2 * B, EXTENT_ZERO }, { 2 * B, B, EXTENT_DISCARD },
		{ 5 * B, B, EXTENT_ZERO } };
	static const struct extent overlap[] = { { 0, 2 * B, EXTENT_ZERO }, { B, 2 * B, EXTENT_ZERO } };

	for (unsigned a = 0; a < 3; a++)
		for (unsigned b = 0; b < 3; b++)
			for (unsigned c = 0; c < 3; c++) {
				const struct extent f[] = { e[a], e[b], e[c] };

				cr_expect_eq(
				    table(f, 3, 0, DISK) == NULL, a < b && b < c, "%u %u %u", a, b, c);
			}
	cr_expect_str_eq(table(overlap, 2, 0, DISK), "extents overlap or are out of order");
}

/* The same verdict as marking the sectors of a small disk one by one. */
static int
naive(const struct extent *e, unsigned n, uint64_t data, uint64_t disk)
{
	char mark[64] = { 0 };
	uint64_t carried = 0, highest = 0;

	for (unsigned i = 0; i < n; i++) {
		if (e[i].length == 0 || e[i].offset % B != 0 || e[i].offset < highest)
			return (0);
		for (uint64_t s = e[i].offset; s < e[i].offset + e[i].length; s += 512) {
			if (s >= disk || mark[s / 512]++ != 0)
				return (0);
			highest = s + 512;
		}
		if (highest % B != 0 && highest != disk)
			return (0);
		carried += e[i].kind == EXTENT_DATA ? e[i].length : 0;
	}
	return (carried == data);
}

Test(extent, agrees_with_a_naive_check_on_every_pair_on_a_small_disk)
{
	const uint64_t disk = 2 * B + 1024;
	unsigned taken = 0, tried = 0;

	for (uint64_t a = 0; a < 6 * 6 * 6 * 6; a++)
		for (unsigned kinds = 0; kinds < 4; kinds++) {
			static const uint64_t at[] = { 0, 512, B, 2 * B, 2 * B + 1024, 3 * B };
			static const uint64_t len[] = { 0, 1024, B, B + 1024, 2 * B, 2 * B + 1024 };
			const struct extent e[] = {
				{ at[a % 6], len[a / 6 % 6], kinds & 1 ? EXTENT_DATA : EXTENT_ZERO },
				{ at[a / 36 % 6], len[a / 216], kinds & 2 ? EXTENT_DATA : EXTENT_DISCARD },
			};
			uint64_t data = (kinds & 1 ? e[0].length : 0) + (kinds & 2 ? e[1].length : 0);
			int ok = naive(e, 2, data, disk);

			cr_expect_eq(table(e, 2, data, disk) == NULL, ok, "%zu, kinds %u", (size_t)a, kinds);
			taken += (unsigned)ok;
			tried++;
		}
	cr_expect(taken > 8 && taken < tried / 2, "%u of %u taken", taken, tried);
}

Test(extent, refuses_data_that_does_not_fill_the_segment_exactly)
{
	static const struct extent e[] = { { 0, B, EXTENT_DATA }, { B, B, EXTENT_ZERO },
		{ 2 * B, B, EXTENT_DATA } };

	for (uint64_t data = 0; data < 4 * B; data++)
		cr_expect_eq(table(e, 3, data, DISK) == NULL, data == 2 * B, "%zu", (size_t)data);
}

Test(extent, refuses_a_table_that_does_not_fit)
{
	uint8_t plain[3 * EXTENT_SIZE] = { 0 };
	const struct extent e = { 0, B, EXTENT_ZERO };
	struct extent out[3];

	extent_pack(plain, &e);
	cr_expect_null(extent_table(out, 1, plain, EXTENT_SIZE, DISK));
	cr_expect_not_null(extent_table(out, 0, plain, 0, DISK), "none");
	for (size_t size = 0; size < EXTENT_SIZE; size++)
		cr_expect_not_null(extent_table(out, 1, plain, size, DISK), "%zu bytes", size);
	cr_expect_not_null(extent_table(out, 4, plain, sizeof plain, DISK), "four in the room of three");
	cr_expect_not_null(extent_table(out, UINT32_MAX, plain, sizeof plain, DISK));
	cr_expect_not_null(extent_table(out, UINT32_MAX / EXTENT_SIZE + 1, plain, sizeof plain, DISK));
}

Test(extent, bounds_the_number_of_extents_and_the_data_of_one)
{
	struct extent *e = calloc(LIMIT_EXTENTS + 1, sizeof *e);

	cr_assert_not_null(e);
	for (uint32_t i = 0; i <= LIMIT_EXTENTS; i++)
		e[i] = (struct extent){ 2 * i * B, B, EXTENT_ZERO };
	cr_expect_null(table(e, LIMIT_EXTENTS, 0, LIMIT_DISK_SIZE));
	cr_expect_not_null(table(e, LIMIT_EXTENTS + 1, 0, LIMIT_DISK_SIZE));
	e[0] = (struct extent){ 0, LIMIT_DATA, EXTENT_DATA };
	cr_expect_null(table(e, 1, LIMIT_DATA, LIMIT_DISK_SIZE));
	e[0].length += B;
	cr_expect_not_null(table(e, 1, LIMIT_DATA + B, LIMIT_DISK_SIZE));
	free(e);
}
