#ifndef CRAFT_H_
#define CRAFT_H_

/*
 * Makes small bundles by hand, record by record, so that any byte of one can be made wrong before or after it
 * is digested, signed and framed.  All else stays as bundle(5) says: links, digests, index, manifest and totals
 * follow what was really written.  Made of the format room and libraries alone; core is not asked.
 */
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "card.h"
#include "chain.h"
#include "extent.h"
#include "frame.h"
#include "header.h"
#include "leaf.h"
#include "record.h"
#include "wire.h"

#define CRAFT_DISKS 2u
#define CRAFT_DISK (64u << 10) /* of the first; the second has an odd end */
#define CRAFT_SEGMENTS 8u
#define CRAFT_RECORDS 40u
#define CRAFT_VOLUMES 3u
#define CRAFT_BLOBS 5u
#define CRAFT_ROOM (1u << 20)

/* The moments at which a recipe may spoil something. */
enum when {
	PLAN,   /* header and segments are planned; the header's JSON is in b->json */
	ENDING, /* and now the end's */
	TEXT,   /* the text of header or end is in b->text, to be changed in place */
	PLAIN,  /* a segment's extent table and data are in w->payload */
	PACKED, /* compressed */
	SEALED, /* encrypted */
	FIELDS, /* the record is filled in; its digest follows the payload */
	RAW,    /* the record's bytes are made, not yet signed */
	SIGNED, /* they are */
	FRAMED, /* and so are the tar headers and the padding */
	WHOLE,  /* the bundle is in b->out */
};

struct image {
	uint64_t size;
	uint8_t bytes[CRAFT_DISK];
};

struct segment {
	uint32_t disk;
	enum record_codec codec;
	uint32_t n;
	struct extent extents[8];
};

/* One record on its way out. */
struct wire {
	struct record r;
	uint8_t *payload;
	size_t n;
	const struct segment *segment;
	const uint8_t *secret; /* signs it */
	uint32_t context;      /* as a record of that type */
	unsigned volume;       /* that it is in, from 1 */
	uint8_t rec[RECORD_SIZE], head[FRAME_HEAD], tar[FRAME_TAR], pad[FRAME_TAR];
};

struct bundle;
struct recipe;
typedef void spoil(struct bundle *b, enum when when, struct wire *w);

struct bundle {
	const struct recipe *recipe;
	spoil *spoil; /* or NULL */
	const uint8_t *secret, *other, *stranger;
	struct header H;
	json_t *json; /* what is about to be written */
	unsigned nsegments;
	struct segment segments[CRAFT_SEGMENTS];
	uint32_t part[CRAFT_SEGMENTS];
	unsigned nblobs, blobs_in; /* in volume; 0: the first */
	struct {
		uint8_t bytes[2048];
		size_t n;
	} blobs[CRAFT_BLOBS];
	unsigned nvolumes, in_volume[CRAFT_VOLUMES]; /* segments in each; all 0: one, the last has the rest */
	unsigned ends;                               /* bits of volumes that have an END, besides the last */
	unsigned twice;                              /* type of a record without payload that comes twice */
	struct image images[CRAFT_DISKS];            /* at the point it leads to */
	uint8_t key[HEADER_CONTENT_KEY];
	struct trailer T;
	char text[LIMIT_JSON + 4096];
	size_t ntext;
	/* The chain, as written: */
	uint8_t link[RECORD_DIGEST], turn[RECORD_DIGEST]; /* of the record before; of the volume before */
	unsigned volume, segments_before;
	uint8_t index[CRAFT_SEGMENTS * CHAIN_ENTRY];
	size_t nindex;
	char manifest[(CRAFT_SEGMENTS + CRAFT_BLOBS + 2) * CHAIN_LINE];
	size_t nmanifest;
	uint64_t written;
	/* The header as every volume has it: */
	char first[LIMIT_JSON + 4096];
	size_t nfirst;
	/* The bundle, and where each record and volume starts: */
	uint8_t *out;
	size_t n, at[CRAFT_RECORDS + 1], file[CRAFT_VOLUMES + 1];
	unsigned nrecords;
};

