#ifndef POINTS_H_
#define POINTS_H_

#include "replica/replica.h"

/* A person's view of a replica's recovery points. */

/* Print them: a table, or JSON. */
int points_print(const struct replica *R, int json);

/* Keep a point, and those after it, whatever the limit; or no more.  0; 1, said; -1. */
int points_pin(struct replica *R, uint64_t seq, int is_pinned);

#endif
