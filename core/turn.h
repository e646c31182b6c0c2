#ifndef TURN_H_
#define TURN_H_

#include "primary/primary.h"
#include "replica/replica.h"
#include "site/site.h"

/*
 * Roles that change hands at this site: a record of the other side takes the place of the one that was; see "Where a
 * record is" in doc/ROLES.md.  The disks stay where they are, and so do the VM's paths.
 */

/**
 * The replica R, which has failed over and is settled, becomes the VM's primary P, of which name, targets, wishes and keep
 * are set, and the rest follows from R: whole, or R is as it was, or says that it is turned and this is to be done again.
 * 0; 1, said; -1.
 */
int turn_to_primary(const struct site *S, struct replica *R, struct primary *P);

struct turning {
	const struct site *S;
	struct primary *P;           /* open */
	const struct trust_entry *e; /* whom to follow from now on */
	struct replica_point point;  /* where the disks are */
	const char *leaves;          /* the folder in that of P where the leaves at that point are */
	int is_parted;
	char *definition; /* the turn's own: the VM's, as it is known here; or NULL */
};

/* The primary becomes a replica, which is open then; P is closed and gone: 0.  1, said, or -1: it is as it was. */
int turn_to_replica(struct replica **R, struct turning *t);

/* May that site replicate the VM to here, and can its disks be those of a replica?  0; 1, said. */
int turn_check(const struct primary *P, const struct trust_entry *e);

/* The replica's record at that VM's UUID, if it has the say there: 1, 0 or -1.  A primary beside it goes. */
int turn_settle(const struct site *S, const char *uuid);

#endif
