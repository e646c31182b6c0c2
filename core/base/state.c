#include "base/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/io.h"
#include "jsontext.h"
#include "base/say.h"

#define STATE_MAX (64u << 20)
#define SUM_LINE 22u /* "xxh3 " and 16 digits and a newline */

static void
sum_line(char out[SUM_LINE + 1], const char *text, size_t n)
{
	snprintf(out, SUM_LINE + 1, "xxh3 %016" PRIx64 "\n", (uint64_t)XXH3_64bits(text, n));
}

/* Is the checksum behind the text right?  *n becomes the length of the text without it. */
static int
is_whole(const char *text, size_t *n)
{
	char want[SUM_LINE + 1];

	if (*n <= SUM_LINE)
		return (0);
	sum_line(want, text, *n - SUM_LINE);
	if (memcmp(text + *n - SUM_LINE, want, SUM_LINE) != 0)
		return (0);
	*n -= SUM_LINE;
	return (1);
}

int
state_may_have(const char *path, const char *word)
{
	size_t n, length = strlen(word);
	char *text = io_slurp(path, STATE_MAX, &n), *quoted = malloc(length + 3);
	int rc = text == NULL ? -1 : 1;

	if (rc == 1 && quoted != NULL && is_whole(text, &n)) {
		snprintf(quoted, length + 3, "\"%s\"", word);
		rc = memmem(text, n, quoted, length + 2) != NULL;
		/* What is not ASCII may be written in more than one way. */
		for (const char *c = word; *c != '\0'; c++)
			rc |= *c < ' ' || *c > '~';
	}
	free(quoted);
	free(text);
	return (rc);
}

json_t *
state_read(const char *path)
{
	char *text;
	json_t *J = NULL;
	json_error_t e;
	size_t n;

	if ((text = io_slurp(path, STATE_MAX, &n)) == NULL)
		return (NULL);
	if (is_whole(text, &n))
		J = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
	free(text);
	if (J == NULL)
		say_failed("%s: the record is damaged; restore it from a backup of the site's home", path);
	return (J);
}

int
state_write(const char *path, json_t *J)
{
	char *text, *whole;
	size_t n = 0;
	int rc;

	if ((text = jsontext_dump(J, STATE_MAX - SUM_LINE, &n)) == NULL ||
	    (whole = realloc(text, n + SUM_LINE + 1)) == NULL) {
		free(text);
		return (say_failed("%s: out of memory", path));
	}
	sum_line(whole + n, whole, n);
	rc = io_replace(path, whole, n + SUM_LINE, 0600);
	free(whole);
	return (rc);
}
