#ifndef REPAIR_H_
#define REPAIR_H_

#include "site/site.h"

/*
 * The answer to a repair request: segments of a bundle in flight, made again as they were, to the bit, with the log
 * that was kept of it (shiplog) and from the disks as they are now.  One of which anything has changed since cannot be
 * made again; it is named, and its old nonce seals nothing else.
 */
struct repair_options {
	const char *vm;      /* name or UUID; NULL: the one that the request names */
	const char *request; /* NULL or "-": standard input */
	const char *output;  /* NULL or "-": standard output */
	const char *media;   /* or, where this is not NULL, into DIR/vmferry/ of that medium */
};

/* 0; 1, said: nothing, or not all that was asked for, could be made (what could is written); -1. */
int repair(const struct site *S, const struct repair_options *o);

#endif
