#include "chain.h"

#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "wire.h"

void
chain_init(struct chain *C)
{
	memset(C, 0, sizeof *C);
	crypto_generichash_init(&C->index, NULL, 0, RECORD_DIGEST);
	crypto_generichash_init(&C->manifest, NULL, 0, RECORD_DIGEST);
}

void
chain_resume(struct chain *C, const uint8_t bundle[RECORD_ID], const struct chain_volume *v)
{
	chain_init(C);
	C->is_turned = 1;
	C->is_placed = v->after > v->before;
	C->segments = v->after;
	C->place = v->last;
	memcpy(C->bundle, bundle, RECORD_ID);
	C->volume.number = v->number + 1;
	C->volume.before = v->after;
	memcpy(C->volume.header, v->header, RECORD_DIGEST);
	memcpy(C->volume.follows, v->end, RECORD_DIGEST);
}

void
chain_turn(struct chain *C)
{
	struct chain_volume v = C->volume;
	uint8_t bundle[RECORD_ID];

	memcpy(bundle, C->bundle, RECORD_ID);
	chain_resume(C, bundle, &v);
}

uint64_t
chain_size_with(const struct chain *C, const struct record *R)
{
	uint64_t entries = (C->segments - C->volume.before + 1) * CHAIN_ENTRY;

	return (C->position + frame_size(R->stored) + frame_size(entries) +
	        frame_size(C->manifest_size + 2 * CHAIN_LINE) + frame_size(LIMIT_JSON) + FRAME_TRAILER);
}

const char *
chain_follows(const struct chain_volume *a, const struct chain_volume *b)
{
	if (memcmp(a->header, b->header, RECORD_DIGEST) != 0)
		return ("the volumes are of different bundles");
	if (a->is_last || b->number != a->number + 1)
		return ("the volumes are not neighbours");
	if (memcmp(b->follows, a->end, RECORD_DIGEST) != 0 || b->before != a->after)
		return ("a volume does not follow the one before it");
	if (a->after > a->before && b->after > b->before &&
	    (b->first.part < a->last.part ||
	        (b->first.part == a->last.part &&
	            (b->first.disk < a->last.disk ||
	                (b->first.disk == a->last.disk && b->first.offset < a->last.offset)))))
		return ("the segments of two volumes overlap");
	return (NULL);
}

void
chain_link(const struct chain *C, struct record *R)
{
	int is_turn = R->type == RECORD_VOLUME && C->is_turned;

	if (R->type == RECORD_HEADER)
		return;
	memcpy(R->bundle, C->bundle, RECORD_ID);
	memcpy(R->link, is_turn ? C->volume.follows : C->hash, RECORD_DIGEST);
	R->number = 0;
	if (R->type == RECORD_SEGMENT)
		R->number = C->segments + 1;
	else if (R->type == RECORD_BLOB)
		R->number = C->blobs + 1;
	else if (R->type == RECORD_VOLUME)
		R->number = C->is_turned ? C->volume.number : 1;
	else if (R->type == RECORD_VOLUME_END)
		R->number = C->volume.number;
	if (R->type == RECORD_VOLUME || R->type == RECORD_VOLUME_END)
		R->offset = C->segments;
}