static void
must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "hostile: %s\n", what);
	exit(3);
}

static void
tell(struct bundle *b, enum when when, struct wire *w)
{
	if (b->spoil != NULL)
		b->spoil(b, when, w);
}

static void
append(struct bundle *b, const void *p, size_t n)
{
	must(b->n + n <= CRAFT_ROOM, "a bundle grew too large");
	memcpy(b->out + b->n, p, n);
	b->n += n;
}

/* Sign a record as one of type context, which need not be what it says it is. */
static void
sign(uint8_t rec[RECORD_SIZE], uint32_t context, const uint8_t *secret)
{
	static const char *const kinds[] = { "", "header", "volume", "segment", "index", "manifest", "end",
		"blob", "volume end" };
	uint8_t m[32 + 192] = { 0 };

	snprintf((char *)m, 32, "vmferry 1 bundle %s", kinds[context]);
	memcpy(m + 32, rec, 192);
	crypto_sign_detached(rec + 192, NULL, m, sizeof m, secret);
}

/* The frame follows what the record says, where a record can say that. */
static void
reread(struct wire *w)
{
	uint32_t type = wire_get32(w->rec + 8);

	if (type >= RECORD_HEADER && type <= RECORD_VOLUME_END)
		w->r.type = (enum record_type)type;
	w->r.part = wire_get16(w->rec + 14);
	w->r.number = wire_get64(w->rec + 32);
	w->r.disk = wire_get32(w->rec + 40);
	w->r.extents = wire_get32(w->rec + 44);
	w->r.offset = wire_get64(w->rec + 48);
	w->r.span = wire_get64(w->rec + 56);
	w->r.stored = wire_get64(w->rec + 72);
}

static void
note(struct bundle *b, const struct wire *w)
{
	if (w->r.type == RECORD_SEGMENT) {
		chain_entry(b->index + b->nindex, &w->r, b->n - b->file[b->volume - 1]);
		b->nindex += CHAIN_ENTRY;
		b->written += w->r.stored;
	}
	if (w->n > 0 && (w->r.type <= RECORD_INDEX || w->r.type == RECORD_BLOB))
		b->nmanifest += chain_line(b->manifest + b->nmanifest, &w->r);
}

static void
put(struct bundle *b, struct wire *w)
{
	memcpy(w->r.bundle, b->H.id, RECORD_ID);
	if (w->r.type == RECORD_HEADER)
		crypto_sign_ed25519_sk_to_pk(w->r.link, b->secret);
	else
		memcpy(w->r.link, w->r.type == RECORD_VOLUME && b->volume > 1 ? b->turn : b->link,
		    RECORD_DIGEST);
	w->volume = b->volume;
	w->r.stored = w->n;
	if (w->r.type != RECORD_SEGMENT)
		w->r.plain = w->n;
	crypto_generichash(w->r.digest, RECORD_DIGEST, w->payload, w->n, NULL, 0);
	w->secret = b->secret;
	tell(b, FIELDS, w);
	w->context = w->r.type;
	record_pack(w->rec, &w->r, w->secret);
	tell(b, RAW, w);
	reread(w);
	sign(w->rec, w->context, w->secret);
	tell(b, SIGNED, w);
	frame_head(w->head, &w->r, w->rec);
	frame_payload(w->tar, &w->r);
	memset(w->pad, 0, sizeof w->pad);
	tell(b, FRAMED, w);
	note(b, w);
	record_hash(b->link, w->rec);
	must(b->nrecords < CRAFT_RECORDS, "too many records");
	b->at[b->nrecords++] = b->n;
	append(b, w->head, FRAME_HEAD);
	if (w->n > 0) {
		append(b, w->tar, FRAME_TAR);
		append(b, w->payload, w->n);
		append(b, w->pad, frame_padding(w->n));
	}
}

/* --- segments ----------------------------------------------------------------------------------------- */

