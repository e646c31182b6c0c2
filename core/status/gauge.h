#ifndef GAUGE_H_
#define GAUGE_H_

#include <jansson.h>

#include "primary/primary.h"
#include "replica/replica.h"
#include "tally/figures.h"

/* The figures of a replication, from its record and what was counted beside it. */
struct gauge {
	struct tally_now now;
	int has_figures;
	struct figures figures;
};

/**
 * Read them: figures of that many seconds up to now, seconds since 1970; of 0: none, which takes less time.  Nothing is said: what
 * cannot be read counts as not there.
 */
void gauge_primary(struct gauge *g, const struct primary *P, int64_t now, int64_t interval);
void gauge_replica(struct gauge *g, const struct replica *R, int64_t now, int64_t interval);

/* When the newest point was cut that the target has for sure; 0: none, or not known. */
int64_t gauge_held_at(const struct primary *P, const struct primary_target *t);

/* As a JSON object, which is the caller's. */
json_t *gauge_json(const struct figures *f);

#endif
