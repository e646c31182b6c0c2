/*
 * How many disks (1 byte), then a list of changes.  The sets that it gives lie on their disks, and written as a
 * list they give the same sets again.
 */
#include <inttypes.h>
#include <string.h>

#include "bounds.h"
#include "check.h"
#include "disk/changelist.h"
#include "input.h"

#define DISKS 3u

static const char *const ids[DISKS] = { "vda", "vdb", "7" };
static const uint64_t sizes[DISKS] = { UINT64_C(1) << 40, 10 * LIMIT_BLOCK + 512, LIMIT_DISK_SIZE };

static void
check_again(const struct input *I, const struct ranges *sets, unsigned n)
{
	struct ranges again[DISKS] = { RANGES_EMPTY, RANGES_EMPTY, RANGES_EMPTY };
	char line[128];

	input_set(I, "# again\n", 8);
	for (unsigned d = 0; d < n; d++)
		for (size_t i = 0; i < sets[d].n; i++)
			input_add(I, line,
			    (size_t)snprintf(line, sizeof line, "%s 0x%" PRIx64 "\t%" PRIu64 "\n", ids[d],
			        sets[d].runs[i].start * LIMIT_BLOCK, sets[d].runs[i].count * LIMIT_BLOCK));
	CHECK(changelist_read(I->path, ids, sizes, n, again) == 0);
	for (unsigned d = 0; d < n; d++) {
		CHECK(again[d].n == sets[d].n);
		for (size_t i = 0; i < sets[d].n; i++)
			CHECK(again[d].runs[i].start == sets[d].runs[i].start &&
			      again[d].runs[i].count == sets[d].runs[i].count);
		ranges_free(&again[d]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct input I = { .fd = -1 };
	struct ranges sets[DISKS] = { RANGES_EMPTY, RANGES_EMPTY, RANGES_EMPTY };
	unsigned n = size == 0 ? 1 : 1 + data[0] % DISKS;
	int rc;

	if (I.fd < 0)
		I = input_new();
	input_set(&I, data + (size != 0), size - (size != 0));
	rc = changelist_read(I.path, ids, sizes, n, sets);
	CHECK(rc == 0 || rc == 1);
	for (unsigned d = 0; d < n; d++)
		for (size_t i = 0; i < sets[d].n; i++) {
			const struct range *r = &sets[d].runs[i];

			CHECK(r->count > 0 && (i == 0 || r->start > r[-1].start + r[-1].count));
			CHECK((r->start + r->count - 1) * LIMIT_BLOCK < sizes[d]);
		}
	if (rc == 0)
		check_again(&I, sets, n);
	for (unsigned d = 0; d < n; d++)
		ranges_free(&sets[d]);
	return (0);
}
