#ifndef REFLINK_H_
#define REFLINK_H_

#include <limits.h>
#include <stdint.h>

#include "host/host.h"

/*
 * Raw disks as files on a file system that can share blocks between files (btrfs, XFS).  The view of a disk is a clone
 * of it, .NAME.TOKEN beside it; what changed between two clones is told by where their extents lie, since no block of
 * a clone is ever written to again, and none that is in use is given to another file.  A clone is of use only as long
 * as it is there: it is kept for the next view to be held against.
 */
struct reflink {
	char disk[PATH_MAX], clone[PATH_MAX], list[PATH_MAX];
	int from, to; /* -1: not open */
};

#define REFLINK_NONE ((struct reflink){ .from = -1, .to = -1 })

/**
 * Get ready to clone disk, an absolute path, for that token: there is a clone already, to be taken again by
 * reflink_take, which so has little left to do.  0, R being the caller's to close; 2, unsaid, with nothing left
 * behind, where disk is no regular file or its file system cannot; -1, said.
 */
int reflink_prepare(struct reflink *R, const char *disk, const char *token);

/* The VM stands still: clone the disk as it is now.  0 or -1, said. */
int reflink_take(struct reflink *R);

/* It goes on: make the clone durable, as far as a clone needs that, and close R.  0 or -1, said. */
int reflink_settle(struct reflink *R);

/* Close R, the clone staying; closed ones are fine. */
void reflink_close(struct reflink *R);

/**
 * What may differ between R's clone and that of `since` of the same disk: 0, in the file R->list, in lines "offset
 * length"; 2, why saying why nobody knows, without a list; -1, said.
 */
int reflink_changes(struct reflink *R, const char *since, char why[HOST_WHY]);

/* Remove the clone of disk that has that token, and its list; that there is none is fine.  0 or -1, said. */
int reflink_remove(const char *disk, const char *token);

/* Remove the clones of disk with that prefix, but those of the two tokens, which may be empty.  0 or -1, said. */
int reflink_tidy(const char *disk, const char *prefix, const char *keep1, const char *keep2);

/**
 * The same for any two files: extents that are at another place, or of which nobody can say so, as lines "offset
 * length" to the new file `list`.  0; 2, why; -1, said.
 */
int reflink_compare(const char *older, const char *newer, const char *list, char why[HOST_WHY]);

#endif
