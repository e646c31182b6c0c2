#ifndef REMINDERS_H_
#define REMINDERS_H_

#include <jansson.h>
#include <stdint.h>

#include "record.h"

/*
 * What a person has seen to, and what is still to be done after roles changed hands; a part of both records, and it goes
 * with the VM from one to the other.  Pure, as the machine is.  Times are seconds since 1970, 0: not known, or never.
 */
#define REMINDERS_SCRIPT 128u
#define REMINDERS_NETWORKS 256u /* bytes of the list of those that are missing */

struct reminders {
	uint8_t home[RECORD_KEY]; /* a key of the site where the lineage began; zeroes: not known */
	int64_t since;   /* when this site became what it is to the VM: its seed was in, or it was turned */
	uint64_t dns;    /* the epoch whose change of addresses and names a person has made; 0: none */
	int64_t network; /* a person said that its networks are there */
	int64_t tested;  /* a person said that it was tested by hand */
	uint64_t test_every;              /* seconds; 0: the default */
	int64_t asked;                    /* the host was last asked for its networks, */
	char missing[REMINDERS_NETWORKS]; /* of which it did not have these: "lan, dmz" */
	char script[REMINDERS_SCRIPT];    /* what the site's script did not do; empty: nothing */
};

/* As a part of a record: a JSON object, which is the caller's; NULL if there is no memory. */
json_t *reminders_encode(const struct reminders *m);

/* The reverse; NULL, as in older records, stands for none.  0, or -1 if it is not one. */
int reminders_decode(struct reminders *m, const json_t *o);

/* What was not known of it before: the lineage began at the site with that key, if nobody turned yet. */
void reminders_settle_home(struct reminders *m, unsigned turns, const uint8_t key[RECORD_KEY]);

/* Is it known where the lineage began? */
int reminders_has_home(const struct reminders *m);

/* The roles were turned here, now: what has to do with the other role is past. */
void reminders_turned(struct reminders *m, int64_t now);

/* The host said which networks it does not have; names[0..n). */
void reminders_networks(struct reminders *m, const char *const names[], unsigned n, int64_t now);

#endif
