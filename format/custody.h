#ifndef CUSTODY_H_
#define CUSTODY_H_

#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "record.h"

/*
 * The custody log of a bundle on a medium: one line of text for each tool that touched it, each with the hash of
 * the line before, and signed by the site whose hands did it.
 *
 *    2026-03-01T12:00:00Z export "hq" "ok" prev=HEX key=HEX sig=HEX
 *
 * prev is BLAKE2b-256 of the line before with its newline, and zeroes in the first line.  What is signed are the
 * 18 bytes "vmferry 1 custody" and newline, the 16 bytes of the bundle's id, and the line up to the blank in
 * front of "sig=".  A courier without keys writes "key=-" and "sig=-".
 */
#define CUSTODY_LINE 1024u      /* bytes of a line with its newline and a NUL, at most */
#define CUSTODY_FILE (1u << 20) /* bytes of a log, at most */
#define CUSTODY_WHAT 16u        /* more than the longest word for what was done */
#define CUSTODY_RESULT 200u     /* more than the longest result */

enum custody_word { CUSTODY_UNSIGNED = 0, CUSTODY_GOOD = 1, CUSTODY_BAD = 2 };

struct custody {
	int64_t time;
	char what[CUSTODY_WHAT];   /* "export", "verify", "import", "combine", "clean": lower-case letters */
	char site[LIMIT_NAME + 1]; /* what it calls itself; empty: a courier */
	char result[CUSTODY_RESULT]; /* "ok", or "refused: " and why: printable ASCII without quotes */
	uint8_t prev[RECORD_DIGEST];
	enum custody_word
	    word; /* of the signature, when decoded; GOOD: the key made it, whoever has that key */
	uint8_t key[RECORD_KEY];
};

/**
 * The line for C, newline included, about the bundle of that id; signed with secret, or not where it is NULL.
 * What a result may not hold becomes '?'.  Return its length.
 */
size_t custody_encode(
    char out[CUSTODY_LINE], const struct custody *C, const uint8_t bundle[RECORD_ID], const uint8_t *secret);

/* Decode a line of n bytes, its newline the last of them.  Return NULL, or why it is none. */
const char *custody_decode(struct custody *C, const char *line, size_t n, const uint8_t bundle[RECORD_ID]);

/* The hash of a line of n bytes, newline included, for the next one. */
void custody_hash(uint8_t out[RECORD_DIGEST], const char *line, size_t n);

#endif
