#ifndef MERGE_H_
#define MERGE_H_

#include "replica/replica.h"
#include "site/site.h"

/*
 * Bring the disks to the newest staged recovery point.  For each bundle: the roots that it leads to are
 * computed from the leaves and held against the signed ones, before a byte of a disk is touched; what it will
 * replace is written to an undo; the record says so; then it is applied, made durable, and the record moves
 * on.  An interruption at any moment leaves the point before or, after merge_recover, the point after.
 */

/**
 * Must merges wait, because the VM runs from these disks, or what is here is not to go on?  NULL, or why, put into words.
 * What comes in meanwhile is staged, and acknowledged.
 */
const char *merge_waits(const struct replica *R, char words[ROLE_WORDS]);

/**
 * Merge all that is staged, unless merges wait: 0; 1, said, where a bundle does not lead where it says; -1.
 */
int merge_all(struct replica *R, const struct site *S);

/* Finish a merge that was interrupted while it was applied; to be called before the disks are looked at. */
int merge_recover(struct replica *R, const struct site *S);

#endif
