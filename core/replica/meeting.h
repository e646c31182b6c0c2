#ifndef REPLICA_MEETING_H_
#define REPLICA_MEETING_H_

#include "header.h"
#include "replica/replica.h"
#include "site/site.h"

/**
 * What the site of e says with a seed or delta of header H, held against what is here: is it a part of our history, or a
 * continuation of it by a site that we follow or may follow?  What is not is kept as a claim, durably, for a person to
 * decide.  0; 1, said; -1.
 */
int meeting(struct replica *R, const struct trust_entry *e, const struct header *H);

/**
 * The bundle was taken in: what its primary says of roles in H counts from now on, so a handover does no more where that has
 * gone on since, be it out of turn.  Who combined deltas says nothing of the kind.  Only in memory.
 */
void meeting_received(struct replica *R, const struct site *S, const struct header *H);

/**
 * The same of a receipt whose signer says to be the primary: nothing comes in, but it is known from now on.  0, said;
 * 1, said; -1.
 */
int meeting_heard(struct replica *R, const struct trust_entry *e, const struct header *H);

/* The number of a point of ours was used for another one: keep the claim, and say so.  1, said; -1. */
int meeting_twin(struct replica *R, const struct trust_entry *e, const struct header *H);

#endif
