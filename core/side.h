#ifndef SIDE_H_
#define SIDE_H_

#include "role/role.h"
#include "site/site.h"

/**
 * What this site is to a VM, by name or UUID, now: the side whose record has the say.  A replica has it, but where it
 * has turned; a primary beside one that has not is a leftover of a change of roles.  0; 1, said, if nothing is known
 * of it here, or a name stands for two VMs; -1.
 */
int side_of(const struct site *S, const char *vm, enum role_side *side);

/**
 * Is this site a replica of it now?  1; 0: its primary, or nothing is known of it here, which whoever goes on says; -1.
 * A name that stands for two VMs is here that of the one that is protected.
 */
int side_is_replica(const struct site *S, const char *vm);

#endif
