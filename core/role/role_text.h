#ifndef ROLE_TEXT_H_
#define ROLE_TEXT_H_

#include <jansson.h>

#include "role/role.h"

/* A role as a part of a record: a JSON object, which is the caller's; NULL if there is no memory. */
json_t *role_encode(const struct role *r);

/* The reverse, for a record of that side: 0, or -1 if it is not one. */
int role_decode(struct role *r, enum role_side side, const json_t *o);

#endif
