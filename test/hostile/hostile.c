/*
 * hostile HQ OTHER DR OUT [RECEIPT]: hostile bundles, each wrong in exactly one way and else as good as they get.
 *
 * HQ, OTHER and DR are homes of sites: the primary, another primary that DR accepts, and the replica's site.  Into
 * the folder OUT go seeds and a delta of a VM of HQ's, of which nothing else exists: good ones, and spoiled ones
 * named STAGE-NAME.vmf, or of several volumes STAGE-NAME.1.vmf and so on.  With RECEIPT, a good one that DR made, spoiled receipts are made after it.  What each
 * must be refused with stands in fixtures/hostile/expected.txt.
 */
#include "craft.h"

#include <fcntl.h>
#include <limits.h>

#include "base/io.h"
#include "base/say.h"
#include "bundle/reader.h"
#include "site/site.h"

/* Where a recipe is used, and on which bundle. */
#define SEED 1u
#define DELTA 2u
#define BOTH (SEED | DELTA)
#define RECEIPT 4u
#define ENCRYPTED 8u
#define SMALL 16u          /* one disk of one sector: as few bytes as there can be */
#define VOLUMES 32u        /* three of them, one segment in each */
#define COMBINED 64u       /* of two parts */
#define ONLY(n) ((n) << 8) /* of the volumes, this one alone */

struct recipe {
	const char *name;
	unsigned in;
	spoil *spoil;
	unsigned type,
	    number;         /* of the record it is about; of a segment or blob, its own; else of its volume */
	unsigned at, width; /* bytes to replace */
	uint64_t value;     /* by this number, or by text where there is one */
	const char *text, *path; /* JSON: the text goes to the path */
	const char *text2, *path2;
};

static int
is_about(const struct bundle *b, const struct wire *w)
{
	const struct recipe *r = b->recipe;

	if (w == NULL || w->r.type != r->type)
		return (0);
	if (r->type == RECORD_SEGMENT || r->type == RECORD_BLOB)
		return (w->r.number == r->number);
	return ((r->in & VOLUMES) == 0 || r->number == 0 || w->volume == r->number);
}

/* Replace the recipe's bytes at p. */
static void
replace(const struct bundle *b, uint8_t *p)
{
	const struct recipe *r = b->recipe;

	for (unsigned i = 0; i < r->width; i++)
		p[r->at + i] = r->text != NULL ? (uint8_t)r->text[i] : (uint8_t)(r->value >> (8 * i));
}

/* --- records and signatures --------------------------------------------------------------------------- */

static void
record(struct bundle *b, enum when when, struct wire *w)
{
	if (when == RAW && is_about(b, w))
		replace(b, w->rec);
}

/* Another type, and signed as one. */
static void
retype(struct bundle *b, enum when when, struct wire *w)
{
	if (when != RAW || !is_about(b, w))
		return;
	wire_put32(w->rec + 8, (uint32_t)b->recipe->value);
	w->context = (uint32_t)b->recipe->value;
}

static void
unsigned_record(struct bundle *b, enum when when, struct wire *w)
{
	if (when == SIGNED && is_about(b, w))
		replace(b, w->rec);
}

static void
sign_by_stranger(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PLAN)
		b->secret = b->stranger;
	(void)w;
}

static void
sign_by_other(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PLAN)
		b->secret = b->other;
	(void)w;
}

/* The header is the right site's; what follows is another's. */
static void
sign_rest_by_other(struct bundle *b, enum when when, struct wire *w)
{
	if (when == FIELDS && w->r.type != RECORD_HEADER)
		w->secret = b->other;
}

static void
sign_one_by_other(struct bundle *b, enum when when, struct wire *w)
{
	if (when == FIELDS && is_about(b, w))
		w->secret = b->other;
}

/* Claims to be the right site's. */
static void
sign_forged(struct bundle *b, enum when when, struct wire *w)
{
	if (when == FIELDS)
		w->secret = b->stranger;
}

static void
sign_as(struct bundle *b, enum when when, struct wire *w)
{
	if (when == RAW && is_about(b, w))
		w->context = (uint32_t)b->recipe->value;
}

/* S + L verifies where S is not held against the group's order: two signatures of one message. */
static void
malleate(struct bundle *b, enum when when, struct wire *w)
{
	static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
		0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };

	if (when == SIGNED && is_about(b, w))
		sodium_add(w->rec + 224, order, sizeof order);
}

/* --- the frame ---------------------------------------------------------------------------------------- */

