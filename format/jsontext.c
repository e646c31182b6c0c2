#include "jsontext.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int
jsontext_set_bytes(json_t *object, const char *key, const uint8_t *p, size_t n)
{
	char hex[2 * JSONTEXT_BYTES + 1];

	if (n > JSONTEXT_BYTES || sodium_bin2hex(hex, sizeof hex, p, n) == NULL)
		return (-1);
	return (json_object_set_new(object, key, json_string(hex)));
}

int
jsontext_get_bytes(const json_t *object, const char *key, uint8_t *p, size_t n)
{
	const json_t *s = json_object_get(object, key);
	size_t got = 0;

	if (!json_is_string(s) || json_string_length(s) != 2 * n)
		return (-1);
	if (strspn(json_string_value(s), "0123456789abcdef") != 2 * n)
		return (-1);
	if (sodium_hex2bin(p, n, json_string_value(s), 2 * n, NULL, &got, NULL) != 0 || got != n)
		return (-1);
	return (0);
}

int
jsontext_set_base64(json_t *object, const char *key, const uint8_t *p, size_t n)
{
	size_t size = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL);
	char *text = malloc(size);
	int rc = -1;

	if (text != NULL && sodium_bin2base64(text, size, p, n, sodium_base64_VARIANT_ORIGINAL) != NULL)
		rc = json_object_set_new(object, key, json_string(text));
	free(text);
	return (rc);
}

size_t
jsontext_get_base64(const json_t *object, const char *key, uint8_t *p, size_t max)
{
	const json_t *s = json_object_get(object, key);
	const char *end;
	size_t got = 0;

	if (!json_is_string(s) ||
	    sodium_base642bin(p, max, json_string_value(s), json_string_length(s), NULL, &got, &end,
	        sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    end != json_string_value(s) + json_string_length(s))
		return (0);
	return (got);
}

int
jsontext_get_string(const json_t *object, const char *key, char *out, size_t size)
{
	const json_t *s = json_object_get(object, key);

	if (!json_is_string(s) || json_string_length(s) >= size)
		return (-1);
	memcpy(out, json_string_value(s), json_string_length(s) + 1);
	return (0);
}

int
jsontext_get_number(const json_t *object, const char *key, uint64_t max, uint64_t *out)
{
	const json_t *i = json_object_get(object, key);

	if (!json_is_integer(i) || json_integer_value(i) < 0 || (uint64_t)json_integer_value(i) > max)
		return (-1);
	*out = (uint64_t)json_integer_value(i);
	return (0);
}

int
jsontext_find_string(const json_t *object, const char *key, char *out, size_t size)
{
	return (json_object_get(object, key) == NULL ? 0 : jsontext_get_string(object, key, out, size));
}

int
jsontext_find_number(const json_t *object, const char *key, uint64_t max, uint64_t *out)
{
	return (json_object_get(object, key) == NULL ? 0 : jsontext_get_number(object, key, max, out));
}

json_t *
jsontext_get(const json_t *object, const char *key)
{
	json_t *v = json_object_get(object, key);

	return (json_is_object(v) || json_is_array(v) ? v : NULL);
}

int
jsontext_only(json_t *object, const char *const *keys)
{
	const char *key;
	json_t *value;

	json_object_foreach (object, key, value) {
		size_t i = 0;

		while (keys[i] != NULL && strcmp(keys[i], key) != 0)
			i++;
		if (keys[i] == NULL)
			return (0);
	}
	return (1);
}

json_t *
jsontext_whole(json_t *J, int bad)
{
	if (!bad)
		return (J);
	json_decref(J);
	return (NULL);
}

char *
jsontext_dump(json_t *J, size_t max, size_t *size)
{
	char *s = malloc(max + 1);
	/* Not json_dumps, whose text may lack a piece where its own buffer could not grow. */
	size_t n = s == NULL || J == NULL ? 0 : json_dumpb(J, s, max, JSON_INDENT(1));

	json_decref(J);
	if (n == 0 || n >= max) {
		free(s);
		return (NULL);
	}
	memcpy(s + n, "\n", 2);
	*size = n + 1;
	return (s);
}

json_t *
jsontext_words(const char *text)
{
	json_t *s = json_string(text);
	char *plain;

	if (s != NULL || (plain = strdup(text)) == NULL)
		return (s);
	for (char *p = plain; *p != '\0'; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	s = json_string(plain);
	free(plain);
	return (s);
}
