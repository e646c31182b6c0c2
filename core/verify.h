#ifndef VERIFY_H_
#define VERIFY_H_

#include "card.h"
#include "site/trust.h"

struct verify_options {
	const struct card *by;     /* the card of the site that must have signed */
	const struct trust *trust; /* where by is NULL: one of these sites must have */
	int insist;                /* refuse to go on without a sandbox */
	unsigned n;                /* 0: standard input */
	char *const *paths;
};

#define VERIFY_FILES 512u

/**
 * Check bundles whole, touching no replica: their signatures, and all contents against what was signed.  Every
 * one is looked at, and the worst answer counts: 0; 1, said; -1.
 */
int verify(const struct verify_options *o);

#endif
