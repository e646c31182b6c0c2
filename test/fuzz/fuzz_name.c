/* The short texts: names, ids, UUIDs and times; and the input's first eight bytes as a time. */
#include <jansson.h>
#include <string.h>

#include "bounds.h"
#include "check.h"
#include "name.h"
#include "point.h"
#include "wire.h"

#define LAST INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

static void
check_names(const char *s)
{
	size_t n = strlen(s);
	json_t *j = json_string(s); /* not NULL: valid UTF-8, by another's judgement */

	if (name_check(s) == NULL)
		CHECK(j != NULL && n > 0 && n <= LIMIT_NAME && strpbrk(s, "/\n\r\t\033\177'\"\\`") == NULL);
	json_decref(j);
	if (name_check_disk(s) == NULL)
		CHECK(name_check(s) == NULL && n <= LIMIT_DISK_ID);
	if (name_check_uuid(s) == NULL)
		CHECK(n == 36 && strspn(s, "0123456789abcdef-") == 36 && name_check_disk(s) == NULL);
}

static void
check_times(const char *s, int64_t t)
{
	char text[POINT_TIME];
	int64_t u = point_time_parse(s);

	CHECK(u >= -1 && u <= LAST);
	if (u >= 0) {
		point_time_text(text, u);
		CHECK(strcmp(text, s) == 0);
	}
	point_time_text(text, t);
	CHECK(memchr(text, '\0', sizeof text) != NULL);
	if (t >= 0 && t <= LAST)
		CHECK(point_time_parse(text) == t);
	if (point_kind_parse(s) != 0)
		CHECK(strcmp(point_kind_text(point_kind_parse(s)), s) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);

	CHECK(s != NULL);
	memcpy(s, data, size);
	s[size] = '\0';
	check_names(s);
	check_times(s, size < 8 ? 0 : (int64_t)wire_get64(data));
	free(s);
	return (0);
}
