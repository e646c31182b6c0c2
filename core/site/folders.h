#ifndef FOLDERS_H_
#define FOLDERS_H_

#include "site/site.h"

/* The folders of a site's home that have one folder for each VM, named by its UUID: primaries and replicas. */

/* Call each with the UUID of every VM there, until it returns other than 0, which is then returned.  -1, said. */
int folders_each(
    const struct site *S, const char *kind, int (*each)(void *context, const char *uuid), void *context);

/* May the VM of that folder have that name?  Most that do not need not be read.  1 or 0; -1, said: it cannot be read. */
int folders_may_be(const struct site *S, const char *kind, const char *uuid, const char *name);

/* Is there one of that UUID?  1, though its place may not be mounted now; 0; -1, said. */
int folders_has(const struct site *S, const char *kind, const char *uuid);

/* Lock a VM's folder for this process alone: the fd to close; -2, said, if another one works on it; -1. */
int folders_lock(const char *dir);

/* Is another one working on it now?  1 or 0; -1, said. */
int folders_is_locked(const char *dir);

#endif