static void
fix_checksum(uint8_t *h)
{
	unsigned sum = 0;

	memset(h + 148, ' ', 8);
	for (unsigned i = 0; i < FRAME_TAR; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
	h[155] = ' ';
}

static void
tar_of_record(struct bundle *b, enum when when, struct wire *w)
{
	if (when != FRAMED || !is_about(b, w))
		return;
	replace(b, w->head);
	if (b->recipe->at < 148 || b->recipe->at >= 156)
		fix_checksum(w->head);
}

static void
tar_of_payload(struct bundle *b, enum when when, struct wire *w)
{
	if (when != FRAMED || !is_about(b, w))
		return;
	replace(b, w->tar);
	if (b->recipe->at < 148 || b->recipe->at >= 156)
		fix_checksum(w->tar);
}

static void
padding(struct bundle *b, enum when when, struct wire *w)
{
	if (when == FRAMED && is_about(b, w))
		w->pad[frame_padding(w->n) - 1] = 1;
}

/* The archive as a whole: take bytes out, or put some in. */
static void
cut(struct bundle *b, size_t from, size_t to)
{
	memmove(b->out + from, b->out + to, b->n - to);
	b->n -= to - from;
}

static void
insert(struct bundle *b, size_t at, const void *p, size_t n)
{
	must(b->n + n <= CRAFT_ROOM, "a bundle grew too large");
	memmove(b->out + at + n, b->out + at, b->n - at);
	memcpy(b->out + at, p, n);
	b->n += n;
}

static void
leave_out(struct bundle *b, enum when when, struct wire *w)
{
	if (when == WHOLE)
		cut(b, b->at[b->recipe->number], b->at[b->recipe->number + 1]);
	(void)w;
}

static void
repeat(struct bundle *b, enum when when, struct wire *w)
{
	size_t at = b->at[b->recipe->number], n = b->at[b->recipe->number + 1] - at;
	uint8_t *copy;

	(void)w;
	if (when != WHOLE)
		return;
	must((copy = malloc(n)) != NULL, "no memory");
	memcpy(copy, b->out + at, n);
	insert(b, at + n, copy, n);
	free(copy);
}

static void
swap(struct bundle *b, enum when when, struct wire *w)
{
	size_t at = b->at[b->recipe->number], n = b->at[b->recipe->number + 1] - at;
	size_t next = b->at[b->recipe->number + 2] - at - n;
	uint8_t *copy;

	(void)w;
	if (when != WHOLE)
		return;
	must((copy = malloc(n)) != NULL, "no memory");
	memcpy(copy, b->out + at, n);
	memmove(b->out + at, b->out + at + n, next);
	memcpy(b->out + at + next, copy, n);
	free(copy);
}

/* Records of the archive by their place, for the recipes that work on the whole. */
enum { AT_HEADER, AT_VOLUME, AT_FIRST, AT_SECOND, AT_THIRD, AT_INDEX, AT_MANIFEST, AT_END, AT_TRAILER };

/* A member that tar would read and that no record speaks of. */
static void
extra_member(struct bundle *b, enum when when, struct wire *w)
{
	struct record r = { .type = RECORD_VOLUME };
	uint8_t tar[FRAME_TAR];

	(void)w;
	if (when != WHOLE)
		return;
	frame_payload(tar, &r);
	memset(tar, 0, 100);
	strcpy((char *)tar, b->recipe->text);
	tar[156] = (uint8_t)b->recipe->value;
	fix_checksum(tar);
	insert(b, b->at[b->recipe->number == AT_TRAILER ? b->nrecords : b->recipe->number], tar, sizeof tar);
}

static void
append_bytes(struct bundle *b, enum when when, struct wire *w)
{
	if (when == WHOLE)
		append(b, "\0", b->recipe->width);
	(void)w;
}

static void
append_itself(struct bundle *b, enum when when, struct wire *w)
{
	if (when == WHOLE)
		append(b, b->out, b->n);
	(void)w;
}

static void
shorten(struct bundle *b, enum when when, struct wire *w)
{
	if (when == WHOLE)
		b->n -= b->recipe->width;
	(void)w;
}

static void
spoil_trailer(struct bundle *b, enum when when, struct wire *w)
{
	if (when == WHOLE)
		b->out[b->n - 1] = 1;
	(void)w;
}

static void
empty(struct bundle *b, enum when when, struct wire *w)
{
	if (when == WHOLE)
		b->n = 0;
	(void)w;
}

/* As a mail gateway or a careful person might hand it on. */
static void
compress_whole(struct bundle *b, enum when when, struct wire *w)
{
	struct wire all = { .payload = b->out, .n = b->n };

	(void)w;
	if (when != WHOLE)
		return;
	compress(&all);
	b->n = all.n;
	memset(b->out + b->n, 0, FRAME_HEAD);
}

/* --- header.json and end.json ------------------------------------------------------------------------- */

/* One step down a path, which names members of objects and entries of arrays. */
static json_t *
step(const json_t *o, const char *key)
{
	return (json_is_array(o) ? json_array_get(o, strtoul(key, NULL, 10)) : json_object_get(o, key));
}

static json_t *
get_path(json_t *o, const char *path)
{
	char key[64];
	size_t n;

	while (path[n = strcspn(path, ".")] == '.') {
		snprintf(key, sizeof key, "%.*s", (int)n, path);
		o = step(o, key);
		path += n + 1;
	}
	return (step(o, path));
}

static void
set_path(json_t *o, const char *path, const char *text)
{
	json_t *value = text == NULL ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);
	char key[64];
	size_t n;

	must(text == NULL || value != NULL, "a recipe's text is not JSON");
	while (path[n = strcspn(path, ".")] == '.') {
		snprintf(key, sizeof key, "%.*s", (int)n, path);
		o = step(o, key);
		path += n + 1;
	}
	must(o != NULL, "a recipe's path leads nowhere");
	if (json_is_array(o) && value == NULL)
		json_array_remove(o, strtoul(path, NULL, 10));
	else if (json_is_array(o))
		json_array_append_new(o, value);
	else if (value == NULL)
		json_object_del(o, path);
	else
		json_object_set_new(o, path, value);
}

