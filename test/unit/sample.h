#ifndef SAMPLE_H_
#define SAMPLE_H_

/* A valid example of each thing that format/ knows, for the tests to spoil and the fuzzers to start from. */

#include <sodium.h>
#include <stdint.h>
#include <string.h>

#include "card.h"
#include "header.h"
#include "keylist.h"
#include "record.h"
#include "session.h"

/* The same pair of keys for the same n, always. */
static inline void
sample_keys(uint8_t key[RECORD_KEY], uint8_t secret[RECORD_SECRET], uint8_t n)
{
	uint8_t seed[crypto_sign_SEEDBYTES];

	memset(seed, n, sizeof seed);
	crypto_sign_seed_keypair(key, secret, seed);
}

/* A record of each type, every field that may be in use in use; the signer has sample_keys(1). */
static inline struct record
sample_record(enum record_type type)
{
	struct record R = { .type = type };
	uint8_t secret[RECORD_SECRET];

	memset(R.bundle, 0xb1, sizeof R.bundle);
	memset(R.digest, 0xd1, sizeof R.digest);
	memset(R.link, 0x71, sizeof R.link);
	if (type == RECORD_HEADER)
		sample_keys(R.link, secret, 1);
	if (type == RECORD_HEADER || type == RECORD_END)
		R.plain = R.stored = 700;
	if (type == RECORD_VOLUME || type == RECORD_VOLUME_END) {
		R.number = 1;
		crypto_generichash(R.digest, RECORD_DIGEST, NULL, 0, NULL, 0);
	}
	if (type == RECORD_SEGMENT || type == RECORD_BLOB) {
		R.codec = RECORD_ZSTD;
		R.cipher = RECORD_XCHACHA20POLY1305;
		R.number = 1;
		R.plain = 48 + 0x3000;
		R.stored = 0x1234;
		memset(R.nonce, 0x60, sizeof R.nonce);
	}
	if (type == RECORD_SEGMENT) {
		R.part = 5;
		R.disk = 3;
		R.extents = 2;
		R.offset = UINT64_C(5) << 32;
		R.span = 0x10000;
	}
	return (R);
}

/* A header of each type, of two disks, one excluded disk and two sites. */
static inline struct header
sample_header(enum bundle_type type)
{
	struct header H = { .type = type,
		.created = 1772366400,
		.keep = 24,
		.most = UINT64_C(1) << 40,
		.cipher = RECORD_XCHACHA20POLY1305,
		.to = { .epoch = 2, .seq = 17, .time = 1772366399, .kind = POINT_APP },
		.ntargets = 2,
		.ndisks = 2,
		.nexcluded = 1 };

	memset(H.id, 0xb1, sizeof H.id);
	memset(H.lineage, 0x11, sizeof H.lineage);
	strcpy(H.uuid, "0c5d9a34-7a1f-4a55-9d3c-3f6a2b1e0d77");
	strcpy(H.vm, "b\xc3\xbc"
	             "cher 1");
	strcpy(H.signer, "site-a");
	if (type == BUNDLE_COMPARE)
		H.from = H.to;
	else if (type != BUNDLE_SEED)
		H.from = (struct point){ .epoch = 2,
			.seq = type == BUNDLE_UNDO ? 18 : 16,
			.time = 1772362800,
			.kind = POINT_STANDARD };
	strcpy(H.disks[0].id, "root");
	strcpy(H.disks[1].id, "data.1");
	for (unsigned i = 0; i < H.ndisks; i++) {
		H.disks[i].size = (UINT64_C(1) << 40) + 512 * i;
		if (H.from.seq != 0) {
			H.disks[i].before_size = UINT64_C(1) << 39;
			memset(H.disks[i].before, 0x40 + (int)i, LEAF_ROOT);
		}
	}
	strcpy(H.excluded[0].id, "swap");
	H.excluded[0].size = 1 << 30;
	for (unsigned i = 0; i < H.ntargets; i++) {
		memset(H.targets[i].key, 0x50 + (int)i, RECORD_KEY);
		memset(H.targets[i].seal, 0x70 + (int)i, HEADER_SEAL);
	}
	history_turn(&H.history, 2, 9, H.targets[1].key);
	H.nheirs = 1;
	memcpy(H.heirs[0], H.targets[0].key, RECORD_KEY);
	H.is_primary = type == BUNDLE_RECEIPT;
	H.has_wishes = type == BUNDLE_SEED || type == BUNDLE_DELTA;
	if (H.has_wishes)
		H.wishes = (struct header_wishes){ 300, HEADER_LEVEL_FAST, 0 };
	H.definition.is_known = H.has_wishes;
	if (H.definition.is_known) {
		memset(H.definition.digest, 0xde, HEADER_DIGEST);
		H.definition.size = type == BUNDLE_SEED ? 40 : 0;
		memset(H.definition.sealed, 0x5e, H.definition.size);
	}
	H.has_of = type == BUNDLE_REQUEST || type == BUNDLE_REPAIR;
	if (H.has_of)
		memset(H.of, 0x0f, RECORD_ID);
	return (H);
}

