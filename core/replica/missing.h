#ifndef MISSING_H_
#define MISSING_H_

#include "replica/replica.h"

/* What a replica waits for, in words: volumes of bundles that are here in part, and bundles that others build on. */

/* Call each with every sentence about it.  Are there any? */
int missing_each(const struct replica *R, void (*each)(void *context, const char *text), void *context);

#endif
