#ifndef FIGURES_H_
#define FIGURES_H_

#include "tally/tally.h"

/*
 * How a replication goes, in numbers: what was counted in a time (tally_sum), what its record says, and the time now
 * in; figures out, as they are shown everywhere.  Pure.
 */
#define FIGURES_INTERVAL (24 * INT64_C(3600)) /* if nothing else is said */

/* What the record says. */
struct figures_facts {
	int is_primary;
	int64_t now, since; /* the time of which they are */
	uint64_t goal;    /* its frequency: what is at most lost is to be so old; seconds, 0: none was said */
	int64_t last_cut; /* primary: when the newest point was cut; 0: none */
	int64_t
	    held_at; /* when the newest point was cut that is at the other side for sure, or here; 0: none */
	uint64_t pending_bytes; /* sent and not acknowledged; or here and not merged */
	uint64_t pending;       /* and how many bundles */
	int64_t tested;         /* the last test; 0: none that is known of */
};

struct figures {
	int64_t since, now;
	uint64_t ok, missed, failed;         /* cycles: at a replica, ok are points that came in */
	uint64_t bundles, seeds;             /* sent, or taken */
	uint64_t bytes, data;                /* of them: as bundles, and of disk */
	uint64_t average_size, largest_size; /* of those that are no seed; bytes */
	double compression;                  /* data by bytes; 0: nothing was sent */
	uint64_t average_latency,
	    largest_latency;             /* from the cut to the receipt, or till it was here; seconds */
	uint64_t average_ms, longest_ms; /* sending, or merging */
	uint64_t pending_bytes, pending;
	int has_rpo;
	uint64_t rpo;  /* seconds since the newest point that would be there, were this side gone now */
	uint64_t goal; /* 0: none */
	uint64_t largest_rpo; /* that ended in the time, or lasts */
	uint64_t resyncs, tests;
	int64_t tested; /* 0: none that is known of */
};

void figures_make(struct figures *f, const struct tally_hour *sum, const struct figures_facts *facts);

/* Cycles of so many seconds in a time, to the nearest: one whose cut comes a little early or late is none missed. */
uint64_t figures_cycles(int64_t from, int64_t to, uint64_t every);

#endif
