#ifndef METRICS_H_
#define METRICS_H_

#include <stdio.h>

#include "status/status_print.h"

/*
 * What status says, for Prometheus: its own text format, which node_exporter's textfile collector reads, or
 * OpenMetrics 1.0.  They differ in the name that a counter's family has, and in its unit, which the former does not know.
 */
struct metrics;

/* What is to be said of a replication, copied; NULL: no memory.  P where it is a primary, else NULL. */
struct metrics *metrics_of(const struct status_line *l, const struct primary *P);
void metrics_free(struct metrics *m);

/* Write all of them, as those of the site of that name. */
void metrics_write(
    FILE *out, struct metrics *const *all, size_t n, const char *site, int64_t now, int is_open);

#endif
