#include "name.h"

#include <stddef.h>
#include <string.h>

#include "bounds.h"

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

size_t
name_printable(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned c = s[0];
	size_t n = c < 0x80             ? 1
	           : (c & 0xe0) == 0xc0 ? 2
	           : (c & 0xf0) == 0xe0 ? 3
	           : (c & 0xf8) == 0xf0 ? 4
	                                : 0;
	static const unsigned least[] = { 0, 0x20, 0xa0, 0x800, 0x10000 };

	if (n > 1)
		c &= 0x7fu >> n;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return (0);
		c = c << 6 | (s[i] & 0x3f);
	}
	if (n == 0 || c < least[n] || c == 0x7f || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		return (0);
	/* Marks that change the direction or the look of what stands around them. */
	if (c == 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2060 && c <= 0x206f) || c == 0xfeff)
		return (0);
	return (n);
}

const char *
name_check(const char *s)
{
	size_t len = strlen(s), n;

	if (len == 0 || len > LIMIT_NAME)
		return ("a name has 1 to 255 bytes");
	if (s[0] == '-' || s[0] == '.' || s[0] == ' ' || s[len - 1] == ' ')
		return ("a name does not start with '-' or '.', and has no blanks at its ends");
	if (strpbrk(s, "/\\\"'`") != NULL)
		return ("a name has no slash, backslash or quote");
	for (size_t i = 0; i < len; i += n)
		if ((n = name_printable(s + i)) == 0)
			return ("a name is made of printable UTF-8");
	return (NULL);
}

const char *
name_check_disk(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len > LIMIT_DISK_ID || s[0] == '-' || s[0] == '.' || s[0] == '_' ||
	    strspn(s, LETTERS DIGITS "._-") != len)
		return (
		    "a disk's id is 1 to 64 letters, digits, '.', '_' and '-', the first a letter or digit");
	return (NULL);
}

const char *
name_check_uuid(const char *s)
{
	static const char why[] = "a UUID is 32 lower-case hexadecimal digits in groups of 8-4-4-4-12";

	if (strlen(s) != 36)
		return (why);
	for (size_t i = 0; i < 36; i++)
		if (strchr(i == 8 || i == 13 || i == 18 || i == 23 ? "-" : DIGITS "abcdef", s[i]) == NULL)
			return (why);
	return (NULL);
}

void
name_make_uuid(char out[37], const uint8_t random[16])
{
	size_t at = 0;

	for (unsigned i = 0; i < 16; i++) {
		unsigned b = i == 6   ? (random[i] & 0x0fu) | 0x40u
		             : i == 8 ? (random[i] & 0x3fu) | 0x80u
		                      : random[i];

		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[at++] = '-';
		out[at++] = "0123456789abcdef"[b >> 4];
		out[at++] = "0123456789abcdef"[b & 15];
	}
	out[at] = '\0';
}
