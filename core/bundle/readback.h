#ifndef READBACK_H_
#define READBACK_H_

#include <stddef.h>
#include <stdint.h>

#include "record.h"

/*
 * Reads a file back from its medium, past the page cache, while it is still being written: a thread follows the
 * writer by some MiB, and holds what the medium gives against what was handed to it.  When all was written, the
 * head of every MiB is read once more: a medium that is smaller than it says puts late data where early ones
 * were, which had been read back by then.
 *
 * 16 bytes are kept of each MiB; a file has at most READBACK_MOST bytes.
 */
#define READBACK_MOST (UINT64_C(1) << 44) /* 16 TiB: 256 MiB are kept of it */

struct readback;

/**
 * For the new file at path, whose first have bytes were written and verified before and are taken as they are:
 * of these only the digest is made, and that they stay.  NULL, said, on error.
 */
struct readback *readback_new(const char *path, uint64_t have);

/* The next n bytes were written.  0; -1, said here or by the thread: the medium has not given back something. */
int readback_wrote(struct readback *B, const void *p, size_t n);

/* All was written and is durable: check what is left.  0; -1, said. */
int readback_finish(struct readback *B);

/* BLAKE2b-256 of the file as the medium gave it back; to be asked when it is finished. */
void readback_digest(const struct readback *B, uint8_t digest[RECORD_DIGEST]);

/* Stop, whatever is left.  Accepts NULL. */
void readback_free(struct readback *B);

#endif
