#ifndef POINT_JSON_H_
#define POINT_JSON_H_

#include <jansson.h>

#include "point.h"

/* A point as a part of our own records, in numbers, and as bundles and other programs have it, in text for people. */

/* The object is the caller's; NULL if there is no memory. */
json_t *point_encode(const struct point *p);

/* The reverse: 0, or -1 if it is not a point. */
int point_decode(struct point *p, const json_t *o);

/* The same where there may be none: NULL, or one of seq 0; p is then of seq 0. */
int point_decode_any(struct point *p, const json_t *o);

/* With its time and kind in words; the caller's; NULL if there is no memory. */
json_t *point_encode_text(const struct point *p);

/* A time as text, null for 0; the caller's; NULL if there is no memory. */
json_t *point_encode_time(int64_t time);

#endif