static void
header(struct bundle *b, enum when when, struct wire *w)
{
	(void)w;
	if (when != PLAN)
		return;
	set_path(b->json, b->recipe->path, b->recipe->text);
	if (b->recipe->path2 != NULL)
		set_path(b->json, b->recipe->path2, b->recipe->text2);
}

static void
end(struct bundle *b, enum when when, struct wire *w)
{
	if (when == ENDING)
		set_path(b->json, b->recipe->path, b->recipe->text);
	(void)w;
}

/* A number of copies of the first entry of an array. */
static void
header_many(struct bundle *b, enum when when, struct wire *w)
{
	json_t *a;

	(void)w;
	if (when != PLAN)
		return;
	a = get_path(b->json, b->recipe->path);
	while (json_array_size(a) < b->recipe->value) {
		json_t *o = json_deep_copy(json_array_get(a, 0));
		char id[32];

		snprintf(id, sizeof id, "x%zu", json_array_size(a));
		if (json_object_get(o, "id") != NULL)
			json_object_set_new(o, "id", json_string(id));
		json_array_append_new(a, o);
	}
}

/* The text itself: the first of path becomes text. */
static void
edit(struct bundle *b, enum when when, struct wire *w)
{
	const struct recipe *r = b->recipe;
	char *p;
	size_t old, new;

	if (when != TEXT || w->r.type != r->type)
		return;
	p = strstr(b->text, r->path);
	must(p != NULL, "a recipe's text is not there");
	old = strlen(r->path);
	new = strlen(r->text);
	memmove(p + new, p + old, strlen(p + old) + 1);
	memcpy(p, r->text, new);
	b->ntext = b->ntext - old + new;
}

static void
nest(struct bundle *b, enum when when, struct wire *w)
{
	if (when != TEXT || w->r.type != b->recipe->type)
		return;
	b->ntext = 60000;
	memset(b->text, '[', b->ntext);
}

static void
lengthen(struct bundle *b, enum when when, struct wire *w)
{
	if (when != TEXT || w->r.type != b->recipe->type)
		return;
	memset(b->text + b->ntext, ' ', LIMIT_JSON + 1 - b->ntext);
	b->ntext = LIMIT_JSON + 1;
}

/* --- segments ----------------------------------------------------------------------------------------- */

/* Bytes of the extent table and what follows. */
static void
table(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PLAIN && is_about(b, w))
		replace(b, w->payload);
}

static void
data_longer(struct bundle *b, enum when when, struct wire *w)
{
	if (when != PLAIN || !is_about(b, w))
		return;
	memset(w->payload + w->n, 7, LIMIT_BLOCK);
	w->n += LIMIT_BLOCK;
}

static void
data_shorter(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PLAIN && is_about(b, w))
		w->n -= LIMIT_BLOCK;
}

static void
without_segment(struct bundle *b, enum when when, struct wire *w)
{
	unsigned i = b->recipe->number - 1;

	(void)w;
	if (when != PLAN)
		return;
	memmove(b->segments + i, b->segments + i + 1, (b->nsegments - i - 1) * sizeof *b->segments);
	b->nsegments--;
}

static void
without_extent(struct bundle *b, enum when when, struct wire *w)
{
	struct segment *s = &b->segments[b->recipe->number - 1];
	unsigned i = b->recipe->at;

	(void)w;
	if (when != PLAN)
		return;
	memmove(s->extents + i, s->extents + i + 1, (s->n - i - 1) * sizeof *s->extents);
	s->n--;
}

/* The second segment starts where the first still is. */
static void
overlap_segments(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PLAN) {
		b->segments[1].extents[0].offset -= LIMIT_BLOCK;
		b->segments[1].extents[0].length += LIMIT_BLOCK;
		b->H.most += LIMIT_BLOCK;
	}
	(void)w;
}

