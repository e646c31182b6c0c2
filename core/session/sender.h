#ifndef SENDER_H_
#define SENDER_H_

#include "base/say.h"
#include "link/channel.h"
#include "link/rate.h"
#include "session.h"
#include "site/site.h"

/*
 * The side of a session that sends a VM's bundles: what is new at a primary, what is kept to be forwarded at a replica.  It
 * outlives the line: with the next one it goes on where the last one was cut, with the process that exports still alive.
 */
struct sender;

#define SENDER_LIMITS 7u

struct sender_options {
	const char *uuid;
	const char *to;     /* the site that it goes to, by its name here */
	int is_called;      /* by who fetches: nobody is asked, and what it has comes by itself */
	int seed;           /* an initial copy, though it may not be the first */
	int no_seed;        /* none, though one be needed: that is refused */
	int resync;         /* compare first */
	const char *bundle; /* this file, as it is, and none is made; NULL: what is new */
	uint64_t rate;      /* bytes a second that the other site has prescribed before; 0: nothing */
	unsigned nlimits;
	struct rate *limits[SENDER_LIMITS]; /* NULL: none */
};

struct sender_result {
	int is_cut;                 /* it was -1, and on account of the line: with another one it goes on */
	int needs_seed;             /* it was refused since it needs an initial copy */
	uint64_t seq;               /* the newest point that the other site has acknowledged; 0: none */
	uint64_t bytes;             /* that went out, those that went twice counted twice */
	struct session_terms terms; /* what the other site prescribes, as far as it was asked */
	char why[SAY_LAST];         /* what was said last, where it was not 0 */
};

/* 0; -1, said: no memory. */
int sender_new(struct sender **s, const struct site *S, const struct sender_options *o);

/* The same for another VM, where the last one is done with; as sender_new. */
void sender_free(struct sender *s);

/**
 * Send it over this line: 0: it is there, and acknowledged; 1, said: the answer is no; -1, said: something failed, or the
 * line was cut, and then it may be called again with another.  is_known: what it has is known from its last answer.
 */
int sender_run(struct sender *s, struct channel *C, int is_known);

/* Ask for what is there and what is prescribed, and do nothing else; h is the caller's.  0; 1; -1. */
int sender_test(struct sender *s, struct channel *C, struct session_have *h);

void sender_result(const struct sender *s, struct sender_result *r);

#endif
