#ifndef RECEIVE_H_
#define RECEIVE_H_

#include "bundle/unpack.h"
#include "replica/replica.h"
#include "site/site.h"

/*
 * Take a seed or delta whose header was read, and whose signer e may send it, from a reader.  A seed of a new
 * VM goes straight to the disks of a placeholder; all else goes to the inbox.  On return *R is the replica,
 * open, where there is one.
 */

/* 0: it is here for good (or was already); 1, said, and nothing has changed; -1. */
int receive(struct replica **R, const struct site *S, const struct trust_entry *e, struct unpack *U,
    const struct member *header);

#endif
