#ifndef READER_H_
#define READER_H_

#include <stdint.h>

#include "bounds.h"
#include "chain.h"
#include "header.h"
#include "record.h"

/*
 * Reads a bundle from a file or pipe in one pass.  Nothing is looked at before the signature that covers it
 * was checked with the key that the caller accepts; the payload of a segment is handed on as it came, for
 * segment_decode or segment_check to hold against its digest.
 */
struct reader;

struct member {
	struct record record;
	uint8_t raw[RECORD_SIZE];
	uint8_t *payload; /* the caller's, LIMIT_STORED bytes */
};

/* A reader of fd, which stays the caller's; name is for the words.  NULL, said, on error. */
struct reader *reader_new(int fd, const char *name);
void reader_free(struct reader *R);

/**
 * Take from M what is found damaged; to be said before reader_start, of a file or pipe from its beginning.  What the
 * medium cannot give back counts as damaged too.  All else is as ever: what comes from M is verified like the rest,
 * and the records are handed on as they were before the damage.  M stays the caller's.
 */
struct mend;
void reader_use_mend(struct reader *R, const struct mend *M);

/* What the medium cannot give back is a damage of the bundle, and no failure of ours. */
void reader_allow_worn(struct reader *R);

/* Read the first record and set key to the one that it claims to be signed with: 0; 1 or -1, said. */
int reader_start(struct reader *R, uint8_t key[RECORD_KEY]);

/* That key; of the rest of a bundle, the one that signed its beginning. */
const uint8_t *reader_key(const struct reader *R);

/**
 * What was read is not the start of a bundle but, by its claim, the rest of one: 1, and its id; else 0.
 * reader_continue then takes the place of reader_header: the header and the chain are those of the beginning,
 * which was verified before, and so many bytes of payload were in its segments.  0; 1 or -1, said.
 */
int reader_is_rest(const struct reader *R, uint8_t bundle[RECORD_ID]);
int reader_continue(struct reader *R, const struct member *header, const struct chain *C, uint64_t stored);

/* Accept that key, and read, check and decode the header: 0; 1 or -1, said.  It is the reader's own. */
int reader_header(struct reader *R, struct member *m, const struct header **H);

/* The header; what it says is known after reader_header or reader_continue. */
const struct header *reader_get_header(const struct reader *R);

/* Which volume is it?  To be asked behind the header: 0; 1 or -1, said. */
int reader_peek_volume(struct reader *R, uint32_t *number);

/* Did it end where more had to come? */
int reader_is_cut(const struct reader *R);

/**
 * Read the next record with its payload: 0; 1 or -1, said.  When m->record.type is RECORD_END or
 * RECORD_VOLUME_END, all of the volume was there, in order, and nothing stood behind it.
 */
int reader_next(struct reader *R, struct member *m);

/* The same for those who do not want the payloads of segments: where the file can seek they are not read. */
int reader_skip(struct reader *R, struct member *m);

/* What the end said; to be asked after it was read, in the last volume. */
const struct trailer *reader_trailer(const struct reader *R);

/* Which volume this is; all of it is known once its last record was read. */
const struct chain_volume *reader_volume(const struct reader *R);

/* Bytes of payload in the segments read so far. */
uint64_t reader_stored(const struct reader *R);

/* Refuse without a word from now on: for a volume that may be cut short anywhere. */
void reader_set_quiet(struct reader *R);

/* Bytes of the archive up to the end of the last record that was in order (its payload may not be). */
uint64_t reader_good(const struct reader *R);

/* Refuse the record m (NULL: what was read last) for a reason: says where, and returns 1. */
int reader_refuse(const struct reader *R, const struct record *m, const char *why);

/* Bytes read so far. */
uint64_t reader_position(const struct reader *R);

#endif
