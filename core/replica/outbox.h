#ifndef OUTBOX_H_
#define OUTBOX_H_

#include "header.h"
#include "replica/replica.h"

/*
 * Which bundles a replica keeps for the sites that it forwards to.  Pure: changes the record in memory, and nothing
 * else; the files follow the record.
 */

/* The site that e is, or NULL: nothing is forwarded to it. */
struct replica_forward *outbox_forward_of(struct replica *R, const struct trust_entry *e);

/* The bit of it. */
uint32_t outbox_bit(const struct replica *R, const struct replica_forward *f);

/* Does it say that it has that point, or is past its epoch? */
int outbox_has(const struct replica_forward *f, const struct point *p);

/* The bundle of that id, or NULL. */
struct replica_out *outbox_find(const struct replica *R, const uint8_t id[RECORD_ID]);

/* Put a bundle without volumes in its place; NULL: no memory, said. */
struct replica_out *outbox_add(struct replica *R, const struct replica_out *b);

/* Add a volume that is not there yet: 0; -1, said. */
int outbox_add_volume(struct replica_out *b, const struct replica_out_volume *v);

/* Forget the bundle of that index; the bundle of that id, if it is there. */
void outbox_drop(struct replica *R, unsigned i);
void outbox_forget(struct replica *R, const uint8_t id[RECORD_ID]);

/* Bytes that are kept in all; volumes and bytes for one site, and volumes that went to it already. */
struct outbox_tally {
	unsigned volumes, sent;
	uint64_t bytes;
};
uint64_t outbox_bytes(const struct replica *R);
struct outbox_tally outbox_tally(const struct replica *R, const struct replica_forward *f);

/* Drop the oldest until no more than most bytes are kept; those who miss them are marked so.  How many bundles? */
unsigned outbox_bound(struct replica *R, uint64_t most);

enum outbox_news {
	OUTBOX_NEWER,     /* it has more than was known; what it has is dropped */
	OUTBOX_KNOWN,     /* nothing new */
	OUTBOX_WENT_BACK, /* it says, later than it said otherwise, that it has less */
};

/* Take in the receipt H of f, which was checked to be its own. */
enum outbox_news outbox_acked(
    struct replica *R, struct replica_forward *f, const struct header *H, int64_t now);

/* The first volume that f wants and was not sent: 1 and which one, or 0: there is none. */
int outbox_next(const struct replica *R, const struct replica_forward *f, struct replica_out **b,
    struct replica_out_volume **v);

/* Nothing was sent to f. */
void outbox_anew(struct replica *R, const struct replica_forward *f);

/* How far what is kept for f leads from what it has; where no receipt has come, from the first one kept. */
struct point outbox_reach(const struct replica *R, const struct replica_forward *f);

/* Nothing is forwarded to f any more. */
void outbox_end(struct replica *R, struct replica_forward *f);

#endif
