#ifndef HARDWARE_H_
#define HARDWARE_H_

#include "qmp/endpoint.h"

/* The verb machine: what the VM is, or was when it last ran and was asked, on standard output.  0; 1 or -1, said. */
int hardware_tell(const struct endpoint *E, const struct question *Q);

/* Keep that no longer.  0; -1, said. */
int hardware_forget(const struct question *Q);

#endif
