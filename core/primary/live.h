#ifndef LIVE_H_
#define LIVE_H_

#include "primary/cut.h"

/*
 * The VM at its host while a point is cut.  One that runs is read from a view of its disks at one instant, which the host
 * holds (vmferry-host(7)); one that is off, from the disks themselves.  What changed since the newest point is known
 * from the host's own tracking, by the name that the record has for an instant at or before that point; where the host
 * has a doubt, blocks are compared.
 */
struct live;

/**
 * Ask the host how the VM is, and where its disks are now, which goes to the record in memory: c->live is set where the
 * host can tell.  0; 1, said, if the host does not know the VM, or a disk is not as the record has it; -1.
 */
int live_look(struct cut *c);

/* Is a view needed to read its disks? */
int live_is_running(const struct cut *c);

/* Freeze its disks.  0; 1, said; -1. */
int live_begin(struct cut *c);

/* Open disk i as it is in the view: as source_open. */
int live_open(const struct cut *c, unsigned i, struct source **out);

/* Add what may have changed on disk i since the newest point: 0; 2 if nobody knows; 1, said; -1. */
int live_changes(const struct cut *c, unsigned i, struct ranges *out);

/**
 * All was read: was the view whole to the end?  The disks are closed.  0, and what tracks from now on goes to the record
 * with the point (live_note); 1, said, if it was given up; -1.
 */
int live_end(struct cut *c);

/* The point is taken in: the record, in memory, says what tracks from there. */
void live_note(struct cut *c, const struct point *point);

/* The name by which the host tracks since point tracker_seq of the record; empty where none is of use. */
const char *live_tracker(const struct primary *P);

/* The kind of the point that is cut. */
enum point_kind live_kind(const struct cut *c);

/* What all instants of this lineage are called by at the host, as host_forget takes it; empty: it never named one. */
void live_prefix(const struct primary *P, char out[HOST_TOKEN]);

/* The VM is not protected any more: its host may forget what it keeps track of.  Where it does not, that is said. */
void live_forget(const struct primary *P);

/* Give the view up, if there is one, and forget the host.  c->live may be NULL. */
void live_close(struct cut *c);

#endif
