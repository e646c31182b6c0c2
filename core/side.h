#ifndef SIDE_H_
#define SIDE_H_

#include "site/site.h"

/**
 * Is this site a replica of the VM, by name or UUID, and not its primary?  1; 0: it is its primary, or nothing to it;
 * -1, said.
 */
int side_is_replica(const struct site *S, const char *vm);

#endif
