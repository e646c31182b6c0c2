#include "filename.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLUG 32u
#define DIGITS "0123456789"
#define PLAIN "abcdefghijklmnopqrstuvwxyz" DIGITS "-"

/* A VM's name in what every file system takes; others become one '-', and none stands at an end. */
static void
slug(char out[SLUG + 1], const char *s)
{
	size_t n = 0;

	for (; *s != '\0' && n < SLUG; s++) {
		char c = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;

		if (strchr(PLAIN, c) == NULL)
			c = '-';
		if (c != '-' || (n > 0 && out[n - 1] != '-'))
			out[n++] = c;
	}
	while (n > 0 && out[n - 1] == '-')
		n--;
	out[n] = '\0';
	if (n == 0)
		strcpy(out, "vm");
}

void
filename_stem(char out[FILENAME_STEM], const struct header *H)
{
	char vm[SLUG + 1], from[24] = "", id[2 * 4 + 1];

	slug(vm, H->vm);
	sodium_bin2hex(id, sizeof id, H->id, 4);
	if (H->type != BUNDLE_RECEIPT && H->from.seq != 0)
		snprintf(from, sizeof from, "%" PRIu64 "-", H->from.seq);
	snprintf(out, FILENAME_STEM, "%s-%.10s-%s%" PRIu64 ".%s", vm, header_type_text(H->type), from,
	    H->to.seq, id);
}

void
filename_volume(char out[FILENAME_SIZE], const char *stem, unsigned volume)
{
	snprintf(out, FILENAME_SIZE, "%s.%03u.vmf", stem, volume % 100000);
}

void
filename_keys(char out[FILENAME_SIZE], const char *site, const uint8_t first[RECORD_KEY])
{
	char s[SLUG + 1], id[2 * 4 + 1];

	slug(s, site);
	sodium_bin2hex(id, sizeof id, first, 4);
	snprintf(out, FILENAME_SIZE, "%s.%s.keys", s, id);
}

/* What stands behind a stem at the start of name, which is copied; NULL if there is none. */
static const char *
split_stem(char stem[FILENAME_STEM], const char *name)
{
	size_t plain = strspn(name, PLAIN), n = plain + 9;

	if (plain == 0 || n >= FILENAME_STEM || name[plain] != '.' ||
	    strspn(name + plain + 1, DIGITS "abcdef") != 8)
		return (NULL);
	memcpy(stem, name, n);
	stem[n] = '\0';
	return (name + n);
}

const char *
filename_beside(char stem[FILENAME_STEM], const char *name)
{
	static const char *const suffixes[] = { ".b2", ".b2.minisig", ".log" };
	const char *p = split_stem(stem, name);

	for (size_t i = 0; p != NULL && i < sizeof suffixes / sizeof *suffixes; i++)
		if (strcmp(p, suffixes[i]) == 0)
			return (suffixes[i]);
	return (NULL);
}

unsigned
filename_split(char stem[FILENAME_STEM], const char *name)
{
	const char *p = split_stem(stem, name);
	size_t digits;

	if (p == NULL || *p != '.')
		return (0);
	digits = strspn(p + 1, DIGITS);
	if (digits < 3 || digits > 5 || strcmp(p + 1 + digits, ".vmf") != 0)
		return (0);
	return ((unsigned)strtoul(p + 1, NULL, 10));
}
