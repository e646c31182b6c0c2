#include "place.h"

#include <sys/stat.h>

#include "disk/leaves.h"

#define N 3000u

TestSuite(leaves, .init = place_make, .fini = place_remove);

static struct leaves *new (void)
{
	struct leaves *L = leaves_open(at("leaves"), 1);

	cr_assert_not_null(L);
	return (L);
}

/* All N are as in want. */
static void
expect(const struct leaves *L, const uint64_t *want)
{
	uint64_t got[N];

	cr_assert_eq(leaves_read(L, 0, N, got), 0);
	for (unsigned i = 0; i < N; i++)
		cr_assert_eq(got[i], want[i], "block %u", i);
}

Test(leaves, are_read_back_as_they_were_written_whatever_the_bounds)
{
	struct leaves *L = new ();
	uint64_t want[N] = { 0 }, seed = 3;

	for (unsigned round = 0; round < 300; round++) {
		uint64_t start = dice(&seed) % N, n = dice(&seed) % (N - start + 1), in[N];

		for (uint64_t i = 0; i < n; i++)
			in[i] = dice(&seed);
		if (dice(&seed) % 4 == 0) {
			cr_assert_eq(leaves_clear(L, start, n), 0);
			memset(want + start, 0, n * sizeof *want);
		} else {
			cr_assert_eq(leaves_write(L, start, n, in), 0);
			memcpy(want + start, in, n * sizeof *want);
		}
		expect(L, want);
	}
	leaves_free(L);
}

Test(leaves, beyond_the_end_of_the_file_are_zero)
{
	struct leaves *L = new ();
	uint64_t one[1] = { 5 }, got[600];

	cr_assert_eq(leaves_write(L, 100, 1, one), 0);
	cr_assert_eq(leaves_clear(L, 90, UINT64_C(1) << 34), 0);
	cr_assert_eq(leaves_write(L, 100, 1, one), 0);
	cr_assert_eq(leaves_clear(L, UINT64_C(1) << 33, 50), 0);
	cr_assert_eq(leaves_read(L, 0, 600, got), 0);
	for (unsigned i = 0; i < 600; i++)
		cr_expect_eq(got[i], i == 100 ? 5 : 0);
	cr_assert_eq(leaves_read(L, UINT64_C(1) << 34, 600, got), 0);
	cr_expect(got[0] == 0 && got[599] == 0);
	leaves_free(L);
}

Test(leaves, lie_in_the_file_eight_bytes_each_little_endian)
{
	static const uint8_t want[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1 };
	struct leaves *L = new ();
	uint64_t one[1] = { UINT64_C(0x0102030405060708) };
	uint8_t *p;
	size_t n;

	cr_assert_eq(leaves_write(L, 1, 1, one), 0);
	leaves_free(L);
	p = place_get("leaves", &n);
	cr_expect(n == sizeof want && memcmp(p, want, n) == 0);
	free(p);
}

Test(leaves, of_a_sparse_disk_are_all_met_and_its_holes_are_passed_over)
{
	static const uint64_t far = UINT64_C(1) << 30;
	struct leaves *L = new ();
	uint64_t seed = 9, in[1], start = 0, count, met = 0, looked = 0, where[64];
	struct stat st;

	for (unsigned i = 0; i < 64; i++) {
		/* At the very beginning of a page of the file, or anywhere. */
		where[i] = i * (far / 64) + (i % 2 == 0 ? 512 * (i / 2 % 3) : dice(&seed) % 1000);
		in[0] = 1 + i;
		cr_assert_eq(leaves_write(L, where[i], 1, in), 0);
	}
	cr_assert_eq(leaves_sync(L), 0);
	while (leaves_next(L, &start, far, &count) == 0) {
		looked += count;
		while (met < 64 && where[met] < start + count) {
			cr_assert(where[met] >= start, "block %lu was passed over", where[met]);
			met++;
		}
		start += count;
	}
	cr_expect_eq(met, 64);
	cr_assert_eq(stat(at("leaves"), &st), 0);
	if (st.st_blocks * 512 < 1 << 24)
		cr_expect(looked < far / 64, "%lu blocks looked at", looked);
	leaves_free(L);
}

Test(leaves, after_the_bound_are_not_met)
{
	struct leaves *L = new ();
	uint64_t in[10] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, start = 0, count;

	cr_assert_eq(leaves_write(L, 0, 10, in), 0);
	cr_expect_eq(leaves_next(L, &start, 4, &count), 0);
	cr_expect(start == 0 && count == 4);
	start = 4;
	cr_expect_eq(leaves_next(L, &start, 4, &count), 1);
	start = 10;
	cr_expect_eq(leaves_next(L, &start, 1 << 20, &count), 1);
	leaves_free(L);
}

Test(leaves, that_are_missing_are_an_error_unless_they_are_to_be_made)
{
	cr_expect_null(leaves_open(at("none"), 0));
	cr_expect(said("none"));
	leaves_free(NULL);
}
