#ifndef PRIMARY_H_
#define PRIMARY_H_

#include <limits.h>
#include <stdint.h>

#include "bounds.h"
#include "disk/source.h"
#include "header.h"
#include "host/host.h"
#include "host/told.h"
#include "leaf.h"
#include "point.h"
#include "role/reminders.h"
#include "role/role.h"
#include "site/site.h"

/*
 * The primary's side of a replication, in HOME/primaries/UUID/:
 *
 *    state              this record
 *    leaves/DISK        the leaves at the newest point
 *    changes/SEQ.DISK   what changed from the point before to point SEQ
 *    pending/           an export that is not finished; see pending.h
 *    definition         the VM's definition as its host has last told it, a text; none where no host can tell
 *    shipped/ID         how the segments of a bundle in flight were made; see shiplog.h
 *    cycles             what became of its cycles, for figures: no record; see tally.h
 */

/*
 * Disks that were ever replicated keep their places for good, since segments name them by these: one that is added comes
 * behind them, and has size 0 and the root of that at all points before; one that is not replicated any more has so
 * from the next point on.
 */
struct primary_disk {
	char id[LIMIT_DISK_ID + 1];
	char where[PATH_MAX]; /* an absolute path or a URI */
	int is_excluded;
	int is_gone; /* was replicated, and is not any more: nothing is read of it */
	int is_new; /* what is on it has nothing to do with the newest point: no tracker can tell what changed */
	uint64_t size;       /* at the newest point; of an excluded disk, when it was enabled */
	struct leaf_sum sum; /* at the newest point */
	int has_stamp; /* while a handover stands: by this it is known that nobody has written to it since */
	struct source_stamp stamp;
};

struct primary_target {
	char name[LIMIT_NAME + 1];
	uint8_t key[RECORD_KEY];
	uint64_t seeded;  /* the first seed that was made for it: what it may hold while nothing came back */
	uint64_t sent;    /* the newest point that was sent to it */
	uint64_t acked;   /* the newest point that it acknowledged; 0: no receipt yet */
	int64_t acked_at; /* when that receipt was taken; seconds since 1970 */
	int64_t said_at;  /* by its clock, when it made the newest of its receipts */
	uint64_t back;    /* where that one says less than was acknowledged: what it says; else 0 */
	int has_via;      /* what goes to that other target goes on from there to this one: */
	uint8_t via[RECORD_KEY];
};

/* A bundle that was sent, and that one of its targets at least has not acknowledged. */
#define PRIMARY_SHIPMENTS 1000u
#define PRIMARY_WHERE 128u
struct primary_shipment {
	uint8_t id[RECORD_ID];
	enum bundle_type type;
	uint64_t from, to;         /* 0: a seed */
	uint32_t targets;          /* bit i: on its way to targets[i] */
	int64_t at;                /* seconds since 1970 */
	char where[PRIMARY_WHERE]; /* the media's label, or the file's name; empty: a pipe */
	unsigned volumes;
	uint64_t bytes;
	/* With these a damaged segment is made again: */
	enum record_cipher cipher;
	uint8_t key[HEADER_CONTENT_KEY];
	unsigned level;
};

struct primary_point {
	struct point point;
	uint64_t size[LIMIT_DISKS]; /* of the replicated disks, in order */
	uint8_t root[LIMIT_DISKS][LEAF_ROOT];
};

/* When the last points were cut, at that frequency: what is needed to see whether it is kept. */
#define PRIMARY_CUTS 64u
struct primary_cuts {
	uint64_t frequency; /* seconds */
	unsigned n;         /* in the order of cutting */
	int64_t at[PRIMARY_CUTS];
};

/* Points for which the guest is asked to be consistent: every so many, or so many seconds; 0 and 0: none. */
struct primary_apps {
	unsigned every;
	uint64_t seconds;
	unsigned since;     /* points since the last one */
	int64_t at;         /* when that was; 0: there was none */
	char why[HOST_WHY]; /* the last one that was wanted could not be had: why; or empty */
};

