/*
 * A whole bundle from its first byte to its last: reader, chain, digests, expansion, decryption with a known key.
 * Three mutations out of four change one member and then make lengths, digests, links, tables, frame and
 * signatures right again, so that they come through to what lies behind those walls.
 */
#include <sodium.h>
#include <string.h>

#include "../unit/sample.h"
#include "base/pipeline.h"
#include "bundle/unpack.h"
#include "chain.h"
#include "check.h"
#include "input.h"
#include "wire.h"

#define MAX 65536u
#define ENTRIES 64u

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* --- the mutator -------------------------------------------------------------------------------------- */

struct draft {
	uint8_t out[MAX];
	size_t n;
	struct chain C;
	uint8_t index[ENTRIES * CHAIN_ENTRY];
	size_t nindex;
	char manifest[(ENTRIES + 3) * CHAIN_LINE];
	size_t nmanifest;
};

/* The fields of a record, whatever they are. */
static struct record
loose(const uint8_t *p)
{
	struct record R = { .type = (enum record_type)wire_get32(p + 8) };

	R.codec = (enum record_codec)p[12];
	R.cipher = (enum record_cipher)p[13];
	R.part = wire_get16(p + 14);
	memcpy(R.bundle, p + 16, RECORD_ID);
	R.number = wire_get64(p + 32);
	R.disk = wire_get32(p + 40);
	R.extents = wire_get32(p + 44);
	R.offset = wire_get64(p + 48);
	R.span = wire_get64(p + 56);
	R.plain = wire_get64(p + 64);
	memcpy(R.nonce, p + 80, RECORD_NONCE);
	memcpy(R.digest, p + 104, RECORD_DIGEST);
	memcpy(R.link, p + 136, RECORD_DIGEST);
	return (R);
}

/* Keep what the index and the manifest will have to say of R. */
static void
note(struct draft *D, const struct record *R)
{
	if (R->type == RECORD_SEGMENT && D->nindex + CHAIN_ENTRY <= sizeof D->index) {
		chain_entry(D->index + D->nindex, R, D->C.position);
		D->nindex += CHAIN_ENTRY;
	}
	if (R->stored > 0 && (R->type <= RECORD_INDEX || R->type == RECORD_BLOB) &&
	    D->nmanifest + CHAIN_LINE <= sizeof D->manifest)
		D->nmanifest += chain_line(D->manifest + D->nmanifest, R);
}

/* Put R with n bytes of payload behind the others, right in all that follows from them. */
static void
put(struct draft *D, struct record R, const uint8_t *payload, size_t n)
{
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET], rec[RECORD_SIZE];
	struct record was = R;

	if (R.type < RECORD_HEADER || R.type > RECORD_VOLUME_END)
		return;
	if (R.type == RECORD_INDEX || R.type == RECORD_MANIFEST) {
		payload = R.type == RECORD_INDEX ? D->index : (const uint8_t *)D->manifest;
		n = R.type == RECORD_INDEX ? D->nindex : D->nmanifest;
	}
	if (D->n + frame_size(n) > MAX - FRAME_TRAILER)
		return;
	R.stored = n;
	if ((R.type != RECORD_SEGMENT && R.type != RECORD_BLOB) ||
	    (R.codec == RECORD_RAW && R.cipher == RECORD_CLEAR))
		R.plain = n;
	crypto_generichash(R.digest, RECORD_DIGEST, payload, n, NULL, 0);
	chain_link(&D->C, &R);
	/* A later volume stays one: what it follows is not here. */
	if (R.type == RECORD_VOLUME && was.number > 1) {
		R = was;
		memcpy(R.bundle, D->C.bundle, RECORD_ID);
	}
	sample_keys(key, secret, 1);
	if (R.type == RECORD_HEADER)
		memcpy(R.link, key, RECORD_KEY);
	record_pack(rec, &R, secret);
	note(D, &R);
	(void)chain_next(&D->C, &R, rec);
	frame_head(D->out + D->n, &R, rec);
	D->n += FRAME_HEAD;
	if (n == 0)
		return;
	frame_payload(D->out + D->n, &R);
	memcpy(D->out + D->n + FRAME_TAR, payload, n);
	memset(D->out + D->n + FRAME_TAR + n, 0, frame_padding(n));
	D->n += FRAME_TAR + n + frame_padding(n);
}

