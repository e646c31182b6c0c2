#ifndef DEFINITIONS_H_
#define DEFINITIONS_H_

#include "bundle/segment.h"
#include "replica/replica.h"

/*
 * The definitions of a replica's VM, as its primary has told them: each in a file of the replica's folder, under the
 * name of its digest, for the points that have it.  One that came with no point is kept too: what this site's own host
 * had told while the site was the primary, so that it can be looked up when the VM has been elsewhere.
 */

/* The one that H carries becomes a file, durably; of a header that carries none, nothing.  0 or -1. */
int definitions_keep(const struct replica *R, const struct header *H, const struct segment_crypt *K,
    const struct segment_crypt parts[LIMIT_PARTS]);

/* The point p, to which H leads, has the one that H says, or, where that is not here, that of the point before. */
void definitions_mark(const struct replica *R, const struct header *H, struct replica_point *p);

/* The one that the point has: 0, *text to be freed, or NULL where there is none; -1. */
int definitions_read(const struct replica *R, const struct replica_point *at, char **text);

/* The point p has that one; only in memory. */
void definitions_name(const struct replica *R, const char *text, struct replica_point *p);

/* Put that text there, durably, which is this site's own: for a point, and beyond all of them.  0 or -1. */
int definitions_put_own(const struct replica *R, const char *text);

/* Remove those that no point has.  0 or -1. */
int definitions_tidy(const struct replica *R);

#endif