struct primary {
	char dir[PATH_MAX];
	int lock;
	char vm[LIMIT_NAME + 1];
	char uuid[HEADER_UUID];
	uint8_t lineage[RECORD_ID];
	struct role role;
	struct reminders reminders;
	struct primary_cuts cuts;
	struct header_wishes wishes; /* how bundles are made, if nothing else is said; its frequency too */
	char host[PATH_MAX];         /* "none", or what runs the VM */
	struct told told;
	char tracker[HOST_TOKEN]; /* by this name the host knows the instant of one of the points; or empty */
	uint64_t tracker_seq; /* that point; 0: nobody knows, and the name is of no use but to be forgotten */
	struct primary_apps apps;
	uint8_t leaf_seed[LEAF_SEED];
	struct leaf_secret secret; /* made from the seed */
	unsigned keep;
	int has_definition; /* the VM's definition is known, and was said with a point: */
	uint8_t definition[HEADER_DIGEST];
	uint64_t definition_seq; /* the first point with that one */
	uint64_t leaves_at;      /* the point whose leaves are in leaves/ */
	unsigned ndisks;         /* those that are or were replicated first, then excluded ones */
	unsigned nreplicated;
	struct primary_disk disks[2 * LIMIT_DISKS];
	unsigned ntargets;
	struct primary_target targets[LIMIT_TARGETS];
	unsigned nshipments; /* in the order of sending */
	struct primary_shipment shipments[PRIMARY_SHIPMENTS];
	unsigned npoints; /* ascending; the first are those that deltas may start from */
	struct primary_point *points;
};

/**
 * Keep others from enabling or removing a VM of this site meanwhile: the lock, to be closed; -2, said, if another has
 * it; -1.
 */
int primary_lock_all(const struct site *S);

/* Make the record of a new replication, under that lock: P's names, disks, targets and wishes are set.  0; 1 said; -1. */
int primary_create(const struct site *S, struct primary *P);

/* Remove the record and all that is kept with it, but no disk, and close it.  0 or -1. */
int primary_remove(struct primary *P, const struct site *S);

/* Remove what an interrupted enable or removal left behind.  0; 1, said; -1. */
int primary_sweep(const struct site *S);

/**
 * The same in two steps: its folder and record, under a name that nobody looks at, where P->dir is then; and its own name.
 * The caller holds the lock of primary_lock_all.  Each 0 or -1.
 */
int primary_make(const struct site *S, struct primary *P);
int primary_publish(const struct site *S, struct primary *P);

/**
 * Open the replication of a VM, by name or UUID, for this process alone, and finish what an interrupted
 * export left undone.  0; 1, said, if there is none or it is in use; -1.
 */
int primary_open(struct primary **P, const struct site *S, const char *vm);

/* The record alone, for those who only look; no lock. */
int primary_look(struct primary **P, const struct site *S, const char *uuid);

void primary_close(struct primary *P);

/* Is there a replication of that VM, by name or UUID?  1 or 0; -1.  Its UUID goes to uuid. */
int primary_find(const struct site *S, const char *vm, char uuid[HEADER_UUID]);

/* Call each with the UUID of every replication, until it returns other than 0, which is then returned. */
int primary_each(const struct site *S, int (*each)(void *context, const char *uuid), void *context);

/* Replace the record by P, durably. */
int primary_save(const struct primary *P);

/* The epoch in which points are cut. */
uint64_t primary_epoch(const struct primary *P);

/* The newest point, or NULL; the point of that seq, or NULL. */
struct primary_point *primary_last(const struct primary *P);
struct primary_point *primary_point(const struct primary *P, uint64_t seq);

/* The target of that name, or the one that is the site of e by any of its keys; NULL if there is none. */
struct primary_target *primary_target(struct primary *P, const char *name);
struct primary_target *primary_target_of(struct primary *P, const struct trust_entry *e);

/* The target by way of which t is reached; NULL: what t gets is cut for it. */
struct primary_target *primary_via(struct primary *P, const struct primary_target *t);

/* Open a replicated disk as source_open; of one that is gone, one of no bytes. */
int primary_open_disk(
    const struct primary *P, unsigned disk, enum source_use use, const char *bitmap, struct source **out);

/* The size and root of a disk that is not there. */
void primary_no_disk(const struct primary *P, uint64_t *size, uint8_t root[LEAF_ROOT]);

/* Was the disk not there both at points[i], which is not the first, and at the one before: nothing changed on it? */
int primary_was_gone(const struct primary *P, unsigned i, unsigned disk);

/* Paths of a disk's leaves, and of its changes at a point. */
int primary_leaves_path(const struct primary *P, const char *disk, char out[PATH_MAX]);
int primary_changes_path(const struct primary *P, uint64_t seq, const char *disk, char out[PATH_MAX]);

/**
 * Take in the newest point, whose changes are durable in changes/: the record first, then the leaves, and
 * then what no delta can start from any more goes.  0 or -1; on -1 the next primary_open goes on.
 */
int primary_commit(struct primary *P, const struct primary_point *point);

/* The same where nothing is known any more of what changed before: no older point is kept. */
int primary_commit_alone(struct primary *P, const struct primary_point *point);

#endif
