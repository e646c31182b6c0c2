#ifndef HISTORY_H_
#define HISTORY_H_

#include <jansson.h>
#include <stdint.h>

#include "point.h"
#include "record.h"

/*
 * The turns of a lineage: where each epoch began, and at which site.  With it two sites can tell whether what one of
 * them has is a part of what the other one has, whoever failed over meanwhile.  Epoch 1 begins with nothing and has
 * no turn.  Two sites that fail over by themselves may begin epochs of the same number: the site tells them apart.
 */
#define HISTORY_TURNS 32u /* the last ones; where there were more, older points are on no known way */

struct history_turn {
	uint64_t epoch; /* that began: more than the one before */
	uint64_t
	    seq; /* behind this point of the epoch before; 0: with nothing, of a record without a point */
	uint8_t site[RECORD_KEY]; /* a signing key of the site that is its primary */
};

struct history {
	unsigned n; /* ascending by epoch; seq never descends */
	struct history_turn turns[HISTORY_TURNS];
};

/* The epoch that the history has come to; 1 without a turn. */
uint64_t history_epoch(const struct history *h);

/* A new epoch begins behind point seq at that site; where there are too many turns, the oldest is forgotten. */
void history_turn(struct history *h, uint64_t epoch, uint64_t seq, const uint8_t site[RECORD_KEY]);

/* The turn by which h left that epoch: the first one to a later epoch.  NULL: it has not. */
const struct history_turn *history_leaves(const struct history *h, uint64_t epoch);

/* Is the point p, to which the history mine has led, on the way that h describes, be it not yet reached?  1 or 0. */
int history_has(const struct history *h, const struct history *mine, const struct point *p);

/**
 * The last point that the ways to a (of history ha) and to b (of hb) have in common; seq 0: none is known.  Only epoch
 * and seq of it are set.
 */
struct point history_fork(
    const struct history *ha, const struct point *a, const struct history *hb, const struct point *b);

/* The turns as a JSON array, which is the caller's; NULL if there is no memory. */
json_t *history_encode(const struct history *h);

/* The reverse; NULL stands for none.  0, or -1 if it is not one. */
int history_decode(struct history *h, const json_t *a);

#endif
