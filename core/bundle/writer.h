#ifndef WRITER_H_
#define WRITER_H_

#include <stdint.h>

#include "bundle/outfile.h"
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

/* One segment; R comes from segment_encode, with disk, extents, offset and span set.  0 or -1. */
int writer_segment(struct writer *W, struct record *R, const uint8_t *payload);

/* Index, manifest, end and trailer.  T's totals of segments and stored bytes are filled in here. */
int writer_finish(struct writer *W, const struct header *H, struct trailer *T);

/* One verified record of another bundle with its payload (which the index and the manifest need not have). */
int writer_copy(
    struct writer *W, const struct record *R, const uint8_t rec[RECORD_SIZE], const uint8_t *payload);

/* Bytes written so far. */
uint64_t writer_position(const struct writer *W);

#endif
