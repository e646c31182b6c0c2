#ifndef MOVING_H_
#define MOVING_H_

#include "replica/replica.h"

/* What moving a replica's folder and moving a disk have in common. */

/* May its disks be taken elsewhere now: does nothing stand on them, and nobody use them?  0; 1, said; -1. */
int moving_check(const struct replica *R);

/* Can the folder dir share data with what lies in from (reflink), so that a copy takes no room? */
int moving_can_share(const char *from, const char *dir);

#endif
