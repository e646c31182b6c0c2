#include "card.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "name.h"

#define CONTEXT "vmferry 1 card\n"
#define FIRST "vmferry card 1\n"

/* The lines that the signature covers. */
static size_t
body(char out[CARD_MAX], const struct card *C)
{
	char sign[2 * RECORD_KEY + 1], box[2 * CARD_BOX + 1], print[CARD_FINGERPRINT];

	sodium_bin2hex(sign, sizeof sign, C->sign, RECORD_KEY);
	sodium_bin2hex(box, sizeof box, C->box, CARD_BOX);
	card_fingerprint(print, C);
	return ((size_t)snprintf(out, CARD_MAX, FIRST "name: %s\nsign: %s\nbox: %s\nfingerprint: %s\n",
	    C->name, sign, box, print));
}

/* What is signed: the context, then the lines. */
static size_t
message(char out[CARD_MAX + sizeof CONTEXT], const struct card *C)
{
	memcpy(out, CONTEXT, sizeof CONTEXT - 1);
	return (sizeof CONTEXT - 1 + body(out + sizeof CONTEXT - 1, C));
}

size_t
card_encode(char out[CARD_MAX], const struct card *C, const uint8_t secret[RECORD_SECRET])
{
	char m[CARD_MAX + sizeof CONTEXT], hex[2 * crypto_sign_BYTES + 1];
	uint8_t sig[crypto_sign_BYTES];
	size_t n = message(m, C);

	crypto_sign_detached(sig, NULL, (const uint8_t *)m, n, secret);
	sodium_bin2hex(hex, sizeof hex, sig, sizeof sig);
	n = body(out, C);
	return (n + (size_t)snprintf(out + n, CARD_MAX - n, "signature: %s\n", hex));
}

/* Copy the value of the line "key: value" at *p and step past it; -1 if there is none or it is too long. */
static int
line(const char **p, const char *end, const char *key, char *out, size_t size)
{
	size_t k = strlen(key);
	const char *nl = memchr(*p, '\n', (size_t)(end - *p));

	if (nl == NULL || (size_t)(nl - *p) < k || memcmp(*p, key, k) != 0)
		return (-1);
	if ((size_t)(nl - *p) - k >= size || memchr(*p, '\0', (size_t)(nl - *p)) != NULL)
		return (-1);
	memcpy(out, *p + k, (size_t)(nl - *p) - k);
	out[(size_t)(nl - *p) - k] = '\0';
	*p = nl + 1;
	return (0);
}

static int
bytes(uint8_t *out, size_t n, const char *hex)
{
	size_t got = 0;

	return (strlen(hex) == 2 * n && strspn(hex, "0123456789abcdef") == 2 * n &&
	                sodium_hex2bin(out, n, hex, 2 * n, NULL, &got, NULL) == 0 && got == n
	            ? 0
	            : -1);
}

const char *
card_decode(struct card *C, const char *text, size_t n)
{
	const char *p = text, *end = text + n;
	char first[1], sign[2 * RECORD_KEY + 1], box[2 * CARD_BOX + 1], print[CARD_FINGERPRINT];
	char sig[2 * crypto_sign_BYTES + 1], m[CARD_MAX + sizeof CONTEXT];
	uint8_t raw[crypto_sign_BYTES];

	if (n >= CARD_MAX || line(&p, end, "vmferry card 1", first, sizeof first) != 0 ||
	    line(&p, end, "name: ", C->name, sizeof C->name) != 0 ||
	    line(&p, end, "sign: ", sign, sizeof sign) != 0 || line(&p, end, "box: ", box, sizeof box) != 0 ||
	    line(&p, end, "fingerprint: ", print, sizeof print) != 0 ||
	    line(&p, end, "signature: ", sig, sizeof sig) != 0 || p != end)
		return ("not a vmferry card");
	if (name_check(C->name) != NULL || bytes(C->sign, RECORD_KEY, sign) != 0 ||
	    bytes(C->box, CARD_BOX, box) != 0 || bytes(raw, sizeof raw, sig) != 0)
		return ("a card with a name or key that is none");
	n = message(m, C);
	if (crypto_sign_verify_detached(raw, (const uint8_t *)m, n, C->sign) != 0)
		return ("the card's signature is wrong: ask for the card again");
	card_fingerprint(m, C);
	return (
	    strcmp(m, print) == 0 ? NULL : "the card's fingerprint is not its own: ask for the card again");
}

void
card_fingerprint(char out[CARD_FINGERPRINT], const struct card *C)
{
	crypto_generichash_state h;
	uint8_t d[16];
	size_t n = 0;

	crypto_generichash_init(&h, NULL, 0, sizeof d);
	crypto_generichash_update(&h, (const uint8_t *)CONTEXT, sizeof CONTEXT - 1);
	crypto_generichash_update(&h, C->sign, RECORD_KEY);
	crypto_generichash_update(&h, C->box, CARD_BOX);
	crypto_generichash_final(&h, d, sizeof d);
	for (size_t i = 0; i < sizeof d; i += 2)
		n += (size_t)snprintf(
		    out + n, CARD_FINGERPRINT - n, "%s%02x%02x", i == 0 ? "" : "-", d[i], d[i + 1]);
}
