/* A header's text, then behind a NUL its trailer's.  What decodes must encode and decode to the same again. */
#include <string.h>

#include "bounds.h"
#include "check.h"
#include "header.h"

static void
check_trailer(const struct header *H, const char *text, size_t n)
{
	struct trailer T, again;
	char *s;

	if (trailer_decode(&T, H, text, n) != NULL)
		return;
	CHECK((s = trailer_encode(&T, H, &n)) != NULL && n == strlen(s) && n <= LIMIT_JSON);
	CHECK(trailer_decode(&again, H, s, n) == NULL && memcmp(&T, &again, sizeof T) == 0);
	free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size == 0 ? NULL : memchr(data, '\0', size);
	size_t n = nul == NULL ? size : (size_t)(nul - data);
	struct header H, again;
	char *s;

	if (header_decode(&H, (const char *)data, n) != NULL)
		return (0);
	if (nul != NULL)
		check_trailer(&H, (const char *)nul + 1, size - n - 1);
	CHECK((s = header_encode(&H, &n)) != NULL && n == strlen(s) && n <= LIMIT_JSON);
	CHECK(header_decode(&again, s, n) == NULL && memcmp(&H, &again, sizeof H) == 0);
	free(s);
	return (0);
}
