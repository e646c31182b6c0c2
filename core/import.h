#ifndef IMPORT_H_
#define IMPORT_H_

#include "bundle/infile.h"
#include "site/site.h"
#include "teller.h"

/* Take in a bundle: a seed or delta into a replica, or a receipt at a primary. */
struct import_options {
	const char *input;     /* NULL or "-": standard input */
	int stage_only;        /* do not merge */
	const char *repair;    /* a repair: what is damaged in the bundle is taken from there; NULL: none */
	const char *receipt;   /* write a receipt there when it is in; "-": standard output; NULL: none */
	struct teller *teller; /* tells this site's host of what came; NULL: nobody is told */
	int insist;            /* refuse to go on without a sandbox */
	const char *
	    only; /* the VM, by UUID, that it must be of, so that no other's record is looked at; NULL: any */
};

/* 0: all of it is here for good; 1, said, and nothing has changed; -1. */
int import(const struct site *S, const struct import_options *o);

/**
 * The same with a file that is open, in the sandbox that the process is in; what is damaged is taken from the repair in
 * fix, unless that is NULL.
 */
int import_file(const struct site *S, const struct import_options *o, struct infile *F, struct infile *fix);

/* Go on with what was received for a VM earlier, as import does behind a bundle.  0; 1, said; -1. */
int import_conclude(const struct site *S, const struct import_options *o, const char *vm);

/**
 * Confine the process to what an import may touch: the home, the stores, and one folder more (NULL: none).  0; 1,
 * said, if this cannot be and insist is set; -1.
 */
int import_confine(const struct site *S, const char *folder, int insist);

#endif
