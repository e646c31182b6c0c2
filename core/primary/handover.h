#ifndef HANDOVER_H_
#define HANDOVER_H_

#include "primary/export.h"

/*
 * The primary's half of a planned failover: the final delta with the handover in its header, and the lock.  See
 * doc/ROLES.md.
 */
struct handover_options {
	struct export_options
	    bundle;         /* where the final delta goes, and how; to: the site that is to take over */
	int is_shut_down;   /* a person's word, where the host cannot tell */
	int is_dry;         /* check everything, say what it would take, change nothing */
	uint64_t bandwidth; /* dry: bytes a second of the way to there; 0: not said */
	int json;           /* dry: for programs */
};

/* 0; 1, said; -1.  While it is locked, the same again makes the same handover once more, for one that was lost. */
int handover(struct site *S, const struct handover_options *o);

/* Take it back, and unlock: 0; 1, said; -1. */
int handover_cancel(const struct site *S, const char *vm);

#endif
