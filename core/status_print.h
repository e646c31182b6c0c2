#ifndef STATUS_PRINT_H_
#define STATUS_PRINT_H_

#include <jansson.h>

#include "health.h"
#include "site/site.h"

/* How a replication is put before a person, or a program. */
struct status_line {
	const char *vm, *uuid, *side; /* "primary" or "replica" */
	const struct role *role;
	const struct health *health;
	struct point last; /* seq 0: none */
	unsigned points, staged;
	json_t *more; /* an object with what only this kind has; or NULL */
};

#define STATUS_COLUMNS 100u

/* The heading, and a line with its causes. */
void status_print_head(void);
void status_print(const struct status_line *l);

/**
 * A text in lines of at most STATUS_COLUMNS, broken between words where that is possible: the first is indented by first,
 * the others by indent.  What is not printable shows as '?'.
 */
void status_print_text(const char *text, unsigned first, unsigned indent);

/* As a JSON object, which is the caller's; site names are those that S knows. */
json_t *status_json(const struct status_line *l, const struct site *S);

/* A point (null for seq 0), and the turns of a history. */
json_t *status_json_point(const struct point *p);
json_t *status_json_history(const struct history *h, const struct site *S);

#endif