static size_t
lay_out(const struct bundle *b, const struct segment *s, uint8_t *out)
{
	size_t n = s->n * EXTENT_SIZE;

	for (uint32_t i = 0; i < s->n; i++) {
		extent_pack(out + i * EXTENT_SIZE, &s->extents[i]);
		if (s->extents[i].kind != EXTENT_DATA)
			continue;
		memcpy(out + n, b->images[s->disk].bytes + s->extents[i].offset, s->extents[i].length);
		n += s->extents[i].length;
	}
	return (n);
}

static void
compress(struct wire *w)
{
	uint8_t *out = malloc(CRAFT_ROOM);
	size_t n;

	must(out != NULL, "no memory");
	n = ZSTD_compress(out, CRAFT_ROOM, w->payload, w->n, 1);
	must(!ZSTD_isError(n), "zstd");
	memcpy(w->payload, out, n);
	w->n = n;
	free(out);
}

static void
encrypt(const struct bundle *b, struct wire *w)
{
	uint8_t ad[28];
	unsigned long long n;

	randombytes_buf(w->r.nonce, RECORD_NONCE);
	memcpy(ad, b->H.id, RECORD_ID);
	wire_put32(ad + 16, w->r.disk);
	wire_put64(ad + 20, w->r.offset);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
	    w->payload, &n, w->payload, w->n, ad, sizeof ad, NULL, w->r.nonce, b->key);
	w->n = (size_t)n;
}

static void
put_segment(struct bundle *b, const struct segment *s, uint64_t number, uint32_t part)
{
	const struct extent *last = &s->extents[s->n - 1];
	struct wire w = { .r = { .type = RECORD_SEGMENT,
		              .part = part,
		              .number = number,
		              .disk = s->disk,
		              .extents = s->n,
		              .codec = s->codec,
		              .cipher = b->H.cipher,
		              .offset = s->extents[0].offset },
		.segment = s,
		.payload = malloc(CRAFT_ROOM) };

	must(w.payload != NULL, "no memory");
	w.r.span = last->offset + last->length - s->extents[0].offset;
	w.n = lay_out(b, s, w.payload);
	tell(b, PLAIN, &w);
	w.r.plain = w.n;
	if (s->codec == RECORD_ZSTD)
		compress(&w);
	tell(b, PACKED, &w);
	if (b->H.cipher != RECORD_CLEAR)
		encrypt(b, &w);
	tell(b, SEALED, &w);
	put(b, &w);
	free(w.payload);
}

/* --- the whole ---------------------------------------------------------------------------------------- */

static void
put_text(struct bundle *b, enum record_type type)
{
	struct wire w = { .r = { .type = type } };

	b->ntext = json_dumpb(b->json, b->text, LIMIT_JSON, JSON_INDENT(1));
	json_decref(b->json);
	must(b->ntext < LIMIT_JSON, "a text grew too large");
	b->text[b->ntext] = '\0';
	tell(b, TEXT, &w);
	w.payload = (uint8_t *)b->text;
	w.n = b->ntext;
	put(b, &w);
	if (type != RECORD_HEADER)
		return;
	memcpy(b->first, b->text, b->ntext);
	b->nfirst = b->ntext;
}

static void
describe_end(struct bundle *b)
{
	size_t n;
	char *text;

	b->T.stored = b->written;
	b->T.segments = b->segments_before;
	b->T.volumes = b->volume;
	b->T.ndisks = header_leads(b->H.type) ? b->H.ndisks : 0;
	b->T.data = b->T.zero = 0;
	for (unsigned i = 0; i < b->segments_before; i++)
		for (unsigned k = 0; k < b->segments[i].n; k++)
			*(b->segments[i].extents[k].kind == EXTENT_DATA ? &b->T.data : &b->T.zero) +=
			    b->segments[i].extents[k].length;
	text = trailer_encode(&b->T, &b->H, &n);
	must(text != NULL && (b->json = json_loads(text, 0, NULL)) != NULL, "no end");
	free(text);
}

