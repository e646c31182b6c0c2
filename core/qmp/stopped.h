#ifndef STOPPED_H_
#define STOPPED_H_

#include "qmp/drives.h"

/*
 * A QEMU that has ended cannot be asked how.  So a shutdown by the guest that we saw is noted, in the site's home, with
 * marks of its disks as they were then: as long as these are the same nobody has written to them, and it is true.
 */

/* Note that the VM of that name was shut down by its guest, and has ended.  0; -1, said. */
int stopped_note(const char *name, const struct drives *D);

/* Is the VM, which is off, as its guest left it when it shut itself down?  1; 0, also if nobody knows. */
int stopped_by_guest(const char *name);

/* It runs: what was noted is of the past.  0; -1, said. */
int stopped_forget(const char *name);

#endif
