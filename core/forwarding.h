#ifndef FORWARDING_H_
#define FORWARDING_H_

#include "primary/export.h"

/* The export at a replica: what was received is forwarded as it is.  As export, with what does not apply refused. */
int forwarding(struct site *S, const struct export_options *o);

#endif
