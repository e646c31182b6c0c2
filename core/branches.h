#ifndef BRANCHES_H_
#define BRANCHES_H_

#include "site/site.h"

/**
 * Print the histories that have parted, side by side: what is here, what each other site has said that is no part of it,
 * and what keeping the one or the other would mean; of all VMs, or of one by name or UUID.  0, also where there is
 * nothing to show; 1, said: there is no such VM; -1, said.
 */
int branches(const struct site *S, const char *vm, int json);

#endif
