#ifndef ACKNOWLEDGE_H_
#define ACKNOWLEDGE_H_

#include "header.h"
#include "primary/primary.h"
#include "site/site.h"

/**
 * Take a receipt that site e signed: from now on deltas to it start at the point that it acknowledges.  A site
 * speaks only for itself, and only of points that are on our way and whose roots it has right.  Where it says that
 * somebody else is the primary, or that it has more than we know of, the record is fenced, durably; what is not a part
 * of our history is kept as a claim: see doc/ROLES.md.  0, be it that the handover was used; 1, said; -1.
 */
int acknowledge(const struct site *S, const struct trust_entry *e, const struct header *H);

/* The same of a comparison that tells of an epoch that is not known here: nothing is exported for it.  1, said; -1. */
int acknowledge_epoch(
    const struct site *S, struct primary *P, const struct trust_entry *e, const struct header *H);

#endif
