#ifndef TALLY_FILE_H_
#define TALLY_FILE_H_

#include <stddef.h>

#include "tally/tally.h"

/*
 * The bytes of DIR/cycles, each entry with the XXH3 of what is in front of it in its last 8 bytes:
 *
 *    0        the head: what tally_look gives, and the numbers of the events
 *    4096     TALLY_HOURS hours, each at its number modulo that
 *    then     TALLY_EVENTS events, each at its number modulo that
 *
 * An entry is as the functions here make it, or it is none: a hole, or damaged, or of another version.
 */
#define TALLY_FILE_HEAD 4096u
#define TALLY_FILE_HOUR 136u
#define TALLY_FILE_EVENT 144u

struct tally_head {
	uint64_t next;  /* the number of the next event */
	uint64_t first; /* and of the first one since the last reset */
	struct tally_now now;
};

/* Where that hour, and the event of that number, are in the file. */
uint64_t tally_file_hour_at(int64_t hour);
uint64_t tally_file_event_at(uint64_t number);

void tally_file_put_head(uint8_t out[TALLY_FILE_HEAD], const struct tally_head *h);
void tally_file_put_hour(uint8_t out[TALLY_FILE_HOUR], const struct tally_hour *h);
void tally_file_put_event(uint8_t out[TALLY_FILE_EVENT], const struct tally_event *e, uint64_t number);

/* 1; 0: it is none. */
int tally_file_get_head(const uint8_t in[TALLY_FILE_HEAD], struct tally_head *h);
int tally_file_get_hour(const uint8_t in[TALLY_FILE_HOUR], struct tally_hour *h);
int tally_file_get_event(const uint8_t in[TALLY_FILE_EVENT], struct tally_event *e, uint64_t *number);

#endif
