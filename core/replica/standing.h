#ifndef STANDING_H_
#define STANDING_H_

#include "replica/failover.h"
#include "replica/guest.h"
#include "replica/overlays.h"

/* What the failovers at a replica have in common.  Each: 0; 1, said; -1, where nothing else is said. */

/* Open a VM's replica with its disks at a point; to be closed in any case. */
int standing_open(struct replica **R, const struct site *S, const char *vm);

/* May that happen now? */
int standing_check(const struct replica *R, enum role_event event);

/* Does no test stand? */
int standing_check_test(const struct replica *R);

/* Is there room for overlays as of that point? */
int standing_check_space(const struct replica *R, const struct site *S, const struct replica_point *at);

/* Merge what has come in; but not where the point is here already, since a merge may drop it.  0 or -1. */
int standing_catch_up(struct replica *R, const struct site *S, uint64_t seq);

/* The point of that seq, or the newest for 0. */
int standing_point(const struct replica *R, uint64_t seq, const struct replica_point **out);

/**
 * What stands is at the host too, as it is to be: defined unless it is so already, and started if that is asked for.
 * What is missing there is remembered, in memory.
 */
int standing_define(struct replica *R, enum guest g, const struct replica_point *at, int is_defined);

#endif
