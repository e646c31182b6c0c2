#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <zstd.h>

#include "bundle/vmtext.h"
#include "sample.h"

static void
init(void)
{
	cr_assert(sodium_init() >= 0);
}

TestSuite(vmtext, .init = init);

static const uint8_t seed[LEAF_SEED] = { 7 }, other[LEAF_SEED] = { 8 };
static const char xml[] = "<domain><name>b\xc3\xbc"
                          "cher</name></domain>";

static struct segment_crypt
crypt_of(enum record_cipher cipher)
{
	struct segment_crypt K = { .cipher = cipher };

	memset(K.bundle, 0xb1, sizeof K.bundle);
	memset(K.key, 0x5e, sizeof K.key);
	return (K);
}

/* A header that carries that text for K. */
static struct header
sealed(const struct segment_crypt *K, const char *text)
{
	struct header H = sample_header(BUNDLE_SEED);

	memset(&H.definition, 0, sizeof H.definition);
	H.definition.is_known = 1;
	vmtext_digest(H.definition.digest, seed, text);
	cr_assert_eq(vmtext_seal(&H.definition, K, text), 0);
	return (H);
}

static int
opens(const struct header *H, const struct segment_crypt *K, const uint8_t *leaf_seed)
{
	char *text;
	const char *why = vmtext_open(&text, H, K, NULL, leaf_seed);

	cr_expect_eq(why == NULL, text != NULL);
	free(text);
	return (why == NULL);
}

Test(vmtext, comes_back_whole_in_clear_and_encrypted)
{
	for (int c = RECORD_CLEAR; c <= RECORD_XCHACHA20POLY1305; c++) {
		struct segment_crypt K = crypt_of((enum record_cipher)c);
		struct header H = sealed(&K, xml);
		char *text;

		cr_assert_null(vmtext_open(&text, &H, &K, NULL, seed));
		cr_expect_str_eq(text, xml);
		free(text);
		cr_expect(!opens(&H, &K, other), "of another lineage");
	}
}

Test(vmtext, opens_by_no_other_key_and_in_no_other_bundle)
{
	struct segment_crypt K = crypt_of(RECORD_XCHACHA20POLY1305), not = K;
	struct header H = sealed(&K, xml), again = sealed(&K, xml);

	cr_expect(memcmp(H.definition.sealed, again.definition.sealed, H.definition.size) != 0);
	not .key[0] ^= 1;
	cr_expect(!opens(&H, &not, seed));
	not = K;
	not .bundle[0] ^= 1;
	cr_expect(!opens(&H, &not, seed));
	not = K;
	not .cipher = RECORD_CLEAR;
	cr_expect(!opens(&H, &not, seed));
}

Test(vmtext, cut_or_spoilt_anywhere_is_refused)
{
	struct segment_crypt K = crypt_of(RECORD_XCHACHA20POLY1305);
	struct header H = sealed(&K, xml);
	size_t n = H.definition.size;

	for (size_t i = 0; i < n; i++) {
		H.definition.sealed[i] ^= 0x10;
		cr_expect(!opens(&H, &K, seed), "byte %zu", i);
		H.definition.sealed[i] ^= 0x10;
		H.definition.size = i + 1;
		cr_expect_eq(opens(&H, &K, seed), i + 1 == n, "%zu bytes", i + 1);
		H.definition.size = n;
	}
}

/* What the key is known to, and still is none. */
Test(vmtext, that_is_no_text_or_too_long_is_refused)
{
	static char plain[2 * LIMIT_DEFINITION];
	static const struct {
		size_t n;
		char fill, first;
		int is_one;
	} rows[] = { { 1, 'x', 'x', 1 }, { LIMIT_DEFINITION, 'x', 'x', 1 },
		{ LIMIT_DEFINITION + 1, 'x', 'x', 0 }, { 2 * LIMIT_DEFINITION, 'x', 'x', 0 },
		{ 8, 'x', '\0', 0 }, { 8, 'x', (char)0xff, 0 }, { 0, 'x', 'x', 0 } };
	struct segment_crypt K = crypt_of(RECORD_CLEAR);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct header H = sample_header(BUNDLE_SEED);
		crypto_generichash_state h;

		memset(plain, rows[i].fill, sizeof plain);
		plain[0] = rows[i].first;
		H.definition.size = ZSTD_compress(H.definition.sealed, LIMIT_SEALED, plain, rows[i].n, 19);
		cr_assert(!ZSTD_isError(H.definition.size));
		crypto_generichash_init(&h, seed, LEAF_SEED, HEADER_DIGEST);
		crypto_generichash_update(&h, (const uint8_t *)"vmferry 1 definition", 20);
		crypto_generichash_update(&h, (const uint8_t *)plain, rows[i].n);
		crypto_generichash_final(&h, H.definition.digest, HEADER_DIGEST);
		cr_expect_eq(opens(&H, &K, seed), rows[i].is_one, "row %zu", i);
	}
}

Test(vmtext, that_does_not_compress_is_not_carried)
{
	char text[LIMIT_SEALED + 8192];
	uint64_t d = 5;
	struct header_definition to = { .is_known = 1 };
	struct segment_crypt K = crypt_of(RECORD_XCHACHA20POLY1305);

	for (size_t i = 0; i + 1 < sizeof text; i++) {
		d = d * 6364136223846793005u + 1442695040888963407u;
		text[i] = (char)(' ' + (d >> 33) % 95);
	}
	text[sizeof text - 1] = '\0';
	cr_expect_eq(vmtext_seal(&to, &K, text), 1);
	cr_expect_eq(to.size, 0u);
}
