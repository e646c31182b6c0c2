#ifndef COMPARE_H_
#define COMPARE_H_

#include "header.h"
#include "replica/replica.h"
#include "site/site.h"

/* Say in a small bundle what a replica's disks, or adopted ones, hold, for "vmferry export --against". */
struct compare_options {
	const char *vm;
	int full;           /* read the disks, instead of believing their leaves */
	int are_true;       /* the leaves were just made from the disks */
	const char *output; /* NULL: standard output */
};

/* 0; 1, said; -1. */
int compare(const struct site *S, const struct compare_options *o);

/**
 * The same for the site of e, which asks for it by the VM's UUID and name: of a replica or of adopted disks only where it is
 * the primary of them, since it is sealed to that, and each one is put on record.  To standard output.
 */
int compare_asked(const struct site *S, const struct trust_entry *e, const char *uuid, const char *vm);

/* The same of a replica that is open, and saved on the way: 0; 1, said; -1. */
int compare_open(struct replica *R, const struct site *S, const struct compare_options *o);

/* Was the compare bundle that H is against written here, of the disks at the point that H starts from? */
int compare_is_fit(const struct replica *R, const struct header *H);

#endif
