#ifndef STATUS_JSON_H_
#define STATUS_JSON_H_

#include <jansson.h>

#include "site/site.h"
#include "status/status_print.h"

/* As a JSON object, which is the caller's; site names are those that S knows. */
json_t *status_json(const struct status_line *l, const struct site *S);

/* A point (null for seq 0), and the turns of a history. */
json_t *status_json_point(const struct point *p);
json_t *status_json_history(const struct history *h, const struct site *S);

#endif
