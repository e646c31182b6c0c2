#ifndef MACHINE_H_
#define MACHINE_H_

#include <libvirt/libvirt.h>

#include "hyper/question.h"

/* machine: its disks and its definition, on standard output.  0; 1, said; -1, said. */
int machine_answer(virConnectPtr C, const struct question *Q);

#endif
