#ifndef MACHINE_H_
#define MACHINE_H_

#include "host/host.h"
#include "primary/enable.h"
#include "primary/primary.h"

/* The disks of a VM as its host has them, and as the record has them. */

/**
 * Fill the disks of a new record from the machine: all that are not excluded, or only those that --disk names.  Those
 * which cannot be replicated are refused with the reason, or, where they are removable or excluded, left out with a word.
 * 0; 1, said; -1.
 */
int machine_enable(struct primary *P, const struct host_machine *M, const struct enable_options *o);

/**
 * Where the disks of the record are now, by the word of the host: only in memory.  0; 1, said, if the VM does not have
 * a disk that is replicated; what it has and the record does not is said.
 */
int machine_refresh(struct primary *P, const struct host_machine *M);

/* The disk of that id as its host has it now, as "ID=WHERE": 0; 1, said; -1. */
#define MACHINE_SPEC (LIMIT_DISK_ID + PATH_MAX + 2)
int machine_where(const struct primary *P, const char *id, char out[MACHINE_SPEC]);

/* The disk of that id, or NULL. */
const struct host_machine_disk *machine_disk(const struct host_machine *M, const char *id);

#endif
