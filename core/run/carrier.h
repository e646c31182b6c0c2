#ifndef CARRIER_H_
#define CARRIER_H_

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/say.h"
#include "bounds.h"
#include "link/rate.h"
#include "session/sync.h"

/*
 * A process that carries bundles for run: by a line to a site, which it keeps open while there is work; to a mailbox folder; or
 * from one.  It is told one job at a time, and ends when nobody tells it any more, or its parent is gone.
 */
struct carrier;

enum carrier_kind {
	CARRIER_LINE = 1,
	CARRIER_MAILBOX, /* one export */
	CARRIER_TAKE,    /* one import from a folder; it has no VM */
};

#define CARRIER_LIMITS 2u
struct carrier_way {
	enum carrier_kind kind;
	const char *home;
	const char *site;
	const char *where; /* the words of via_open, or a folder */
	struct rate *limits[CARRIER_LIMITS];
	unsigned idle; /* seconds without work after which a line is closed */
};

/* Start one; nothing of w is needed afterwards.  0; -1, said. */
int carrier_start(struct carrier **c, const struct carrier_way *w);

/* For poll: a result is here, or it has ended; and words that it says, which carrier_listen takes. */
int carrier_fd(const struct carrier *c);
int carrier_words(const struct carrier *c);
void carrier_listen(struct carrier *c);

/* Tell it the next job, which it has not got yet.  0; -1, unsaid: it is gone. */
int carrier_give(struct carrier *c, const char *uuid, int is_seed);

/**
 * What became of the job: 0; 1, unsaid: nothing yet; -1, unsaid: it has ended, and will never say.  why is what was said
 * last, where the result is not good.
 */
int carrier_take(struct carrier *c, struct sync_result *r);

pid_t carrier_pid(const struct carrier *c);

/* Ask it to stop what it does. */
void carrier_stop(struct carrier *c);

/**
 * It has ended, or nobody has work for it any more: wait for its end, for ms at most, after which it is killed.  words gets
 * how it ended if that was not by itself, else "".  Releases c.  Accepts NULL.
 */
void carrier_end(struct carrier *c, int64_t ms, char words[SAY_LAST]);

#endif
