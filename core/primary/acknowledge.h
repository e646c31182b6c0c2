#ifndef ACKNOWLEDGE_H_
#define ACKNOWLEDGE_H_

#include "header.h"
#include "site/site.h"

/**
 * Take a receipt that site e signed: from now on deltas to it start at the point that it acknowledges.  A site
 * speaks only for itself, and only of points that were cut here and whose roots it has right.  0; 1, said; -1.
 */
int acknowledge(const struct site *S, const struct trust_entry *e, const struct header *H);

#endif
