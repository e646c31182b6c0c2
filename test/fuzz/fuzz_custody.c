/* A line of custody, and a medium's description, that are taken are the text that their fields have. */
#include <sodium.h>
#include <string.h>

#include "check.h"
#include "custody.h"
#include "filename.h"
#include "identity.h"

static void
check_line(const char *data, size_t size)
{
	static const uint8_t bundle[RECORD_ID];
	char line[CUSTODY_LINE], *key;
	struct custody C;

	if (custody_decode(&C, data, size, bundle) != NULL)
		return;
	CHECK(size < CUSTODY_LINE && data[size - 1] == '\n' && memchr(data, '\0', size) == NULL);
	custody_encode(line, &C, bundle, NULL);
	CHECK((key = strstr(line, " key=-")) != NULL);
	CHECK((size_t)(key - line) < size && memcmp(line, data, (size_t)(key - line)) == 0);
	CHECK(C.word != CUSTODY_UNSIGNED || strlen(line) == size);
}

static void
check_identity(const char *data, size_t size)
{
	char text[IDENTITY_MAX];
	struct identity I;

	if (identity_decode(&I, data, size) == NULL)
		CHECK(identity_encode(text, &I) == size && memcmp(text, data, size) == 0);
}

static void
check_name(const char *data, size_t size)
{
	char name[256], stem[FILENAME_STEM], again[FILENAME_SIZE];
	const char *suffix;
	unsigned n;

	if (size >= sizeof name)
		return;
	memcpy(name, data, size);
	name[size] = '\0';
	if ((n = filename_split(stem, name)) != 0) {
		filename_volume(again, stem, n);
		CHECK(strlen(name) < FILENAME_SIZE && strchr(name, '/') == NULL);
		/* A number with more zeroes in front than we write is the same number. */
		CHECK(filename_split(name, again) == n && strcmp(name, stem) == 0);
	}
	if ((suffix = filename_beside(stem, name)) != NULL)
		CHECK(strlen(stem) + strlen(suffix) == strlen(name) && n == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_line((const char *)data, size);
	check_identity((const char *)data, size);
	check_name((const char *)data, size);
	return (0);
}
