#ifndef AGAINST_H_
#define AGAINST_H_

#include "primary/cut.h"

/*
 * A cut against a compare bundle: what a replica's disks hold, or adopted ones, is known from there, and not from
 * the points and maps of this site.
 */
struct against;

/* Open the bundle at path: who signed it, for which VM of P it is, and its keys.  0; 1, said; -1. */
int against_open(struct against **A, const struct site *S, struct primary *P, const char *path);

/* Accepts NULL. */
void against_close(struct against *A);

/* The header of the bundle, and the site that signed it. */
const struct header *against_header(const struct against *A);
const struct trust_entry *against_site(const struct against *A);

/**
 * Read all of the disks of the cut: c->must becomes the blocks of all groups that are others there, c->maybe what
 * has another leaf than at the newest point, or all, where that takes another secret.  0; 1, said; -1.
 */
int against_find_changes(struct against *A, struct cut *c);

#endif
