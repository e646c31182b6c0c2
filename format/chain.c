#include "chain.h"

#include <stdio.h>
#include <string.h>

#include "wire.h"

void
chain_init(struct chain *C)
{
	memset(C, 0, sizeof *C);
	crypto_generichash_init(&C->index, NULL, 0, RECORD_DIGEST);
	crypto_generichash_init(&C->manifest, NULL, 0, RECORD_DIGEST);
}

void
chain_link(const struct chain *C, struct record *R)
{
	if (R->type == RECORD_HEADER)
		return;
	memcpy(R->bundle, C->bundle, RECORD_ID);
	memcpy(R->link, C->hash, RECORD_DIGEST);
	R->number = R->type == RECORD_SEGMENT ? C->segments + 1 : R->type == RECORD_VOLUME ? 1 : 0;
}

void
chain_expect(const struct chain *C, struct record *R)
{
	crypto_generichash_state h = R->type == RECORD_INDEX ? C->index : C->manifest;

	R->stored = R->type == RECORD_INDEX ? C->segments * CHAIN_ENTRY : C->manifest_size;
	R->plain = R->stored;
	crypto_generichash_final(&h, R->digest, RECORD_DIGEST);
}

void
chain_entry(uint8_t out[CHAIN_ENTRY], const struct record *R, uint64_t position)
{
	wire_put64(out, position);
	wire_put32(out + 8, R->disk);
	wire_put32(out + 12, R->extents);
	wire_put64(out + 16, R->offset);
	wire_put64(out + 24, R->span);
}

size_t
chain_line(char out[CHAIN_LINE], const struct record *R)
{
	char name[FRAME_NAME], hex[2 * RECORD_DIGEST + 1];

	frame_name(name, R);
	sodium_bin2hex(hex, sizeof hex, R->digest, RECORD_DIGEST);
	return ((size_t)snprintf(out, CHAIN_LINE, "BLAKE2b-256 (%s) = %s\n", name, hex));
}

static const char *
check_segment(const struct chain *C, const struct record *R)
{
	if (R->number != C->segments + 1)
		return ("a segment is missing or out of order");
	if (C->segments != 0 && (R->disk < C->disk || (R->disk == C->disk && R->offset < C->end)))
		return ("segments overlap or are out of order");
	return (NULL);
}

static const char *
check_table(const struct chain *C, const struct record *R)
{
	struct record want = { .type = R->type };

	chain_expect(C, &want);
	if (R->stored != want.stored || memcmp(R->digest, want.digest, RECORD_DIGEST) != 0)
		return (R->type == RECORD_INDEX ? "the index is not that of these segments"
		                                : "the manifest is not that of these segments");
	return (NULL);
}

/* May R stand after the record before? */
static const char *
check(const struct chain *C, const struct record *R)
{
	static const char order[] = "a record is missing or stands in the wrong place";

	if (R->type == RECORD_HEADER)
		return (C->last == 0 ? NULL : order);
	if (C->last == 0)
		return (order);
	if (memcmp(R->bundle, C->bundle, RECORD_ID) != 0)
		return ("a record of another bundle");
	if (memcmp(R->link, C->hash, RECORD_DIGEST) != 0)
		return ("a record does not follow the one before it");
	switch (R->type) {
	case RECORD_VOLUME:
		if (C->last != RECORD_HEADER)
			return (order);
		return (R->number == 1 ? NULL : "this is not the first volume of its bundle");
	case RECORD_SEGMENT:
		if (C->last != RECORD_VOLUME && C->last != RECORD_SEGMENT)
			return (order);
		return (check_segment(C, R));
	case RECORD_INDEX:
		if (C->last != RECORD_VOLUME && C->last != RECORD_SEGMENT)
			return (order);
		return (check_table(C, R));
	case RECORD_MANIFEST:
		return (C->last == RECORD_INDEX ? check_table(C, R) : order);
	case RECORD_END:
		return (C->last == RECORD_MANIFEST ? NULL : order);
	default:
		return (order);
	}
}

const char *
chain_next(struct chain *C, const struct record *R, const uint8_t rec[RECORD_SIZE])
{
	const char *why = check(C, R);
	uint8_t entry[CHAIN_ENTRY];
	char line[CHAIN_LINE];
	size_t n;

	if (why != NULL)
		return (why);
	if (R->type == RECORD_HEADER)
		memcpy(C->bundle, R->bundle, RECORD_ID);
	if (R->type == RECORD_SEGMENT) {
		chain_entry(entry, R, C->position);
		crypto_generichash_update(&C->index, entry, sizeof entry);
		C->segments++;
		C->disk = R->disk;
		C->end = R->offset + R->span;
	}
	if (R->stored > 0 && R->type <= RECORD_INDEX) {
		n = chain_line(line, R);
		crypto_generichash_update(&C->manifest, (const uint8_t *)line, n);
		C->manifest_size += n;
	}
	C->position += frame_size(R->stored);
	C->last = (int)R->type;
	record_hash(C->hash, rec);
	return (NULL);
}
