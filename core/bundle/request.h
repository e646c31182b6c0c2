#ifndef REQUEST_H_
#define REQUEST_H_

#include <stdint.h>

#include "bundle/reader.h"
#include "disk/ranges.h"
#include "header.h"

/*
 * A repair request: which segments of a bundle are damaged.  Its blobs have 16 bytes for each run of them: the first
 * and the last number, 8 bytes each, little endian.  The last may lie behind the bundle's end: up to that, then.
 */

/* Make H the header of a request (or repair) about the bundle that has the header about; signer makes it. */
void request_describe(
    struct header *H, enum bundle_type type, const struct header *about, const char *signer);

/* The same about a bundle of which no more than its id is left. */
void request_describe_unknown(struct header *H, const uint8_t of[RECORD_ID], const char *signer);

/* Is it of that kind? */
int request_is_unknown(const struct header *H);

/* Write the request to path (NULL or "-": standard output), signed with secret.  0; 1, said; -1. */
int request_write(const char *path, const char *tmpdir, const uint8_t *secret, const struct header *H,
    const struct ranges *segments);

/* Read the rest of a request, whose header was read, to its end.  segments is sorted.  0; 1, said; -1. */
int request_read(struct reader *R, struct ranges *segments);

#endif
