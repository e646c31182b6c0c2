#ifndef FORWARD_H_
#define FORWARD_H_

#include "replica/receive.h"
#include "replica/replica.h"
#include "site/site.h"

/*
 * Forwarding: what comes in at a replica is kept in its outbox and goes on to other sites, byte for byte as its primary
 * made it.  They verify the primary's signature, so they need no trust in this site.
 */

/* From now on keep for the site to what comes in, and what lies in the inbox now.  0; 1, said; -1. */
int forward_start(const struct site *S, const char *vm, const char *to);

/* No more; what is kept for it alone goes. */
int forward_end(const struct site *S, const char *vm, const char *to);

/* --- while bundles come in; only R in memory changes, and the outbox's folder --- */

/* The volume that c has read is durable in the inbox, so many bytes: it is kept for those that it is sealed to.  0 or -1. */
int forward_keep(struct replica *R, const struct receiving *c, uint64_t file);

/* The volume of a seed goes to the disks: say for whom it is not kept. */
void forward_note_seed(const struct replica *R);

/* The site of that name (NULL: the only one) that the VM is forwarded to; NULL, said. */
struct replica_forward *forward_find(struct replica *R, const struct site *S, const char *name);

/* --- receipts --- */

/* Does this site forward that VM to the site e, and does it not know yet that e has the point to?  1 or 0; -1, said. */
int forward_is_news(
    const struct site *S, const struct trust_entry *e, const char *uuid, const struct point *to);

/* Take a receipt that site e signed: what it acknowledges is not kept for it any more.  0; 1, said; -1. */
int forward_acknowledge(const struct site *S, const struct trust_entry *e, const struct header *H);

#endif
