#ifndef MOVE_H_
#define MOVE_H_

#include "replica/replica.h"
#include "site/site.h"

/*
 * Move what a replica stores.  It is copied and the copy is proven; then one step decides; then the old one goes.  After
 * a crash it lies in the old or in the new place, whole, and the same command goes on or starts over.
 */

/* The whole folder, but for disks that lie elsewhere, to DIR/UUID.  0; 1, said; -1. */
int move_store(struct replica *R, const struct site *S, const char *dir);

struct move_disk {
	const char *id;
	const char *
	    to; /* a file that is not there yet, a device, or an NBD URI; NULL: to the replica's own folder */
	int is_sure; /* the device or export may be written over */
};

/* One disk.  What lay elsewhere stays there.  0; 1, said; -1. */
int move_disk(struct replica *R, const struct site *S, const struct move_disk *o);

#endif
