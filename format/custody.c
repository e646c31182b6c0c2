#include "custody.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "name.h"
#include "point.h"

#define CONTEXT "vmferry 1 custody\n"
#define CONTEXT_SIZE (sizeof CONTEXT - 1)
#define LETTERS "abcdefghijklmnopqrstuvwxyz"

/* What is signed: context, bundle, and the n bytes of the line in front of " sig=". */
static size_t
message(uint8_t out[CONTEXT_SIZE + RECORD_ID + CUSTODY_LINE], const uint8_t bundle[RECORD_ID],
    const char *line, size_t n)
{
	memcpy(out, CONTEXT, CONTEXT_SIZE);
	memcpy(out + CONTEXT_SIZE, bundle, RECORD_ID);
	memcpy(out + CONTEXT_SIZE + RECORD_ID, line, n);
	return (CONTEXT_SIZE + RECORD_ID + n);
}

static int
is_plain(char c)
{
	return (c >= ' ' && c <= '~' && c != '"');
}

size_t
custody_encode(
    char out[CUSTODY_LINE], const struct custody *C, const uint8_t bundle[RECORD_ID], const uint8_t *secret)
{
	uint8_t m[CONTEXT_SIZE + RECORD_ID + CUSTODY_LINE], sig[crypto_sign_BYTES], key[RECORD_KEY];
	char time[POINT_TIME], result[CUSTODY_RESULT], hex[2 * crypto_sign_BYTES + 1] = "-", by[65] = "-";
	char prev[2 * RECORD_DIGEST + 1];
	size_t n, i = 0;

	for (; C->result[i] != '\0' && i + 1 < sizeof result; i++)
		result[i] = is_plain(C->result[i]) ? C->result[i] : '?';
	result[i] = '\0';
	if (secret != NULL) {
		crypto_sign_ed25519_sk_to_pk(key, secret);
		sodium_bin2hex(by, sizeof by, key, sizeof key);
	}
	sodium_bin2hex(prev, sizeof prev, C->prev, RECORD_DIGEST);
	point_time_text(time, C->time);
	n = (size_t)snprintf(out, CUSTODY_LINE, "%s %s \"%s\" \"%s\" prev=%s key=%s", time, C->what, C->site,
	    result, prev, by);
	if (secret != NULL) {
		crypto_sign_detached(sig, NULL, m, message(m, bundle, out, n), secret);
		sodium_bin2hex(hex, sizeof hex, sig, sizeof sig);
	}
	return (n + (size_t)snprintf(out + n, CUSTODY_LINE - n, " sig=%s\n", hex));
}

/* Copy what stands at *p up to the text end, and step past that; -1 if it is too long or end is not there. */
static int
part(const char **p, const char *stop, const char *end, char *out, size_t size)
{
	size_t left = (size_t)(stop - *p), n = strlen(end), i = 0;

	while (i + n <= left && memcmp(*p + i, end, n) != 0)
		i++;
	if (i + n > left || i >= size)
		return (-1);
	memcpy(out, *p, i);
	out[i] = '\0';
	*p += i + n;
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

/* What the fields may hold. */
static int
is_sound(const struct custody *C)
{
	if (C->what[0] == '\0' || strspn(C->what, LETTERS) != strlen(C->what) || C->result[0] == '\0')
		return (0);
	for (const char *s = C->result; *s != '\0'; s++)
		if (!is_plain(*s))
			return (0);
	return (C->site[0] == '\0' || name_check(C->site) == NULL);
}

const char *
custody_decode(struct custody *C, const char *line, size_t n, const uint8_t bundle[RECORD_ID])
{
	char time[POINT_TIME], prev[2 * RECORD_DIGEST + 1], key[2 * RECORD_KEY + 1];
	char sig[2 * crypto_sign_BYTES + 1];
	uint8_t m[CONTEXT_SIZE + RECORD_ID + CUSTODY_LINE], raw[crypto_sign_BYTES];
	const char *p = line, *end = line + n, *body;

	if (n >= CUSTODY_LINE || memchr(line, '\0', n) != NULL)
		return ("a line that is too long, or not text");
	if (part(&p, end, " ", time, sizeof time) != 0 ||
	    part(&p, end, " \"", C->what, sizeof C->what) != 0 ||
	    part(&p, end, "\" \"", C->site, sizeof C->site) != 0 ||
	    part(&p, end, "\" prev=", C->result, sizeof C->result) != 0 ||
	    part(&p, end, " key=", prev, sizeof prev) != 0 || part(&p, end, " sig=", key, sizeof key) != 0)
		return ("not a line of custody");
	body = p - strlen(" sig=");
	if (part(&p, end, "\n", sig, sizeof sig) != 0 || p != end || !is_sound(C) ||
	    (C->time = point_time_parse(time)) < 0 || bytes(C->prev, RECORD_DIGEST, prev) != 0)
		return ("not a line of custody");
	C->word = CUSTODY_UNSIGNED;
	memset(C->key, 0, sizeof C->key);
	if (strcmp(key, "-") == 0 && strcmp(sig, "-") == 0)
		return (NULL);
	if (bytes(C->key, RECORD_KEY, key) != 0 || bytes(raw, sizeof raw, sig) != 0)
		return ("not a line of custody");
	C->word =
	    crypto_sign_verify_detached(raw, m, message(m, bundle, line, (size_t)(body - line)), C->key) == 0
	        ? CUSTODY_GOOD
	        : CUSTODY_BAD;
	return (NULL);
}

void
custody_hash(uint8_t out[RECORD_DIGEST], const char *line, size_t n)
{
	crypto_generichash(out, RECORD_DIGEST, (const uint8_t *)line, n, NULL, 0);
}