static void
swap_segments(struct bundle *b, enum when when, struct wire *w)
{
	struct segment s = b->segments[0];

	(void)w;
	if (when != PLAN)
		return;
	b->segments[0] = b->segments[2];
	b->segments[2] = s;
}

static void
with_segment(struct bundle *b, enum when when, struct wire *w)
{
	(void)w;
	if (when != PLAN)
		return;
	b->segments[0] = (struct segment){ 0, RECORD_RAW, 1, { { 0, LIMIT_BLOCK, EXTENT_DATA } } };
	b->nsegments = 1;
}

/* What the sender's disks hold, but not what it says they do. */
static void
other_content(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PLAIN && is_about(b, w))
		w->payload[w->n - 1] ^= 1;
}

/* --- compression -------------------------------------------------------------------------------------- */

static void
recompress(struct wire *w, ZSTD_cParameter parameter, int value)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	ZSTD_DCtx *d = ZSTD_createDCtx();
	uint8_t *plain = malloc(CRAFT_ROOM);
	size_t n;

	must(c != NULL && d != NULL && plain != NULL, "no memory");
	n = ZSTD_decompressDCtx(d, plain, CRAFT_ROOM, w->payload, w->n);
	ZSTD_CCtx_setParameter(c, parameter, value);
	w->n = ZSTD_compress2(c, w->payload, CRAFT_ROOM, plain, n);
	must(!ZSTD_isError(n) && !ZSTD_isError(w->n), "zstd");
	ZSTD_freeCCtx(c);
	ZSTD_freeDCtx(d);
	free(plain);
}

/* A frame by hand: content of that size is claimed, and that many 128 KiB blocks of one byte follow. */
static void
bomb(struct wire *w, uint64_t claimed, unsigned blocks)
{
	uint8_t *p = w->payload;

	wire_put32(p, ZSTD_MAGICNUMBER);
	p[4] = 0xe0; /* a single segment, size in 8 bytes */
	wire_put64(p + 5, claimed);
	w->n = 13;
	for (unsigned i = 0; i < blocks; i++, w->n += 4) {
		uint32_t head = (128u << 10) << 3 | 1u << 1 | (i + 1 == blocks);

		p[w->n] = (uint8_t)head;
		p[w->n + 1] = (uint8_t)(head >> 8);
		p[w->n + 2] = (uint8_t)(head >> 16);
		p[w->n + 3] = 0;
	}
}

static void
zstd_bomb_claimed(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PACKED && is_about(b, w))
		bomb(w, UINT64_C(128) << 30, 1u << 13);
}

/* It claims what the record does, and goes on and on. */
static void
zstd_bomb_silent(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PACKED && is_about(b, w))
		bomb(w, w->r.plain, 1u << 13);
}

static void
zstd_two_frames(struct bundle *b, enum when when, struct wire *w)
{
	if (when != PACKED || !is_about(b, w))
		return;
	memcpy(w->payload + w->n, w->payload, w->n);
	w->n *= 2;
}

static void
zstd_skippable(struct bundle *b, enum when when, struct wire *w)
{
	static const uint8_t frame[16] = { 0x50, 0x2a, 0x4d, 0x18, 8 };

	if (when != PACKED || !is_about(b, w))
		return;
	if (b->recipe->value == 0) { /* before */
		memmove(w->payload + sizeof frame, w->payload, w->n);
		memcpy(w->payload, frame, sizeof frame);
	} else {
		memcpy(w->payload + w->n, frame, sizeof frame);
	}
	w->n += sizeof frame;
}

/* Bytes of the frame. */
static void
zstd_bytes(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PACKED && is_about(b, w))
		replace(b, w->payload);
}

static void
zstd_dictionary(struct bundle *b, enum when when, struct wire *w)
{
	if (when != PACKED || !is_about(b, w))
		return;
	memmove(w->payload + 9, w->payload + 5, w->n - 5);
	w->payload[4] |= 3;
	wire_put32(w->payload + 5, 12345);
	w->n += 4;
}

static void
zstd_no_size(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PACKED && is_about(b, w))
		recompress(w, ZSTD_c_contentSizeFlag, 0);
}

static void
zstd_bad_checksum(struct bundle *b, enum when when, struct wire *w)
{
	if (when != PACKED || !is_about(b, w))
		return;
	recompress(w, ZSTD_c_checksumFlag, 1);
	w->payload[w->n - 1] ^= 1;
}

static void
zstd_cut(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PACKED && is_about(b, w))
		w->n -= b->recipe->width;
}

static void
zstd_longer(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PACKED && is_about(b, w))
		w->payload[w->n++] = 0;
}

/* --- encryption --------------------------------------------------------------------------------------- */

static void
other_key(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PLAN)
		b->key[0] ^= 1;
	(void)w;
}

