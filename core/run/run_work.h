#ifndef RUN_WORK_H_
#define RUN_WORK_H_

#include <poll.h>
#include <stdint.h>

#include "run/run_plan.h"

/* The carriers of run: which of them does what, and what becomes of it. */

#define WORK_CARRIERS 2048u /* more than any limits allow */
#define WORK_FDS (2 * WORK_CARRIERS)

struct bearer;

struct work {
	struct plan *plan;
	int once;
	int is_over; /* we are to stop: what is cut short now has not failed */
	int rc;      /* the worst that there was: 0, 1, -1 */
	unsigned nbearers;
	struct bearer *bearers[WORK_CARRIERS];
};

/* The cycle of a job, which the schedule counts as running, begins; that it cannot is told to the schedule. */
void work_begin(struct work *w, struct plan_job *j, int64_t now);

/* A folder is looked into. */
void work_take(struct work *w, struct plan_take *t, int64_t now);

/* What to wait for: how many of p are filled; and what has come of it. */
unsigned work_poll(const struct work *w, struct pollfd p[WORK_FDS]);
void work_attend(struct work *w, const struct pollfd p[WORK_FDS], unsigned n);

/* Does any of them have something to do? */
int work_is_busy(const struct work *w);

/* Stop all of them at once, within ms, and wait for their end. */
void work_stop(struct work *w, int64_t ms);

#endif
