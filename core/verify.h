#ifndef VERIFY_H_
#define VERIFY_H_

#include "card.h"
#include "site/site.h"
#include "site/trust.h"

struct verify_options {
	const struct card *by;     /* the card of the site that must have signed */
	const struct trust *trust; /* where by is NULL: one of these sites must have */
	const struct site *site;   /* who asks, and signs custody lines; NULL if there is no request */
	const char *request;       /* where the repair request goes; "-": standard output; or NULL */
	const char *repair;        /* take what is damaged from there; or NULL */
	int json;                  /* on standard output */
	int insist;                /* refuse to go on without a sandbox */
	unsigned n;                /* 0: standard input */
	char *const *paths;
};

#define VERIFY_FILES 512u

/**
 * Check bundles whole, touching no replica: their signatures, and all contents against what was signed.  Every
 * one is looked at, and the worst answer counts: 0; 1, said; -1.  What is damaged is named, with what it covers; and,
 * where a request is wanted, one is written that the primary's export --repair answers.
 */
int verify(const struct verify_options *o);

#endif
