#ifndef REPORT_PAGE_H_
#define REPORT_PAGE_H_

#include <stdint.h>
#include <stdio.h>

#include "status/health.h"

/* The page around the details: what a person should do next, how it stands, and a row for each VM.  Pure. */
#define REPORT_PAGE_SAME \
	3u /* so many with the same worst cause are told to do something; the others are counted */

struct report_row {
	char *vm, *uuid;
	const char *side, *state;
	enum health_grade grade;
	unsigned ncauses;     /* warnings and worse */
	const char *cause;    /* the name of the worst of them; NULL: there is none */
	char *text, *remedy;  /* and its words */
	struct point last;    /* seq 0: none */
	int64_t safe;         /* of when the newest point is that both sides have; 0: none, or not known */
	uint64_t goal;        /* how old that should be at most, seconds; 0: nothing was said */
	unsigned points;      /* that are kept */
	unsigned flight;      /* bundles under way */
	int64_t flight_since; /* the oldest of them left */
	char *details;        /* HTML; NULL: only the row */
	unsigned id;          /* of the details: "v3" */
};

struct report_page {
	const char *site;
	const char *vm; /* the only one, or NULL: all */
	int64_t now;
	uint64_t interval;
	int is_partial; /* some records could not be read */
	unsigned n;
	struct report_row *rows; /* in the order in which they are to be shown */
};

/* By how much a person needs to see it, then by name: for qsort. */
int report_page_order(const void *a, const void *b);

void report_page_put(FILE *out, const struct report_page *p);

/* "warning", with the sign that goes with it. */
void report_page_badge(FILE *out, enum health_grade grade);

#endif
