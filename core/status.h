#ifndef STATUS_H_
#define STATUS_H_

#include "site/site.h"

/* Print how each replication of this site is doing, or that of one VM (NULL: all): 0; 1, said; -1. */
int status(const struct site *S, const char *vm, int json);

#endif
