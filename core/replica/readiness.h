#ifndef READINESS_H_
#define READINESS_H_

#include "replica/failover.h"
#include "replica/replica.h"

/*
 * What stands in the way of a failover at a replica, said beforehand: every check, each that fails with its remedy, and
 * what would be done.  Nothing is changed.  Each: 0, nothing is in the way; 1, something is, printed; -1.
 */
int readiness_planned(const struct site *S, const struct failover_options *o);
int readiness_unplanned(const struct site *S, const struct failover_options *o);
int readiness_complete(const struct site *S, const struct failover_options *o);

/* Does the handover stand at the newest point here, and nothing behind it?  1; 0, with why not and what to do. */
#define READINESS_WORDS 1024u
int readiness_handover(const struct replica *R, char words[READINESS_WORDS]);

#endif