/* The roots that the images have. */
static void
root_of(uint8_t root[LEAF_ROOT], const struct image *m, const uint8_t leaf_seed[LEAF_SEED])
{
	struct leaf_secret S;
	struct leaf_sum sum = { 0, 0 };

	leaf_secret_make(&S, leaf_seed);
	for (uint64_t at = 0; at < m->size; at += LIMIT_BLOCK) {
		size_t n = m->size - at < LIMIT_BLOCK ? (size_t)(m->size - at) : LIMIT_BLOCK;

		leaf_add(&S, &sum, at / LIMIT_BLOCK, leaf_of(&S, m->bytes + at, n));
	}
	leaf_root(root, &S, &sum, m->size);
}

static void
put_end(struct bundle *b)
{
	struct wire w = {
		.r = { .type = RECORD_VOLUME_END, .number = b->volume, .offset = b->segments_before }
	};

	if (b->volume < b->nvolumes && (b->ends & 1u << b->volume) == 0) {
		put(b, &w);
		if (b->twice == RECORD_VOLUME_END)
			put(b, &w);
		memcpy(b->turn, b->link, RECORD_DIGEST);
		return;
	}
	describe_end(b);
	tell(b, ENDING, NULL);
	put_text(b, RECORD_END);
	memcpy(b->turn, b->link, RECORD_DIGEST);
}

/* The blobs, in the first volume, and as many of the segments as stand in this one. */
static void
put_members(struct bundle *b)
{
	for (unsigned i = 0; b->volume == (b->blobs_in != 0 ? b->blobs_in : 1) && i < b->nblobs; i++) {
		struct wire w = { .r = { .type = RECORD_BLOB, .number = i + 1 } };

		w.payload = b->blobs[i].bytes;
		w.n = b->blobs[i].n;
		put(b, &w);
	}
	for (unsigned i = 0; i < b->in_volume[b->volume - 1]; i++, b->segments_before++)
		put_segment(
		    b, &b->segments[b->segments_before], b->segments_before + 1, b->part[b->segments_before]);
}

static void
put_volume(struct bundle *b)
{
	static const uint8_t zeroes[FRAME_TRAILER];
	struct wire header = { .r = { .type = RECORD_HEADER },
		.payload = (uint8_t *)b->first,
		.n = b->nfirst },
	            volume = {
		            .r = { .type = RECORD_VOLUME, .number = b->volume, .offset = b->segments_before }
	            };
	struct wire index = { .r = { .type = RECORD_INDEX } },
	            manifest = { .r = { .type = RECORD_MANIFEST } };

	b->nindex = b->nmanifest = 0;
	b->file[b->volume - 1] = b->n;
	if (b->volume == 1)
		put_text(b, RECORD_HEADER);
	else
		put(b, &header);
	put(b, &volume);
	put_members(b);
	index.payload = b->index;
	index.n = b->nindex;
	put(b, &index);
	manifest.payload = (uint8_t *)b->manifest;
	manifest.n = b->nmanifest;
	put(b, &manifest);
	put_end(b);
	b->at[b->nrecords] = b->n;
	append(b, zeroes, sizeof zeroes);
	b->file[b->volume] = b->n;
}

/* Which segments come in which volume, unless a recipe says so. */
static void
plan_volumes(struct bundle *b)
{
	unsigned left = b->nsegments;

	if (b->nvolumes == 0)
		b->nvolumes = 1;
	for (unsigned i = 0; i < b->nvolumes; i++)
		if (b->in_volume[i] != 0)
			return;
	for (unsigned i = 0; i < b->nvolumes; i++, left -= b->in_volume[i - 1])
		b->in_volume[i] = i + 1 == b->nvolumes ? left : 1;
}

/* Write b from its plan, spoiled as its recipe says. */
static void
craft(struct bundle *b)
{
	size_t n;
	char *text = header_encode(&b->H, &n);

	must(text != NULL && (b->json = json_loads(text, 0, NULL)) != NULL, "no header");
	free(text);
	b->out = malloc(CRAFT_ROOM);
	must(b->out != NULL, "no memory");
	tell(b, PLAN, NULL);
	plan_volumes(b);
	for (b->volume = 1; b->volume <= b->nvolumes; b->volume++)
		put_volume(b);
	tell(b, WHOLE, NULL);
}

#endif
