#ifndef REPLICA_H_
#define REPLICA_H_

#include <limits.h>
#include <stdint.h>

#include "bounds.h"
#include "chain.h"
#include "header.h"
#include "host/host.h"
#include "host/told.h"
#include "leaf.h"
#include "point.h"
#include "role/reminders.h"
#include "role/role.h"
#include "site/site.h"

/*
 * The replica's side of a replication, in HOME/replicas/UUID/, which may be a link to STORE/UUID/:
 *
 *    state                  this record
 *    disks/DISK.raw         the disks: a whole recovery point, but while a merge is under way; any may lie elsewhere
 *    leaves/DISK            their leaves
 *    inbox/ID.N.vmf         volume N of a verified bundle that is not yet merged
 *    inbox/ID.N.part        as much of one as had come when the line broke
 *    outbox/ID.N.vmf        the same file, kept for the sites that it is forwarded to
 *    undo/EPOCH-SEQ.vmf     the way back to that point from the one after it
 *    test/, failover/       overlays on the disks, of a test and of a failover (replica/overlays.h)
 *    definitions/DIGEST     what the VM was beside its disks, at some of the points (replica/definitions.h)
 *    excluded/DISK.raw      disks that are not replicated, empty at first, for the VM that failed over
 *    cycles                 what became of its cycles, for figures: no record; see tally.h
 *
 * The record is the truth: a file that it does not name is of no meaning, and is removed when met.
 *
 * A VM's disks keep their places for good, since segments name them by these: one that is added comes last, and has size
 * 0 and the root of that at all points before; one that is not replicated any more has so from some point on.
 */
struct replica_disk_point {
	uint64_t size;
	struct leaf_sum sum;
	uint8_t root[LEAF_ROOT];
};

struct replica_point {
	struct point point;
	int is_pinned;
	int is_branch;      /* by a person's word it is not a part of the history any more, and is kept */
	int has_definition; /* what the VM was beside its disks is known, and in definitions/: */
	uint8_t definition[HEADER_DIGEST];
	int is_damaged; /* its disks were found to have changed by themselves: it may not come back */
	struct replica_disk_point disks[LIMIT_DISKS];
};

/* A volume that is here, whole. */
struct replica_volume {
	struct chain_volume chain;
	uint64_t file;               /* bytes in the inbox */
	uint64_t stored, data, zero; /* what its segments hold, as in the end of a bundle */
};

/* A bundle that is here, whole or in part, and not yet merged. */
struct replica_staged {
	uint8_t id[RECORD_ID];
	uint8_t key[RECORD_KEY]; /* who signed it */
	enum bundle_type type;
	int is_exact;      /* applies at the point from, and nowhere else */
	struct point from; /* seq 0: a seed */
	struct point to;
	struct history history; /* that leads there */
	int on_disks;      /* a seed whose volumes are not in the inbox, but on the placeholder's disks */
	int is_whole;      /* all volumes are here, and fit one another */
	unsigned nvolumes; /* here; ascending by number */
	struct replica_volume *volumes;
	int has_end; /* the last volume is among them, whose end says: */
	struct trailer end;
	uint32_t cut; /* the volume of which the beginning is here in a file of its own; 0: none */
};

/* How far a seed has come that goes to the disks. */
struct replica_seed {
	struct leaf_sum sums[LIMIT_DISKS]; /* over the leaves of its volumes */
	/* Of the one that was cut, the file in the inbox has the records (the header's text behind the first): */
	uint64_t records;                 /* so many of them are durable, and so is what they brought */
	uint64_t data, zero;              /* that is so many bytes of disk */
	struct leaf_sum cut[LIMIT_DISKS]; /* whose leaves sum up to this */
};

/* A compare bundle that was written: what is made against it fits only while the disks are at that point. */
struct replica_compared {
	uint8_t id[RECORD_ID];
	struct point at;
};

/* A site that what comes in here is forwarded to. */
struct replica_forward {
	char name[LIMIT_NAME + 1];
	uint8_t key[RECORD_KEY];
	struct point acked; /* the newest point that it says it has; seq 0: no receipt has come */
	int64_t acked_at;   /* when that was taken; seconds since 1970 */
	int64_t said_at;    /* by its clock, when it made the newest of its receipts */
	struct point
	    lost; /* the newest that was to be kept for it and is not, as there was no room; seq 0: none */
};

/* A bundle that is kept for them: a bit i is for forwards[i]. */
struct replica_out_volume {
	uint32_t number;
	uint64_t file; /* bytes */
	uint32_t sent; /* to whom it went */
};
struct replica_out {
	uint8_t id[RECORD_ID];
	enum bundle_type type;
	struct point from, to;
	uint32_t wanted;   /* who has not said that it has it */
	unsigned nvolumes; /* ascending by number */
	struct replica_out_volume *volumes;
};

