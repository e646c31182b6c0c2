#ifndef HEALTH_H_
#define HEALTH_H_

#include "primary/primary.h"
#include "replica/replica.h"
#include "tally/tally.h"

/*
 * How a replication is doing: a record, what was found beside it, and the time in; named causes out.  Pure: nothing is
 * read, written or said here.  The names are for programs and stay; vmferry-status(1) lists them all.
 */
#define HEALTH_CAUSES 64u
#define HEALTH_TEXT 512u

#define HEALTH_FEW_CYCLES 5u                     /* fewer than these say nothing of how many are missed */
#define HEALTH_LATE INT64_C(3600)                /* seconds without replication, or */
#define HEALTH_LATE_CYCLES 3u                    /* three cycles, if that is longer */
#define HEALTH_AHEAD INT64_C(300)                /* so far in the future a point may be */
#define HEALTH_BEHIND INT64_C(300)               /* so old may be what another site has, or three cycles */
#define HEALTH_TEST_EVERY (90 * INT64_C(86400))  /* if nothing else was said */
#define HEALTH_BACK_AFTER (30 * INT64_C(86400))  /* at a site where the lineage did not begin */
#define HEALTH_UNFINISHED INT64_C(86400)         /* an export that was begun may take so long */
#define HEALTH_SPACE_PERCENT 5u                  /* free at a store; but this much is always enough: */
#define HEALTH_SPACE_ENOUGH (UINT64_C(10) << 30) /* bytes, beside what the staged bundles need */

enum health_grade {
	HEALTH_NORMAL = 0,
	HEALTH_NOTE, /* to be known; does not touch the health */
	HEALTH_WARNING,
	HEALTH_CRITICAL
};

struct health_cause {
	const char *name; /* short and stable: "late" */
	enum health_grade grade;
	char text[HEALTH_TEXT];
	char remedy[HEALTH_TEXT]; /* what a person should do; may be empty */
};

struct health {
	enum health_grade grade; /* the worst: normal, warning or critical */
	unsigned n;              /* the worst first, else in the order in which they were found */
	struct health_cause causes[HEALTH_CAUSES];
};

/* What is found beside the record. */
struct health_facts {
	int64_t now;           /* seconds since 1970 */
	int is_home;           /* the lineage began at this site, or it is not known where */
	const char *home;      /* the site where it began, in words; NULL: not known */
	const char *pending;   /* at a primary, an export that is not finished: where it goes; NULL: none */
	int64_t pending_since; /* when that was begun */
	const char *const
	    *flight; /* at a primary, for each target: what is on its way, in words; NULL: nothing */
	const struct tally_now *tally; /* what became of its cycles; NULL: not known */
	int has_space;                 /* at a replica, of the file system it lies on, these are known: */
	uint64_t space_free, space;    /* bytes */
};

void health_primary(struct health *h, const struct primary *P, const struct health_facts *f);
void health_replica(struct health *h, const struct replica *R, const struct health_facts *f);

const char *health_grade_text(enum health_grade grade);

/**
 * Cycles that were to be cut up to now at the frequency of P, of the last PRIMARY_CUTS, and how many of them were
 * missed: whose cut is late by half a cycle or more, or never came.  0 where there is no frequency.
 */
uint64_t health_cycles(const struct primary *P, int64_t now, uint64_t *missed);

/* Bytes that the bundles that wait in the inbox may take when they are merged, for the way back. */
uint64_t health_need(const struct replica *R);

#endif
