#include "place.h"

#include "bounds.h"
#include "disk/leaves.h"
#include "disk/scan.h"

#define BLOCKS 1500u

TestSuite(scan, .init = place_make, .fini = place_remove);

static struct leaf_secret secret;
static uint8_t disk[BLOCKS * LIMIT_BLOCK];

/* Write the first size bytes of disk to the file, with holes where there are zeroes. */
static void
put_disk(size_t size)
{
	static const uint8_t zeroes[LIMIT_BLOCK];
	int fd = open(at("disk"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	cr_assert(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	for (size_t b = 0; b < size; b += LIMIT_BLOCK) {
		size_t n = size - b < LIMIT_BLOCK ? size - b : LIMIT_BLOCK;

		if (memcmp(disk + b, zeroes, n) != 0)
			cr_assert_eq(pwrite(fd, disk + b, n, (off_t)b), (ssize_t)n);
	}
	cr_assert_eq(close(fd), 0);
}

/* The sum over the leaves of the first size bytes, one by one; they go to L if it is not NULL. */
static struct leaf_sum
count(size_t size, struct leaves *L)
{
	struct leaf_sum sum = { 0, 0 };

	for (size_t b = 0; b * LIMIT_BLOCK < size; b++) {
		size_t n = size - b * LIMIT_BLOCK < LIMIT_BLOCK ? size - b * LIMIT_BLOCK : LIMIT_BLOCK;
		uint64_t leaf[1] = { leaf_of(&secret, disk + b * LIMIT_BLOCK, n) };

		leaf_add(&secret, &sum, b, leaf[0]);
		if (L != NULL && leaf[0] != 0)
			cr_assert_eq(leaves_write(L, b, 1, leaf), 0);
	}
	return (sum);
}

/* Scan the file against leaves: the sum, and the blocks that differ. */
static struct leaf_sum
scan(enum source_use use, const struct leaves *L, struct ranges *differ)
{
	struct leaf_sum sum;
	struct source *S;

	cr_assert_eq(source_open(&S, at("disk"), use, NULL), 0);
	cr_assert_eq(scan_disk(S, &secret, L, "test", &sum, differ), 0);
	source_close(S);
	return (sum);
}

/* Random content: runs of data and of nothing. */
static void
fill(uint64_t *seed)
{
	memset(disk, 0, sizeof disk);
	for (size_t b = 0; b < BLOCKS; b += 1 + dice(seed) % 80)
		for (size_t n = dice(seed) % 60; n > 0 && b < BLOCKS; n--, b++)
			memset(disk + b * LIMIT_BLOCK, (int)(1 + dice(seed) % 255), LIMIT_BLOCK);
}

/* Change some blocks: other bytes, one bit, or nothing at all.  What differs now is set in map. */
static void
change(uint64_t *seed, size_t size, unsigned char *map)
{
	static uint8_t before[sizeof disk];
	size_t blocks = (size + LIMIT_BLOCK - 1) / LIMIT_BLOCK;

	memcpy(before, disk, size);
	for (uint64_t n = dice(seed) % 60; n > 0; n--) {
		size_t b = dice(seed) % blocks * LIMIT_BLOCK,
		       k = size - b < LIMIT_BLOCK ? size - b : LIMIT_BLOCK;

		switch (dice(seed) % 3) {
		case 0:
			memset(disk + b, 0, k);
			break;
		case 1:
			disk[b + dice(seed) % k] ^= 0x10;
			break;
		default:
			memset(disk + b, (int)dice(seed) & 0xff, k);
		}
	}
	memset(map, 0, BLOCKS);
	for (size_t b = 0; b < blocks; b++) {
		size_t k = size - b * LIMIT_BLOCK < LIMIT_BLOCK ? size - b * LIMIT_BLOCK : LIMIT_BLOCK;

		map[b] = memcmp(before + b * LIMIT_BLOCK, disk + b * LIMIT_BLOCK, k) != 0;
	}
}

static void
expect_map(const struct ranges *A, const unsigned char *map, uint64_t seed)
{
	for (uint64_t b = 0; b < BLOCKS; b++) {
		size_t i = ranges_find(A, b);

		cr_assert_eq(i < A->n && A->runs[i].start <= b, map[b], "block %lu, seed %lu", b, seed);
	}
}

/* A round on a disk of that size. */
static void
round_of(size_t size, uint64_t s)
{
	unsigned char map[BLOCKS];
	struct leaves *L;
	uint64_t seed = s;

	fill(&seed);
	cr_assert(io_remove(at("leaves")) == 0 && (L = leaves_open(at("leaves"), 1)) != NULL);
	count(size, L);
	change(&seed, size, map);
	put_disk(size);
	for (int use = SOURCE_QUIET; use <= SOURCE_OWN; use++) {
		struct ranges differ = RANGES_EMPTY;
		struct leaf_sum want = count(size, NULL), sum = scan((enum source_use)use, L, &differ);

		cr_assert(sum.low == want.low && sum.high == want.high, "seed %lu", s);
		expect_map(&differ, map, s);
		ranges_free(&differ);
	}
	leaves_free(L);
}

Test(scan, finds_just_the_blocks_that_changed, .timeout = 300)
{
	for (uint64_t s = 1; s <= 40; s++) {
		leaf_secret_make(&secret, (const uint8_t[LEAF_SEED]){ 1 });
		round_of(sizeof disk, s);
	}
}

Test(scan, does_so_at_every_odd_end, .timeout = 300)
{
	static const size_t ends[] = { 512, 1024, 4096, 4096 + 512, 8 * 4096 - 512, 256 * 4096 - 512,
		256 * 4096, 256 * 4096 + 512, 257 * 4096 + 3584, 1024 * 4096 + 512 };

	leaf_secret_make(&secret, (const uint8_t[LEAF_SEED]){ 2 });
	for (uint64_t s = 1; s <= 4; s++)
		for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
			round_of(ends[i], s * 100 + i);
}

Test(scan, finds_blocks_that_became_a_hole)
{
	struct ranges differ = RANGES_EMPTY;
	struct leaves *L = leaves_open(at("leaves"), 1);
	unsigned char map[BLOCKS];
	uint64_t seed = 5;
	struct leaf_sum sum;

	leaf_secret_make(&secret, (const uint8_t[LEAF_SEED]){ 3 });
	cr_assert_not_null(L);
	fill(&seed);
	count(sizeof disk, L);
	for (size_t b = 0; b < BLOCKS; b++)
		map[b] = !leaf_is_zero(disk + b * LIMIT_BLOCK, LIMIT_BLOCK);
	memset(disk, 0, sizeof disk);
	put_disk(sizeof disk);
	sum = scan(SOURCE_QUIET, L, &differ);
	cr_expect(sum.low == 0 && sum.high == 0);
	expect_map(&differ, map, 5);
	ranges_free(&differ);
	leaves_free(L);
}

Test(scan, of_an_unchanged_disk_finds_nothing_and_without_leaves_sums_it_up)
{
	struct ranges differ = RANGES_EMPTY;
	struct leaves *L = leaves_open(at("leaves"), 1);
	struct leaf_sum want, sum;
	uint64_t seed = 6;

	leaf_secret_make(&secret, (const uint8_t[LEAF_SEED]){ 4 });
	cr_assert_not_null(L);
	fill(&seed);
	want = count(sizeof disk, L);
	put_disk(sizeof disk);
	sum = scan(SOURCE_QUIET, L, &differ);
	cr_expect(sum.low == want.low && sum.high == want.high && differ.n == 0);
	sum = scan(SOURCE_QUIET, NULL, NULL);
	cr_expect(sum.low == want.low && sum.high == want.high);
	ranges_free(&differ);
	leaves_free(L);
}

Test(scan, of_a_disk_that_cannot_be_read_is_an_error)
{
	struct leaf_sum sum;
	struct source *S;

	memset(disk, 1, sizeof disk);
	put_disk(sizeof disk);
	cr_assert_eq(source_open(&S, at("disk"), SOURCE_LIVE, NULL), 0);
	cr_assert_eq(truncate(at("disk"), 4096), 0);
	cr_expect_eq(scan_disk(S, &secret, NULL, "test", &sum, NULL), -1);
	cr_expect(said("ends at byte"));
	source_close(S);
}
