#ifndef FAILOVER_H_
#define FAILOVER_H_

#include <stdint.h>

#include "replica/replica.h"

/* Failovers at a replica; see doc/ROLES.md. */
struct failover_options {
	const char *vm;
	uint64_t point;     /* 0: the newest */
	int is_planned;     /* complete: the second half of a planned failover was meant */
	int start;          /* start the VM at this site's host */
	int yes;            /* a person's word for what cannot be taken back; else a terminal is asked */
	int is_dry;         /* check everything, say what it would be, change nothing */
	int json;           /* dry: for programs */
	const char *result; /* of a test, in a person's words; NULL: passed */
};

/* Each: 0; 1, said; -1. */

/* A duplicate from that point, isolated, on overlays; and its end, which leaves no trace. */
int failover_test(const struct site *S, const struct failover_options *o);
int failover_test_stop(const struct site *S, const struct failover_options *o);

/* The second half of a planned failover: the disks are where the primary has locked itself, and nothing is lost. */
int failover_planned(const struct site *S, const struct failover_options *o);

/* How many points but the one of that number are pinned, or a branch? */
unsigned failover_kept(const struct replica *R, uint64_t at);

/* Start from a point, on overlays; then for good, or not at all. */
int failover_unplanned(const struct site *S, const struct failover_options *o);
int failover_complete(const struct site *S, const struct failover_options *o);
int failover_cancel(const struct site *S, const struct failover_options *o);

/**
 * Put what the VM wrote since a failover that is complete into the disks: 0, also if it was so before; 1, said: it
 * still runs on its overlays; -1.  May be done again after any interruption.
 */
int failover_settle(struct replica *R, const struct site *S);

#endif
