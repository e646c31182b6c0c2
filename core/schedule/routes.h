#ifndef ROUTES_H_
#define ROUTES_H_

#include <limits.h>
#include <stdint.h>

#include "bounds.h"

/*
 * How the other sites are reached, in HOME/routes: one line each, in the manner of the trust file, written by a person.
 *
 *    site="dr" via="ssh dr vmferry serve" rate=2M parallel=2 initial="22:00-06:00"
 *    site="far" mailbox="/srv/mailbox/far"
 *    take="/srv/mailbox/in" every=5m
 *    rate=10M parallel=4                         what holds for all of them together
 */
#define ROUTES_VIA 2048u
#define ROUTES_MAX 1000u
#define ROUTES_TEXT (1u << 20)
#define ROUTES_INITIAL 128u

struct route {
	char site[LIMIT_NAME + 1];    /* or empty: a folder to take from */
	char via[ROUTES_VIA];         /* or empty */
	char mailbox[PATH_MAX];       /* or empty */
	char take[PATH_MAX];          /* or empty */
	uint64_t rate;                /* bytes a second; 0: no limit */
	unsigned parallel;            /* lines at a time; 0: one */
	uint64_t every;               /* seconds; of a folder to take from; 0: the default */
	char initial[ROUTES_INITIAL]; /* when initial copies may run, as window.h has it; empty: always */
	unsigned line;                /* where it stands */
};

struct routes {
	uint64_t rate;                /* over all; 0: no limit */
	unsigned parallel;            /* over all; 0: the default */
	int has_overall;              /* a line said so */
	char initial[ROUTES_INITIAL]; /* of the routes that do not say otherwise */
	unsigned n;
	struct route *routes;
};

/* Read the text: NULL; or why it is none, and in which line. */
const char *routes_decode(struct routes *T, const char *text, unsigned *line);
void routes_free(struct routes *T);

/* Read HOME/routes, of which nothing is no error: 0; 1, said, with the line; -1. */
int routes_read(struct routes *T, const char *home);

/* The route to that site, or NULL. */
const struct route *routes_to(const struct routes *T, const char *site);

#endif
