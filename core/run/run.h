#ifndef RUN_H_
#define RUN_H_

#include <stdint.h>

#include "site/site.h"

struct run_options {
	unsigned jobs; /* cycles at a time; 0: as HOME/routes says, or RUN_JOBS */
	uint64_t rate; /* bytes a second over all; 0: as HOME/routes says, or no limit */
	int once;      /* what is due now, and no more */
};

#define RUN_JOBS 4u

/**
 * Keep the replications of this site to their frequencies until told to stop: 0.  Once: 0; 1: something was refused; -1:
 * something failed; all said.  Also 1, said: another one runs for this home, or HOME/routes is none.
 */
int run(struct site *S, const struct run_options *o);

#endif
