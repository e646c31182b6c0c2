#ifndef LEDGER_H_
#define LEDGER_H_

#include <stdint.h>

#include "header.h"
#include "primary/primary.h"

/*
 * What each target was sent, and what it has for sure.  Pure: a record in, a record out; the time is an
 * argument, and nothing is read, written or said.
 */

enum ledger_since {
	LEDGER_ACKED, /* fits a target at or after what it acknowledged (the seed, while it has not): always safe */
	LEDGER_SENT, /* smaller, and of no use where what was sent before it is lost */
};

/**
 * The point that a delta to t starts from: the newest one that is kept and not after the point meant; 0: it needs
 * a seed.
 */
uint64_t ledger_base(const struct primary *P, const struct primary_target *t, enum ledger_since since);

/**
 * Is t, which is among those targets (a bit for each), reached by way of another one of them?  Then where a bundle
 * for them starts is not for t to say, and a seed for them is none that t can be taken to have.
 */
int ledger_follows(const struct primary *P, const struct primary_target *t, uint32_t targets);

/* A shipment has left: s with the targets that it is for. */
void ledger_sent(struct primary *P, const struct primary_shipment *s);

/* A point was cut at that time. */
void ledger_cut(struct primary *P, int64_t at);

enum ledger_news {
	LEDGER_NEWER,     /* t has more than was known */
	LEDGER_KNOWN,     /* it was known already */
	LEDGER_WENT_BACK, /* t says, later than it said otherwise, that it has less */
};

/**
 * Take in the receipt H of t, which was checked to be its own, and about points of ours.  What is acknowledged
 * never gets less; a target that went back is remembered as such until it catches up, and deltas to it start at the
 * point that it is at, if that is kept.
 */
enum ledger_news ledger_acked(
    struct primary *P, struct primary_target *t, const struct header *H, int64_t now);

/* The lowest point from which a delta to any target may have to start: the changes since are kept.  0: none. */
uint64_t ledger_lowest(const struct primary *P);

/* May a delta to some target have to start at that very point? */
int ledger_is_base(const struct primary *P, uint64_t seq);

/**
 * The next point that need not be kept, with so many kept at most, by its index; -1: there is none.  The first one
 * goes with its changes; those of any other are to be put into the changes of the one after it.
 */
int ledger_expendable(const struct primary *P, unsigned most);

/* The target is none any more, nor the way to another one, and nothing is on its way to it. */
void ledger_end(struct primary *P, struct primary_target *t);

/* The next shipment at or after *i that is on its way to target t: NULL if there is none.  *i is stepped on. */
const struct primary_shipment *ledger_next(
    const struct primary *P, const struct primary_target *t, unsigned *i);

/* The shipment of that bundle, or NULL where it is not known any more. */
const struct primary_shipment *ledger_find(const struct primary *P, const uint8_t id[RECORD_ID]);

#endif
