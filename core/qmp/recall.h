#ifndef RECALL_H_
#define RECALL_H_

#include <jansson.h>

/*
 * A QEMU that has ended cannot be asked for anything: what will be wanted then is kept in the site's home, in
 * qmp/HASH-WHAT.json, HASH being that of the VM's name, which can be as long as that of a file.  Without a home
 * (VMFERRY_HOME) nothing is kept.
 */

/* Keep J, an object, durably.  Takes J, which may be NULL: no memory.  0; -1, said. */
int recall_keep(const char *name, const char *what, json_t *J);

/* What was kept, the caller's to decref; NULL if there is none that can be read. */
json_t *recall_get(const char *name, const char *what);

/* Keep it no longer; that there is none is fine.  0; -1, said. */
int recall_remove(const char *name, const char *what);

#endif
