#ifndef GUEST_H_
#define GUEST_H_

#include "host/host.h"
#include "replica/replica.h"

/*
 * The VM of a replica at this site's host: as the duplicate of a test, on the overlays of a failover, or on the disks
 * themselves.  Where there is no host to ask, a person is told what is to be done.
 */
enum guest {
	GUEST_TEST,     /* "NAME - Test", isolated, on the overlays of the test */
	GUEST_FAILOVER, /* on those of the failover */
	GUEST_PRIMARY,  /* on the disks */
	GUEST_REPLICA,  /* on the disks too, and not to be started: a replica, or a placeholder */
};

/* Take over from the trust file which host it is; only in memory.  Can it be asked?  0; 1, said; -1. */
int guest_prepare(struct replica *R, const struct site *S);

/* Make the empty disks that stand for those that are not replicated; of a test in its folder.  0 or -1. */
int guest_make_excluded(const struct replica *R, enum guest g);

/* Let the host have it, with the disks as of the point at, and print where these are: 0; 1, said; -1. */
int guest_define(struct replica *R, enum guest g, const struct replica_point *at);

/* Print where they are, and no more: 0 or -1. */
int guest_show(const struct replica *R, enum guest g, const struct replica_point *at);

/* Start it, with the site's script (host/script.h) in front and behind: 0; 1, said; -1.  Where nobody can be asked, that is said, and 0. */
int guest_start(struct replica *R, const struct site *S, enum guest g, const char *act);

/* Is it off, as far as the host can say?  0; 1, said; -1. */
int guest_check_off(const struct replica *R, enum guest g);

/* Shut it down and let the host forget it, and run the site's script then; a test's duplicate is turned off.  0; 1, said; -1. */
int guest_end(struct replica *R, const struct site *S, enum guest g, const char *act);

/* Which networks would it miss?  0, also where nobody can say; 1, said; -1. */
int guest_networks(const struct replica *R, const struct replica_point *at, struct host_networks *out);

/* Note in the record which of them it misses, as far as the host can be asked now; only in memory. */
void guest_note_networks(struct replica *R, const struct replica_point *at);

/**
 * Let the host have what the replica is now, a VM that is not to be started, unless it knows; and note which networks
 * it would miss.  0, also where nobody is to be asked or it is not for us to say; 1, said; -1.  Nothing fails by either:
 * it is tried again with the next command.
 */
int guest_tell(struct replica *R, const struct site *S);

/* Let it forget the VM, if it was made at our word; what it was told is forgotten in memory.  0; 1, said; -1. */
int guest_forget(struct replica *R, const struct site *S);

#endif
