#ifndef ADOPT_H_
#define ADOPT_H_

#include "bounds.h"
#include "replica/adoption.h"

/*
 * A VM's disks that a site has already, from a backup or an older copy, become the initial copy: copies of them are
 * compared, the primary sends what differs, and that seed makes them a replica.
 */
struct adopt_options {
	const char *vm;
	unsigned ndisks;
	const char *disks[LIMIT_DISKS]; /* "ID=PATH" or "ID=URI" */
	const char *from;               /* the primary's name */
	const char *output;             /* NULL: standard output */
};

/* Copy the disks and write the compare bundle; the same once more goes on where it was interrupted.  0; 1, said; -1. */
int adopt(const struct site *S, const struct adopt_options *o);

/* Forget what was adopted, with the copies: 0; 1, said; -1. */
int adopt_drop(const struct site *S, const char *vm);

/* Are there adopted disks of that VM?  1 or 0; -1. */
int adopt_is_known(const struct site *S, const char *vm);

/* Write a compare bundle of them once more. */
int adopt_compare(const struct site *S, const char *vm, const char *output);

#endif
