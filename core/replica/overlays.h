#ifndef OVERLAYS_H_
#define OVERLAYS_H_

#include <limits.h>

#include "replica/replica.h"

/*
 * Overlays on a replica's disks, which show a recovery point and take what a VM writes, while the disks stay as they are:
 *
 *    NAME/DISK.qcow2        one on each disk that was there at the point
 *    NAME/DISK.leaves       what brings the leaves of that disk to the point (disk/changelog.h)
 *
 * NAME is test or failover.  They are made whole in NAME.new; once they are named NAME, the record may say that they
 * stand, and before that they are of no meaning.
 */
#define OVERLAYS_TEST "test"
#define OVERLAYS_FAILOVER "failover"

/**
 * Make them as of the point at, from the undos: 0, durable; 1, said, where what comes out has not the signed roots of
 * the point; -1.  It takes the time of what changed since the point, not of the disks.
 */
int overlays_make(
    const struct replica *R, const struct site *S, const char *name, const struct replica_point *at);

/* The most bytes that they take when made. */
int overlays_need(
    const struct replica *R, const struct site *S, const struct replica_point *at, uint64_t *bytes);

/* The absolute paths of an overlay and of the disk that it is on, which may be a URI or FORMAT:PATH. */
int overlays_path(const struct replica *R, const char *name, unsigned disk, char out[PATH_MAX]);
int overlays_base(const struct replica *R, unsigned disk, char out[PATH_MAX]);

/* Does a program have one of them open?  0; 1, said, with what to do; -1. */
int overlays_check_idle(const struct replica *R, const char *name, const struct replica_point *at);

/* Bring the leaves of all disks to the point, durably; may be done again.  0 or -1. */
int overlays_rewind(const struct replica *R, const char *name);

/**
 * Put what they hold into the disks: 0, durable; 1, said, where one is in use, with nothing changed in the disks; -1.
 * May be done again.
 */
int overlays_settle(const struct replica *R, const char *name, const struct replica_point *at);

/* Remove them, once the record names them no more. */
int overlays_remove(const struct replica *R, const char *name);

#endif
