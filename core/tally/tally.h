#ifndef TALLY_H_
#define TALLY_H_

#include <stdint.h>

/*
 * What became of the cycles of a replication, at either side: the last ones one by one, the last month by the hour, in
 * DIR/cycles, a file of bounded size beside the record.  It is written in place, each entry with its checksum, and not
 * synced: after a crash some entries may be missing, and what is damaged counts as not there.
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

#define TALLY_SITE 64u
struct tally_event {
	enum tally_kind kind;
	int64_t at;            /* seconds since 1970 */
	char site[TALLY_SITE]; /* the other one; cut short where it is longer; may be empty */
	uint64_t seq;          /* the point it is about; 0: none */
	int64_t point_at;      /* when that was cut; 0: not known */
	int is_seed;
	uint64_t bytes; /* of the bundle */
	uint64_t data;  /* bytes of disk in it, before compression */
	uint64_t ms;    /* how long it took: to be sent, or merged */
};

/**
 * Add an event, in the folder of a replication's record, whose lock the caller has (or nobody needs).  What cannot be
 * written is not said: no work fails for want of figures.  e->at 0: now.
 */
void tally_note(const char *dir, const struct tally_event *e);

/* The last failure, in words, and the cycle that is kept to now, if it is longer than what was wished (0: it is not). */
void tally_note_failure(const char *dir, const char *site, const char *why);
void tally_note_cycle(const char *dir, uint64_t seconds);

/* Count from now on. */
int tally_reset(const char *dir);

#endif
