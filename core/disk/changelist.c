#include "disk/changelist.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"

#define WORDS 3

/* A number, decimal or 0x, that ends where the word does. */
static int
number(const char *s, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)*s))
		return (-1);
	errno = 0;
	*out = strtoull(s, &end, s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10);
	return (*end == '\0' && errno == 0 ? 0 : -1);
}

/* The index of an id, or n. */
static unsigned
find(const char *id, const char *const *ids, unsigned n)
{
	unsigned i = 0;

	while (i < n && strcmp(ids[i], id) != 0)
		i++;
	return (i);
}

/* Take one line apart: its disk, offset and length.  NULL, or why not; *disk is n where there is nothing in it. */
static const char *
parse(char *line, const char *const *ids, unsigned n, unsigned *disk, uint64_t *offset, uint64_t *length)
{
	char *words[WORDS] = { NULL }, *save = NULL;
	unsigned k = 0;

	*disk = n;
	for (char *w = strtok_r(line, " \t\r\n", &save); w != NULL && k < WORDS;
	     w = strtok_r(NULL, " \t\r\n", &save))
		words[k++] = w;
	if (k == 0 || words[0][0] == '#')
		return (NULL);
	if (k == WORDS && (*disk = find(words[0], ids, n)) < n) {
		if (number(words[1], offset) == 0 && number(words[2], length) == 0)
			return (NULL);
	} else if (k >= 2 && number(words[0], offset) == 0 && number(words[1], length) == 0) {
		*disk = 0;
		return (n == 1 ? NULL : "the VM has several disks, so each line must name one");
	} else if (k == WORDS && number(words[1], offset) == 0 && number(words[2], length) == 0) {
		return ("the VM has no replicated disk of that id");
	}
	return ("a line is \"disk offset length\" or, with one disk, \"offset length\"");
}

static int
read_lines(
    FILE *f, const char *name, const char *const *ids, const uint64_t *sizes, unsigned n, struct ranges *sets)
{
	char line[512];
	uint64_t offset, length;
	unsigned disk;

	for (uint64_t at = 1; fgets(line, sizeof line, f) != NULL; at++) {
		const char *why = strchr(line, '\n') == NULL && !feof(f) ? "the line is too long" : NULL;

		if (why == NULL)
			why = parse(line, ids, n, &disk, &offset, &length);
		if (why != NULL)
			return (say_refused("%s: line %" PRIu64 ": %s", name, at, why));
		if (disk == n || offset >= sizes[disk])
			continue;
		if (length > sizes[disk] - offset)
			length = sizes[disk] - offset;
		if (ranges_add_bytes(&sets[disk], offset, length) != 0)
			return (-1);
	}
	return (ferror(f) ? say_failed("%s: cannot read: %s", name, strerror(errno)) : 0);
}

int
changelist_read(
    const char *path, const char *const *ids, const uint64_t *sizes, unsigned n, struct ranges *sets)
{
	int is_stdin = strcmp(path, "-") == 0, rc;
	FILE *f = is_stdin ? stdin : fopen(path, "re");

	if (f == NULL)
		return (say_failed("%s: cannot open: %s", path, strerror(errno)));
	rc = read_lines(f, is_stdin ? "standard input" : path, ids, sizes, n, sets);
	if (!is_stdin)
		fclose(f);
	for (unsigned i = 0; i < n; i++)
		ranges_sort(&sets[i]);
	return (rc);
}
