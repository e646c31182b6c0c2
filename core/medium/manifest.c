#include "medium/manifest.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/say.h"
#include "minisig.h"

#define MANIFEST_MAX (4u << 20) /* bytes of text: more than 20,000 volumes */
#define LINE 256u               /* more than a line takes */

/* The name of a file beside the volumes of stem. */
static void
beside(char out[FILENAME_SIZE], const char *stem, const char *suffix)
{
	snprintf(out, FILENAME_SIZE, "%.*s%s", (int)FILENAME_STEM, stem, suffix);
}

static int
sign(const struct medium *M, const char *stem, const char *text, size_t n, const uint8_t *secret)
{
	char file[FILENAME_SIZE], name[FILENAME_SIZE], comment[MINISIG_COMMENT], sig[MINISIG_MAX];

	beside(file, stem, ".b2");
	beside(name, stem, ".b2.minisig");
	snprintf(
	    comment, sizeof comment, "timestamp:%" PRId64 "\tfile:%s\thashed", (int64_t)time(NULL), file);
	return (medium_put(M, name, sig, minisig_encode(sig, text, n, comment, secret)));
}

/* The text without the line that starts with head, in place; its new length. */
static size_t
without(char *text, size_t n, const char *head)
{
	size_t k = strlen(head), out = 0;

	for (size_t i = 0; i < n;) {
		const char *nl = memchr(text + i, '\n', n - i);
		size_t len = nl == NULL ? n - i : (size_t)(nl - text) - i + 1;

		/* A line without its end was cut short; it goes too. */
		if (nl != NULL && (len < k || memcmp(text + i, head, k) != 0)) {
			memmove(text + out, text + i, len);
			out += len;
		}
		i += len;
	}
	return (out);
}

/* Lines come in the order of their volumes; the new one is put where it belongs. */
static char *
with(const char *text, size_t n, const char *line)
{
	size_t len = strlen(line), at = 0;
	char *out = malloc(n + len + 1);

	if (out == NULL)
		return (NULL);
	while (at < n) {
		const char *nl = memchr(text + at, '\n', n - at);
		size_t k = (size_t)(nl - text) - at + 1;

		if (memcmp(text + at, line, k < len ? k : len) > 0)
			break;
		at += k;
	}
	memcpy(out, text, at);
	memcpy(out + at, line, len);
	memcpy(out + at + len, text + at, n - at);
	out[n + len] = '\0';
	return (out);
}

static int
change(const struct medium *M, const char *stem, const char *volume, const char *line, const uint8_t *secret)
{
	char name[FILENAME_SIZE], sig[FILENAME_SIZE], head[LINE], *text = NULL, *new;
	size_t n = 0;
	int rc;

	beside(name, stem, ".b2");
	beside(sig, stem, ".b2.minisig");
	snprintf(head, sizeof head, "BLAKE2b-256 (%s) = ", volume);
	if ((rc = medium_read(M, name, MANIFEST_MAX, &text, &n)) < 0)
		return (-1);
	if (rc == 0)
		n = without(text, n, head);
	if (line[0] == '\0' && n == 0) {
		free(text);
		return (medium_remove(M, name) != 0 ? -1 : medium_remove(M, sig));
	}
	new = with(rc == 0 ? text : "", n, line);
	free(text);
	if (new == NULL)
		return (say_failed("out of memory"));
	rc = medium_put(M, name, new, strlen(new));
	if (rc == 0)
		rc = sign(M, stem, new, strlen(new), secret);
	free(new);
	return (rc);
}

int
manifest_add(const struct medium *M, const char *stem, const char *volume,
    const uint8_t digest[RECORD_DIGEST], const uint8_t secret[RECORD_SECRET])
{
	char line[LINE], hex[2 * RECORD_DIGEST + 1];

	sodium_bin2hex(hex, sizeof hex, digest, RECORD_DIGEST);
	snprintf(line, sizeof line, "BLAKE2b-256 (%s) = %s\n", volume, hex);
	return (change(M, stem, volume, line, secret));
}

int
manifest_drop(
    const struct medium *M, const char *stem, const char *volume, const uint8_t secret[RECORD_SECRET])
{
	return (change(M, stem, volume, "", secret));
}
