#include "place.h"

#include "bounds.h"
#include "disk/ranges.h"

#define BLOCKS 4096u

TestSuite(ranges, .init = place_make, .fini = place_remove);

/* Runs ascend, are not empty and do not touch. */
static void
expect_form(const struct ranges *A)
{
	for (size_t i = 0; i < A->n; i++) {
		cr_assert(A->runs[i].count > 0);
		cr_assert(i == 0 || A->runs[i].start > A->runs[i - 1].start + A->runs[i - 1].count);
	}
	cr_assert(A->n <= RANGES_MAX && A->room <= RANGES_MAX);
}

static int
has(const struct ranges *A, uint64_t block)
{
	size_t i = ranges_find(A, block);

	return (i < A->n && A->runs[i].start <= block);
}

/* The set is just what the bitmap says. */
static void
expect_map(const struct ranges *A, const unsigned char *map, uint64_t seed)
{
	uint64_t n = 0;

	expect_form(A);
	for (uint64_t b = 0; b < BLOCKS; b++) {
		n += map[b];
		cr_assert_eq(has(A, b), map[b], "block %lu, seed %lu", b, seed);
	}
	cr_assert_eq(ranges_count(A), n, "seed %lu", seed);
}

static void
add(struct ranges *A, unsigned char *map, uint64_t start, uint64_t count)
{
	cr_assert_eq(ranges_add(A, start, count), 0);
	memset(map + start, 1, count);
}

Test(ranges, hold_exactly_what_was_added_in_any_order)
{
	for (uint64_t s = 1; s <= 200; s++) {
		uint64_t seed = s, n;
		struct ranges A = RANGES_EMPTY;
		unsigned char map[BLOCKS] = { 0 };

		n = dice(&seed) % 300;
		for (uint64_t i = 0; i < n; i++) {
			uint64_t start = dice(&seed) % BLOCKS, count = dice(&seed) % (1 + s % 40);

			add(&A, map, start, count < BLOCKS - start ? count : BLOCKS - start);
			if (dice(&seed) % 50 == 0)
				ranges_sort(&A);
		}
		ranges_sort(&A);
		expect_map(&A, map, s);
		ranges_free(&A);
	}
}

Test(ranges, are_the_same_whatever_the_order_of_adding)
{
	uint64_t seed = 7;

	for (unsigned round = 0; round < 50; round++) {
		struct ranges A = RANGES_EMPTY, B = RANGES_EMPTY;
		struct range r[200];

		for (unsigned i = 0; i < 200; i++)
			r[i] = (struct range){ dice(&seed) % 9000, 1 + dice(&seed) % 30 };
		for (unsigned i = 0; i < 200; i++) {
			cr_assert_eq(ranges_add(&A, r[i].start, r[i].count), 0);
			cr_assert_eq(ranges_add(&B, r[199 - i].start, r[199 - i].count), 0);
		}
		ranges_sort(&A);
		ranges_sort(&B);
		cr_assert(A.n == B.n && memcmp(A.runs, B.runs, A.n * sizeof *A.runs) == 0);
		ranges_free(&A);
		ranges_free(&B);
	}
}

Test(ranges, beyond_the_bound_take_no_more_memory_and_lose_no_block)
{
	static const uint64_t total = 3 * (uint64_t)RANGES_MAX + 17;

	for (uint64_t order = 0; order < 3; order++) {
		struct ranges A = RANGES_EMPTY;

		for (uint64_t i = 0; i < total; i++) {
			/* Ascending, descending, scattered; gaps of 1 to 2^20 blocks. */
			uint64_t k = order == 0 ? i : order == 1 ? total - 1 - i : i * 7919 % total;

			cr_assert_eq(ranges_add(&A, 3 * k + (k >> 12 << 20), 1), 0);
			cr_assert(A.n <= RANGES_MAX && A.room <= RANGES_MAX);
		}
		ranges_sort(&A);
		expect_form(&A);
		for (uint64_t k = 0; k < total; k++)
			cr_assert(has(&A, 3 * k + (k >> 12 << 20)), "order %lu, block of %lu", order, k);
		ranges_free(&A);
	}
}

