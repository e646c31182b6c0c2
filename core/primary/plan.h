#ifndef PLAN_H_
#define PLAN_H_

#include <stdint.h>

#include "primary/export.h"

/* What an export would be: how much, in how many volumes, for how long, and how old on arrival. */
struct plan_options {
	uint64_t transit;   /* seconds that a medium is under way; 0: not said */
	uint64_t bandwidth; /* bytes a second of a line to hold it against; 0: none */
	int json;
};

/**
 * Find out and print what export with o would do now.  No point is cut; on a medium a file without a name is written for a
 * moment, to see how fast it is.  0; 1, said; -1.
 */
int plan(const struct site *S, const struct export_options *o, const struct plan_options *w);

#endif
