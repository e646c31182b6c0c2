/*
 * The runs of a change log; the sum that closes it is made right here.  What it does to leaves lies within the
 * ranges that it gives, both readers agree on whether it is one, and applied twice it does what it does once.
 */
#include <string.h>
#include <xxhash.h>

#include "check.h"
#include "disk/changelog.h"
#include "input.h"
#include "wire.h"

#define BLOCKS (UINT64_C(1) << 36)

/* Every leaf that is not 0 is in A.  Return the sum of all. */
static uint64_t
check_leaves(const struct leaves *L, const struct ranges *A)
{
	uint64_t start = 0, count, leaf[512], sum = 0;

	while (leaves_next(L, &start, BLOCKS, &count) == 0) {
		size_t n = count < 512 ? (size_t)count : 512;

		CHECK(leaves_read(L, start, n, leaf) == 0);
		for (size_t i = 0; i < n; i++) {
			size_t at = leaf[i] == 0 ? 0 : ranges_find(A, start + i);

			CHECK(leaf[i] == 0 || (at < A->n && A->runs[at].start <= start + i));
			sum += leaf[i] * (start + i + 1);
		}
		start += n;
	}
	return (sum);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct input log = { .fd = -1 }, file;
	struct ranges A = RANGES_EMPTY;
	struct leaves *L;
	uint8_t close[8];
	uint64_t sum;
	int rc;

	if (log.fd < 0) {
		log = input_new();
		file = input_new();
	}
	wire_put64(close, XXH3_64bits(data, size));
	input_set(&log, data, size);
	input_add(&log, close, sizeof close);
	input_set(&file, "", 0);
	CHECK((L = leaves_open(file.path, 0)) != NULL);
	rc = changelog_ranges(log.path, &A);
	CHECK(changelog_apply(log.path, L) == rc);
	ranges_sort(&A);
	if (rc == 0) {
		sum = check_leaves(L, &A);
		CHECK(changelog_apply(log.path, L) == 0 && check_leaves(L, &A) == sum);
	}
	leaves_free(L);
	ranges_free(&A);
	return (0);
}
