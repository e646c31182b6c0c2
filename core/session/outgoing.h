#ifndef OUTGOING_H_
#define OUTGOING_H_

#include "link/channel.h"
#include "link/rate.h"
#include "session/pump.h"
#include "session/resend.h"
#include "session.h"

/*
 * A bundle on its way out: the process that makes it, what of it may still be lost, and what comes back meanwhile.  It
 * outlives the line C, which is replaced; all else is for looking at.
 */
#define OUTGOING_LIMITS 8u

struct outgoing {
	const char *to; /* the site that it goes to, for the words */
	struct channel *C;
	unsigned nlimits;
	struct rate *limits[OUTGOING_LIMITS]; /* NULL: none */
	struct pump *P;                       /* NULL: nothing is on its way */
	struct pump_result made;              /* how that has ended, */
	int is_made;                          /* if it has */
	struct resend *W;
	uint64_t at;      /* the place in the stream that is sent next */
	uint64_t begun;   /* where what goes over this line has begun */
	int is_open;      /* it has */
	uint64_t bytes;   /* that went out, over all lines */
	uint8_t *piece;   /* SESSION_BODY bytes */
	uint8_t *receipt; /* the last one that came; NULL: none */
	size_t nreceipt;
	int has_answer;
	struct session_answer answer;
};

/* 0; -1, said: no memory. */
int outgoing_make(struct outgoing *g, const char *to);
void outgoing_free(struct outgoing *g);

/* Start the process: 0; -1, said. */
int outgoing_start(struct outgoing *g, const struct pump_work *w);

/* What was sent, and who made it, is of no use any more; the receipt is not. */
void outgoing_drop(struct outgoing *g);
void outgoing_drop_receipt(struct outgoing *g);

/* Give the process all of its input, which a pipe takes at once; one that does not read it says itself why. */
void outgoing_give(struct outgoing *g, const char *text);

/* Its input is what comes of the comparison there: 0; 1, unsaid: there is none, and an answer why; -1, said. */
int outgoing_give_comparison(struct outgoing *g);

/* The receipt comes, whose stream was begun: 0; -1, said. */
int outgoing_take_receipt(struct outgoing *g);

/* An answer: 0; -1, said: it is not understood. */
int outgoing_take_answer(struct outgoing *g, const uint8_t *body, size_t n);

/**
 * Does it go on over this line, where the other site has what it says, as text, that it has ("": nothing)?  Then g->at
 * is where.  1 or 0.
 */
int outgoing_goes_on(struct outgoing *g, const char *position);

/* Send what there is, until it is at its end or an answer comes before that: 0; -1, said: the line. */
int outgoing_send(struct outgoing *g);

/* Say that it is at its end, or given up, and wait for the answer: 0; -1, said: the line. */
int outgoing_close(struct outgoing *g);

#endif