#define REPLICA_OUTBOX_MAX (UINT64_C(1) << 38) /* bytes, if nothing else is said */
/* The cause of an error that scrub has found. */
#define REPLICA_DAMAGE "scrub found damage"

#define REPLICA_COMPARED 8u  /* so many are remembered, the last ones */
#define REPLICA_STAGED 4096u /* bundles in an inbox at most */
#define REPLICA_WAITING_MAX \
	(UINT64_C(1) << 38) /* bytes of bundles that wait for others, if nothing else is said */

#define REPLICA_RESULT 256u

/* A test failover, and the last one before. */
struct replica_test {
	int is_on;       /* its overlays are in test/ */
	int is_complete; /* and its duplicate is as it was asked for */
	struct point at;
	int64_t since;
	/* Of the last one that was ended; seq 0: there was none. */
	struct point last;
	int64_t ended;
	char result[REPLICA_RESULT];
};

/* A failover, beside what the role says of it. */
struct replica_failover {
	int64_t since;
	int has_overlays; /* the VM has its disks in failover/; what they hold is not in the disks here */
	int is_defined;   /* this site's host has the VM with the disks as they are now */
};

struct replica_place {
	char id[LIMIT_DISK_ID + 1];
	char where[PATH_MAX]; /* an absolute path, or FORMAT:PATH */
};

struct replica {
	char dir[PATH_MAX];
	int lock;
	char vm[LIMIT_NAME + 1];
	char uuid[HEADER_UUID];
	uint8_t lineage[RECORD_ID];
	char primary[LIMIT_NAME + 1];
	uint8_t key[RECORD_KEY]; /* of the primary: the first acceptance bound the VM to it */
	uint8_t leaf_seed[LEAF_SEED];
	struct leaf_secret secret;
	struct role role;
	struct reminders reminders;
	unsigned nheirs; /* the sites that may continue when the primary is gone, as that has said */
	uint8_t heirs[LIMIT_TARGETS][RECORD_KEY];
	struct header_wishes wishes; /* of the primary, for the other direction */
	char host[PATH_MAX];         /* "none", or what runs the VM here */
	struct told told;            /* of the VM's own name, not of a test's */
	/* What it keeps track of since this site was the primary, to be forgotten; or empty.  See host_forget. */
	char forget[HOST_TOKEN];
	unsigned keep;
	unsigned ndisks, nexcluded;
	char disks[LIMIT_DISKS][LIMIT_DISK_ID + 1];
	/* An absolute path, of a raw file or block device, an NBD URI, or FORMAT:PATH; empty: disks/DISK.raw. */
	char where[LIMIT_DISKS][PATH_MAX];
	struct header_excluded excluded[LIMIT_DISKS];
	/* Where disks that are not replicated were when this site was the primary: the VM has them again, if they stay. */
	unsigned nplaces;
	struct replica_place places[LIMIT_DISKS];
	unsigned npoints; /* ascending; the last is where the disks are */
	struct replica_point *points;
	unsigned nstaged; /* in any order */
	struct replica_staged *staged;
	unsigned nforwards;
	struct replica_forward forwards[LIMIT_TARGETS];
	unsigned nouts; /* ascending by the points that they lead to */
	struct replica_out *outs;
	unsigned ncompared;
	struct replica_compared compared[REPLICA_COMPARED];
	struct replica_seed seed;
	struct replica_test test;
	struct replica_failover failover;
	/* A disk is on its way to a file that was not there before, which may be put there from here on; to "": none. */
	unsigned moving;
	char moving_to[PATH_MAX];
	int merging; /* the first staged bundle is being applied, and leads to: */
	struct replica_disk_point merged[LIMIT_DISKS];
	int merging_undo; /* and the way back from it is in undo/ */
};

/* Open a VM's replica, by name or UUID, for this process alone: 0; 1, said, if none or in use; -1. */
int replica_open(struct replica **R, const struct site *S, const char *vm);

/* The record alone, for those who only look; no lock. */
int replica_look(struct replica **R, const struct site *S, const char *uuid);

/* The same of whatever folder has one, which need not be known to a site. */
int replica_look_at(struct replica **R, const char *dir);

/* The same by name or UUID: 0; 1, said, if there is none; -1. */
int replica_look_for(struct replica **R, const struct site *S, const char *vm);

/* Is there a replica of that VM, by name or UUID?  1 or 0; -1.  Its UUID goes to uuid. */
int replica_find(const struct site *S, const char *vm, char uuid[HEADER_UUID]);

/* Is this site a replica of that VM, by UUID, and has not turned into its primary?  1 or 0; -1, said. */
int replica_has_say(const struct site *S, const char *uuid);

int replica_each(const struct site *S, int (*each)(void *context, const char *uuid), void *context);

