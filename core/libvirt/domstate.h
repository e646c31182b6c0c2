#ifndef DOMSTATE_H_
#define DOMSTATE_H_

#include <libvirt/libvirt.h>

#include "hyper/question.h"

/* How a domain is: 0; -1, said. */
int domstate_get(virDomainPtr D, enum host_run *run);

/* state: how the VM is, and how it was stopped, on standard output.  0; -1, said. */
int domstate_answer(virConnectPtr C, const struct question *Q);

#endif
