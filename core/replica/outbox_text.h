#ifndef OUTBOX_TEXT_H_
#define OUTBOX_TEXT_H_

#include <jansson.h>

#include "replica/replica.h"

/* The sites that a replica forwards to and what is kept for them, as two members of its record o: 0 or -1. */
int outbox_encode(const struct replica *R, json_t *o);

/* The reverse; where there are none, nothing is forwarded.  0, or -1 if it is not right. */
int outbox_decode(struct replica *R, const json_t *o);

#endif