/* The associated data are those of the record it is moved to no more. */
static void
moved_ciphertext(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PACKED && is_about(b, w))
		w->r.offset += LIMIT_BLOCK;
	if (when == SEALED && is_about(b, w))
		w->r.offset -= LIMIT_BLOCK;
}

static void
other_bundles_ciphertext(struct bundle *b, enum when when, struct wire *w)
{
	if ((when == PACKED || when == SEALED) && is_about(b, w))
		b->H.id[0] ^= 1;
}

static void
ciphertext_cut(struct bundle *b, enum when when, struct wire *w)
{
	if (when == SEALED && is_about(b, w))
		w->n = b->recipe->value;
}

static void
nonce_repeated(struct bundle *b, enum when when, struct wire *w)
{
	if (when == FIELDS && is_about(b, w))
		w->r.nonce[0] ^= 1;
}

static void
ciphertext_changed(struct bundle *b, enum when when, struct wire *w)
{
	if (when == SEALED && is_about(b, w))
		w->payload[w->n / 2] ^= 1;
}

/* Said and encrypted: the record's nonce goes too, so that it is a proper one in clear. */
static void
say_clear(struct bundle *b, enum when when, struct wire *w)
{
	if (when != FIELDS || !is_about(b, w))
		return;
	w->r.cipher = RECORD_CLEAR;
	memset(w->r.nonce, 0, RECORD_NONCE);
}

static void
spoil_seal(struct bundle *b, enum when when, struct wire *w)
{
	json_t *t;
	char *seal;

	(void)w;
	if (when != PLAN)
		return;
	t = json_array_get(json_object_get(b->json, "targets"), 0);
	must((seal = strdup(json_string_value(json_object_get(t, "seal")))) != NULL, "no memory");
	seal[100] = seal[100] == '0' ? '1' : '0';
	json_object_set_new(t, "seal", json_string(seal));
	free(seal);
}

/* --- index and manifest: wrong ones, with the digest that they have ----------------------------------- */

static void
table_bytes(struct bundle *b, enum when when, struct wire *w)
{
	if (when != FIELDS || !is_about(b, w))
		return;
	replace(b, w->payload);
	crypto_generichash(w->r.digest, RECORD_DIGEST, w->payload, w->n, NULL, 0);
}

static void
table_size(struct bundle *b, enum when when, struct wire *w)
{
	if (when != FIELDS || !is_about(b, w))
		return;
	w->n = (size_t)((int64_t)w->n + (int64_t)b->recipe->value);
	w->r.plain = w->r.stored = w->n;
	crypto_generichash(w->r.digest, RECORD_DIGEST, w->payload, w->n, NULL, 0);
}

/* The record is right, what follows it is not. */
static void
late_change(struct bundle *b, enum when when, struct wire *w)
{
	if (when == FRAMED && is_about(b, w))
		w->payload[b->recipe->at] ^= 1;
}

/* --- volumes, blobs and parts ------------------------------------------------------------------------- */

/* One more blob, behind those that are there. */
static void
with_blob(struct bundle *b, enum when when, struct wire *w)
{
	(void)w;
	if (when != PLAN)
		return;
	must(b->nblobs < CRAFT_BLOBS, "too many blobs");
	strcpy((char *)b->blobs[b->nblobs].bytes, "what may this be?");
	b->blobs[b->nblobs++].n = 17;
}

/* So many of the blobs that prove where a combined delta leads. */
static void
proof_of(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PLAN)
		b->nblobs = (unsigned)b->recipe->value;
	(void)w;
}

/* A byte of one of them, its number counted from 1, is another. */
static void
proof_changed(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PLAN)
		b->blobs[b->recipe->number - 1].bytes[b->recipe->at] ^= 1;
	(void)w;
}

/* Signed, but not by anyone who may say where the VM's disks are. */
static void
proof_by_other(struct bundle *b, enum when when, struct wire *w)
{
	(void)w;
	if (when != PLAN)
		return;
	crypto_sign_ed25519_sk_to_pk(b->blobs[0].bytes + 136, b->other);
	sign(b->blobs[0].bytes, RECORD_HEADER, b->other);
	sign(b->blobs[2].bytes, RECORD_END, b->other);
}

static void
blobs_in_second_volume(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PLAN)
		b->blobs_in = 2;
	(void)w;
}

/* A volume that says it is another, and stands in its place. */
static void
renumber(struct bundle *b, enum when when, struct wire *w)
{
	int is_volume = w != NULL && (w->r.type == RECORD_VOLUME || w->r.type == RECORD_VOLUME_END);

	if (when == FIELDS && is_volume && w->volume > 1)
		w->r.number = 5 - w->volume;
	if (when == ENDING)
		json_object_set_new(b->json, "volumes", json_integer(2));
}

