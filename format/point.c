#include "point.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const kinds[] = { NULL, "standard", "app", "final" };

void
point_time_text(char out[POINT_TIME], int64_t time)
{
	time_t t = (time_t)time;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(out, POINT_TIME, "%Y-%m-%dT%H:%M:%SZ", &tm) != 20)
		strcpy(out, "1970-01-01T00:00:00Z");
}

int64_t
point_time_parse(const char *s)
{
	struct tm tm = { 0 };
	char again[POINT_TIME];
	int64_t t;

	if (strlen(s) != 20 || strptime(s, "%Y-%m-%dT%H:%M:%SZ", &tm) != s + 20)
		return (-1);
	if ((t = (int64_t)timegm(&tm)) < 0)
		return (-1);
	point_time_text(again, t);
	return (strcmp(again, s) == 0 ? t : -1);
}

void
point_age_text(char out[POINT_AGE], int64_t seconds)
{
	static const struct {
		int64_t unit;
		const char *name;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	size_t i = 0;

	while (i < 3 && seconds < 2 * units[i].unit)
		i++;
	seconds = seconds < 0 ? 0 : seconds / units[i].unit;
	snprintf(out, POINT_AGE, "%" PRId64 " %s%s", seconds, units[i].name, seconds == 1 ? "" : "s");
}

const char *
point_kind_text(enum point_kind kind)
{
	return (kinds[kind]);
}

enum point_kind
point_kind_parse(const char *s)
{
	for (int k = POINT_STANDARD; k <= POINT_FINAL; k++)
		if (strcmp(s, kinds[k]) == 0)
			return ((enum point_kind)k);
	return ((enum point_kind)0);
}
