#ifndef BRANCH_H_
#define BRANCH_H_

#include "disk/source.h"
#include "replica/replica.h"

/* What a site has that gives way to another one: a point of its own, kept until a person drops it. */

/* Read the disk at where and write its leaves to a new file at leaves; its size and root go to d.  0; 1, said; -1. */
int branch_read(const struct leaf_secret *secret, const char *where, const char *leaves,
    struct replica_disk_point *d);

/**
 * The number of a point of our own, behind newest, that is used nowhere: not by the site of that claim either (or NULL).
 */
uint64_t branch_seq(const struct point *newest, const struct role_claim *c);

/* The claim of the site of e, or NULL. */
const struct role_claim *branch_claim(const struct role *r, const struct trust_entry *e);

/**
 * Read the disks of R, of which nobody else writes to now, and make its last point what they hold: that point itself, if
 * this is so, else one of its own, before which nothing can be brought back.  It is pinned, and a branch.  In memory and
 * in leaves.new/; branch_settle puts the leaves in place once R is saved.  0; 1, said; -1.
 */
int branch_make(struct replica *R, const struct role_claim *c);
int branch_settle(const struct replica *R);

/* Points beyond the limit that are kept for the first pin. */
unsigned branch_beyond(const struct replica *R);

/* Print the branches of R; or drop them, and what is older, durably.  0; 1, said; -1. */
int branch_print(const struct replica *R);
int branch_drop(struct replica *R);

#endif