/* The segments of the second volume and those behind it are said to come after one more. */
static void
volumes_apart(struct bundle *b, enum when when, struct wire *w)
{
	if (when == FIELDS && w->volume > 1) {
		if (w->r.type == RECORD_VOLUME || w->r.type == RECORD_VOLUME_END)
			w->r.offset++;
		if (w->r.type == RECORD_SEGMENT)
			w->r.number++;
	}
	if (when == ENDING)
		json_object_set_new(b->json, "segments", json_integer(b->segments_before + 1));
}

/* The second volume's segment starts where the first one's still is. */
static void
volumes_overlap(struct bundle *b, enum when when, struct wire *w)
{
	const struct extent *last = &b->segments[0].extents[b->segments[0].n - 1];
	struct extent *next = &b->segments[1].extents[0];
	uint64_t back = next->offset - (last->offset + last->length) + LIMIT_BLOCK;

	(void)w;
	if (when != PLAN)
		return;
	next->offset -= back;
	next->length += back;
	json_object_set_new(b->json, "most", json_integer(1 << 20));
}

/* From the second volume on, another header of the same bundle. */
static void
volume_with_other_header(struct bundle *b, enum when when, struct wire *w)
{
	char *p;

	if (when != FIELDS || w->r.type != RECORD_HEADER || w->volume == 1)
		return;
	if ((p = strstr(b->first, "\"keep\": 3")) != NULL)
		p[8] = '4';
	crypto_generichash(w->r.digest, RECORD_DIGEST, w->payload, w->n, NULL, 0);
}

/* The second volume, of another bundle altogether. */
static void
volume_of_other_bundle(struct bundle *b, enum when when, struct wire *w)
{
	if (when == FIELDS && w->volume == 2)
		memset(w->r.bundle, 0x5a, RECORD_ID);
	(void)b;
}

static void
volume_without_segments(struct bundle *b, enum when when, struct wire *w)
{
	(void)w;
	if (when != PLAN)
		return;
	b->in_volume[0] = 1;
	b->in_volume[2] = b->nsegments - 1;
}

/* It ends in the second volume, and goes on. */
static void
two_ends(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PLAN)
		b->ends |= 1u << 2;
	(void)w;
}

static void
end_of_volume_twice(struct bundle *b, enum when when, struct wire *w)
{
	if (when == PLAN)
		b->twice = RECORD_VOLUME_END;
	(void)w;
}

/* The parts in another order than they are told in. */
static void
parts_descend(struct bundle *b, enum when when, struct wire *w)
{
	(void)w;
	if (when != PLAN)
		return;
	for (unsigned i = 0; i < b->nsegments; i++)
		b->part[i] = 1 - b->part[i];
}

#include "recipes.h"

/* --- the good ones ------------------------------------------------------------------------------------ */

struct world {
	struct site *hq, *other, *dr;
	uint8_t stranger[RECORD_SECRET];
	uint8_t lineage[RECORD_ID], leaf_seed[LEAF_SEED];
	char uuid[HEADER_UUID];
	struct image before[CRAFT_DISKS], after[CRAFT_DISKS];
	struct header receipt;
	const char *out;
};

static const struct segment seed[] = {
	{ 0, RECORD_ZSTD, 3,
	    { { 0, 16384, EXTENT_DATA }, { 16384, 8192, EXTENT_ZERO }, { 24576, 8192, EXTENT_DATA } } },
	{ 0, RECORD_RAW, 2, { { 32768, 16384, EXTENT_DATA }, { 49152, 16384, EXTENT_DISCARD } } },
	{ 1, RECORD_ZSTD, 1, { { 0, 8704, EXTENT_DATA } } },
};

static const struct segment delta[] = {
	{ 0, RECORD_ZSTD, 3,
	    { { 0, 8192, EXTENT_DATA }, { 8192, 4096, EXTENT_ZERO }, { 16384, 4096, EXTENT_DATA } } },
	{ 0, RECORD_RAW, 2, { { 36864, 4096, EXTENT_DATA }, { 40960, 4096, EXTENT_DISCARD } } },
	{ 1, RECORD_ZSTD, 1, { { 4096, 4608, EXTENT_DATA } } },
};

/* Fill what the segments carry as data with text, and what they carry as zero with zeroes. */
static void
imagine(struct image *images, const struct segment *s, unsigned n, const char *word)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < s[i].n; k++)
			for (uint64_t j = 0; j < s[i].extents[k].length; j++)
				images[s[i].disk].bytes[s[i].extents[k].offset + j] =
				    s[i].extents[k].kind == EXTENT_DATA
				        ? (uint8_t)word[(i + j + j / 61) % strlen(word)]
				        : 0;
}

static void
make_uuid(char out[HEADER_UUID])
{
	uint8_t r[16];

	randombytes_buf(r, sizeof r);
	sodium_bin2hex(out, 33, r, 16);
	for (unsigned at = 8; at < 24; at += 5) {
		memmove(out + at + 1, out + at, strlen(out + at) + 1);
		out[at] = '-';
	}
}

