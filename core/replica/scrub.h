#ifndef SCRUB_H_
#define SCRUB_H_

#include "replica/replica.h"
#include "site/site.h"

/**
 * Prove what lies in R's folder in that way, and change nothing; disks that lie elsewhere are left out.  0; 1, said; -1.
 */
int scrub_folder(const struct replica *R, const struct site *S);

/**
 * Read all that a replica keeps and prove it: the disks by their leaves and roots, the undos and staged
 * bundles by their signatures and digests.  0; 1, each damage said, and the replica is marked; -1.
 */
int scrub(struct replica *R, const struct site *S);

#endif
