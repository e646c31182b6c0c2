#ifndef REVERSE_H_
#define REVERSE_H_

#include <stdint.h>

#include "bounds.h"
#include "header.h"
#include "site/site.h"

/* Roles that change hands; see doc/ROLES.md. */
struct reverse_options {
	const char *vm;
	unsigned nsites;
	const char
	    *sites[LIMIT_TARGETS]; /* where to; none: the old primary, and its other heirs that are known */
	unsigned keep;             /* 0: as in the original direction; the same of: */
	int has_frequency;
	uint64_t frequency;
	enum header_level level; /* 0 */
	int plain;               /* -1 */
	const char *output;      /* a receipt that says so to the others; NULL: none */
};

/* A replica that has failed over becomes the primary: 0; 1, said; -1. */
int reverse(const struct site *S, const struct reverse_options *o);

#endif
