#ifndef CHANGE_H_
#define CHANGE_H_

#include "primary/enable.h"
#include "primary/primary.h"

/**
 * Change what is replicated of a VM, where to and how, from the next point on: P is open, and saved if all of it can be
 * done.  0; 1, said, with nothing changed; -1.
 */
int change(const struct site *S, struct primary *P, const struct enable_options *o);

/* Put a disk given as "ID=PATH" or "ID=NBD-URI" apart, and look how large it is: 0; 1, said; -1. */
int change_parse(struct primary_disk *d, const char *spec);

/* How its bundles are made, and what runs it, as far as that was said; only in memory.  0; 1, said; -1. */
int change_wishes(struct primary *P, const struct enable_options *o);

/* Add a site to the targets; one that is among them stays. */
int change_add_target(const struct site *S, struct primary *P, const char *name);

#endif
