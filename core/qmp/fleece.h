#ifndef FLEECE_H_
#define FLEECE_H_

#include "qmp/endpoint.h"

/**
 * The verb view: freeze the disks, answer on standard output, and hold them until standard input says how it ends.  0; 1,
 * said, if that cannot be or had to be given up; -1, said.
 */
int fleece_view(const struct endpoint *E, const struct question *Q);

/* The verb forget: end what is left of views, and remove all that is kept for later ones.  0; 1 or -1, said. */
int fleece_forget(const struct endpoint *E, const struct question *Q);

#endif
