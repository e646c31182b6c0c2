#ifndef SEND_H_
#define SEND_H_

#include "primary/export.h"

/**
 * Export at whichever side this site is: a new point, at the primary; what was received and is to go on, at a replica, and
 * at a primary first of all where it was one when that came.  As export.
 */
int send_bundle(struct site *S, const struct export_options *o);

#endif
