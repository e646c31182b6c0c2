#ifndef STATUS_PRINT_H_
#define STATUS_PRINT_H_

#include <stdio.h>

#include "base/terminal.h"
#include "status/gauge.h"
#include "status/health.h"

/* How a replication is put before a person, or a program. */
struct status_line {
	const char *vm, *uuid, *side; /* "primary" or "replica" */
	const struct role *role;
	const struct health *health;
	const struct gauge *gauge;
	struct point last; /* seq 0: none */
	unsigned points, staged;
	int64_t now;
	const struct primary *P; /* its record: one of these two; the other is NULL */
	const struct replica *R;
	json_t *more; /* for programs: an object with what only this kind has; or NULL */
};

/* The heading, and a line with its causes; it is narrower, or several lines, where a terminal is narrow. */
void status_print_head(FILE *out, const struct terminal *t);
void status_print(FILE *out, const struct terminal *t, const struct status_line *l);

/* The figures of one. */
void status_print_figures(FILE *out, const struct terminal *t, const struct status_line *l);

/* How many of them are normal, and were left out for want of room. */
void status_print_rest(FILE *out, const struct terminal *t, unsigned normal, unsigned all);

/**
 * A text on standard output in lines that fit, broken between words where that is possible: the first is indented by first,
 * the others by indent.  What is not printable shows as '?'.
 */
void status_print_text(const char *text, unsigned first, unsigned indent);

#endif