static void
make_world(struct world *W)
{
	randombytes_buf(W->lineage, sizeof W->lineage);
	randombytes_buf(W->leaf_seed, sizeof W->leaf_seed);
	make_uuid(W->uuid);
	W->before[0].size = CRAFT_DISK;
	W->before[1].size = 8704;
	imagine(W->before, seed, 3, "in the beginning ");
	memcpy(W->after, W->before, sizeof W->after);
	imagine(W->after, delta, 3, "and then ");
}

static void
describe_disks(struct bundle *b, const struct world *W, unsigned in)
{
	struct header *H = &b->H;

	H->ndisks = (in & SMALL) != 0 ? 1 : CRAFT_DISKS;
	for (unsigned i = 0; i < H->ndisks; i++) {
		struct image before = W->before[i];

		b->images[i] = (in & SEED) != 0 ? W->before[i] : W->after[i];
		if ((in & SMALL) != 0)
			b->images[i].size = before.size = LIMIT_SECTOR;
		strcpy(H->disks[i].id, i == 0 ? "vda" : "vdb");
		H->disks[i].size = b->images[i].size;
		H->disks[i].before_size = before.size;
		root_of(H->disks[i].before, &before, W->leaf_seed);
		root_of(b->T.root[i], &b->images[i], W->leaf_seed);
	}
}

static void
describe_segments(struct bundle *b, unsigned in)
{
	b->nsegments = (in & SMALL) != 0 ? 1 : 3;
	if ((in & SMALL) != 0)
		b->segments[0] = (struct segment){ 0, RECORD_ZSTD, 1, { { 0, LIMIT_SECTOR, EXTENT_DATA } } };
	else
		memcpy(b->segments, (in & SEED) != 0 ? seed : delta, sizeof seed);
	for (unsigned i = 0; i < b->nsegments; i++)
		for (unsigned k = 0; k < b->segments[i].n; k++)
			if (b->segments[i].extents[k].kind == EXTENT_DATA)
				b->H.most += b->segments[i].extents[k].length;
}

static void
describe(struct bundle *b, const struct world *W, unsigned in)
{
	struct header *H = &b->H;

	H->type = (in & SEED) != 0 ? BUNDLE_SEED : BUNDLE_DELTA;
	randombytes_buf(H->id, sizeof H->id);
	memcpy(H->lineage, W->lineage, sizeof H->lineage);
	strcpy(H->uuid, W->uuid);
	strcpy(H->vm, "web1");
	strcpy(H->signer, site_card(W->hq)->name);
	H->created = 1772366400;
	H->to = (struct point){ 1, 1, H->created, POINT_STANDARD };
	if ((in & DELTA) != 0) {
		H->from = H->to;
		H->to.seq = 2;
	}
	H->keep = 3;
	H->cipher = (in & ENCRYPTED) != 0 ? RECORD_XCHACHA20POLY1305 : RECORD_CLEAR;
	H->ntargets = 1;
	memcpy(H->targets[0].key, site_card(W->dr)->sign, RECORD_KEY);
	randombytes_buf(b->key, sizeof b->key);
	site_seal(site_card(W->dr), b->key, W->leaf_seed, H->targets[0].seal);
	describe_disks(b, W, in);
	describe_segments(b, in);
}

/* As a proof: record and payload of a member of the delta that was combined last. */
static void
prove(struct bundle *b, const struct bundle *newest, unsigned record)
{
	const uint8_t *p = newest->out + newest->at[record];
	size_t n = (size_t)wire_get64(p + FRAME_TAR + 72);

	must(b->nblobs + 2 <= CRAFT_BLOBS && n <= sizeof b->blobs[0].bytes, "a proof is too large");
	memcpy(b->blobs[b->nblobs].bytes, p + FRAME_TAR, RECORD_SIZE);
	b->blobs[b->nblobs++].n = RECORD_SIZE;
	memcpy(b->blobs[b->nblobs].bytes, p + FRAME_HEAD + FRAME_TAR, n);
	b->blobs[b->nblobs++].n = n;
}

/* The first and the third segment are of one part, the second of a later one. */
static void
describe_parts(struct bundle *b, const struct world *W)
{
	struct bundle *newest = calloc(1, sizeof *newest);
	struct segment s = b->segments[1];

	must(newest != NULL, "no memory");
	newest->secret = b->secret;
	describe(newest, W, DELTA);
	craft(newest);
	prove(b, newest, 0);
	prove(b, newest, newest->nrecords - 1);
	b->segments[1] = b->segments[2];
	b->segments[2] = s;
	b->part[2] = 1;
	b->H.nparts = 2;
	randombytes_buf(b->H.parts[0].id, RECORD_ID);
	memcpy(b->H.parts[1].id, newest->H.id, RECORD_ID);
	for (unsigned i = 0; i < 2; i++) {
		b->H.parts[i].ntargets = 1;
		b->H.parts[i].targets[0] = newest->H.targets[0];
	}
	free(newest->out);
	free(newest);
}

