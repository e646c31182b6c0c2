#ifndef PUMP_H_
#define PUMP_H_

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/say.h"

/*
 * A process of ours that does one piece of work with its standard input and output on pipes, of which we have the other
 * ends: so an export or import works behind a session as it does in a shell, and what it parses stays in its own
 * process.  It is told to stop when we are gone.
 */
struct pump;

struct pump_work {
	int (*run)(const void *context, uint64_t *value); /* as a verb: 0, 1, -1; value is handed back */
	const void *context;
	const char *what; /* for the words: "the export" */
	int has_input, has_output;
};

struct pump_result {
	int rc;
	uint64_t value;
	char why[SAY_LAST]; /* what it said last, where rc is not 0 */
};

/* Start it: 0; -1, said. */
int pump_start(struct pump **P, const struct pump_work *w);

/* Our ends, which do not block; -1 where there is none, or none any more. */
int pump_input(const struct pump *P);
int pump_output(const struct pump *P);
void pump_close_input(struct pump *P);
void pump_close_output(struct pump *P);

/**
 * Write some of it, waiting at most ms: how many bytes were taken, 0 within that time as well; -1, unsaid: nobody reads
 * it any more.
 */
ssize_t pump_write(struct pump *P, const void *buf, size_t n, int ms);

/* Read some of it, waiting at most ms, and not behind its end: how many; 0: it is at its end; -1: there is nothing now. */
ssize_t pump_read(struct pump *P, void *buf, size_t n, int ms);

/* Has it ended within ms?  1, and how; 0; once it has, the result stays. */
int pump_ended(struct pump *P, struct pump_result *r, int ms);

/* Close its pipes and wait for its end, however long that takes; where is_wanted is not set it is told to stop. */
void pump_finish(struct pump *P, struct pump_result *r, int is_wanted);

/* Stop it, if it still runs, and release it.  Accepts NULL. */
void pump_free(struct pump *P);

#endif
