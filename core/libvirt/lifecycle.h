#ifndef LIFECYCLE_H_
#define LIFECYCLE_H_

#include <libvirt/libvirt.h>

#include "hyper/question.h"

/* start, shutdown and undefine, as vmferry-host(7) has them.  0; 1, said; -1, said. */
int lifecycle_start(virConnectPtr C, const struct question *Q);
int lifecycle_shutdown(virConnectPtr C, const struct question *Q);
int lifecycle_undefine(virConnectPtr C, const struct question *Q);

#endif
