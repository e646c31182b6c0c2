#ifndef ADOPTED_H_
#define ADOPTED_H_

#include "replica/disks.h"
#include "replica/replica.h"

/*
 * A seed that was made against adopted disks: it brings what differs, and their copies become the placeholder's
 * disks.  Whether that gives what the primary has signed is known when all of them were read.
 */

/* Is the header that of a seed against adopted disks? */
int adopted_is_meant(const struct header *H);

/* Are there disks of that VM here, from that site, whose compare bundle the seed is against?  0; 1, said; -1. */
int adopted_check(const struct site *S, const struct trust_entry *e, const struct header *H);

/**
 * As disks_create, but the adopted copies become the placeholder's disks, in the sizes of H.  What an interrupted
 * run has moved already is left as it is.
 */
int adopted_take(struct disks *D, const struct replica *R, const struct site *S, const struct header *H);

/* Read the disks, of the sizes in H, write their leaves, durably, and set the sums over them.  0 or -1. */
int adopted_read(
    const struct disks *D, const struct replica *R, const struct header *H, struct leaf_sum *sums);

/* A replica was made of them: what is left of the adoption goes, if there is anything. */
int adopted_done(const struct site *S, const struct header *H);

#endif
