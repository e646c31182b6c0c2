#ifndef DEFINITION_H_
#define DEFINITION_H_

#include "primary/ship.h"

/*
 * The definition of a VM at its primary: what it is beside its disks, as its host tells it.  The file "definition" has
 * the newest one that is known; the record says which one the newest point has, and since when.  A seed carries it, and
 * so does a delta from before it became what it is.
 */

/**
 * The host says that this is the definition of the VM that is cut; NULL: it cannot tell, and the last one that it told
 * stays.  What is no proper text, or too long, is passed over with a word.  Only in memory.  0 or -1.
 */
int definition_take(struct cut *c, const char *text);

/* Into the header of the bundle, whose keys are there, with the point that it leads to.  0 or -1. */
int definition_put(struct ship *s);

/* It does not fit: a word is said of that, and this bundle says nothing of it. */
void definition_leave_out(struct ship *s);

/* The point that H leads to is taken into the record, and so is what H says of the definition; only in memory. */
void definition_commit(struct primary *P, const struct header *H);

/* The one that is known in the folder dir of a primary: 0, *text to be freed, or NULL where there is none; -1. */
int definition_read(const char *dir, char **text);

/* Put that text there, durably: 0 or -1. */
int definition_write(const char *dir, const char *text);

#endif
