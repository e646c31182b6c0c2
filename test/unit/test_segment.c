#include "place.h"

#include <zstd.h>

#include "bundle/segment.h"
#include "wire.h"

#define DISK (UINT64_C(1) << 40)
#define NONCES 1000000u

TestSuite(segment, .init = place_make, .fini = place_remove);

static const enum segment_level levels[] = { SEGMENT_NONE, SEGMENT_FAST, SEGMENT_DEFAULT, SEGMENT_BEST };
static uint8_t plain[LIMIT_PLAIN], stored[LIMIT_STORED + 4096], again[LIMIT_PLAIN];
static struct extent extents[LIMIT_EXTENTS];

enum content { TEXT, NOISE, HALF };

/* A plain segment of n blocks of data and one of zeroes; R's fields that its maker sets are set. */
static size_t
make(struct record *R, uint32_t n, enum content content)
{
	struct extent e = { 5 * LIMIT_BLOCK, n * (uint64_t)LIMIT_BLOCK, EXTENT_DATA };
	size_t data = 2 * EXTENT_SIZE, size = data + n * (size_t)LIMIT_BLOCK;
	uint64_t seed = n;

	*R = (struct record){
		.type = RECORD_SEGMENT, .number = 1, .disk = 1, .extents = 2, .offset = e.offset
	};
	extent_pack(plain, &e);
	e = (struct extent){ e.offset + e.length, LIMIT_BLOCK, EXTENT_ZERO };
	extent_pack(plain + EXTENT_SIZE, &e);
	R->span = e.offset + e.length - R->offset;
	for (size_t i = data; i < size; i += 8) {
		int is_noise = content == NOISE || (content == HALF && i / LIMIT_BLOCK % 2);

		wire_put64(plain + i, is_noise ? dice(&seed) : i / 64);
	}
	return (size);
}

static struct segment_crypt
crypt_of(enum record_cipher cipher)
{
	struct segment_crypt K = { .cipher = cipher };

	memset(K.bundle, 0xb1, sizeof K.bundle);
	memset(K.key, 0x5e, sizeof K.key);
	return (K);
}

static struct segment_coder *
coder(enum segment_level level)
{
	struct segment_coder *C = segment_coder_new(level);

	cr_assert_not_null(C);
	return (C);
}

/* A small encoded segment in stored. */
static struct record
encoded(const struct segment_crypt *K, enum segment_level level)
{
	struct segment_coder *C = coder(level);
	struct record R;
	size_t n = make(&R, 1, TEXT);

	cr_assert_eq(segment_encode(C, K, plain, n, stored, &R), 0);
	segment_coder_free(C);
	return (R);
}

static const char *
decode(const struct segment_crypt *K, const struct record *R)
{
	static struct segment_coder *C;

	if (C == NULL)
		C = coder(SEGMENT_FAST);
	return (segment_decode(C, K, R, stored, again, extents, DISK));
}

/* Make the digest that of what is in stored now. */
static void
redigest(struct record *R)
{
	crypto_generichash(R->digest, RECORD_DIGEST, stored, R->stored, NULL, 0);
}

static void
expect_round_trip(struct segment_coder *C, enum record_cipher cipher, uint32_t blocks, enum content content)
{
	struct segment_crypt K = crypt_of(cipher);
	struct record R;
	size_t n = make(&R, blocks, content), bound = segment_bound(n);

	memset(stored + bound, 0xee, 64);
	cr_assert_eq(segment_encode(C, &K, plain, n, stored, &R), 0);
	cr_assert(R.plain == n && R.stored <= bound && R.stored <= LIMIT_STORED && R.cipher == cipher);
	for (unsigned i = 0; i < 64; i++)
		cr_assert_eq(stored[bound + i], 0xee, "written beyond the bound");
	cr_assert_null(segment_check(&R, stored));
	cr_assert_null(decode(&K, &R));
	cr_assert_arr_eq(again, plain, n);
	cr_assert(extents[0].offset == 5 * LIMIT_BLOCK && extents[0].kind == EXTENT_DATA);
	cr_assert(extents[1].kind == EXTENT_ZERO && extents[1].length == LIMIT_BLOCK);
}

Test(segment, comes_back_at_every_level_encrypted_or_not_within_its_bound)
{
	static const uint32_t blocks[] = { 1, 2, 7, 256, LIMIT_DATA / LIMIT_BLOCK };

	for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
		struct segment_coder *C = coder(levels[l]);

		for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++)
			for (int c = TEXT; c <= HALF; c++) {
				expect_round_trip(C, RECORD_CLEAR, blocks[b], (enum content)c);
				expect_round_trip(C, RECORD_XCHACHA20POLY1305, blocks[b], (enum content)c);
			}
		segment_coder_free(C);
	}
	cr_expect(segment_bound(LIMIT_PLAIN) <= LIMIT_STORED);
}

