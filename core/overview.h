#ifndef OVERVIEW_H_
#define OVERVIEW_H_

#include "health.h"
#include "site/site.h"
#include "tally/figures.h"

/*
 * One replication of this site as it is looked at: its record, what was found beside it, and how it is doing.  All that
 * show how things are (status, report) have it from here, so that they say the same.
 */
struct overview {
	const struct site *S;
	int64_t now;
	const struct primary *P; /* its record: one of these two; the other is NULL */
	const struct replica *R;
	const char *vm, *uuid, *dir, *side; /* "primary" or "replica" */
	const struct role *role;
	struct point last; /* the newest point, at a replica the newest one merged; seq 0: none */
	unsigned points, staged;
	const struct health *health;
};

/**
 * Call each, which returns 0, or -1, said, for every replication of this site, primaries first, or for one VM by name or
 * UUID.  A VM that was turned counts once, as what it is now.  Nothing is read but the records, what is free at the
 * stores, and the names of exports that are not finished; nothing is locked.  What each is given is gone when it returns.
 * 0; 1, said: there is no such VM; -1, said: also where a record could not be read, after all the others.
 */
int overview_each(const struct site *S, const char *vm, int64_t now,
    int (*each)(void *context, const struct overview *o), void *context);

/* Its figures of the last so many seconds; where counting began anew meanwhile, since then. */
void overview_figures(const struct overview *o, uint64_t interval, struct figures *out);

#endif
