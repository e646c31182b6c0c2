#ifndef FAILOVER_H_
#define FAILOVER_H_

#include <stdint.h>

#include "site/site.h"

/* Failovers at a replica; see doc/ROLES.md. */
struct failover_options {
	const char *vm;
	uint64_t point;     /* 0: the newest */
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

/* The second half of a planned failover. */
int failover_planned(const struct site *S, const struct failover_options *o);

/* Start from a point, on overlays; then for good, or not at all. */
int failover_unplanned(const struct site *S, const struct failover_options *o);
int failover_complete(const struct site *S, const struct failover_options *o);
int failover_cancel(const struct site *S, const struct failover_options *o);

#endif
