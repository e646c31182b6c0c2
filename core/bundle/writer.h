#ifndef WRITER_H_
#define WRITER_H_

#include <stdint.h>

#include "bundle/outfile.h"
#include "bundle/reader.h"
#include "chain.h"
#include "header.h"
#include "record.h"

/* Writes a bundle, in order; or writes one that was received once more, byte for byte. */
struct writer;

/**
 * A writer to out, which stays the caller's to commit.  What the index and the manifest will
 * hold is kept in a nameless file in tmpdir.  secret signs, and is NULL for a copy.  NULL, said, on error.
 */
struct writer *writer_new(struct outfile *out, const char *tmpdir, const uint8_t *secret);
void writer_free(struct writer *W);

/* The header and the volume record.  0 or -1. */
int writer_header(struct writer *W, const struct header *H);

/* How a bundle becomes several volumes; without it there is one. */
struct writer_volumes {
	void *context;
	/* Bytes that the present volume may have. */
	uint64_t (*limit)(void *context);
	/* It is written, all of it: 0 to go on; 1 or -1, said, to stop. */
	int (*ended)(void *context, const struct chain_volume *v);
	/* Find a place for the next one and call writer_begin_volume: 0; 1 or -1, said, to stop. */
	int (*begin)(void *context, struct writer *W);
};

void writer_use_volumes(struct writer *W, const struct writer_volumes *v);

/* Calls record for each record that is written (and its payload; NULL for a table): 0, or -1, said, to stop. */
struct writer_watch {
	void *context;
	int (*record)(
	    void *context, const struct record *R, const uint8_t rec[RECORD_SIZE], const uint8_t *payload);
};

void writer_use_watch(struct writer *W, const struct writer_watch *w);

/* Header and volume record of the next volume, to out, which stays the caller's to commit.  0 or -1. */
int writer_begin_volume(struct writer *W, struct outfile *out);

/**
 * Instead of writer_header: go on with a bundle whose header was written before, so many bytes of segments
 * are stored, and v was its last whole volume (NULL: there is none).  Next comes writer_begin_volume, or, for a
 * volume that is there in part, writer_adopt for each of its records.  0 or -1.
 */
int writer_resume(
    struct writer *W, const struct member *header, const struct chain_volume *v, uint64_t stored);

/* Write to out from now on: to a volume that is there in part, and of which all records were adopted. */
void writer_use_file(struct writer *W, struct outfile *out);

/* Take in a record that is there already: nothing is written.  0 or -1. */
int writer_adopt(struct writer *W, const struct record *R, const uint8_t rec[RECORD_SIZE]);

/* Behind what was adopted: write to out, which has just that, and stays the caller's to commit. */
void writer_go_on(struct writer *W, struct outfile *out);

/**
 * One segment; R comes from segment_encode, with disk, extents, offset and span set.  It may begin a new
 * volume.  0; 1 or -1 as the callbacks say.
 */
int writer_segment(struct writer *W, struct record *R, const uint8_t *payload);

/* One opaque member; R comes from segment_encode, or has digest and lengths set.  0 or -1. */
int writer_blob(struct writer *W, struct record *R, const uint8_t *payload);

/* Index, manifest, end and trailer.  T's totals of segments, stored bytes and volumes are filled in here. */
int writer_finish(struct writer *W, const struct header *H, struct trailer *T);

/* One verified record of another bundle with its payload (which the index and the manifest need not have). */
int writer_copy(
    struct writer *W, const struct record *R, const uint8_t rec[RECORD_SIZE], const uint8_t *payload);

/* The chain up to here. */
const struct chain *writer_chain(const struct writer *W);

/* The volume that is being written; bytes of payload in all segments so far. */
const struct chain_volume *writer_volume(const struct writer *W);
uint64_t writer_stored(const struct writer *W);

/* Bytes of the present volume so far. */
uint64_t writer_position(const struct writer *W);

#endif
