#ifndef POWER_H_
#define POWER_H_

#include "qmp/endpoint.h"

/* The verbs that tell or change whether the VM runs.  Each: 0; 1, said; -1, said. */
int power_tell(const struct endpoint *E, const struct question *Q); /* state */
int power_shutdown(const struct endpoint *E, const struct question *Q);

/* Whether the VM of a monitor runs, in the words of vmferry-host(7).  0; -1, said. */
int power_state(struct monitor *M, const char **state);

#endif
