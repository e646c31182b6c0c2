#include "extent.h"

#include "bounds.h"
#include "wire.h"

void
extent_pack(uint8_t out[EXTENT_SIZE], const struct extent *e)
{
	wire_put64(out, e->offset);
	wire_put64(out + 8, e->length);
	wire_put32(out + 16, e->kind);
	wire_put32(out + 20, 0);
}

/* Unpack one extent that must start at or after from. */
static const char *
unpack(struct extent *e, const uint8_t *p, uint64_t from, uint64_t disk_size)
{
	uint32_t kind = wire_get32(p + 16);

	e->offset = wire_get64(p);
	e->length = wire_get64(p + 8);
	if (kind < EXTENT_DATA || kind > EXTENT_DISCARD || wire_get32(p + 20) != 0)
		return ("an extent of an unknown kind");
	e->kind = (enum extent_kind)kind;
	if (e->offset > disk_size || e->length > disk_size - e->offset || e->length == 0)
		return ("an extent is empty or lies beyond the end of its disk");
	if (e->offset < from)
		return ("extents overlap or are out of order");
	if (e->offset % LIMIT_BLOCK != 0 ||
	    (e->length % LIMIT_BLOCK != 0 && e->offset + e->length != disk_size))
		return ("an extent is not made of whole blocks");
	if (e->kind == EXTENT_DATA && e->length > LIMIT_DATA)
		return ("an extent has more data than a segment may hold");
	return (NULL);
}

const char *
extent_table(struct extent *out, uint32_t n, const uint8_t *plain, size_t size, uint64_t disk_size)
{
	uint64_t from = 0, data = 0;

	if (n == 0 || n > LIMIT_EXTENTS || size < (size_t)n * EXTENT_SIZE)
		return ("the extent table does not fit its segment");
	for (uint32_t i = 0; i < n; i++) {
		const char *why = unpack(&out[i], plain + (size_t)i * EXTENT_SIZE, from, disk_size);

		if (why != NULL)
			return (why);
		from = out[i].offset + out[i].length;
		if (out[i].kind == EXTENT_DATA)
			data += out[i].length;
	}
	if (data != size - (size_t)n * EXTENT_SIZE)
		return ("the extents do not account for the segment's data");
	return (NULL);
}
