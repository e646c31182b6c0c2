#ifndef RESYNC_H_
#define RESYNC_H_

#include "site/site.h"

/* Bring histories together that have parted; see "Parted" in doc/ROLES.md. */
struct resync_options {
	const char *vm;
	const char *keep;   /* the site whose history counts; NULL: that of the site that is followed */
	const char *output; /* for the comparison; NULL: standard output */
	int yes;            /* a person's word for what cannot be taken back; else a terminal is asked */
};

/* 0; 1, said; -1. */
int resync(const struct site *S, const struct resync_options *o);

#endif
