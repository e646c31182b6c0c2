#ifndef EXTEND_H_
#define EXTEND_H_

#include "primary/extend.h"

/* Replicate a VM to one site more, or one less: at its primary, or by forwarding at a replica.  0; 1, said; -1. */
int extend(const struct site *S, const struct extend_options *o);

#endif