/* The next record at or after p, or the end. */
static const uint8_t *
find(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *r = p < end ? memmem(p, (size_t)(end - p), "VMFERRY1", 8) : NULL;

	return (r != NULL && end - r >= (ptrdiff_t)RECORD_SIZE ? r : end);
}

/* Take the bundle apart into records and payloads, change number victim of them, and put it together again. */
static void
mend(struct draft *D, const uint8_t *data, size_t size, unsigned victim, unsigned how)
{
	static uint8_t payload[2 * MAX];
	const uint8_t *end = data + size, *next;

	D->n = D->nindex = D->nmanifest = 0;
	chain_init(&D->C);
	for (const uint8_t *p = find(data, end); p < end; p = next, victim--) {
		uint8_t raw[RECORD_SIZE];
		const uint8_t *from = p + FRAME_TAR + FRAME_TAR, *to;
		size_t n = 0;

		next = find(p + RECORD_SIZE, end);
		to = next < end ? next - FRAME_TAR : end - FRAME_TRAILER;
		memcpy(raw, p, RECORD_SIZE);
		if (to > from)
			n = (size_t)(to - from) < wire_get64(raw + 72) ? (size_t)(to - from)
			                                               : (size_t)wire_get64(raw + 72);
		memcpy(payload, from, n);
		if (victim == 0 && how == 0)
			continue;
		if (victim == 0 && how == 1)
			put(D, loose(raw), payload, n);
		if (victim == 0 && how > 1 && how < 4)
			LLVMFuzzerMutate(raw + 8, 104 - 8, 104 - 8);
		if (victim == 0 && how >= 4)
			n = LLVMFuzzerMutate(payload, n, sizeof payload);
		put(D, loose(raw), payload, n);
	}
	memset(D->out + D->n, 0, FRAME_TRAILER);
	D->n += FRAME_TRAILER;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	static struct draft D;

	if (seed % 4 != 0 && size > 2 * FRAME_TRAILER && size <= MAX) {
		mend(&D, data, size, seed / 4 % 16, seed / 64 % 16);
		if (D.n <= max) {
			memcpy(data, D.out, D.n);
			return (D.n);
		}
	}
	return (LLVMFuzzerMutate(data, size, max));
}

/* --- the target --------------------------------------------------------------------------------------- */

unsigned
pipeline_threads(void)
{
	return (1);
}

/*
 * In place of core's: one thread, so that a run can be repeated, and one slot for all runs, because making its
 * large buffers takes longer than all else.
 */
int
pipeline_run(const struct pipeline *P)
{
	static void *slot;
	int rc;

	if (slot == NULL)
		CHECK(P->make(P->context, &slot) == 0);
	for (;;) {
		if ((rc = P->fill(P->context, slot)) != 0)
			return (rc == 1 ? 0 : rc);
		if ((rc = P->work(P->context, slot)) != 0 || (rc = P->drain(P->context, slot)) != 0)
			return (rc);
	}
}

struct seen {
	const struct header *H;
	int decoded;
	uint64_t segments, blobs, data, zero, touched;
};