Test(segment, is_stored_raw_where_compressing_does_not_help)
{
	for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
		struct segment_coder *C = coder(levels[l]);
		struct segment_crypt K = crypt_of(RECORD_CLEAR);
		struct record R;
		size_t n = make(&R, 16, NOISE);

		cr_assert_eq(segment_encode(C, &K, plain, n, stored, &R), 0);
		cr_expect(R.codec == RECORD_RAW && R.stored == n);
		n = make(&R, 16, TEXT);
		cr_assert_eq(segment_encode(C, &K, plain, n, stored, &R), 0);
		cr_expect_eq(R.codec, levels[l] == SEGMENT_NONE ? RECORD_RAW : RECORD_ZSTD);
		cr_expect(R.codec == RECORD_RAW || R.stored < n / 2);
		segment_coder_free(C);
	}
}

static int
compare_nonces(const void *a, const void *b)
{
	return (memcmp(a, b, RECORD_NONCE));
}

Test(segment, never_has_the_nonce_of_another, .timeout = 600)
{
	uint8_t(*nonces)[RECORD_NONCE] = malloc(NONCES * sizeof *nonces);
	struct segment_coder *C = coder(SEGMENT_NONE);
	struct segment_crypt K = crypt_of(RECORD_XCHACHA20POLY1305);
	struct record R;

	cr_assert_not_null(nonces);
	make(&R, 1, TEXT);
	for (unsigned i = 0; i < NONCES; i++) {
		cr_assert_eq(segment_encode(C, &K, plain, EXTENT_SIZE, stored, &R), 0);
		memcpy(nonces[i], R.nonce, RECORD_NONCE);
	}
	qsort(nonces, NONCES, sizeof *nonces, compare_nonces);
	for (unsigned i = 1; i < NONCES; i++)
		cr_assert(memcmp(nonces[i - 1], nonces[i], RECORD_NONCE) != 0);
	segment_coder_free(C);
	free(nonces);
}

Test(segment, in_clear_has_no_nonce)
{
	struct segment_crypt K = crypt_of(RECORD_CLEAR);
	struct record R = encoded(&K, SEGMENT_FAST);

	cr_expect(sodium_is_zero(R.nonce, RECORD_NONCE));
}

