#ifndef MEND_H_
#define MEND_H_

#include <stdint.h>

#include "bundle/infile.h"
#include "bundle/reader.h"
#include "chain.h"
#include "frame.h"
#include "header.h"

/*
 * A repair: records of a damaged bundle once more, as they were.  A reader that has one takes from it what it
 * finds damaged.  It is only a place to look: whatever comes from it is verified like what comes from the bundle.
 *
 * The blobs of a repair come in the order of the bundle: a packed record, and behind that of a header, a segment or an
 * end its payload, in a blob of its own.
 */
struct mend;

/**
 * Read the repair in F to its end, whose header H was read and whose signer is fine with the caller.  F stays open
 * for as long as M is used; it must be a file.  0; 1, said, if it is none; -1.
 */
int mend_open(struct mend **M, struct infile *F, const struct header *H);
void mend_close(struct mend *M);

/* The id of the bundle that it is for. */
const uint8_t *mend_of(const struct mend *M);

/* A damaged bundle, read up to position: the place where the record behind its head is looked for. */
struct mend_place {
	int fd;
	const char *name;
	uint64_t position; /* behind the head */
};

/* Make head, the first of a bundle, whole: what is not a header is taken from M, if it has one.  0 or -1. */
int mend_first(const struct mend *M, uint8_t head[FRAME_HEAD]);

/**
 * Make head whole, which was read where the next record of the chain C, signed with key, must stand: 0; 1, unsaid, if it
 * is damaged and M does not have that record; -1.
 */
int mend_head(const struct mend *M, const struct chain *C, const uint8_t key[RECORD_KEY],
    const struct mend_place *at, uint8_t head[FRAME_HEAD]);

/* The payload of R: 0; 1 if it is not there, or not what R says; -1. */
int mend_payload(const struct mend *M, const struct record *R, uint8_t *payload);

#endif
