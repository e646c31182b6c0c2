#ifndef SYNC_H_
#define SYNC_H_

#include <stdint.h>

#include "link/rate.h"
#include "site/site.h"

/* One VM's replication with another site over one pipe, in both directions: doc/STREAMS.md. */

struct sync_options {
	const char *vm;
	const char *to;     /* NULL: its only target, or the one that it comes from */
	const char *via;    /* the words of via_open; NULL: as HOME/routes says */
	int test;           /* ask and say, and change nothing */
	int seed;           /* an initial copy, though it may not be the first */
	int resync;         /* compare first, and send what differs */
	const char *bundle; /* send this one, and make none, such as that of a planned failover; NULL */
	uint64_t rate;      /* bytes a second; 0: no limit but the route's and the terms of the other site */
	uint64_t patience;  /* seconds that a line which was cut is tried again for, before it is given up */
	int json;           /* the answers of a test, for programs */
};

/* The command: 0; 1, said; -1, said: also where the line was cut. */
int sync_vm(struct site *S, const struct sync_options *o);

/*
 * For who keeps a line open and has several VMs to send.
 */
struct sync_line;

struct sync_result {
	int rc;             /* 0, 1, -1 */
	int is_line;        /* the line has failed, not this VM: the others need not be tried on it */
	uint64_t seq;       /* the newest point that the other site has acknowledged; 0: none */
	uint64_t bytes;     /* that went out */
	int needs_seed;     /* it was refused since it needs an initial copy, and is_seed was not set */
	uint64_t frequency; /* seconds that the other site wants between points at least; 0: nothing */
	uint64_t rate;      /* bytes a second that it wants at most, which is obeyed; 0: as they come */
	char why[256];      /* what was said last, if rc is not 0 */
};

/* Open the line to that site.  limits: up to n limits that all hold; NULL entries are none.  0; 1; -1, said. */
int sync_open(struct sync_line **L, struct site *S, const char *to, const char *via,
    struct rate *const *limits, unsigned n);

/**
 * Send that VM (by UUID), which is primary here or forwarded from here; a seed only where is_seed says so.  A line that is
 * cut meanwhile is opened again, for a minute.
 */
void sync_next(struct sync_line *L, const char *uuid, int is_seed, struct sync_result *r);

/* To be called while nothing is sent, every few seconds: 0; -1: the line is gone. */
int sync_keep(struct sync_line *L);

/* Say good-bye where the line still is, and close it.  Accepts NULL. */
void sync_close(struct sync_line *L);

#endif
