#ifndef INSPECT_H_
#define INSPECT_H_

#include "site/site.h"

/**
 * Print what a bundle holds.  Its chain of signatures is checked with the key that it claims, which may be
 * anybody's, and its contents are not read: that is verify's work.  path NULL or "-": standard input.  The custody
 * log beside it is shown, with the names of the sites that S (NULL: none) knows.  0; 1, said; -1.
 */
int inspect(const char *path, const struct site *S, int json);

#endif
