#ifndef CHECKPOINT_H_
#define CHECKPOINT_H_

#include <libvirt/libvirt.h>

#include "libvirt/live.h"

/*
 * libvirt's checkpoints: a name for an instant, and in each qcow2 disk a dirty bitmap of that name, which is noted in
 * from that instant on until the checkpoint is removed.  (libvirt before 6.7 noted in the newest one alone.)
 */

/**
 * In which disks of L is the bitmap of the checkpoint `name` whole?  is_whole has a place for each.  A checkpoint that
 * libvirt knows nothing of is made known to it again from the bitmaps of that name, which come along when a VM
 * migrates.  0, with none whole where there is nothing; -1, said.
 */
int checkpoint_usable(virDomainPtr D, const struct live *L, const char *name, unsigned char *is_whole);

/**
 * Remove the checkpoint and its bitmaps, also where some of them are missing or broken; that it is not there is fine.
 * 0; -1, said, and the next time may do it.
 */
int checkpoint_remove(virDomainPtr D, const struct live *L, const char *name);

/* The same with all that have that prefix but for the two, which may be empty. */
int checkpoint_tidy(
    virDomainPtr D, const struct live *L, const char *prefix, const char *keep1, const char *keep2);

#endif
