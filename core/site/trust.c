#include "site/trust.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"

/* Take the next word key="value" or key=value off *p: 0; 1 at the end of the line; -1 if it is none. */
static int
word(const char **p, char *key, size_t key_size, char *value, size_t value_size)
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

static int
bytes(uint8_t *out, size_t n, const char *hex)
{
	size_t got = 0;

	return (strlen(hex) == 2 * n && sodium_hex2bin(out, n, hex, 2 * n, NULL, &got, NULL) == 0 && got == n
	            ? 0
	            : -1);
}

static int
set(struct trust_entry *e, const char *key, const char *value)
{
	char *end;

	if (strcmp(key, "site") == 0 && name_check(value) == NULL) {
		strcpy(e->card.name, value);
	} else if (strcmp(key, "sign") == 0) {
		return (bytes(e->card.sign, RECORD_KEY, value));
	} else if (strcmp(key, "box") == 0) {
		return (bytes(e->card.box, CARD_BOX, value));
	} else if (strcmp(key, "vm") == 0 && strlen(value) <= LIMIT_NAME) {
		strcpy(e->vm, value);
	} else if (strcmp(key, "store") == 0 && value[0] == '/') {
		strcpy(e->store, value);
	} else if (strcmp(key, "max-size") == 0) {
		errno = 0;
		e->max_size = strtoull(value, &end, 10);
		return (isdigit((unsigned char)value[0]) && *end == '\0' && errno == 0 ? 0 : -1);
	} else {
		return (-1);
	}
	return (0);
}

static int
decode_line(struct trust_entry *e, const char *line)
{
	char key[16], value[PATH_MAX];
	int rc;

	memset(e, 0, sizeof *e);
	while ((rc = word(&line, key, sizeof key, value, sizeof value)) == 0)
		if (set(e, key, value) != 0)
			return (-1);
	if (rc < 0)
		return (-1);
	if (e->card.name[0] == '\0' || sodium_is_zero(e->card.sign, RECORD_KEY) ||
	    sodium_is_zero(e->card.box, CARD_BOX))
		return (-1);
	return (0);
}

int
trust_decode(struct trust *T, const char *text)
{
	char *copy = strdup(text), *rest = copy, *line;
	int n = 0, bad = 0;

	*T = (struct trust){ NULL, 0 };
	T->entries = calloc(TRUST_MAX, sizeof *T->entries);
	if (copy == NULL || T->entries == NULL)
		bad = -1;
	while (bad == 0 && (line = strsep(&rest, "\n")) != NULL) {
		n++;
		if (line[strspn(line, " \t")] == '\0' || line[strspn(line, " \t")] == '#')
			continue;
		if (T->n == TRUST_MAX || decode_line(&T->entries[T->n], line) != 0)
			bad = n;
		else
			T->n++;
	}
	free(copy);
	return (bad);
}

static void
encode_line(FILE *f, const struct trust_entry *e)
{
	char sign[2 * RECORD_KEY + 1], box[2 * CARD_BOX + 1];

	sodium_bin2hex(sign, sizeof sign, e->card.sign, RECORD_KEY);
	sodium_bin2hex(box, sizeof box, e->card.box, CARD_BOX);
	fprintf(f, "site=\"%s\" sign=%s box=%s", e->card.name, sign, box);
	if (e->vm[0] != '\0')
		fprintf(f, " vm=\"%s\"", e->vm);
	if (e->store[0] != '\0')
		fprintf(f, " store=\"%s\"", e->store);
	if (e->max_size != 0)
		fprintf(f, " max-size=%" PRIu64, e->max_size);
	fprintf(f, "\n");
}

char *
trust_encode(const struct trust *T)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return (NULL);
	fprintf(f, "# The sites that this site knows; see vmferry-trust(1).\n");
	for (size_t i = 0; i < T->n; i++)
		encode_line(f, &T->entries[i]);
	if (fclose(f) != 0) {
		free(text);
		return (NULL);
	}
	return (text);
}

void
trust_free(struct trust *T)
{
	free(T->entries);
	*T = (struct trust){ NULL, 0 };
}

struct trust_entry *
trust_by_key(const struct trust *T, const uint8_t key[RECORD_KEY])
{
	for (size_t i = 0; i < T->n; i++)
		if (memcmp(T->entries[i].card.sign, key, RECORD_KEY) == 0)
			return (&T->entries[i]);
	return (NULL);
}

struct trust_entry *
trust_by_name(const struct trust *T, const char *name)
{
	for (size_t i = 0; i < T->n; i++)
		if (strcmp(T->entries[i].card.name, name) == 0)
			return (&T->entries[i]);
	return (NULL);
}

int
trust_allows(const struct trust_entry *e, const char *vm)
{
	return (e->vm[0] != '\0' && fnmatch(e->vm, vm, 0) == 0);
}
