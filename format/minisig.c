#include "minisig.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define ID 8u /* minisign's name for a key; any bytes, here a hash of the key */
#define BASE64(n) (((n) + 2u) / 3u * 4u + 1u)
#define UNTRUSTED "untrusted comment: made by vmferry; check it with minisign -Vm FILE -P KEY"

static void
key_id(uint8_t out[ID], const uint8_t key[RECORD_KEY])
{
	uint8_t d[16];

	crypto_generichash(d, sizeof d, key, RECORD_KEY, NULL, 0);
	memcpy(out, d, ID);
}

static void
base64(char *out, const uint8_t *p, size_t n)
{
	sodium_bin2base64(out, BASE64(n), p, n, sodium_base64_VARIANT_ORIGINAL);
}

void
minisig_key(char out[MINISIG_KEY], const uint8_t key[RECORD_KEY])
{
	uint8_t raw[2 + ID + RECORD_KEY] = { 'E', 'd' };

	key_id(raw + 2, key);
	memcpy(raw + 2 + ID, key, RECORD_KEY);
	base64(out, raw, sizeof raw);
}

size_t
minisig_encode(char out[MINISIG_MAX], const void *data, size_t n, const char *comment,
    const uint8_t secret[RECORD_SECRET])
{
	uint8_t hash[64], key[RECORD_KEY], raw[2 + ID + crypto_sign_BYTES] = { 'E', 'D' };
	uint8_t bound[crypto_sign_BYTES + MINISIG_COMMENT], global[crypto_sign_BYTES];
	char text[BASE64(sizeof raw)], last[BASE64(sizeof global)];
	size_t m = strnlen(comment, MINISIG_COMMENT - 1);

	crypto_generichash(hash, sizeof hash, data, n, NULL, 0);
	crypto_sign_ed25519_sk_to_pk(key, secret);
	key_id(raw + 2, key);
	crypto_sign_detached(raw + 2 + ID, NULL, hash, sizeof hash, secret);
	memcpy(bound, raw + 2 + ID, crypto_sign_BYTES);
	memcpy(bound + crypto_sign_BYTES, comment, m);
	crypto_sign_detached(global, NULL, bound, crypto_sign_BYTES + m, secret);
	base64(text, raw, sizeof raw);
	base64(last, global, sizeof global);
	return ((size_t)snprintf(
	    out, MINISIG_MAX, UNTRUSTED "\n%s\ntrusted comment: %.*s\n%s\n", text, (int)m, comment, last));
}
