#ifndef ADOPTION_H_
#define ADOPTION_H_

#include <limits.h>
#include <stdint.h>

#include "bounds.h"
#include "header.h"
#include "leaf.h"
#include "site/site.h"

/*
 * Disks that a site has of a VM before its first seed: copies of its own, in HOME/adopted/UUID/, or, where its
 * primary's entry names a store, in STORE/.adopted.UUID/.  The UUID is one of this site; that of the VM is not yet
 * known.
 *
 *    HOME/adopted/UUID/state    this record
 *    .../DISK.raw               the copies
 */
#define ADOPTION_ISSUED 8u /* compare bundles that are remembered, the last ones */

struct adoption_disk {
	char id[LIMIT_DISK_ID + 1];
	char from[PATH_MAX]; /* what was copied: an absolute path or a URI */
	uint64_t size;       /* of the copy */
};

struct adoption {
	char dir[PATH_MAX];
	int lock;
	char folder[PATH_MAX]; /* where the copies are */
	char vm[LIMIT_NAME + 1];
	char primary[LIMIT_NAME + 1];
	uint8_t key[RECORD_KEY]; /* of the primary */
	uint8_t leaf_seed[LEAF_SEED];
	struct leaf_secret secret; /* made from it: what the copies are compared with */
	int is_copied;             /* all copies are whole and durable */
	unsigned ndisks;
	struct adoption_disk disks[LIMIT_DISKS];
	unsigned nissued;
	uint8_t issued[ADOPTION_ISSUED][RECORD_ID]; /* ids of the compare bundles */
};

/* Make the record, whose names and disks are set, and the folder of the copies in store (empty: in the home). */
int adoption_create(struct adoption *A, const struct site *S, const char *store);

/* The one of that VM, by name, or the one that issued this compare bundle, locked: 0; 2: there is none; 1, said; -1. */
int adoption_open(struct adoption **A, const struct site *S, const char *vm);
int adoption_open_issued(struct adoption **A, const struct site *S, const uint8_t id[RECORD_ID]);

/* Accepts NULL. */
void adoption_close(struct adoption *A);

/* Replace the record by A, durably. */
int adoption_save(const struct adoption *A);

/* The disk of that id, or NULL; the path of its copy. */
const struct adoption_disk *adoption_disk(const struct adoption *A, const char *id);
int adoption_path(const struct adoption *A, const char *id, char out[PATH_MAX]);

/* Remove the copies that are left, and the record.  0 or -1. */
int adoption_remove(const struct adoption *A);

/* Call each with every folder that holds copies; as replica_each_store. */
int adoption_each_folder(const struct site *S, int (*each)(void *context, const char *dir), void *context);

#endif
