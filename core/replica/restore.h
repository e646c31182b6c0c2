#ifndef RESTORE_H_
#define RESTORE_H_

#include "replica/replica.h"
#include "site/site.h"

/**
 * Write the disks of a recovery point (seq 0: the newest) as raw images DIR/DISK.raw, which must not exist.
 * Each has its name only when its root was computed from what was written and is the signed one.  0; 1, said; -1.
 */
int restore(struct replica *R, const struct site *S, uint64_t seq, const char *dir);

#endif
