#ifndef NETWORKS_H_
#define NETWORKS_H_

#include <libvirt/libvirt.h>

#include "hyper/question.h"

/**
 * networks: those that the VM would have here, by the map, and which are missing, on standard output.  What else it would
 * miss at this host is noted.  0; 1, said; -1, said.
 */
int networks_answer(virConnectPtr C, const struct question *Q);

#endif
