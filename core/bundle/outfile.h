#ifndef OUTFILE_H_
#define OUTFILE_H_

#include <stddef.h>
#include <stdint.h>

#include "base/io.h"
#include "record.h"

/*
 * Where a bundle is written to: a file, which has its name only once it is whole and durable, or standard
 * output, or a pipe or device that is there already.  What is written to a file is on its way to the medium
 * while the writing goes on, so that the end has little to wait for.
 */
struct outfile;

/* path NULL or "-": standard output, which must not be a terminal.  0; 1, said; -1. */
int outfile_open(struct outfile **F, const char *path);

/**
 * A new regular file at path, whatever lies there, as on a medium from elsewhere: no link is followed, no device
 * or pipe written to.  0; -1, said.
 */
int outfile_create(struct outfile **F, const char *path);

/**
 * Go on with the file that would have become path, of which the first size bytes were verified by the caller;
 * what lies behind them goes.  0; 1, said, if there is no such file with so many bytes; -1.
 */
int outfile_resume(struct outfile **F, const char *path, uint64_t size);

/* fd, which stays the caller's, as one; commit makes it durable.  NULL, said: no memory, or too long a path. */
struct outfile *outfile_wrap(int fd, const char *path);

/**
 * Read the file back from its medium while it is written, and hold it against what was written; see readback.h.
 * To be said before the first byte, of a file that was created, opened as a file, or resumed.  0; -1, said.
 */
int outfile_check(struct outfile *F);

/* Of what comes next the first n bytes are not written: they are where it goes already. */
void outfile_skip(struct outfile *F, uint64_t n);

/* From here on a full medium is no failure: see below. */
void outfile_may_fill(struct outfile *F);

/* Write all parts: 0; 2, unsaid, if it may fill and has (some of the parts may be in it); -1, said. */
int outfile_write(struct outfile *F, const struct io_part *parts, unsigned n);

/* Was a write or the commit answered with 2? */
int outfile_is_full(const struct outfile *F);

/* Is it a new file, which gets its name when it is whole? */
int outfile_is_new(const struct outfile *F);

/* Bytes in it so far. */
uint64_t outfile_size(const struct outfile *F);

const char *outfile_name(const struct outfile *F);

/* All is written: make it durable, check the rest of it, give it its name.  0; 2 as above; -1. */
int outfile_commit(struct outfile *F);

/* BLAKE2b-256 of what the medium gave back; after the commit of one that is checked. */
void outfile_digest(const struct outfile *F, uint8_t digest[RECORD_DIGEST]);

/**
 * Leave what was written so far for outfile_resume, should it not be committed: 0 or -1, said.  What a medium did not
 * give back as it was written is not left.
 */
int outfile_keep(struct outfile *F);

/* Close; what was neither committed nor kept goes.  Accepts NULL. */
void outfile_free(struct outfile *F);

#endif
