#ifndef REACH_H_
#define REACH_H_

#include "host/host.h"
#include "replica/replica.h"

/**
 * A hypervisor does not run as we do (libvirt's QEMU is of a user of its own): let it pass the folders of this replica
 * and of the site's home to the disks that it is told of.  The folders may be passed through, not listed, and the files in
 * them are as closed as before.  A folder of somebody else's that it cannot pass is said.  0 or -1, said.
 */
int reach_open(const struct replica *R, const struct host_vm *vm);

#endif
