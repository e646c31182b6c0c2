#ifndef FOLLOW_H_
#define FOLLOW_H_

#include "base/sandbox.h"
#include "disk/relay.h"
#include "header.h"
#include "site/site.h"

/**
 * A bundle or receipt of the site of e has come, with header H: does it speak of a VM of which this site is the primary?
 * If its signer has used our handover, this site becomes its replica, and the bundle can be received as such; if it, or
 * somebody, has taken over otherwise, this site fences itself.  FOLLOW_NOT: no such thing, it goes on; FOLLOW_DONE: this
 * site is a replica from now on; 1, said; -1.
 */
enum { FOLLOW_NOT = 0, FOLLOW_DONE = 2 };
int follow(const struct site *S, const struct trust_entry *e, const struct header *H);

/**
 * Let a sandbox have the disks that following reads or merging writes, where they lie elsewhere, and name
 * them to N, for a relay: those of all VMs, or of that one (by UUID).  0 or -1.
 */
int follow_allow(const struct site *S, struct sandbox *B, struct relay_list *N, const char *only);

#endif
