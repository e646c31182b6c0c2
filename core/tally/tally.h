#ifndef TALLY_H_
#define TALLY_H_

#include <stdint.h>

/*
 * What became of the cycles of a replication, at either side: the last ones one by one, the last month by the hour, and
 * how it stands with each other site, in DIR/cycles, a file of bounded size beside the record (tally_file.h has its
 * bytes).  It is written in place, each entry with its checksum, and not synced: after a crash some entries may be missing,
 * and what is damaged counts as not there.  Several processes may write at a time, and others read meanwhile.
 */
enum tally_kind {
	TALLY_SENT = 1, /* primary: a bundle went out (to a pipe, file or medium) */
	TALLY_ACKED,    /* primary: its receipt came */
	TALLY_FAILED,   /* primary: a cycle was begun, or was to be, and nothing came of it */
	TALLY_TAKEN,    /* replica: a bundle is here for good */
	TALLY_MERGED,   /* replica: the disks are at its point */
	TALLY_TESTED,   /* replica: a test failover was ended */
	TALLY_RESYNC,   /* either: a resynchronization was begun */
};
#define TALLY_KINDS 8u

#define TALLY_SITE 64u
struct tally_event {
	enum tally_kind kind;
	int64_t at;            /* seconds since 1970 */
	char site[TALLY_SITE]; /* the other one; cut short where it is longer; empty: several, or none */
	uint64_t seq;          /* the point it is about; 0: none */
	int64_t point_at;      /* when that was cut; 0: not known */
	int is_seed;
	uint64_t bytes;   /* of the bundle */
	uint64_t data;    /* bytes of disk in it, before compression */
	uint64_t ms;      /* how long it took: to be sent, or merged */
	uint32_t missed;  /* SENT: cycles that were to be cut before this one and were not */
	uint32_t settled; /* ACKED: bundles that it is the receipt of */
	uint32_t
	    rpo; /* ACKED, TAKEN: seconds that the newest point there was old until then; filled in when noted */
};

/**
 * Add an event, in the folder of a replication's record, whose lock the caller has (or nobody needs).  What cannot be
 * written is not said: no work fails for want of figures.  e->at 0: now; one of the past fills in its hour.
 */
void tally_note(const char *dir, const struct tally_event *e);

/**
 * A cycle to that site (empty: any) failed, and why in words (NULL: not known): a TALLY_FAILED.  Where two say so within TALLY_SAME
 * seconds it is one failure, with the words of the later one that has any.
 */
#define TALLY_SAME 3
void tally_note_failure(const char *dir, const char *site, const char *why);

/* The cycle in seconds that is kept to with that site, where it is longer than what was wished; 0: it is not. */
void tally_note_cycle(const char *dir, const char *site, uint64_t seconds);

/* Count from now on: 0; -1, said. */
int tally_reset(const char *dir);

/* --- reading ------------------------------------------------------------------------------------------ */

/* What was counted in an hour, or in several. */
struct tally_hour {
	int64_t hour;            /* it began 3600 times that after 1970 */
	uint32_t n[TALLY_KINDS]; /* events, by their kind */
	uint32_t settled, missed;
	uint32_t seeds;                      /* of what was sent or taken; the others are the */
	uint32_t deltas;                     /* with: */
	uint64_t delta_bytes, largest_delta; /* bytes */
	uint64_t bytes, data;                /* of all */
	uint32_t latencies;                /* points of which it is known how old they were when they came: */
	uint64_t latency, largest_latency; /* seconds, the sum and the largest */
	uint64_t ms, longest_ms;           /* sending, or merging: the sum and the longest */
	uint32_t rpo;                      /* the largest that ended in it; seconds */
};

/* How it stands with another site. */
#define TALLY_WHY 256u
struct tally_site {
	char site[TALLY_SITE]; /* empty: any of them */
	int64_t
	    point_at; /* when the newest point was cut that is there (ACKED) or came from there (TAKEN); 0: none */
	uint32_t failed;                 /* cycles that failed since the last receipt */
	int is_over;                     /* something went out since the last failure */
	int64_t failed_first, failed_at; /* when the first of them did, and the last */
	char why[TALLY_WHY];             /* in words; may be empty */
	uint64_t cycle;                  /* as tally_note_cycle */
};

#define TALLY_SITES 8u
struct tally_now {
	int64_t reset;           /* when counting began anew; 0: never */
	struct tally_hour total; /* of all since then; its hour is of no meaning */
	unsigned nsites;
	struct tally_site sites[TALLY_SITES];
};

/* How it stands now.  All is 0 where nothing is known; nothing is said. */
void tally_look(const char *dir, struct tally_now *out);

/* The last events, the oldest first, those before a reset too.  How many there are. */
#define TALLY_EVENTS 512u
unsigned tally_events(const char *dir, struct tally_event out[TALLY_EVENTS]);

/**
 * The hours in which something was counted, of those that since to until (seconds since 1970) lie in, in their order.  How
 * many there are.
 */
#define TALLY_HOURS (31u * 24u)
unsigned tally_hours(const char *dir, int64_t since, int64_t until, struct tally_hour out[TALLY_HOURS]);

/**
 * What was counted from *since to now: one by one where that is a short time and the events reach back so far, else by
 * whole hours.  *since becomes what it is counted from: not before the last reset.
 */
void tally_sum(const char *dir, int64_t *since, int64_t now, struct tally_hour *out);

/* Count an event in; add what was counted elsewhere. */
void tally_count(struct tally_hour *h, const struct tally_event *e);
void tally_add(struct tally_hour *h, const struct tally_hour *more);

#endif
