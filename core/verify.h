#ifndef VERIFY_H_
#define VERIFY_H_

#include "card.h"
#include "site/trust.h"

/**
 * Check a bundle whole, touching no replica: its signatures, which must be of the card, or where that is NULL
 * of a site of T, and all contents against what was signed.  path NULL or "-": standard input.  0; 1, said; -1.
 */
int verify(const char *path, const struct card *by, const struct trust *T);

/* Read a card from a file: 0; 1, said; -1. */
int verify_card(const char *path, struct card *C);

#endif
