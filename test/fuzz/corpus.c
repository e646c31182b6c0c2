/*
 * Write seeds for the fuzz targets, made by the real encoders:
 *
 *    corpus DIR		DIR/record/, DIR/chain/, ... one small file each
 */
#include <err.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../unit/sample.h"
#include "chain.h"
#include "extent.h"
#include "wire.h"

static uint8_t secret[RECORD_SECRET];

/* Write n bytes to DIR/target/name. */
static void
put(const char *dir, const char *target, const char *name, const void *p, size_t n)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, target);
	mkdir(dir, 0777);
	mkdir(path, 0777);
	snprintf(path, sizeof path, "%s/%s/%s", dir, target, name);
	if ((f = fopen(path, "wb")) == NULL || fwrite(p, 1, n, f) != n || fclose(f) != 0)
		err(1, "%s", path);
}

static void
records(const char *dir)
{
	uint8_t rec[RECORD_SIZE + 2] = { 0 };
	char name[2] = "0";

	for (int t = RECORD_HEADER; t <= RECORD_END; t++) {
		struct record R = sample_record((enum record_type)t);

		record_pack(rec, &R, secret);
		name[0] = (char)('0' + t);
		put(dir, "record", name, rec, sizeof rec);
	}
}

/* Whole bundles of 0 to 3 segments; what to make right is said, though all of it is right. */
static void
chains(const char *dir)
{
	static const enum record_type types[] = { RECORD_HEADER, RECORD_VOLUME, RECORD_SEGMENT,
		RECORD_SEGMENT, RECORD_SEGMENT, RECORD_INDEX, RECORD_MANIFEST, RECORD_END };
	uint8_t all[8 * (1 + RECORD_SIZE)];

	for (unsigned skip = 0; skip <= 3; skip++) {
		char name[2] = { (char)('3' - skip), '\0' };
		uint8_t *p = all;
		struct chain C;

		chain_init(&C);
		for (unsigned i = 0; i < 8; i++) {
			struct record R = sample_record(types[i]);

			if (types[i] == RECORD_SEGMENT && i < 2 + skip)
				continue;
			chain_link(&C, &R);
			if (R.type == RECORD_SEGMENT)
				R.offset = i * R.span;
			if (R.type == RECORD_INDEX || R.type == RECORD_MANIFEST)
				chain_expect(&C, &R);
			*p = 3;
			record_pack(p + 1, &R, secret);
			if (chain_next(&C, &R, p + 1) != NULL)
				errx(1, "the chain refuses what it should take");
			p += 1 + RECORD_SIZE;
		}
		put(dir, "chain", name, all, (size_t)(p - all));
	}
}

static void
extents(const char *dir)
{
	static const struct extent e[] = { { 0, 4096, EXTENT_DATA }, { 4096, 8192, EXTENT_ZERO },
		{ 16384, 4096, EXTENT_DISCARD }, { 40960, 512, EXTENT_DATA } };
	uint8_t seed[12 + 4 * EXTENT_SIZE + 4096 + 512] = { 0 };

	wire_put64(seed, 41472);
	for (uint32_t i = 0; i < 4; i++)
		extent_pack(seed + 12 + i * EXTENT_SIZE, &e[i]);
	wire_put32(seed + 8, 4);
	put(dir, "extent", "data", seed, sizeof seed);
	extent_pack(seed + 12, &e[1]);
	extent_pack(seed + 12 + EXTENT_SIZE, &e[2]);
	wire_put32(seed + 8, 2);
	put(dir, "extent", "zero", seed, 12 + 2 * EXTENT_SIZE);
}

static void
headers(const char *dir)
{
	for (int t = BUNDLE_SEED; t <= BUNDLE_RECEIPT; t++) {
		struct header H = sample_header((enum bundle_type)t);
		struct trailer T = sample_trailer(&H);
		size_t n, m;
		char *h, *s, *both;

		if (t == BUNDLE_SEED) {
			H.cipher = RECORD_CLEAR;
			H.has_leaf_seed = 1;
		}
		H.ntargets = H.has_leaf_seed ? 0 : 1;
		h = header_encode(&H, &n);
		s = trailer_encode(&T, &H, &m);
		if (h == NULL || s == NULL || (both = malloc(n + 1 + m)) == NULL)
			errx(1, "no memory");
		memcpy(both, h, n + 1);
		memcpy(both + n + 1, s, m);
		put(dir, "header", header_type_text(H.type), both, n + 1 + m);
		free(both);
		free(s);
		free(h);
	}
}

static void
names(const char *dir)
{
	static const char *const seeds[] = { "web 1", "na\xc3\xafve", "\xe6\x9d\xb1", "\xf0\x9f\x90\xa7",
		"data.1_x-y", "0c5d9a34-7a1f-4a55-9d3c-3f6a2b1e0d77", "2026-03-01T12:00:00Z", "standard",
		"app", "final" };
	char name[2] = "0";

	for (unsigned i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
		name[0] = (char)('0' + i);
		put(dir, "name", name, seeds[i], strlen(seeds[i]));
	}
}

int
main(int argc, char *argv[])
{
	uint8_t key[RECORD_KEY];
	char card[CARD_MAX];
	struct card C;

	if (argc != 2 || sodium_init() < 0)
		errx(2, "usage: corpus DIR");
	sample_keys(key, secret, 1);
	C = sample_card();
	records(argv[1]);
	chains(argv[1]);
	extents(argv[1]);
	headers(argv[1]);
	names(argv[1]);
	put(argv[1], "card", "site-a", card, card_encode(card, &C, secret));
	return (0);
}
