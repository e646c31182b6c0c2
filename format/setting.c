#include "setting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
setting_next(const char **p, char *key, size_t key_size, char *value, size_t value_size)
{
	const char *s = *p + strspn(*p, " \t"), *eq, *end;

	if (*s == '\0' || *s == '#')
		return (1);
	if ((eq = strchr(s, '=')) == NULL || (size_t)(eq - s) >= key_size)
		return (-1);
	memcpy(key, s, (size_t)(eq - s));
	key[eq - s] = '\0';
	s = eq + 1;
	if (*s == '"') {
		if ((end = strchr(++s, '"')) == NULL)
			return (-1);
		*p = end + 1;
	} else {
		end = s + strcspn(s, " \t");
		*p = end;
	}
	/* A quote stands around a whole value or nowhere. */
	if ((**p != '\0' && strchr(" \t", **p) == NULL) || memchr(s, '"', (size_t)(end - s)) != NULL)
		return (-1);
	if ((size_t)(end - s) >= value_size)
		return (-1);
	memcpy(value, s, (size_t)(end - s));
	value[end - s] = '\0';
	return (0);
}

/* A number with a unit out of units, whose factors are given; no unit counts 1. */
static const char *
scaled(const char *s, const char *units, const uint64_t *factors, const char *bad_unit, uint64_t *out)
{
	const char *unit;
	uint64_t v, f = 1;
	char *end;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (end == s || errno != 0 || s[0] < '0' || s[0] > '9')
		return ("is not a number");
	if (*end != '\0') {
		if ((unit = strchr(units, *end)) == NULL || end[1] != '\0')
			return (bad_unit);
		f = factors[unit - units];
	}
	if (v > UINT64_MAX / 2 / f)
		return ("is too large");
	*out = v * f;
	return (NULL);
}

const char *
setting_size(const char *s, uint64_t *out)
{
	static const uint64_t factors[] = { UINT64_C(1) << 10, UINT64_C(1) << 20, UINT64_C(1) << 30,
		UINT64_C(1) << 40 };

	return (scaled(s, "KMGT", factors, "does not end in a unit out of KMGT", out));
}

const char *
setting_time(const char *s, uint64_t *out)
{
	static const uint64_t factors[] = { 1, 60, 3600, 86400 };

	return (scaled(s, "smhd", factors, "does not end in a unit out of smhd", out));
}

const char *
setting_number(const char *s, uint64_t *out)
{
	return (scaled(s, "", NULL, "is not a number", out));
}