/* Call each with every folder in which replicas lie or may come to lie, and every file or device elsewhere that has a
 * disk; as replica_each. */
int replica_each_store(const struct site *S, int (*each)(void *context, const char *dir), void *context);

/* The same where only that VM matters: the stores, in which its replica may come to lie, and where it lies, if it does. */
int replica_its_stores(
    const struct site *S, const char *uuid, int (*each)(void *context, const char *dir), void *context);

/**
 * A new placeholder for the VM of a seed's header, where its primary's entry says, open and locked: 0; 1,
 * said; -1.
 */
int replica_create(struct replica **R, const struct site *S, const struct trust_entry *e,
    const struct header *H, const uint8_t leaf_seed[LEAF_SEED]);

/**
 * The folder of the replica R, which is described and closed, where the entry of its primary says, with its record, open
 * and locked: first under a name that nobody looks at, where fill (or NULL) puts what belongs into R->dir.  0; 1, said;
 * -1.
 */
int replica_make(struct replica *R, const struct site *S, const struct trust_entry *e,
    int (*fill)(void *context, const struct replica *R), void *context);

/* A record that is none yet, in memory, for replica_make.  NULL, said. */
struct replica *replica_blank(void);

/* Describe a placeholder anew, as a seed's header has it; only in memory. */
void replica_describe(struct replica *R, const struct trust_entry *e, const struct header *H,
    const uint8_t leaf_seed[LEAF_SEED]);

/**
 * What a seed or delta of the site of e (NULL: the one that is followed already) says of roles counts from now on; only
 * in memory.
 */
void replica_follow(struct replica *R, const struct trust_entry *e, const struct header *H);

/* Remove a replica, its files and all, and close it.  Disks that lie elsewhere stay. */
int replica_remove(struct replica *R, const struct site *S);

void replica_close(struct replica *R);

/* Do H and R name the same disks, but for those that one of them has behind the other's last? */
int replica_has_disks_of(const struct replica *R, const struct header *H);

/* Take in the disks of H that are not there yet, of size 0 at all points; only in memory. */
void replica_add_disks(struct replica *R, const struct header *H);

/* Replace the record by R, durably. */
int replica_save(const struct replica *R);

/* Where the disks are; NULL in a placeholder. */
struct replica_point *replica_last(const struct replica *R);

/* The point of that seq, or NULL. */
struct replica_point *replica_point(const struct replica *R, uint64_t seq);

/* Does that disk lie elsewhere than in the replica's folder? */
int replica_disk_is_elsewhere(const struct replica *R, unsigned disk);

int replica_disk_path(const struct replica *R, unsigned disk, char out[PATH_MAX]);
/* The disk of the VM itself, as opposed to that of a test, in the place of an excluded one. */
int replica_excluded_path(const struct replica *R, unsigned excluded, char out[PATH_MAX]);
int replica_leaves_path(const struct replica *R, unsigned disk, char out[PATH_MAX]);
int replica_inbox_path(
    const struct replica *R, const uint8_t id[RECORD_ID], uint32_t volume, char out[PATH_MAX]);
int replica_part_path(
    const struct replica *R, const uint8_t id[RECORD_ID], uint32_t volume, char out[PATH_MAX]);
int replica_outbox_path(
    const struct replica *R, const uint8_t id[RECORD_ID], uint32_t volume, char out[PATH_MAX]);
int replica_undo_path(const struct replica *R, const struct point *to, char out[PATH_MAX]);

/* Add a point behind the others, or a bundle behind the staged ones; only in memory.  0 or -1. */
int replica_add_point(struct replica *R, const struct replica_point *p);
int replica_add_staged(struct replica *R, const struct replica_staged *s);

/* Add a volume to a staged bundle, or forget one; only in memory.  0 or -1. */
int replica_add_volume(struct replica_staged *s, const struct replica_volume *v);
void replica_drop_staged(struct replica *R, unsigned i);

/* Drop the points beyond those that are kept, up to the first that is pinned; only in memory.  How many? */
unsigned replica_drop_surplus(struct replica *R);

/* The same, durably; replica_tidy takes their files.  0 or -1. */
int replica_prune(struct replica *R);

/* Are the disks the VM's own now, and at no recovery point any more? */
int replica_is_live(const struct replica *R);

/* Does a disk that is replicated lie in that folder, or anywhere below it?  1 or 0; -1. */
int replica_has_disk_below(const struct replica *R, const char *dir);

/* What the VM has written here to disks that are excluded goes aside, since replica_tidy would take it: 0 or -1. */
int replica_keep_excluded(const struct replica *R);

/* Remove what lies in inbox/, outbox/ and undo/, and disks there that lie elsewhere, if the record, which was saved, does not name it. */
int replica_tidy(const struct replica *R);

int replica_has_pins(const struct replica *R);

#endif