/* The header of a delta that was combined of three, one of them in clear, and made for compared disks. */
static inline struct header
sample_combined(void)
{
	struct header H = sample_header(BUNDLE_DELTA);

	H.has_against = 1;
	memset(H.against, 0xa9, RECORD_ID);
	H.nparts = 3;
	H.definition.size = 0;
	for (unsigned i = 0; i < H.nparts; i++) {
		struct header_part *p = &H.parts[i];

		memset(p->id, 0x20 + (int)i, RECORD_ID);
		p->cipher = i == 1 ? RECORD_CLEAR : RECORD_XCHACHA20POLY1305;
		p->ntargets = i == 1 ? 0 : i + 1;
		for (unsigned k = 0; k < p->ntargets; k++) {
			memset(p->targets[k].key, 0x30 + (int)(4 * i + k), RECORD_KEY);
			memset(p->targets[k].seal, 0x60 + (int)(4 * i + k), HEADER_SEAL);
		}
	}
	return (H);
}

static inline struct trailer
sample_trailer(const struct header *H)
{
	struct trailer T = {
		.segments = 3, .data = 0x9000, .zero = 0x100000, .stored = 0x4321, .volumes = 7
	};

	T.ndisks = header_leads(H->type) ? H->ndisks : 0;
	for (unsigned i = 0; i < T.ndisks; i++)
		memset(T.root[i], 0x80 + (int)i, LEAF_ROOT);
	return (T);
}

/* The card of the holder of sample_keys(1). */
static inline struct card
sample_card(void)
{
	struct card C;
	uint8_t secret[RECORD_SECRET];

	memset(&C, 0, sizeof C);
	strcpy(C.name, "site-a");
	sample_keys(C.sign, secret, 1);
	memset(C.box, 0xab, sizeof C.box);
	return (C);
}

/* A list of the keys that sample_keys(1) to sample_keys(n) make; secrets gets n secret keys. */
static inline struct keylist
sample_keylist(unsigned n, uint8_t *secrets)
{
	struct keylist L;

	memset(&L, 0, sizeof L);
	strcpy(L.name, "site-a");
	L.version = n;
	L.n = n;
	L.made = 1772366400;
	for (unsigned i = 0; i < n; i++) {
		sample_keys(L.keys[i].sign, secrets + (size_t)i * RECORD_SECRET, (uint8_t)(i + 1));
		memset(L.keys[i].box, 0xab + (int)i, CARD_BOX);
		L.keys[i].from = 1772280000 + 1800 * (int64_t)i;
		L.keys[i].state = i + 1 == n ? KEYLIST_CURRENT : i % 2 ? KEYLIST_REVOKED : KEYLIST_ROTATED;
		L.keys[i].end = i + 1 == n ? 0 : L.keys[i].from + 86400;
	}
	return (L);
}

/* One of each message of a session, every field that may be in use in use. */
static inline struct session_ask
sample_ask(void)
{
	struct session_ask m = { .verb = SESSION_SEND, .size = UINT64_C(1) << 40, .time = 1772366400 };

	strcpy(m.vm, "web b\xc3\xbc"
	             "cher");
	strcpy(m.uuid, "0c5d9a34-7a1f-4a55-9d3c-3f6a2b1e0d77");
	return (m);
}

static inline struct session_have
sample_have(void)
{
	struct session_have m = { .may = 1,
		.epoch = 2,
		.seq = 17,
		.held = 19,
		.free = UINT64_C(1) << 41,
		.time = 1772366400,
		.has_receipt = 1,
		.terms = { .frequency = 300, .rate = 1 << 20, .points = 24, .size = UINT64_C(1) << 42 } };

	strcpy(m.text, "it said \"so\"");
	strcpy(m.state, "replicating");
	strcpy(m.position, "a line\nand another\n");
	return (m);
}

static inline struct session_answer
sample_session_answer(void)
{
	struct session_answer m = { .rc = 1, .seq = 17 };

	strcpy(m.text, "web: is not what it was");
	return (m);
}

#endif