void
chain_expect(const struct chain *C, struct record *R)
{
	crypto_generichash_state h = R->type == RECORD_INDEX ? C->index : C->manifest;

	R->stored =
	    R->type == RECORD_INDEX ? (C->segments - C->volume.before) * CHAIN_ENTRY : C->manifest_size;
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

uint64_t
chain_entry_read(struct record *R, const uint8_t in[CHAIN_ENTRY])
{
	R->disk = wire_get32(in + 8);
	R->extents = wire_get32(in + 12);
	R->offset = wire_get64(in + 16);
	R->span = wire_get64(in + 24);
	return (wire_get64(in));
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
	const struct chain_place *p = &C->place;

	if (R->number != C->segments + 1)
		return ("a segment is missing or out of order");
	if (C->is_placed &&
	    (R->part < p->part ||
	        (R->part == p->part && (R->disk < p->disk || (R->disk == p->disk && R->offset < p->offset)))))
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

/* The record behind the header.  A later volume that is read by itself names a record that is not at hand. */
static const char *
check_volume(const struct chain *C, const struct record *R)
{
	static const char not_first[] = "a volume does not follow the one before it";

	if (C->is_turned)
		return (R->number == C->volume.number && R->offset == C->segments &&
		                memcmp(R->link, C->volume.follows, RECORD_DIGEST) == 0
		            ? NULL
		            : not_first);
	if (R->number == 1 && (R->offset != 0 || memcmp(R->link, C->hash, RECORD_DIGEST) != 0))
		return ("a record does not follow the one before it");
	return (NULL);
}

static const char *
check_blob(const struct chain *C, const struct record *R)
{
	if (C->volume.number != 1)
		return ("a blob stands in a later volume");
	return (R->number == C->blobs + 1 ? NULL : "a blob is missing or out of order");
}

/* A volume without segments would hide where those before it ended. */
static const char *
check_volume_end(const struct chain *C, const struct record *R)
{
	if (R->number != C->volume.number || R->offset != C->segments)
		return ("the end of a volume is not that of these segments");
	return (C->segments > C->volume.before ? NULL : "a volume that is not the last has no segments");
}

/* May a record of that type stand after the one before? */
static int
is_in_order(const struct chain *C, enum record_type type)
{
	switch (type) {
	case RECORD_HEADER:
		return (C->last == 0);
	case RECORD_VOLUME:
		return (C->last == RECORD_HEADER);
	case RECORD_BLOB:
		return (C->last == RECORD_VOLUME || C->last == RECORD_BLOB);
	case RECORD_SEGMENT:
	case RECORD_INDEX:
		return (C->last == RECORD_VOLUME || C->last == RECORD_BLOB || C->last == RECORD_SEGMENT);
	case RECORD_MANIFEST:
		return (C->last == RECORD_INDEX);
	case RECORD_END:
	case RECORD_VOLUME_END:
		return (C->last == RECORD_MANIFEST);
	}
	return (0);
}

static const char *
check(const struct chain *C, const struct record *R, const uint8_t hash[RECORD_DIGEST])
{
	if (!is_in_order(C, R->type))
		return ("a record is missing or stands in the wrong place");
	if (R->type == RECORD_HEADER)
		return (C->is_turned && memcmp(hash, C->volume.header, RECORD_DIGEST) != 0
		            ? "a volume has another header than the one before it"
		            : NULL);
	if (memcmp(R->bundle, C->bundle, RECORD_ID) != 0)
		return ("a record of another bundle");
	if (R->type == RECORD_VOLUME)
		return (check_volume(C, R));
	if (memcmp(R->link, C->hash, RECORD_DIGEST) != 0)
		return ("a record does not follow the one before it");
	switch (R->type) {
	case RECORD_SEGMENT:
		return (check_segment(C, R));
	case RECORD_BLOB:
		return (check_blob(C, R));
	case RECORD_INDEX:
	case RECORD_MANIFEST:
		return (check_table(C, R));
	case RECORD_VOLUME_END:
		return (check_volume_end(C, R));
	default:
		return (NULL);
	}
}

static void
take_segment(struct chain *C, const struct record *R)
{
	uint8_t entry[CHAIN_ENTRY];

	chain_entry(entry, R, C->position);
	crypto_generichash_update(&C->index, entry, sizeof entry);
	if (C->segments == C->volume.before)
		C->volume.first = (struct chain_place){ R->part, R->disk, R->offset };
	C->segments++;
	C->place = (struct chain_place){ R->part, R->disk, R->offset + R->span };
	C->volume.last = C->place;
	C->is_placed = 1;
}

static void
take_volume(struct chain *C, const struct record *R)
{
	C->volume.number = (uint32_t)R->number;
	C->segments = C->volume.before = R->offset;
	memcpy(C->volume.follows, R->link, RECORD_DIGEST);
}

const char *
chain_next(struct chain *C, const struct record *R, const uint8_t rec[RECORD_SIZE])
{
	uint8_t hash[RECORD_DIGEST];
	const char *why;
	char line[CHAIN_LINE];
	size_t n;

	record_hash(hash, rec);
	if ((why = check(C, R, hash)) != NULL)
		return (why);
	if (R->type == RECORD_HEADER) {
		memcpy(C->bundle, R->bundle, RECORD_ID);
		memcpy(C->volume.header, hash, RECORD_DIGEST);
	}
	if (R->type == RECORD_VOLUME)
		take_volume(C, R);
	if (R->type == RECORD_SEGMENT)
		take_segment(C, R);
	if (R->type == RECORD_BLOB)
		C->blobs++;
	if (R->stored > 0 && R->type != RECORD_MANIFEST && R->type != RECORD_END) {
		n = chain_line(line, R);
		crypto_generichash_update(&C->manifest, (const uint8_t *)line, n);
		C->manifest_size += n;
	}
	C->position += frame_size(R->stored);
	C->last = (int)R->type;
	memcpy(C->hash, hash, RECORD_DIGEST);
	if (R->type == RECORD_END || R->type == RECORD_VOLUME_END) {
		C->volume.is_last = R->type == RECORD_END;
		C->volume.after = C->segments;
		memcpy(C->volume.end, hash, RECORD_DIGEST);
	}
	return (NULL);
}