Test(ranges, beyond_the_bound_join_over_small_gaps_before_large_ones)
{
	struct ranges A = RANGES_EMPTY;
	uint64_t far = UINT64_C(1) << 33;

	/* Two clouds far apart: the emptiness between them is never carried. */
	for (uint64_t i = 0; i < RANGES_MAX; i++)
		cr_assert_eq(ranges_add(&A, i % 2 * far + 2 * i, 1), 0);
	cr_assert_eq(ranges_add(&A, 5, 1), 0);
	ranges_sort(&A);
	cr_expect(ranges_count(&A) <= 4 * (uint64_t)RANGES_MAX, "%lu blocks", ranges_count(&A));
	cr_expect_not(has(&A, far / 2));
	ranges_free(&A);
}

Test(ranges, are_joined_to_the_union_of_both)
{
	for (uint64_t s = 1; s <= 50; s++) {
		uint64_t seed = s;
		struct ranges A = RANGES_EMPTY, B = RANGES_EMPTY;
		unsigned char map[BLOCKS] = { 0 };

		for (unsigned i = 0; i < 60; i++)
			add(i % 2 ? &A : &B, map, dice(&seed) % (BLOCKS - 16), dice(&seed) % 16);
		ranges_sort(&B);
		if (s % 2 == 0)
			ranges_sort(&A);
		cr_assert_eq(ranges_join(&A, &B), 0);
		ranges_sort(&A);
		expect_map(&A, map, s);
		ranges_free(&A);
		ranges_free(&B);
	}
}

Test(ranges, of_bytes_are_rounded_out_to_whole_blocks)
{
	static const struct {
		uint64_t offset, length, start, count;
	} t[] = { { 0, 1, 0, 1 }, { 0, 4096, 0, 1 }, { 0, 4097, 0, 2 }, { 4095, 1, 0, 1 }, { 4095, 2, 0, 2 },
		{ 4096, 4096, 1, 1 }, { 8191, 4098, 1, 3 },
		{ LIMIT_DISK_SIZE - 512, 512, (1 << 22) * 4096ul - 1, 1 },
		{ 0, LIMIT_DISK_SIZE, 0, LIMIT_DISK_SIZE / 4096 } };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct ranges A = RANGES_EMPTY;

		cr_assert_eq(ranges_add_bytes(&A, t[i].offset, t[i].length), 0);
		ranges_sort(&A);
		cr_expect(
		    A.n == 1 && A.runs[0].start == t[i].start && A.runs[0].count == t[i].count, "%zu", i);
		ranges_free(&A);
	}
}

Test(ranges, that_are_empty_stay_so)
{
	struct ranges A = RANGES_EMPTY, B = RANGES_EMPTY;

	cr_expect_eq(ranges_add(&A, 7, 0), 0);
	cr_expect_eq(ranges_add_bytes(&A, 4096, 0), 0);
	cr_expect_eq(ranges_join(&A, &B), 0);
	ranges_sort(&A);
	cr_expect(A.n == 0 && ranges_find(&A, 0) == 0 && ranges_count(&A) == 0);
	cr_expect_eq(ranges_add(&A, 3, 2), 0);
	ranges_free(&A);
	cr_expect(A.n == 0 && ranges_count(&A) == 0);
}

Test(ranges, find_the_first_run_that_ends_after_a_block)
{
	struct ranges A = RANGES_EMPTY;

	cr_assert_eq(ranges_add(&A, 10, 5), 0);
	cr_assert_eq(ranges_add(&A, 20, 1), 0);
	ranges_sort(&A);
	cr_expect(ranges_find(&A, 0) == 0 && ranges_find(&A, 14) == 0);
	cr_expect(ranges_find(&A, 15) == 1 && ranges_find(&A, 20) == 1 && ranges_find(&A, 21) == 2);
	ranges_free(&A);
}
