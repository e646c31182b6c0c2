#ifndef ANSWER_H_
#define ANSWER_H_

#include <jansson.h>

#include "host/host.h"

/* Say an object on standard output, in one line; takes o, which may be NULL: no memory.  0; -1, said. */
int answer_object(json_t *o);

/**
 * Say on standard output that the view V stands, in the one line of vmferry-host(7): where, bitmap, changes, how and
 * why of each disk, and whether the guest was quiesced.  Empty texts are left out.  0; -1, said.
 */
int answer_view(const struct host_view *V);

#endif
