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
 *    bundle = volume+, each an archive by itself
 *    volume = HEADER VOLUME BLOB* SEGMENT* INDEX MANIFEST (END | VOLUME_END) trailer
 *
 * END stands in the last volume, VOLUME_END in the others, which have segments.  Every volume starts with the same header; the
 * VOLUME record of all but the first names the VOLUME_END before it.  Segments are numbered from 1 through all
 * volumes; they ascend by part, within a part by disk and offset, and there never overlap.  Blobs stand in the
 * first volume alone.  Index and manifest are those of their volume.
 */
#define CHAIN_ENTRY 32u /* an entry of the index */
#define CHAIN_LINE 128u /* more than the longest line of the manifest */

struct chain_place {
	uint32_t part, disk;
	uint64_t offset;
};

/* A volume: what it takes to know whether another one continues it. */
struct chain_volume {
	uint32_t number;                /* from 1 */
	int is_last;                    /* it has the END */
	uint64_t before, after;         /* segments of the bundle up to where it begins, and where it ends */
	uint8_t header[RECORD_DIGEST];  /* hash of the header's record */
	uint8_t follows[RECORD_DIGEST]; /* hash of the record that its VOLUME names */
	uint8_t end[RECORD_DIGEST];     /* hash of its VOLUME_END or END */
	struct chain_place first, last; /* where its segments begin and end, if it has any */
};

struct chain {
	int last; /* type of the record before; 0: none yet; RECORD_END, RECORD_VOLUME_END: nothing may follow */
	int is_turned; /* by chain_turn: the header and volume to come must continue what was before */
	int is_placed; /* there was a segment, in this volume or, if it was turned, before */
	struct chain_volume volume;
	uint8_t bundle[RECORD_ID];
	uint8_t hash[RECORD_DIGEST]; /* of the record before */
	uint64_t position;           /* bytes of the archive up to here */
	uint64_t segments;           /* of the bundle, up to here */
	uint64_t blobs;
	struct chain_place place; /* where the segment before ended */
	uint64_t manifest_size;
	crypto_generichash_state index, manifest;
};

void chain_init(struct chain *C);

/* After a VOLUME_END: go on with the next volume, in an archive of its own. */
void chain_turn(struct chain *C);

/* A chain as it is when the next volume of bundle is to continue v. */
void chain_resume(struct chain *C, const uint8_t bundle[RECORD_ID], const struct chain_volume *v);

/* Does b continue a?  NULL, or why not.  Each was read by itself, to its end. */
const char *chain_follows(const struct chain_volume *a, const struct chain_volume *b);

/* For a writer: put into R what follows from the chain (bundle id but in a header, number, link). */
void chain_link(const struct chain *C, struct record *R);

/* For a writer: length and digest that the record of the index or of the manifest must carry now. */
void chain_expect(const struct chain *C, struct record *R);

/**
 * Take in R, whose packed form is rec: it was written, or read and its signature checked.  Return NULL, or
 * why it cannot stand here, and then C is unchanged.
 */
const char *chain_next(struct chain *C, const struct record *R, const uint8_t rec[RECORD_SIZE]);

/* Bytes that a volume takes at most in the archive, if segment R with its payload is put into it and then it ends. */
uint64_t chain_size_with(const struct chain *C, const struct record *R);

/* The index entry of segment R whose head lies at position. */
void chain_entry(uint8_t out[CHAIN_ENTRY], const struct record *R, uint64_t position);

/* What an entry says: R's disk, extents, offset and span are set; returns the position. */
uint64_t chain_entry_read(struct record *R, const uint8_t in[CHAIN_ENTRY]);

/* The manifest line, as "b2sum -c" reads it, of the payload of R.  Return its length. */
size_t chain_line(char out[CHAIN_LINE], const struct record *R);

#endif
