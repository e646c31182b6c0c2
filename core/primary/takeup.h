#ifndef TAKEUP_H_
#define TAKEUP_H_

#include "primary/ship.h"

/*
 * What is there already of a bundle that was cut short, behind its volumes that are whole: taken into the writer, so
 * that it goes on behind that.  What it changes is noted in the sums and logs of s->disks (but not where the bundle is
 * against a comparison: there more changes than is carried).
 */

/**
 * From the file or medium: volumes that have their name and are not in the record yet, and the one that has not, read from
 * there and verified.  s->out is then open behind the last good segment; or NULL, where a volume is to be begun.
 * 0; 1, said; -1.
 */
int takeup_volumes(struct ship *s);

/* From what was sent to a pipe, up to where the receiver says, which is checked: s->out is open.  0; 1, said; -1. */
int takeup_received(struct ship *s);

#endif
