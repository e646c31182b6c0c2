/* Disk size (8 bytes), number of extents (4), then the plain payload of a segment. */
#include <string.h>

#include "bounds.h"
#include "check.h"
#include "extent.h"
#include "wire.h"

/* All that a valid table promises; and it packs to the same bytes again. */
static void
check_table(const struct extent *e, uint32_t n, const uint8_t *plain, size_t size, uint64_t disk_size)
{
	uint8_t again[EXTENT_SIZE];
	uint64_t end = 0, data = 0;

	for (uint32_t i = 0; i < n; i++) {
		CHECK(e[i].offset >= end && e[i].length > 0);
		CHECK(e[i].length <= disk_size && e[i].offset <= disk_size - e[i].length);
		end = e[i].offset + e[i].length;
		CHECK(e[i].offset % LIMIT_BLOCK == 0 && (end % LIMIT_BLOCK == 0 || end == disk_size));
		CHECK(e[i].kind >= EXTENT_DATA && e[i].kind <= EXTENT_DISCARD);
		data += e[i].kind == EXTENT_DATA ? e[i].length : 0;
		extent_pack(again, &e[i]);
		CHECK(memcmp(again, plain + (size_t)i * EXTENT_SIZE, EXTENT_SIZE) == 0);
	}
	CHECK(n > 0 && n <= LIMIT_EXTENTS && data + (uint64_t)n * EXTENT_SIZE == size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct extent *out;
	uint64_t disk_size;
	uint32_t n;

	if (size < 12)
		return (0);
	disk_size = wire_get64(data);
	n = wire_get32(data + 8);
	CHECK((out = malloc((n > LIMIT_EXTENTS ? 0 : n) * sizeof *out + 1)) != NULL);
	if (extent_table(out, n, data + 12, size - 12, disk_size) == NULL)
		check_table(out, n, data + 12, size - 12, disk_size);
	free(out);
	return (0);
}
