#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "disk/groups.h"

static void
init(void)
{
	cr_assert(sodium_init() >= 0);
}

TestSuite(groups, .init = init);

static struct leaf_secret secret;

struct seen {
	uint64_t *digests, n;
	int batches, stop_at;
};

static int
take(void *context, uint64_t first, size_t n, const uint64_t *digests)
{
	struct seen *s = context;

	cr_assert_eq(first, s->n, "a gap");
	cr_assert(s->n % GROUPS_BATCH == 0 && n <= GROUPS_BATCH, "a batch before was not full");
	memcpy(s->digests + s->n, digests, n * sizeof *digests);
	s->n += n;
	return (++s->batches == s->stop_at ? 1 : 0);
}

/* The digests of a disk of that many blocks, its leaves given in pieces of that size; zero pieces are left out. */
static struct seen
digests(uint64_t size, const uint64_t *leaf, size_t piece)
{
	uint64_t blocks = (size + LIMIT_BLOCK - 1) / LIMIT_BLOCK;
	struct seen s = { .digests = calloc(groups_of(size) + 1, 8) };
	struct groups G = { .secret = &secret, .take = take, .context = &s };

	cr_assert_eq(groups_start(&G, size), 0);
	for (uint64_t i = 0; i < blocks; i += piece) {
		size_t n = blocks - i < piece ? (size_t)(blocks - i) : piece;
		uint64_t any = 0;

		for (size_t k = 0; k < n; k++)
			any |= leaf[i + k];
		if (any != 0)
			cr_assert_eq(groups_add(&G, i, n, leaf + i), 0);
	}
	cr_assert_eq(groups_end(&G), 0);
	groups_free(&G);
	return (s);
}

Test(groups, are_the_same_however_the_leaves_come)
{
	static const uint64_t sizes[] = { 512, 4096, 4608, 65536, 65536 + 512, 40 * 65536 + 4096 };
	static const size_t pieces[] = { 1, 3, 16, 17, 256, 4096 };
	uint64_t leaf[41 * LEAF_GROUP];

	for (size_t i = 0; i < sizeof leaf / sizeof *leaf; i++)
		leaf[i] = i / 50 % 2 == 0 ? 0 : i * UINT64_C(0x9e3779b97f4a7c15);
	leaf[0] = 7;
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
		for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
			uint64_t blocks = (sizes[s] + LIMIT_BLOCK - 1) / LIMIT_BLOCK;
			struct seen got = digests(sizes[s], leaf, pieces[p]);

			cr_assert_eq(got.n, groups_of(sizes[s]));
			for (uint64_t g = 0; g < got.n; g++) {
				uint64_t group[LEAF_GROUP] = { 0 };

				for (uint64_t i = 0; i < LEAF_GROUP && g * LEAF_GROUP + i < blocks; i++)
					group[i] = leaf[g * LEAF_GROUP + i];
				cr_expect_eq(got.digests[g], leaf_group(&secret, group),
				    "size %zu, pieces of %zu, group %zu", (size_t)sizes[s], pieces[p],
				    (size_t)g);
			}
			free(got.digests);
		}
}

Test(groups, of_a_large_sparse_disk_come_in_full_batches)
{
	uint64_t size = 3 * (uint64_t)GROUPS_BATCH * 65536 + 65536, one = 9;
	struct seen s = { .digests = calloc(groups_of(size), 8) };
	struct groups G = { .secret = &secret, .take = take, .context = &s };

	cr_assert_eq(groups_start(&G, size), 0);
	cr_assert_eq(groups_add(&G, (GROUPS_BATCH + 5) * (uint64_t)LEAF_GROUP + 1, 1, &one), 0);
	cr_assert_eq(groups_end(&G), 0);
	cr_expect_eq(s.batches, 4);
	cr_expect_eq(s.n, groups_of(size));
	for (uint64_t g = 0; g < s.n; g++)
		cr_expect((s.digests[g] != 0) == (g == GROUPS_BATCH + 5), "group %zu", (size_t)g);
	groups_free(&G);
	free(s.digests);
}

Test(groups, stop_when_their_taker_says_so)
{
	uint64_t size = 2 * (uint64_t)GROUPS_BATCH * 65536;
	struct seen s = { .digests = calloc(groups_of(size), 8), .stop_at = 1 };
	struct groups G = { .secret = &secret, .take = take, .context = &s };

	cr_assert_eq(groups_start(&G, size), 0);
	cr_expect_eq(groups_end(&G), 1);
	cr_expect_eq(s.batches, 1);
	groups_free(&G);
	free(s.digests);
}
