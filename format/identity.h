#ifndef IDENTITY_H_
#define IDENTITY_H_

#include <stddef.h>
#include <stdint.h>

#include "bounds.h"

/*
 * What a medium calls itself, in the file vmferry/medium on it.  It is signed by nobody: a help for people who
 * have more than one, and for the ledger's words, and nothing else.
 *
 *    vmferry medium 1
 *    id: 16 lower-case hexadecimal digits
 *    label: a name as in bundle(5)
 *    made: 2026-03-01T12:00:00Z
 */
#define IDENTITY_ID 17u /* with its NUL */
#define IDENTITY_MAX 512u

struct identity {
	char id[IDENTITY_ID];
	char label[LIMIT_NAME + 1];
	int64_t made;
};

/* The text of I.  Return its length. */
size_t identity_encode(char out[IDENTITY_MAX], const struct identity *I);

/* Return NULL, or why n bytes of text are none. */
const char *identity_decode(struct identity *I, const char *text, size_t n);

#endif
