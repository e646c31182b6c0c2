#ifndef BACKUP_H_
#define BACKUP_H_

#include <libvirt/libvirt.h>

#include "libvirt/live.h"

/* A pull-mode backup job of libvirt: QEMU itself serves the disks as they were at one instant. */
struct backup_disk {
	const struct live_disk *disk;
	char scratch[PATH_MAX]; /* what the guest overwrites is kept there */
	int keeps_bitmap;       /* from now on it is noted what changes */
	int is_incremental;     /* and what changed since B->since is known */
	char why[HOST_WHY];     /* if it is not: why */
};

struct backup {
	const char *token, *since, *socket;
	const struct live *live;
	unsigned ndisks;
	struct backup_disk disks[HOST_DISKS];
};

#define BACKUP_BITMAP "dirty" /* the name of bitmaps in the exports, which have the disks' ids for names */

/* Where the scratch file of that disk goes: beside it, or to /var/tmp where it lies in no folder.  0 or -1, said. */
int backup_scratch_dir(const struct live_disk *d, char dir[PATH_MAX]);

/**
 * Begin the job, with a checkpoint called B->token in the same instant.  What libvirt finds to be of no use for it
 * (broken bitmaps, images that keep none) is left out, and B->disks say so.  0; 1, said, if it says no; -1, said.
 */
int backup_begin(virDomainPtr D, struct backup *B);

/* Whose job is it that D has now?  socket: where it is served; empty if there is none.  0; -1, unsaid, if nobody knows. */
int backup_socket(virDomainPtr D, char socket[PATH_MAX]);

/* End the job that D has, and wait until it is gone.  0; -1, said. */
int backup_end(virDomainPtr D);

/* The same if it is that of the view of this token. */
int backup_end_of(virDomainPtr D, const char *token);

#endif
