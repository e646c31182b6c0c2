#ifndef STOP_H_
#define STOP_H_

#include <stdint.h>

/* Interrupts (Ctrl-C, SIGTERM, SIGHUP) are kept as a wish, which long work asks for between two steps. */

void stop_init(void);

/* Is it time to stop?  Said once, then -1; else 0. */
int stop_check(void);

/* The same, unsaid: 1 or 0. */
int stop_wanted(void);

/* Wait so many milliseconds, unless it is time to stop: 0; -1, said. */
int stop_nap(int64_t ms);

#endif
