#ifndef CHAIN_H_
#define CHAIN_H_

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "record.h"

/*
 * The grammar of a bundle, for writers and readers alike: which record may follow which, that each names the
 * one before it, and what the index and the manifest must say in the end.
 *
 *    bundle = HEADER VOLUME SEGMENT* INDEX MANIFEST END trailer
 *
 * Segments are numbered from 1; their ranges ascend by disk and offset and never overlap.
 */
#define CHAIN_ENTRY 32u /* an entry of the index */
#define CHAIN_LINE 128u /* more than the longest line of the manifest */

struct chain {
	int last; /* type of the record before; 0: none yet; RECORD_END: nothing may follow */
	uint8_t bundle[RECORD_ID];
	uint8_t hash[RECORD_DIGEST]; /* of the record before */
	uint64_t position;           /* bytes of the archive up to here */
	uint64_t segments;
	uint32_t disk; /* of the segment before */
	uint64_t end;  /* and where it ended */
	uint64_t manifest_size;
	crypto_generichash_state index, manifest;
};

void chain_init(struct chain *C);

/* For a writer: put into R what follows from the chain (bundle id but in a header, number, link). */
void chain_link(const struct chain *C, struct record *R);

/* For a writer: length and digest that the record of the index or of the manifest must carry now. */
void chain_expect(const struct chain *C, struct record *R);

/**
 * Take in R, whose packed form is rec: it was written, or read and its signature checked.  Return NULL, or
 * why it cannot stand here, and then C is unchanged.
 */
const char *chain_next(struct chain *C, const struct record *R, const uint8_t rec[RECORD_SIZE]);

/* The index entry of segment R whose head lies at position. */
void chain_entry(uint8_t out[CHAIN_ENTRY], const struct record *R, uint64_t position);

/* The manifest line, as "b2sum -c" reads it, of the payload of R.  Return its length. */
size_t chain_line(char out[CHAIN_LINE], const struct record *R);

#endif
