#ifndef STATUS_H_
#define STATUS_H_

#include "site/site.h"

enum status_form {
	STATUS_TEXT, /* for a person */
	STATUS_JSON,
	STATUS_PROMETHEUS, /* its text format */
	STATUS_OPENMETRICS
};

#define STATUS_MOST (UINT64_C(31) * 24 * 3600)
struct status_options {
	const char *vm; /* a name or UUID; NULL: all */
	enum status_form form;
	int64_t interval; /* seconds that the figures are of; 0: FIGURES_INTERVAL; at most STATUS_MOST */
};

/**
 * Print what this site replicates, or one VM of it: a line for each, or as said, by side and name.  Nothing is read but the
 * records, what was counted beside them, what is free at the stores, and the names of exports that are not finished.  0;
 * 1, said: there is no such VM; -1, said: also where a record could not be read.
 */
int status(const struct site *S, const struct status_options *o);

/* Count the figures of that VM from now on, on each side that is here.  0; 1, said: there is no such VM; -1. */
int status_reset(const struct site *S, const char *vm);

#endif
