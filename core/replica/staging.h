#ifndef STAGING_H_
#define STAGING_H_

#include "bundle/outfile.h"
#include "bundle/writer.h"
#include "replica/receive.h"

/* Bundles on their way into the inbox: verified, and copied byte for byte. */

/* The entry of the bundle in R's record, new if need be; only in memory.  NULL: no memory. */
struct replica_staged *staging_entry(struct replica *R, const struct receiving *c);

/**
 * Add the volume that was read to its entry.  0: and maybe the bundle is whole now; 1, said: its volumes contradict
 * one another, and the bundle is dropped; -1.  The record is not saved.
 */
int staging_add_volume(struct replica *R, const struct receiving *c, uint64_t file);

/* Take in a volume: 0, durable; 1, said; -1. */
int staging_take(struct replica *R, struct receiving *c);

/* What is here of a volume that was cut short. */
struct staging_part {
	struct outfile *file;      /* open for what comes behind it */
	struct combined *combined; /* what watches over it */
	struct reader *reader;     /* while it is read */
	struct writer *writer;     /* as it was after the last record that is whole and right */
	struct member header;      /* its payload is freed by staging_part_free */
	uint8_t last[RECORD_SIZE]; /* that record */
	uint64_t data, zero;       /* bytes of disk in its segments */
};

/* Read it, and cut off what is torn: 0; 1, said; -1.  decode says how its segments are opened. */
int staging_part_open(
    struct staging_part *p, const struct replica *R, const struct site *S, const struct replica_staged *s);
void staging_part_free(struct staging_part *p);

/* Take in the rest of it, from c->U, whose reader goes on where p ends: as staging_take. */
int staging_take_rest(struct replica *R, struct receiving *c, struct staging_part *p);

#endif
