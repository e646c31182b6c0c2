#ifndef SCHEDULE_H_
#define SCHEDULE_H_

#include <stdint.h>

/*
 * What is due, and which of it goes next: doc/STREAMS.md, "Keeping to frequencies".  Pure: the time is an argument, in
 * milliseconds on a clock that never goes back; nothing is read, written or said.
 *
 * A job is a VM and one of its targets; a line is the way to a site.  The cycles of a job begin on a grid of its frequency,
 * which has its place from the VM's UUID, so that many VMs are spread out evenly, and again so after a restart.
 */
struct schedule;
struct schedule_line;
struct schedule_job;

#define SCHEDULE_NEVER INT64_MIN
#define SCHEDULE_UUID 37u

/* Up to parallel cycles at a time, over all lines.  NULL: no memory. */
struct schedule *schedule_new(unsigned parallel);

/* With all its lines and jobs, none of which runs.  Accepts NULL. */
void schedule_free(struct schedule *S);

void schedule_set_parallel(struct schedule *S, unsigned parallel);

/* A line that is open, with one cycle at a time.  NULL: no memory. */
struct schedule_line *schedule_line(struct schedule *S);

/* Up to parallel deltas at a time, and one initial copy beside them while its window is open. */
void schedule_line_set(struct schedule_line *l, unsigned parallel, int is_open);

/* A line that no job goes by. */
void schedule_line_remove(struct schedule *S, struct schedule_line *l);

struct schedule_terms {
	uint64_t frequency; /* ms between points, as was wished; at least 1 */
	uint64_t least;     /* ms that the other site wants between them at least; 0: nothing */
	int64_t last;       /* when its last good cycle began; SCHEDULE_NEVER */
	int is_initial;     /* its next cycle is an initial copy */
};

/**
 * A new job.  other is a job of the same VM, or NULL: two of one VM never run at once.  context is the caller's.  NULL: no memory.
 */
struct schedule_job *schedule_add(struct schedule *S, struct schedule_line *l, const char uuid[SCHEDULE_UUID],
    struct schedule_job *other, const struct schedule_terms *t, int64_t now, void *context);

/* Change what is to be kept to; what is known of the last cycles stays, but where t->last is later. */
void schedule_set(struct schedule *S, struct schedule_job *j, const struct schedule_terms *t, int64_t now);

/* One that does not run. */
void schedule_remove(struct schedule *S, struct schedule_job *j);

/* The job whose cycle is to begin now, which counts as running from here on; NULL: none. */
struct schedule_job *schedule_next(struct schedule *S, int64_t now);

/* When schedule_next is to be asked again, if nothing ends before; INT64_MAX: never.  To be asked after it gave NULL. */
int64_t schedule_when(const struct schedule *S, int64_t now);

enum schedule_outcome {
	SCHEDULE_DONE = 1,
	SCHEDULE_FAILED, /* this VM; it is tried again after 1, 2, 4, 8, 10, and then every 30 minutes */
	SCHEDULE_LINE,   /* the line: the same for all that goes by it, counted once */
	SCHEDULE_CUT,    /* by ourselves: it is due again at once */
};

enum schedule_news {
	SCHEDULE_NOTHING,
	SCHEDULE_LENGTHENED, /* it cannot keep its frequency: its cycle is longer now */
	SCHEDULE_CHANGED,    /* it was longer before, and is of another length now */
	SCHEDULE_BACK,       /* it keeps its frequency again */
};

/* The cycle of a running job has ended. */
enum schedule_news schedule_done(
    struct schedule *S, struct schedule_job *j, enum schedule_outcome outcome, int64_t now);

/* Forget failures, and try all that waits for having failed: somebody says that things are well again. */
void schedule_retry(struct schedule *S, int64_t now);

void *schedule_context(const struct schedule_job *j);
int schedule_is_running(const struct schedule_job *j);
int schedule_is_initial(const struct schedule_job *j);

/* ms: the cycle that is kept to now, and when its next one begins. */
uint64_t schedule_cycle(const struct schedule_job *j);
int64_t schedule_due(const struct schedule_job *j);

/* Failures in a row, of the line, and when it is tried again. */
unsigned schedule_failures(const struct schedule_line *l);
int64_t schedule_retry_at(const struct schedule_line *l);

struct schedule_counts {
	unsigned jobs, running;
	unsigned behind; /* have used up twice what their cycle allows, and more */
};
void schedule_count(const struct schedule *S, int64_t now, struct schedule_counts *c);

#endif
