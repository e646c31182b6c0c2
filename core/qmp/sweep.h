#ifndef SWEEP_H_
#define SWEEP_H_

#include "qmp/monitor.h"

/*
 * What a view leaves in QEMU, found by its names: exports, jobs and nodes have those that begin with the mark of the
 * replication; bitmaps begin with the prefix of its tokens.  So a view is ended in the same way by who began it, by its
 * watchdog, and by the next one if both were killed.
 */
#define SWEEP_MARK 20u
#define SWEEP_FROZEN ".since" /* behind a token: a copy of the bitmap that it followed, as it was then */

/* The mark of the replication whose tokens begin with prefix: at most 18 letters, digits and '-'. */
void sweep_mark(char out[SWEEP_MARK], const char *prefix);

/**
 * End what is there of a view with that prefix: its exports, the NBD server if it is ours, jobs, nodes, and frozen copies of
 * bitmaps.  0, also if there is nothing; -1, said.
 */
int sweep_view(struct monitor *M, const char *prefix);

/* Remove the bitmaps that begin with prefix, except those of the two names, which may be empty.  0; -1, said. */
int sweep_bitmaps(struct monitor *M, const char *prefix, const char *keep1, const char *keep2);

#endif
