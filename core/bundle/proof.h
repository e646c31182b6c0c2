#ifndef PROOF_H_
#define PROOF_H_

#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "bundle/reader.h"
#include "bundle/writer.h"
#include "header.h"

/*
 * What stands in the blobs of a combined delta: header and end of the newest bundle in it, record and text, as
 * its primary signed them.  Whoever combines signs the rest; where it leads to is still the primary's word.
 */
#define PROOF_BLOBS 4u /* record of the header, its text; record of the end, its text */

struct proof {
	unsigned n; /* blobs taken so far; PROOF_BLOBS: it is whole */
	uint8_t header_record[RECORD_SIZE], end_record[RECORD_SIZE];
	uint8_t header_text[LIMIT_JSON], end_text[LIMIT_JSON];
	size_t header_size, end_size;
	struct header header; /* by proof_check */
	struct trailer trailer;
};

/* Make it from the header and the end of a bundle that is not combined itself; both were verified. */
void proof_set_header(struct proof *P, const struct member *header);
void proof_set_end(struct proof *P, const struct member *end);

/* Take the next blob of a combined delta; its digest was checked.  NULL, or why not. */
const char *proof_take(struct proof *P, const struct record *R, const uint8_t *payload);

/* The key that it claims to be signed with: to be asked once it is whole. */
const uint8_t *proof_key(const struct proof *P);

/**
 * Is it whole, signed with key, and of a delta that leads where the combined delta H says?  NULL, or why not.
 * With a NULL, header and trailer are those that were signed.
 */
const char *proof_check(struct proof *P, const uint8_t key[RECORD_KEY], const struct header *H);

/* Does the end of the combined delta give the roots of the one that was checked?  NULL, or why not. */
const char *proof_check_end(const struct proof *P, const struct trailer *T);

/* Write the blobs.  0 or -1. */
int proof_write(const struct proof *P, struct writer *W);

#endif
