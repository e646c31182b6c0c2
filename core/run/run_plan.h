#ifndef RUN_PLAN_H_
#define RUN_PLAN_H_

#include <stdint.h>

#include "link/rate.h"
#include "run/roster.h"
#include "schedule/routes.h"
#include "schedule/schedule.h"
#include "schedule/window.h"
#include "site/site.h"

/* What run has to do: the VMs that their records name, by the lines that HOME/routes names, as jobs of a schedule. */

struct plan_line {
	struct plan_line *next;
	char site[LIMIT_NAME + 1];
	struct route route; /* via and mailbox empty: it is in HOME/routes no more */
	unsigned version;   /* counts up whenever the way there changes */
	struct window window;
	int is_open; /* initial copies may begin */
	struct rate *rate;
	struct schedule_line *line;
	uint64_t said; /* the words of its last failure, as a digest; 0: it is well */
};

struct plan_vm;

struct plan_job {
	struct plan_job *next; /* of the same VM */
	struct plan_vm *vm;
	struct plan_line *line;
	struct schedule_job *job;
	uint64_t least; /* seconds that the other site wants */
	int needs_seed; /* the other site says so */
	int is_gone;    /* it is to be removed as soon as it does not run */
	uint64_t said;  /* as of a line */
};

struct plan_vm {
	char uuid[40];
	char *name;
	char *dir;
	uint64_t stamp;     /* of the records that were looked at; 0: not yet */
	unsigned seen;      /* by which turn */
	uint64_t frequency; /* seconds */
	uint64_t said;
	struct plan_job *jobs;
};

struct plan_take {
	struct route route;
	int64_t due; /* by clock_ms */
	int is_running;
	uint64_t said;
};

struct plan {
	struct site *S;
	struct schedule *schedule;
	struct rate *rate; /* over all */
	struct plan_line *lines;
	unsigned nvms, room, turn;
	struct plan_vm **vms; /* by UUID, ascending */
	unsigned ntakes;
	struct plan_take *takes;
	unsigned jobs_wanted; /* by the person who started it; 0: as routes say */
	uint64_t rate_wanted;
	int once; /* no job comes in after the first look */
	int was_looked_at;
	int is_short;     /* there was no memory: said */
	int is_host_kept; /* the program of a host is kept ready, for the carriers to come */
};

/* Read HOME/routes, and put what it says into force: 0; 1, said: it is none, and nothing has changed; -1, said. */
int plan_routes(struct plan *p);

/* Look at the records that have changed, and at the hour: 0; -1, said. */
int plan_look(struct plan *p, int64_t now);

/* Look at the records of one VM, whose cycle has failed: is this job still wanted?  1 or 0. */
int plan_is_wanted(struct plan *p, const struct plan_job *j, int64_t now);

/* The frequency that the other site wants, or that it needs a seed, changes what is to be kept. */
void plan_adjust(struct plan *p, struct plan_job *j, int64_t now);

/* The job has ended, and is not wanted any more. */
void plan_drop(struct plan *p, struct plan_job *j);

/* Are these words other ones than those of that digest?  Then it is theirs. */
int plan_is_news(uint64_t *said, const char *words);

/* No job runs. */
void plan_free(struct plan *p);

#endif
