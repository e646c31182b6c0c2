#include "place.h"

#include "disk/changelog.h"

#define BLOCKS 5000u

TestSuite(changelog, .init = place_make, .fini = place_remove);

static struct leaves *
new_leaves(const char *name)
{
	struct leaves *L = leaves_open(at(name), 1);

	cr_assert_not_null(L);
	return (L);
}

/* Write a log of random runs to "log": the leaves that it leads to go to now, what it touches to map. */
static void
random_log(uint64_t seed, uint64_t *now, unsigned char *map)
{
	struct changelog *L = changelog_create(at("log"));
	uint64_t values[64];

	cr_assert_not_null(L);
	for (uint64_t b = dice(&seed) % 50; b + 64 < BLOCKS; b += dice(&seed) % 90) {
		uint64_t n = 1 + dice(&seed) % 64;
		int zero = dice(&seed) % 3 == 0;

		for (uint64_t i = 0; i < n; i++) {
			values[i] = zero ? 0 : dice(&seed);
			now[b + i] = values[i];
			map[b + i] = 1;
		}
		cr_assert_eq(changelog_add(L, b, n, zero ? NULL : values), 0);
		b += n;
	}
	cr_assert_eq(changelog_commit(L), 0);
}

static void
expect_leaves(const struct leaves *L, const uint64_t *want)
{
	uint64_t got[BLOCKS];

	cr_assert_eq(leaves_read(L, 0, BLOCKS, got), 0);
	cr_assert_arr_eq(got, want, sizeof got);
}

Test(changelog, brings_leaves_to_where_it_leads_and_again_changes_nothing)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct leaves *L = new_leaves("leaves");
		uint64_t now[BLOCKS];
		unsigned char map[BLOCKS] = { 0 };

		for (unsigned i = 0; i < BLOCKS; i++)
			now[i] = i % 7 == 0 ? 0 : i + seed;
		cr_assert_eq(leaves_write(L, 0, BLOCKS, now), 0);
		random_log(seed, now, map);
		for (unsigned again = 0; again < 2; again++) {
			cr_assert_eq(changelog_apply(at("log"), L), 0);
			expect_leaves(L, now);
		}
		leaves_free(L);
	}
}

Test(changelog, half_applied_is_finished_by_applying_it_again)
{
	struct leaves *L = new_leaves("leaves");
	uint64_t now[BLOCKS] = { 0 }, half[BLOCKS];
	unsigned char map[BLOCKS] = { 0 };

	random_log(4, now, map);
	memcpy(half, now, sizeof half);
	for (unsigned i = BLOCKS / 2; i < BLOCKS; i++)
		half[i] = 77;
	for (unsigned i = BLOCKS / 2; i < BLOCKS; i++)
		if (!map[i])
			now[i] = 77;
	cr_assert_eq(leaves_write(L, 0, BLOCKS, half), 0);
	cr_assert_eq(changelog_apply(at("log"), L), 0);
	expect_leaves(L, now);
	leaves_free(L);
}

Test(changelog, names_just_the_blocks_that_changed)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct ranges A = RANGES_EMPTY;
		uint64_t now[BLOCKS] = { 0 };
		unsigned char map[BLOCKS] = { 0 };

		random_log(seed, now, map);
		cr_assert_eq(changelog_ranges(at("log"), &A), 0);
		ranges_sort(&A);
		for (uint64_t b = 0; b < BLOCKS; b++) {
			size_t i = ranges_find(&A, b);

			cr_assert_eq(i < A.n && A.runs[i].start <= b, map[b], "block %lu, seed %lu", b, seed);
		}
		ranges_free(&A);
	}
}

Test(changelog, goes_on_where_it_was_flushed_whatever_came_behind)
{
	static const uint64_t leaves[] = { 1, 2, 3 };
	struct ranges A = RANGES_EMPTY;
	struct changelog *L;
	uint64_t size, sum;

	cr_assert_not_null(L = changelog_create(at("log")));
	cr_assert(changelog_add(L, 10, 3, leaves) == 0 && changelog_add(L, 20, 5, NULL) == 0);
	cr_assert_eq(changelog_flush(L, &size, &sum), 0);
	cr_assert_eq(changelog_add(L, 40, 3, leaves), 0);
	cr_assert_eq(changelog_commit(L), 0);

	cr_expect_eq(changelog_resume(&L, at("log"), size, sum + 1), 2, "with another content");
	cr_expect_eq(changelog_resume(&L, at("log"), size + 1000, sum), 2, "with less than there was");
	cr_expect_eq(changelog_resume(&L, at("none"), size, sum), 2, "where there is none");
	cr_assert_eq(changelog_resume(&L, at("log"), size, sum), 0);
	cr_assert_eq(changelog_add(L, 25, 1, leaves), 0);
	cr_assert_eq(changelog_commit(L), 0);
	cr_assert_eq(changelog_ranges(at("log"), &A), 0);
	ranges_sort(&A);
	cr_expect(A.n == 2 && A.runs[0].start == 10 && A.runs[0].count == 3 && A.runs[1].start == 20 &&
	          A.runs[1].count == 6);
	ranges_free(&A);
}

