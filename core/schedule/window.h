#ifndef WINDOW_H_
#define WINDOW_H_

#include <stdint.h>
#include <time.h>

/*
 * When initial copies may run, in the words of a person, in local time:
 *
 *    (empty)                                  always
 *    22:00-06:00                              each night
 *    Mon-Fri 20:00-06:00, Sat-Sun             a night belongs to the day on which it begins
 *    2026-11-24T22:00                         from then on; with others behind a comma, in these from then on
 */
#define WINDOW_SPANS 16u

struct window_span {
	unsigned days;     /* bit 0: Sunday, as in tm_wday */
	unsigned from, to; /* minutes of the day; to <= from: until that time of the next day */
};

struct window {
	int64_t start; /*YYYYMMDDhhmm; 0: none */
	unsigned n;    /* 0: always */
	struct window_span spans[WINDOW_SPANS];
};

/* NULL; or why these words are none. */
const char *window_parse(struct window *W, const char *words);

/* Is it open at that local time? */
int window_is_open(const struct window *W, const struct tm *local);

#endif
