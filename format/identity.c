#include "identity.h"

#include <stdio.h>
#include <string.h>

#include "name.h"
#include "point.h"

#define FIRST "vmferry medium 1\n"

size_t
identity_encode(char out[IDENTITY_MAX], const struct identity *I)
{
	char made[POINT_TIME];

	point_time_text(made, I->made);
	return ((size_t)snprintf(
	    out, IDENTITY_MAX, FIRST "id: %s\nlabel: %s\nmade: %s\n", I->id, I->label, made));
}

/* Copy the rest of the line that starts with key at *p, and step past it; NULL if there is none, or too long. */
static const char *
line(const char *p, const char *key, char *out, size_t size)
{
	size_t k = strlen(key), n;

	if (strncmp(p, key, k) != 0)
		return (NULL);
	n = strcspn(p + k, "\n");
	if (n >= size || p[k + n] != '\n')
		return (NULL);
	memcpy(out, p + k, n);
	out[n] = '\0';
	return (p + k + n + 1);
}

const char *
identity_decode(struct identity *I, const char *text, size_t n)
{
	static const char bad[] = "is not the description of a medium";
	char copy[IDENTITY_MAX], made[POINT_TIME];
	const char *p = copy;

	if (n >= sizeof copy || memchr(text, '\0', n) != NULL)
		return (bad);
	memcpy(copy, text, n);
	copy[n] = '\0';
	if (strncmp(p, FIRST, strlen(FIRST)) != 0 ||
	    (p = line(p + strlen(FIRST), "id: ", I->id, sizeof I->id)) == NULL ||
	    (p = line(p, "label: ", I->label, sizeof I->label)) == NULL ||
	    (p = line(p, "made: ", made, sizeof made)) == NULL || *p != '\0')
		return (bad);
	if (strlen(I->id) != IDENTITY_ID - 1 || strspn(I->id, "0123456789abcdef") != IDENTITY_ID - 1 ||
	    name_check(I->label) != NULL || (I->made = point_time_parse(made)) < 0)
		return (bad);
	return (NULL);
}
