#ifndef ARRIVAL_H_
#define ARRIVAL_H_

#include "replica/replica.h"

/* What comes to a replica and what becomes of it, for its figures (tally).  No work fails by any of these. */

/* All of a bundle's volumes are here for good. */
void arrival_taken(const struct replica *R, const struct replica_staged *s);

/* The disks are at that point; it took so many milliseconds. */
void arrival_merged(const struct replica *R, const struct point *p, int64_t ms);

/* A test has ended; a resynchronization has begun. */
void arrival_tested(const struct replica *R);
void arrival_resync(const struct replica *R);

#endif
