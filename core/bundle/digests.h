#ifndef DIGESTS_H_
#define DIGESTS_H_

#include <stddef.h>
#include <stdint.h>

#include "bundle/reader.h"
#include "bundle/segment.h"
#include "bundle/writer.h"
#include "disk/groups.h"

/*
 * The blobs of a compare bundle: for each of the header's disks in order, the digests of its groups in order
 * (see leaf.h), up to GROUPS_BATCH of them in a blob.  Before compression and encryption, which are those of a
 * segment, a blob is the index of the disk in the header (4 bytes, little endian), 4 bytes of zero, and the
 * digests (8 bytes each, little endian).
 */
struct digests;

/* For writing, or reading, with the key of the bundle, which is copied.  NULL, said, on error. */
struct digests *digests_new(const struct segment_crypt *K);
void digests_free(struct digests *D);

/* Write a blob: 0 or -1. */
int digests_write(struct digests *D, struct writer *W, uint32_t disk, size_t n, const uint64_t *digests);

/* Read the next blob, which must be that disk's and hold n digests: 0; 1 or -1, said. */
int digests_read(struct digests *D, struct reader *R, uint32_t disk, size_t n, uint64_t *digests);

/* No blob may follow: read the bundle to its end.  0; 1 or -1, said. */
int digests_end(struct digests *D, struct reader *R);

#endif
