#ifndef VIEW_H_
#define VIEW_H_

#include <libvirt/libvirt.h>

#include "hyper/question.h"

/**
 * The verb "view": the disks of a VM that runs, frozen at one instant, until standard input says how it ends.  Where all
 * of them are raw files that can be cloned, these are clones (view_clones); else libvirt's backup job serves them
 * (view_job).  0; 1, said, if it cannot be, or could not be kept; -1, said.
 */
int view_answer(virConnectPtr C, const struct question *Q);

/* The verb "forget": checkpoints, clones and scratch files of views with that prefix go.  0; 1 or -1, said. */
int view_forget(virConnectPtr C, const struct question *Q);

#endif
