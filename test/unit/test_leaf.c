#include <criterion/criterion.h>
#include <sodium.h>
#include <xxhash.h>

#include "bounds.h"
#include "leaf.h"

#define N 64u

static void
init(void)
{
	cr_assert(sodium_init() >= 0);
}

TestSuite(leaf, .init = init);

static struct leaf_secret
secret(uint8_t n)
{
	struct leaf_secret S;
	uint8_t seed[LEAF_SEED];

	memset(seed, n, sizeof seed);
	leaf_secret_make(&S, seed);
	return (S);
}

/* N leaves, some of them of zero blocks, some alike. */
static void
leaves(uint64_t out[N])
{
	for (uint64_t i = 0; i < N; i++)
		out[i] = i % 5 == 0 ? 0 : (i % 7 + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static struct leaf_sum
sum_of(const struct leaf_secret *S, const uint64_t *leaf, uint64_t from, uint64_t to)
{
	struct leaf_sum sum = { 0, 0 };

	for (uint64_t i = from; i < to; i++)
		leaf_add(S, &sum, i, leaf[i]);
	return (sum);
}

static void
expect_sum(const struct leaf_sum *a, const struct leaf_sum *b, const char *what)
{
	cr_expect(a->low == b->low && a->high == b->high, "%s", what);
}

Test(leaf, of_zeroes_is_zero_at_every_length)
{
	struct leaf_secret S = secret(1);
	uint8_t block[LIMIT_BLOCK] = { 0 };

	for (size_t n = 0; n <= LIMIT_BLOCK; n++)
		cr_expect_eq(leaf_of(&S, block, n), 0u, "%zu bytes", n);
}

Test(leaf, of_anything_else_is_not_zero_and_no_two_bits_share_one)
{
	struct leaf_secret S = secret(1);
	uint8_t block[LIMIT_BLOCK] = { 0 };
	static uint64_t seen[8 * LIMIT_BLOCK];

	for (unsigned bit = 0; bit < 8 * LIMIT_BLOCK; bit++) {
		block[bit / 8] = (uint8_t)(1u << bit % 8);
		seen[bit] = leaf_of(&S, block, sizeof block);
		cr_expect_neq(seen[bit], 0u, "bit %u", bit);
		for (unsigned other = bit < 64 ? 0 : bit - 64; other < bit; other++)
			cr_expect_neq(seen[bit], seen[other], "bits %u and %u", bit, other);
		block[bit / 8] = 0;
	}
}

Test(leaf, of_a_short_block_is_that_of_the_block_filled_with_zeroes)
{
	struct leaf_secret S = secret(1);
	uint8_t whole[LIMIT_BLOCK] = { 0 }, part[LIMIT_BLOCK];

	memset(part, 0xee, sizeof part);
	for (size_t n = 512; n < LIMIT_BLOCK; n += 512) {
		memset(whole, 0x5a, n);
		memset(part, 0x5a, n);
		cr_expect_eq(leaf_of(&S, part, n), leaf_of(&S, whole, LIMIT_BLOCK), "%zu bytes", n);
	}
}

Test(leaf, is_zero_sees_a_single_byte_anywhere)
{
	uint8_t b[130] = { 0 };

	for (size_t n = 0; n <= sizeof b; n++) {
		cr_expect(leaf_is_zero(b, n));
		for (size_t i = 0; i < n; i++) {
			b[i] = 0x80;
			cr_expect_not(leaf_is_zero(b, n), "byte %zu of %zu", i, n);
			b[i] = 0;
		}
	}
}

Test(leaf, depends_on_the_lineage)
{
	struct leaf_secret S = secret(1), T = secret(2);
	uint8_t block[LIMIT_BLOCK] = { 1 };

	cr_expect_neq(leaf_of(&S, block, sizeof block), leaf_of(&T, block, sizeof block));
}

Test(leaf, group_of_zeroes_is_zero_and_any_other_leaf_changes_it)
{
	struct leaf_secret S = secret(1);
	uint64_t leaf[LEAF_GROUP] = { 0 }, one;

	cr_expect_eq(leaf_group(&S, leaf), 0u);
	for (size_t i = 0; i < LEAF_GROUP; i++) {
		leaf[i] = 1;
		one = leaf_group(&S, leaf);
		cr_expect_neq(one, 0u, "leaf %zu", i);
		leaf[i] = 2;
		cr_expect_neq(leaf_group(&S, leaf), one, "leaf %zu", i);
		leaf[i] = 0;
	}
}

Test(leaf, group_tells_order_and_lineage)
{
	struct leaf_secret S = secret(1), T = secret(2);
	uint64_t leaf[LEAF_GROUP] = { 5, 6 }, other[LEAF_GROUP] = { 6, 5 };

	cr_expect_neq(leaf_group(&S, leaf), leaf_group(&S, other));
	cr_expect_neq(leaf_group(&S, leaf), leaf_group(&T, leaf));
}

/* What it is, written down: bundles carry it. */
Test(leaf, group_is_xxh3_of_its_leaves_in_little_endian)
{
	struct leaf_secret S = secret(1);
	uint64_t leaf[LEAF_GROUP] = { UINT64_C(0x0102030405060708), 0, 3 };
	static const uint8_t bytes[8 * LEAF_GROUP] = { 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 3 };

	cr_expect_eq(leaf_group(&S, leaf), XXH3_64bits_withSecret(bytes, sizeof bytes, S.bytes, LEAF_SECRET));
}

Test(leaf, root_is_independent_of_order)
{
	struct leaf_secret S = secret(1);
	uint64_t leaf[N], order[N];
	struct leaf_sum want;

	leaves(leaf);
	want = sum_of(&S, leaf, 0, N);
	for (uint64_t i = 0; i < N; i++)
		order[i] = i;
	for (unsigned round = 0; round < 200; round++) {
		struct leaf_sum sum = { 0, 0 };

		for (uint64_t i = N - 1; i > 0; i--) {
			uint64_t j = (i * 40503 + round * 2654435761u) % (i + 1), t = order[i];

			order[i] = order[j];
			order[j] = t;
		}
		for (uint64_t i = 0; i < N; i++)
			leaf_add(&S, &sum, order[i], leaf[order[i]]);
		expect_sum(&sum, &want, "shuffled");
	}
}

Test(leaf, remove_undoes_add_at_every_carry)
{
	static const struct leaf_sum start[] = {
		{ 0, 0 },
		{ 1, 0 },
		{ UINT64_MAX, 0 },
		{ 0, UINT64_MAX },
		{ UINT64_MAX, UINT64_MAX },
		{ UINT64_C(1) << 63, UINT64_C(1) << 63 },
	};
	struct leaf_secret S = secret(1);

	for (size_t s = 0; s < sizeof start / sizeof start[0]; s++)
		for (uint64_t block = 0; block < 1000; block++) {
			struct leaf_sum sum = start[s];

			leaf_add(&S, &sum, block, block + 1);
			cr_expect(sum.low != start[s].low || sum.high != start[s].high);
			leaf_remove(&S, &sum, block, block + 1);
			expect_sum(&sum, &start[s], "there and back");
			leaf_remove(&S, &sum, block, block + 1);
			leaf_add(&S, &sum, block, block + 1);
			expect_sum(&sum, &start[s], "back and there");
		}
}

Test(leaf, changing_a_block_gives_the_sum_of_the_changed_disk)
{
	struct leaf_secret S = secret(1);
	uint64_t leaf[N];
	struct leaf_sum sum;

	leaves(leaf);
	sum = sum_of(&S, leaf, 0, N);
	for (uint64_t i = 0; i < N; i += 3) {
		uint64_t now = i % 2 == 0 ? 0 : leaf[i] + 1;
		struct leaf_sum want;

		leaf_remove(&S, &sum, i, leaf[i]);
		leaf_add(&S, &sum, i, now);
		leaf[i] = now;
		want = sum_of(&S, leaf, 0, N);
		expect_sum(&sum, &want, "changed");
	}
}

Test(leaf, zero_leaves_change_nothing)
{
	struct leaf_secret S = secret(1);
	struct leaf_sum sum = { 7, 9 };

	leaf_add(&S, &sum, 12, 0);
	leaf_remove(&S, &sum, 13, 0);
	cr_expect(sum.low == 7 && sum.high == 9);
}

Test(leaf, sums_over_any_two_parts_join_to_the_whole)
{
	struct leaf_secret S = secret(1);
	uint64_t leaf[N];
	struct leaf_sum want;

	leaves(leaf);
	want = sum_of(&S, leaf, 0, N);
	for (uint64_t cut = 0; cut <= N; cut++) {
		struct leaf_sum a = sum_of(&S, leaf, 0, cut), b = sum_of(&S, leaf, cut, N), c = b;

		leaf_join(&b, &a);
		expect_sum(&b, &want, "back with front");
		leaf_join(&a, &c);
		expect_sum(&a, &want, "front with back");
	}
}

Test(leaf, join_carries)
{
	struct leaf_sum a = { UINT64_MAX, 1 }, b = { 1, UINT64_MAX }, c = { UINT64_MAX, UINT64_MAX };

	leaf_join(&a, &b);
	cr_expect(a.low == 0 && a.high == 1);
	leaf_join(&c, &c);
	cr_expect(c.low == UINT64_MAX - 1 && c.high == UINT64_MAX, "with itself");
}

Test(leaf, root_changes_with_place_leaf_size_and_lineage)
{
	struct leaf_secret S = secret(1), T = secret(2);
	static const uint64_t places[] = { 0, 1, 2, UINT64_C(1) << 32, (UINT64_C(1) << 32) + 1,
		UINT64_C(1) << 34 };
	uint8_t root[10][LEAF_ROOT];
	struct leaf_sum sum = { 0, 0 };
	unsigned n = 0;

	leaf_root(root[n++], &S, &sum, UINT64_C(1) << 46);
	for (unsigned i = 0; i < 6; i++) {
		sum = (struct leaf_sum){ 0, 0 };
		leaf_add(&S, &sum, places[i], 77);
		leaf_root(root[n++], &S, &sum, UINT64_C(1) << 46);
	}
	leaf_root(root[n++], &S, &sum, (UINT64_C(1) << 46) - 512);
	leaf_root(root[n++], &T, &sum, UINT64_C(1) << 46);
	leaf_add(&S, &sum, 0, 78);
	leaf_root(root[n++], &S, &sum, UINT64_C(1) << 46);
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < i; j++)
			cr_expect_arr_neq(root[i], root[j], LEAF_ROOT, "%u and %u", i, j);
}

Test(leaf, root_tells_two_blocks_from_the_same_two_swapped)
{
	struct leaf_secret S = secret(1);
	const uint64_t there[] = { 5, 6 }, swapped[] = { 6, 5 };
	struct leaf_sum a = sum_of(&S, there, 0, 2), b = sum_of(&S, swapped, 0, 2);

	cr_expect(a.low != b.low || a.high != b.high);
}

/* Worked out by another program over libxxhash and libsodium: no version may ever give another root. */
Test(leaf, root_of_a_known_disk_is_the_known_one)
{
	static const char want[] = "bb11bd7906a9ac6de6502b51f37261a7";
	struct leaf_secret S = secret(1);
	struct leaf_sum sum = { 0, 0 };
	uint8_t block[LIMIT_BLOCK], root[LEAF_ROOT];
	char hex[2 * LEAF_ROOT + 1];

	for (unsigned b = 0; b < 10; b++) {
		for (unsigned i = 0; i < LIMIT_BLOCK; i++)
			block[i] = (uint8_t)(b * (i + b));
		leaf_add(&S, &sum, b, leaf_of(&S, block, b == 9 ? 512 : LIMIT_BLOCK));
	}
	leaf_root(root, &S, &sum, 9 * LIMIT_BLOCK + 512);
	sodium_bin2hex(hex, sizeof hex, root, sizeof root);
	cr_expect_str_eq(hex, want);
}
