#ifndef RESUME_H_
#define RESUME_H_

#include "primary/ship.h"

/*
 * An export that was cut short goes on where it stood: behind the last segment that is whole, from the same content.
 * That it is the same is known from the stamps of the disks, or proved by reading again what was read before.
 */

/**
 * Take up s->pending, and do what is left of it, up to the end of the bundle.  0: all of it is where it belongs; 1 or
 * -1, said; RESUME_ANEW: it cannot be gone on with, which is said, and s is to be freed.
 */
#define RESUME_ANEW 2
int resume(struct ship *s);

/* Give it up: say what is left of it where, and forget it.  0 or -1. */
int resume_give_up(const struct pending *p, const struct primary *P);

#endif