Test(segment, with_any_bit_of_its_payload_flipped_is_refused)
{
	for (int c = RECORD_CLEAR; c <= RECORD_XCHACHA20POLY1305; c++) {
		struct segment_crypt K = crypt_of((enum record_cipher)c);
		struct record R = encoded(&K, SEGMENT_FAST);

		cr_assert_null(decode(&K, &R));
		for (uint64_t bit = 0; bit < 8 * R.stored; bit++) {
			stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
			cr_assert_not_null(segment_check(&R, stored));
			cr_assert_not_null(decode(&K, &R));
			stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

Test(segment, that_is_encrypted_withstands_one_who_can_make_digests_but_has_no_key)
{
	struct segment_crypt K = crypt_of(RECORD_XCHACHA20POLY1305);
	struct record R = encoded(&K, SEGMENT_FAST), S = R;

	for (uint64_t bit = 0; bit < 8 * R.stored; bit++) {
		stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
		redigest(&S);
		cr_assert_not_null(decode(&K, &S));
		stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (S.stored = R.stored; S.stored-- > 0;) {
		redigest(&S);
		cr_assert_not_null(decode(&K, &S));
	}
}

/* It is refused for that reason. */
static void
expect_why(const char *why, const char *part)
{
	cr_expect(why != NULL && strstr(why, part) != NULL, "%s", why == NULL ? "taken" : why);
}

Test(segment, of_another_key_bundle_disk_place_or_nonce_is_refused)
{
	struct segment_crypt K = crypt_of(RECORD_XCHACHA20POLY1305), other = K;
	struct record R = encoded(&K, SEGMENT_FAST), S;

	cr_assert_null(decode(&K, &R));
	other.key[31] ^= 1;
	expect_why(decode(&other, &R), "decrypted");
	other = K;
	other.bundle[0] ^= 1;
	expect_why(decode(&other, &R), "decrypted");
	S = R;
	S.disk ^= 1;
	expect_why(decode(&K, &S), "decrypted");
	S = R;
	S.offset += LIMIT_BLOCK;
	expect_why(decode(&K, &S), "decrypted");
	S = R;
	S.nonce[23] ^= 1;
	expect_why(decode(&K, &S), "decrypted");
}

Test(segment, is_refused_in_clear_where_the_header_says_encrypted_and_the_reverse)
{
	struct segment_crypt clear = crypt_of(RECORD_CLEAR), sealed = crypt_of(RECORD_XCHACHA20POLY1305);
	struct record R = encoded(&clear, SEGMENT_FAST);

	expect_why(decode(&sealed, &R), "as the header says");
	R = encoded(&sealed, SEGMENT_FAST);
	expect_why(decode(&clear, &R), "as the header says");
}

/* Is a segment refused whose stored form is those n bytes of zstd? */
static void
expect_refused(const char *what, struct record R, const uint8_t *p, size_t n)
{
	struct segment_crypt K = crypt_of(RECORD_CLEAR);

	memmove(stored, p, n);
	R.stored = n;
	redigest(&R);
	cr_expect_not_null(decode(&K, &R), "%s", what);
}

Test(segment, that_is_not_one_whole_zstd_frame_of_known_length_is_refused)
{
	static const uint8_t skippable[8] = { 0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0 };
	struct segment_crypt K = crypt_of(RECORD_CLEAR);
	struct record R = encoded(&K, SEGMENT_FAST), S = R;
	uint8_t frame[16384], twice[2 * sizeof frame];
	ZSTD_CCtx *z = ZSTD_createCCtx();
	size_t n = R.stored;

	cr_assert(z != NULL && R.codec == RECORD_ZSTD && n < sizeof frame);
	memcpy(frame, stored, n);
	memcpy(twice, frame, n);
	memcpy(twice + n, frame, n);
	expect_refused("two frames", R, twice, 2 * n);
	twice[n] = 0;
	expect_refused("a byte behind", R, twice, n + 1);
	for (size_t cut = 1; cut < n; cut++)
		expect_refused("cut short", R, frame, cut);
	memcpy(twice, skippable, 8);
	memcpy(twice + 8, frame, n);
	expect_refused("a skippable frame before", R, twice, n + 8);
	memcpy(twice, frame, n);
	memcpy(twice + n, skippable, 8);
	expect_refused("a skippable frame behind", R, twice, n + 8);
	S.plain++;
	expect_refused("another length", S, frame, n);
	S.plain -= 2;
	expect_refused("another length", S, frame, n);
	ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, 0);
	n = ZSTD_compress2(z, frame, sizeof frame, plain, R.plain);
	cr_assert_not(ZSTD_isError(n));
	expect_refused("no length", R, frame, n);
	ZSTD_freeCCtx(z);
}

Test(segment, in_clear_and_raw_of_another_length_is_refused)
{
	struct segment_crypt K = crypt_of(RECORD_CLEAR);
	struct record R = encoded(&K, SEGMENT_NONE);
	uint8_t copy[8192];

	cr_assert(R.codec == RECORD_RAW && R.stored < sizeof copy);
	memcpy(copy, stored, R.stored);
	expect_refused("shorter", R, copy, R.stored - 1);
	copy[R.stored] = 0;
	expect_refused("longer", R, copy, R.stored + 1);
}

Test(segment, whose_extents_lie_elsewhere_than_its_record_says_is_refused)
{
	struct segment_crypt K = crypt_of(RECORD_CLEAR);
	struct record R = encoded(&K, SEGMENT_FAST), S = R;

	S.offset -= LIMIT_BLOCK;
	S.span += LIMIT_BLOCK;
	cr_expect_not_null(decode(&K, &S));
	S = R;
	S.span += LIMIT_BLOCK;
	cr_expect_not_null(decode(&K, &S));
	S = R;
	S.extents = 1;
	cr_expect_not_null(decode(&K, &S));
	cr_expect_null(decode(&K, &R));
}

Test(segment, blob_comes_back_from_every_codec_and_cipher_and_fits_its_room)
{
	for (size_t l = 0; l < sizeof levels / sizeof *levels; l++)
		for (int cipher = RECORD_CLEAR; cipher <= RECORD_XCHACHA20POLY1305; cipher++) {
			struct segment_crypt K = crypt_of((enum record_cipher)cipher), other = K;
			struct segment_coder *C = coder(levels[l]);
			struct record R;
			size_t n = make(&R, 3, HALF);

			R = (struct record){ .type = RECORD_BLOB, .number = 1 };
			cr_assert_eq(segment_encode(C, &K, plain, n, stored, &R), 0);
			cr_expect_null(segment_open(C, &K, &R, stored, again, n));
			cr_expect_eq(memcmp(plain, again, n), 0);
			cr_expect_not_null(segment_open(C, &K, &R, stored, again, n - 1), "no room");
			R.plain++;
			cr_expect_not_null(segment_open(C, &K, &R, stored, again, n + 1), "another length");
			R.plain--;
			other.key[0] ^= 1;
			cr_expect((segment_open(C, &other, &R, stored, again, n) == NULL) ==
			          (cipher == RECORD_CLEAR));
			other = K;
			other.bundle[0] ^= 1;
			cr_expect((segment_open(C, &other, &R, stored, again, n) == NULL) ==
			          (cipher == RECORD_CLEAR));
			stored[R.stored / 2] ^= 1;
			cr_expect_not_null(segment_open(C, &K, &R, stored, again, n), "damaged");
			segment_coder_free(C);
		}
}
