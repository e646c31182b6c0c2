#include <criterion/criterion.h>
#include <sodium.h>

#include "bounds.h"
#include "name.h"

static void
init(void)
{
	cr_assert(sodium_init() >= 0);
}

TestSuite(name, .init = init);

/* A C string that is refused or taken by one of the checks. */
struct row {
	const char *s;
	int valid;
};

static void
expect_rows(const char *(*check)(const char *), const struct row *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cr_expect_eq(check(r[i].s) == NULL, r[i].valid, "row %zu: \"%s\"", i, r[i].s);
}

/* UTF-8 as its definition has it; also for what is no character at all. */
static size_t
utf8(char *p, uint32_t c)
{
	if (c < 0x80) {
		p[0] = (char)c;
		return (1);
	}
	if (c < 0x800) {
		p[0] = (char)(0xc0 | c >> 6);
		p[1] = (char)(0x80 | (c & 0x3f));
		return (2);
	}
	if (c < 0x10000) {
		p[0] = (char)(0xe0 | c >> 12);
		p[1] = (char)(0x80 | (c >> 6 & 0x3f));
		p[2] = (char)(0x80 | (c & 0x3f));
		return (3);
	}
	p[0] = (char)(0xf0 | c >> 18);
	p[1] = (char)(0x80 | (c >> 12 & 0x3f));
	p[2] = (char)(0x80 | (c >> 6 & 0x3f));
	p[3] = (char)(0x80 | (c & 0x3f));
	return (4);
}

/* What is no printable character, or may not be in a name. */
static int
is_banned(uint32_t c)
{
	static const uint32_t ranges[][2] = {
		{ 0, 0x1f },
		{ '"', '"' },
		{ '\'', '\'' },
		{ '/', '/' },
		{ '\\', '\\' },
		{ '`', '`' },
		{ 0x7f, 0x9f },
		{ 0x61c, 0x61c },
		{ 0x200b, 0x200f },
		{ 0x2028, 0x202e },
		{ 0x2060, 0x206f },
		{ 0xd800, 0xdfff },
		{ 0xfeff, 0xfeff },
		{ 0x110000, UINT32_MAX },
	};

	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
		if (c >= ranges[i][0] && c <= ranges[i][1])
			return (1);
	return (0);
}

Test(name, takes_every_printable_character_and_no_other)
{
	for (uint32_t c = 1; c < 0x120000; c++) {
		char s[8] = "a";
		size_t n = 1 + utf8(s + 1, c);

		s[n] = 'z';
		s[n + 1] = '\0';
		cr_expect_eq(name_check(s) == NULL, !is_banned(c), "U+%04X", (unsigned)c);
	}
}

Test(name, refuses_what_is_not_shortest_form_utf8)
{
	static const struct row rows[] = {
		{ "b\xc3\xbc"
		  "cher",
		    1 },
		{ "\xe6\x9d\xb1\xe4\xba\xac", 1 },
		{ "\xf0\x9f\x90\xa7", 1 },
		{ "\xf4\x8f\xbf\xbd", 1 },
		{ "\xf4\x90\x80\x80", 0 },
		{ "a\x80", 0 },
		{ "a\xbf"
		  "b",
		    0 },
		{ "a\xc3", 0 },
		{ "a\xc3"
		  "b",
		    0 },
		{ "a\xc3\xc3", 0 },
		{ "a\xe6\x9d", 0 },
		{ "a\xe6\x9d"
		  "b",
		    0 },
		{ "a\xf0\x9f\x90", 0 },
		{ "a\xc0\x80", 0 },
		{ "a\xc0\xaf", 0 },
		{ "a\xc1\xbf", 0 },
		{ "a\xe0\x80\xaf", 0 },
		{ "a\xe0\x9f\xbf", 0 },
		{ "a\xf0\x80\x80\xaf", 0 },
		{ "a\xf0\x8f\xbf\xbf", 0 },
		{ "a\xed\xa0\x80", 0 },
		{ "a\xed\xbf\xbf", 0 },
		{ "a\xf5\x80\x80\x80", 0 },
		{ "a\xf8\x88\x80\x80\x80", 0 },
		{ "a\xfc\x84\x80\x80\x80\x80", 0 },
		{ "a\xfe", 0 },
		{ "a\xff", 0 },
		{ "a\xc2\x9b"
		  "31m",
		    0 },
		{ "a\xe2\x80\xae"
		  "b",
		    0 },
	};

	expect_rows(name_check, rows, sizeof rows / sizeof rows[0]);
}