static int
take(void *context, const struct unpacked *u)
{
	struct seen *s = context;
	const struct record *R = &u->member.record;
	const struct extent *last;

	s->blobs += R->type == RECORD_BLOB;
	if (R->type != RECORD_SEGMENT)
		return (0);
	CHECK(R->disk < s->H->ndisks && (R->part == 0 || R->part < s->H->nparts));
	s->segments++;
	if (!s->decoded)
		return (0);
	last = &u->extents[R->extents - 1];
	CHECK(u->length <= LIMIT_DATA && u->length + u->zero <= R->span);
	CHECK(last->offset + last->length <= s->H->disks[R->disk].size);
	s->data += u->length;
	s->zero += u->zero;
	for (uint64_t i = 0; i < u->length; i++)
		s->touched += u->data[i];
	for (uint64_t i = 0; i < u->length / LIMIT_BLOCK; i++)
		s->touched ^= u->leaves[i];
	return (0);
}

/* Everything behind the header, decoded or only checked. */
static int
run(struct reader *R, const struct header *H, int decode)
{
	static const uint8_t seed[LEAF_SEED];
	const struct trailer *T = reader_trailer(R);
	const struct chain_volume *v = reader_volume(R);
	struct leaf_secret secret;
	struct seen s = { .H = H, .decoded = decode };
	struct unpack U = { .reader = R, .header = H, .decode = decode, .secret = &secret, .context = &s };
	struct segment_crypt parts[LIMIT_PARTS];

	leaf_secret_make(&secret, seed);
	U.take = take;
	U.what = "fuzz";
	U.crypt.cipher = H->cipher;
	memcpy(U.crypt.bundle, H->id, RECORD_ID);
	memset(U.crypt.key, 7, sizeof U.crypt.key);
	for (unsigned i = 0; i < H->nparts; i++) {
		parts[i] = U.crypt;
		parts[i].cipher = H->parts[i].cipher;
		memcpy(parts[i].bundle, H->parts[i].id, RECORD_ID);
	}
	U.parts = H->nparts > 0 ? parts : NULL;
	if (unpack_run(&U) != 0)
		return (1);
	CHECK(U.ended && s.segments == v->after - v->before);
	CHECK(s.segments == 0 || header_leads(H->type));
	CHECK(s.blobs == 0 || (header_has_blobs(H) && v->number == 1));
	CHECK(!decode || s.data <= H->most);
	if (!v->is_last)
		return (0);
	CHECK(T->segments == v->after && T->volumes == v->number && T->stored >= reader_stored(R));
	CHECK(!decode || v->number > 1 || (s.data == T->data && s.zero == T->zero));
	return (0);
}

/* Behind the header, without the payloads of segments. */
static int
skip(struct reader *R, struct member *m)
{
	int rc;

	do
		rc = reader_skip(R, m);
	while (rc == 0 && m->record.type != RECORD_END && m->record.type != RECORD_VOLUME_END);
	return (rc);
}

/* Read the input in one of three ways: 0 if all of it was right. */
static int
read_bundle(const struct input *I, size_t size, int way)
{
	struct reader *R = reader_new(I->fd, "input");
	struct member m = { .payload = malloc(way == 2 ? LIMIT_STORED : LIMIT_JSON) };
	const struct header *H;
	uint8_t key[RECORD_KEY], ours[RECORD_KEY], secret[RECORD_SECRET];
	int rc;

	CHECK(R != NULL && m.payload != NULL && lseek(I->fd, 0, SEEK_SET) == 0);
	sample_keys(ours, secret, 1);
	rc = reader_start(R, key);
	if (rc == 0)
		rc = memcmp(key, ours, RECORD_KEY) == 0 ? reader_header(R, &m, &H) : 1;
	if (rc == 0)
		rc = way == 2 ? skip(R, &m) : run(R, H, way == 0);
	CHECK(rc >= 0 && (rc != 0 || reader_position(R) == size));
	free(m.payload);
	reader_free(R);
	return (rc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct input I = { .fd = -1 };
	int decoded, checked;

	if (I.fd < 0)
		I = input_new();
	input_set(&I, data, size);
	/* What can be decoded passes those who only look at it. */
	decoded = read_bundle(&I, size, 0);
	checked = read_bundle(&I, size, 1);
	CHECK(decoded != 0 || (checked == 0 && read_bundle(&I, size, 2) == 0));
	return (0);
}