static void
write_file(const uint8_t *p, size_t n, const char *path)
{
	int fd = io_create(path);

	must(fd >= 0 && io_write(fd, path, p, n) == 0, path);
	io_close(fd);
}

/* One file, or one for each volume. */
static void
write_files(const struct bundle *b, const char *stem, unsigned in)
{
	unsigned only = in >> 8;
	char path[PATH_MAX];

	for (unsigned v = only > 0 ? only : 1; v <= (only > 0 ? only : b->nvolumes); v++) {
		if (b->nvolumes == 1 || only > 0)
			must(io_path(path, "%s.vmf", stem) == 0, stem);
		else
			must(io_path(path, "%s.%u.vmf", stem, v) == 0, stem);
		if (b->nvolumes == 1)
			write_file(b->out, b->n, path);
		else
			write_file(b->out + b->file[v - 1], b->file[v] - b->file[v - 1], path);
	}
}

static void
make(const struct world *W, unsigned in, const struct recipe *r, const char *name)
{
	struct bundle *b = calloc(1, sizeof *b);
	const char *stage = (in & SEED) != 0 ? "seed" : (in & DELTA) != 0 ? "delta" : "receipt";
	char stem[PATH_MAX];

	must(b != NULL, "no memory");
	b->recipe = r;
	b->spoil = r == NULL ? NULL : r->spoil;
	b->secret = site_secret((in & RECEIPT) != 0 ? W->dr : W->hq);
	b->other = site_secret(W->other);
	b->stranger = W->stranger;
	if ((in & RECEIPT) != 0)
		b->H = W->receipt;
	else
		describe(b, W, in);
	if ((in & COMBINED) != 0)
		describe_parts(b, W);
	b->nvolumes = (in & VOLUMES) != 0 ? 3 : 1;
	craft(b);
	must(io_path(stem, "%s/%s-%s", W->out, stage, name) == 0, name);
	write_files(b, stem, in);
	printf("%s\t%s\n", name, stage);
	free(b->out);
	free(b);
}

static void
make_all(const struct world *W, unsigned stage)
{
	for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
		if ((recipes[i].in & stage) != 0)
			make(W, stage | (recipes[i].in & ~(BOTH | RECEIPT)), &recipes[i], recipes[i].name);
}

static void
read_receipt(struct world *W, const char *path)
{
	static uint8_t payload[LIMIT_JSON];
	struct member m = { .payload = payload };
	const struct header *H = NULL;
	uint8_t key[RECORD_KEY];
	int fd = io_open_read(path);
	struct reader *R = reader_new(fd, path);

	must(R != NULL && reader_start(R, key) == 0 && reader_header(R, &m, &H) == 0 && H != NULL, path);
	W->receipt = *H;
	reader_free(R);
	io_close(fd);
}

int
main(int argc, char *argv[])
{
	static struct world W;
	uint8_t pk[RECORD_KEY];

	say_init("hostile");
	crypto_sign_keypair(pk, W.stranger);
	must(argc == 5 || argc == 6, "usage: hostile HQ OTHER DR OUT [RECEIPT]");
	W.hq = site_open(argv[1]);
	W.other = site_open(argv[2]);
	W.dr = site_open(argv[3]);
	W.out = argv[4];
	must(W.hq != NULL && W.other != NULL && W.dr != NULL, "a home is not one");
	if (argc == 6) {
		read_receipt(&W, argv[5]);
		make(&W, RECEIPT, NULL, "good");
		make_all(&W, RECEIPT);
	} else {
		make_world(&W);
		make(&W, SEED, NULL, "good");
		make(&W, DELTA, NULL, "good");
		make(&W, SEED | ENCRYPTED, NULL, "good-encrypted");
		make(&W, DELTA | ENCRYPTED, NULL, "good-encrypted");
		make(&W, SEED | VOLUMES, NULL, "good-volumes");
		make(&W, DELTA | VOLUMES, NULL, "good-volumes");
		make(&W, SEED | VOLUMES, NULL, "good-other-volumes");
		make(&W, DELTA | VOLUMES, NULL, "good-other-volumes");
		make(&W, DELTA | COMBINED, NULL, "good-combined");
		make(&W, SEED | SMALL, NULL, "good-small");
		make(&W, DELTA | SMALL, NULL, "good-small");
		make_all(&W, SEED);
		make_all(&W, DELTA);
	}
	site_close(W.hq);
	site_close(W.other);
	site_close(W.dr);
	return (0);
}