Test(changelog, of_nothing_leads_nowhere)
{
	struct changelog *L = changelog_create(at("log"));
	struct leaves *leaves = new_leaves("leaves");
	struct ranges A = RANGES_EMPTY;
	uint64_t none[BLOCKS] = { 0 };

	cr_assert_not_null(L);
	cr_assert_eq(changelog_commit(L), 0);
	cr_expect_eq(changelog_ranges(at("log"), &A), 0);
	cr_expect_eq(A.n, 0);
	cr_expect_eq(changelog_apply(at("log"), leaves), 0);
	expect_leaves(leaves, none);
	leaves_free(leaves);
}

Test(changelog, takes_the_place_of_one_that_is_there)
{
	struct changelog *L;
	struct ranges A = RANGES_EMPTY;

	place_put("log", "something else that is longer than what comes after it", 54);
	cr_assert_not_null(L = changelog_create(at("log")));
	cr_assert_eq(changelog_add(L, 3, 4, NULL), 0);
	cr_assert_eq(changelog_commit(L), 0);
	cr_assert_eq(changelog_ranges(at("log"), &A), 0);
	cr_expect(A.n == 1 && A.runs[0].start == 3 && A.runs[0].count == 4);
	ranges_free(&A);
}

Test(changelog, of_many_zero_runs_that_touch_is_one_short_run)
{
	struct changelog *L = changelog_create(at("log"));
	size_t n;

	cr_assert_not_null(L);
	for (uint64_t b = 0; b < 100000; b += 4)
		cr_assert_eq(changelog_add(L, b, 4, NULL), 0);
	cr_assert_eq(changelog_commit(L), 0);
	free(place_get("log", &n));
	cr_expect(n <= 64, "%zu bytes", n);
}

/* A log as it stands in "log" is refused by both who read it, as damaged. */
static void
expect_refused(const char *how, size_t at_byte)
{
	struct leaves *L = new_leaves("leaves");
	struct ranges A = RANGES_EMPTY;

	cr_expect_eq(changelog_ranges(at("log"), &A), -1, "%s %zu: taken for a map", how, at_byte);
	cr_expect_eq(changelog_apply(at("log"), L), -1, "%s %zu: applied", how, at_byte);
	cr_expect(said("log"));
	ranges_free(&A);
	leaves_free(L);
}

/* A small log of each kind of run. */
static uint8_t *
small_log(size_t *n)
{
	static const uint64_t values[3] = { 11, 12, 13 };
	struct changelog *L = changelog_create(at("log"));

	cr_assert_not_null(L);
	cr_assert_eq(changelog_add(L, 5, 3, values), 0);
	cr_assert_eq(changelog_add(L, 100, 2, NULL), 0);
	cr_assert_eq(changelog_add(L, 200, 1, values), 0);
	cr_assert_eq(changelog_commit(L), 0);
	return (place_get("log", n));
}

Test(changelog, that_was_cut_short_is_refused_wherever_it_was)
{
	size_t n;
	uint8_t *p = small_log(&n);

	for (size_t cut = 0; cut < n; cut++) {
		place_put("log", p, cut);
		expect_refused("cut at", cut);
	}
	free(p);
}

Test(changelog, with_any_bit_flipped_is_refused)
{
	size_t n;
	uint8_t *p = small_log(&n);

	for (size_t bit = 0; bit < 8 * n; bit++) {
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		place_put("log", p, n);
		expect_refused("bit", bit);
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	free(p);
}

Test(changelog, with_something_behind_it_is_refused)
{
	size_t n;
	uint8_t *p = small_log(&n), *longer = calloc(1, n + 16);

	cr_assert_not_null(longer);
	memcpy(longer, p, n);
	place_put("log", longer, n + 16);
	expect_refused("longer by", 16);
	free(longer);
	free(p);
}

Test(changelog, that_is_missing_is_an_error)
{
	struct ranges A = RANGES_EMPTY;

	cr_expect_eq(changelog_ranges(at("none"), &A), -1);
	cr_expect(said("none"));
	changelog_free(NULL);
}