Test(name, refuses_what_could_be_a_path_an_option_or_a_shell_word)
{
	static const struct row rows[] = {
		{ "web 1", 1 },
		{ "a", 1 },
		{ "a-b.c_d", 1 },
		{ "$HOME; rm *", 1 },
		{ "", 0 },
		{ "-x", 0 },
		{ "--", 0 },
		{ ".", 0 },
		{ "..", 0 },
		{ ".hidden", 0 },
		{ "a/b", 0 },
		{ "/", 0 },
		{ "a\\b", 0 },
		{ "a'b", 0 },
		{ "a\"b", 0 },
		{ "a`b`", 0 },
		{ " a", 0 },
		{ "a ", 0 },
		{ " ", 0 },
		{ "a\tb", 0 },
		{ "a\nb", 0 },
		{ "a\x1b[2J", 0 },
		{ "a\x7f", 0 },
	};

	expect_rows(name_check, rows, sizeof rows / sizeof rows[0]);
}

Test(name, has_at_most_255_bytes)
{
	char s[LIMIT_NAME + 2];

	for (size_t n = 1; n <= LIMIT_NAME + 1; n++) {
		memset(s, 'x', n);
		s[n] = '\0';
		cr_expect_eq(name_check(s) == NULL, n <= LIMIT_NAME, "%zu", n);
	}
}

Test(name, of_a_disk_is_64_plain_characters)
{
	static const struct row rows[] = {
		{ "root", 1 },
		{ "Data.1_x-y", 1 },
		{ "0", 1 },
		{ "", 0 },
		{ ".", 0 },
		{ "..", 0 },
		{ ".a", 0 },
		{ "-a", 0 },
		{ "_a", 0 },
		{ "a/b", 0 },
		{ "a b", 0 },
		{ "a:b", 0 },
		{ "a\n", 0 },
		{ "b\xc3\xbc", 0 },
	};
	char s[LIMIT_DISK_ID + 2];

	expect_rows(name_check_disk, rows, sizeof rows / sizeof rows[0]);
	for (size_t n = 1; n <= LIMIT_DISK_ID + 1; n++) {
		memset(s, 'x', n);
		s[n] = '\0';
		cr_expect_eq(name_check_disk(s) == NULL, n <= LIMIT_DISK_ID, "%zu", n);
	}
	for (int c = 1; c < 256; c++) {
		int plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		s[0] = 'a';
		s[1] = (char)c;
		s[2] = '\0';
		cr_expect_eq(name_check_disk(s) == NULL, plain || c == '.' || c == '_' || c == '-', "%d", c);
		cr_expect_eq(name_check_disk(s + 1) == NULL, plain, "%d first", c);
	}
}

Test(name, of_a_uuid_is_refused_with_any_byte_that_does_not_belong)
{
	char s[] = "01234567-89ab-cdef-0123-456789abcdef";

	cr_expect_null(name_check_uuid(s));
	for (size_t i = 0; i < sizeof s - 1; i++) {
		char was = s[i];

		for (int c = 1; c < 256; c++) {
			int hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');

			s[i] = (char)c;
			cr_expect_eq(
			    name_check_uuid(s) == NULL, was == '-' ? c == '-' : hex, "%d at %zu", c, i);
		}
		s[i] = '\0';
		cr_expect_not_null(name_check_uuid(s), "cut at %zu", i);
		s[i] = was;
	}
	cr_expect_not_null(name_check_uuid("01234567-89ab-cdef-0123-456789abcdef0"));
}

Test(name, makes_uuids_of_version_4)
{
	uint8_t random[16];
	char uuid[37];

	for (unsigned n = 0; n < 256; n++) {
		memset(random, (int)n, sizeof random);
		name_make_uuid(uuid, random);
		cr_expect_null(name_check_uuid(uuid), "%s", uuid);
		cr_expect(uuid[14] == '4' && strchr("89ab", uuid[19]) != NULL, "%s", uuid);
	}
	for (unsigned i = 0; i < 16; i++)
		random[i] = (uint8_t)(17 * i);
	name_make_uuid(uuid, random);
	cr_expect_str_eq(uuid, "00112233-4455-4677-8899-aabbccddeeff");
}
