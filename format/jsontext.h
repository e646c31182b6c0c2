#ifndef JSONTEXT_H_
#define JSONTEXT_H_

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* What all our JSON texts share: bytes as lower-case hexadecimal, sizes and times that must fit. */

#define JSONTEXT_BYTES 1024u

/* Add n bytes, at most JSONTEXT_BYTES, as a string; -1 if there is no memory. */
int jsontext_set_bytes(json_t *object, const char *key, const uint8_t *p, size_t n);

/* Get exactly n bytes from a string of 2n hexadecimal digits; -1 if it is not that. */
int jsontext_get_bytes(const json_t *object, const char *key, uint8_t *p, size_t n);

/* Add n bytes as a string in base64, as RFC 4648 has it, with its padding; -1 if there is no memory. */
int jsontext_set_base64(json_t *object, const char *key, const uint8_t *p, size_t n);

/* Get at most max bytes from such a string, in its only form: how many, 0 if it is not one, or of none. */
size_t jsontext_get_base64(const json_t *object, const char *key, uint8_t *p, size_t max);

/* Get a string of less than size bytes; -1 if it is none or too long. */
int jsontext_get_string(const json_t *object, const char *key, char *out, size_t size);

/* Get an integer between 0 and max; -1 if it is none. */
int jsontext_get_number(const json_t *object, const char *key, uint64_t max, uint64_t *out);

/* The same of what need not be there: out then stays as it is, and 0. */
int jsontext_find_string(const json_t *object, const char *key, char *out, size_t size);
int jsontext_find_number(const json_t *object, const char *key, uint64_t max, uint64_t *out);

/* Words for people as a string, wherever they were cut: of what is no UTF-8 only ASCII is left.  NULL: no memory. */
json_t *jsontext_words(const char *text);

/* The object or array of that name, or NULL.  Borrowed from object. */
json_t *jsontext_get(const json_t *object, const char *key);

/* Does the object have only keys of the NULL-ended list? */
int jsontext_only(json_t *object, const char *const *keys);

/* J, or NULL where bad says that a part of it could not be put in for want of memory.  Takes J. */
json_t *jsontext_whole(json_t *J, int bad);

/**
 * The text, ending in a newline, or NULL if there is no memory, J is NULL or the text has over max bytes.
 * Takes J.  The caller frees the text.
 */
char *jsontext_dump(json_t *J, size_t max, size_t *size);

#endif
