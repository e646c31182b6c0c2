#ifndef RECEIVER_H_
#define RECEIVER_H_

#include "link/channel.h"
#include "session/pump.h"
#include "session.h"
#include "site/site.h"

/*
 * The side of a session that takes a VM's bundles in: it says what is here, imports what comes, and answers.  Each piece of
 * work is done by a process of its own, which looks at the site afresh: what a person changes there counts at once.
 */
struct receiver {
	const struct site *S;
	struct channel *C;
	uint8_t peer[RECORD_KEY]; /* the key that the site at the other end has proved */
	int insist;               /* refuse to import without a sandbox */
	char uuid[40];            /* the VM that was spoken of last, or empty */
};

/* What all of these return: 0; 1, said: no, and the session can go on; -1, said: it cannot, or something failed here. */

/* It is that VM that is spoken of from now on: bundles of another one are refused. */
void receiver_hear(struct receiver *R, const struct session_ask *a);

/* Say what is here of the VM that is asked for, with its receipt. */
int receiver_tell(struct receiver *R, const struct session_ask *a);

/* Send what its disks hold here, to be compared; where that cannot be, an answer. */
int receiver_compare(struct receiver *R, const struct session_ask *a);

/* A bundle begins: take it in, give its receipt, and answer, which goes to *m too. */
int receiver_take(struct receiver *R, struct session_answer *m);

#endif
