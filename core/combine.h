#ifndef COMBINE_H_
#define COMBINE_H_

#include "bundle/segment.h"
#include "card.h"
#include "site/site.h"

/* Fold several deltas into one, newest data first; with their keys or without. */
struct combine_options {
	const struct card
	    *by; /* the card of the site that must have signed them; NULL: one that this site knows */
	const char *output; /* NULL or "-": standard output */
	enum segment_level level;
	int insist; /* refuse to go on without a sandbox */
	unsigned n;
	char *const *paths;
};

/* 0: it is written, durably; 1, said: they cannot be combined; -1. */
int combine(const struct site *S, const struct combine_options *o);

#endif
