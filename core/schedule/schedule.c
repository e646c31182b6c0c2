#include "schedule/schedule.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "schedule/queue.h"

#define MINUTE INT64_C(60000)

/* How many cycles in a row say that another length is right. */
#define TOO_LONG 2u
#define SHORT 3u

enum place { WAITING, READY, RUNNING };

struct schedule_job {
	struct queue_item item; /* in the heap, or in the list of its line; when it is due */
	struct schedule_line *line;
	struct schedule_terms terms;
	uint64_t hash;  /* of the UUID */
	uint64_t cycle; /* ms; a multiple of the frequency that is to be kept */
	int64_t began;  /* while it runs */
	int is_copy;    /* what runs is an initial copy */
	enum place place;
	unsigned failures;
	unsigned too_long, brief; /* cycles in a row */
	uint64_t longest;         /* of these, ms */
	struct schedule_job *vm;  /* the next one of the same VM, in a ring */
	void *context;
};

struct schedule_line {
	struct schedule_line *next;
	unsigned parallel;
	int is_open;
	struct queue ready; /* in any order */
	unsigned jobs, running, initial;
	unsigned failures;
	int64_t failed_at, retry_at;
};

struct schedule {
	unsigned parallel;
	struct schedule_line *lines;
	struct queue waiting; /* a heap: the next one that is due is first */
	unsigned jobs, running, initial;
};

/* --- where a job is -------------------------------------------------------------------------------------- */

/* There is room for every job in the heap, and in the list of its line. */
static void
wait_for(struct schedule *S, struct schedule_job *j)
{
	j->place = WAITING;
	queue_push(&S->waiting, &j->item);
}

static void
make_ready(struct schedule_job *j)
{
	j->place = READY;
	queue_append(&j->line->ready, &j->item);
}

/* Out of the heap or list that it is in. */
static void
take(struct schedule *S, struct schedule_job *j)
{
	if (j->place == WAITING)
		queue_pull(&S->waiting, &j->item);
	else if (j->place == READY)
		queue_take(&j->line->ready, &j->item);
}

/* The item is the first thing in a job. */
static struct schedule_job *
job_of(const struct queue *q, unsigned i)
{
	return ((struct schedule_job *)(void *)q->items[i]);
}

/* --- the grid ----------------------------------------------------------------------------------------- */

/* What is to be kept to, if it can be. */
static uint64_t
wish(const struct schedule_job *j)
{
	return (j->terms.frequency > j->terms.least ? j->terms.frequency : j->terms.least);
}

/* The first time of the job's grid that is after then. */
static int64_t
next_on_grid(const struct schedule_job *j, int64_t then)
{
	int64_t cycle = (int64_t)j->cycle, phase = (int64_t)(j->hash % j->cycle);
	int64_t past = (then - phase) % cycle;

	return (then - (past < 0 ? past + cycle : past) + cycle);
}

static int64_t
due_after(const struct schedule_job *j)
{
	return (j->terms.last == SCHEDULE_NEVER ? SCHEDULE_NEVER : next_on_grid(j, j->terms.last));
}

/* How much of what its cycle allows is used up; 1: all of it. */
static double
need(const struct schedule_job *j, int64_t now)
{
	return (j->terms.last == SCHEDULE_NEVER ? 1e300 : (double)(now - j->terms.last) / (double)j->cycle);
}

static int64_t
backoff(unsigned failures)
{
	static const unsigned minutes[] = { 1, 2, 4, 8, 10 };

	return (failures <= 5 ? minutes[failures - 1] * MINUTE : 30 * MINUTE);
}

/* --- lines and jobs ----------------------------------------------------------------------------------- */

struct schedule *
schedule_new(unsigned parallel)
{
	struct schedule *S = calloc(1, sizeof *S);

	if (S != NULL)
		S->parallel = parallel;
	return (S);
}

void
schedule_set_parallel(struct schedule *S, unsigned parallel)
{
	S->parallel = parallel;
}

static void
free_jobs(struct queue *l)
{
	for (unsigned i = 0; i < l->n; i++)
		free(job_of(l, i));
	queue_free(l);
}

void
schedule_free(struct schedule *S)
{
	struct schedule_line *l;

	if (S == NULL)
		return;
	while ((l = S->lines) != NULL) {
		S->lines = l->next;
		free_jobs(&l->ready);
		free(l);
	}
	free_jobs(&S->waiting);
	free(S);
}

struct schedule_line *
schedule_line(struct schedule *S)
{
	struct schedule_line *l = calloc(1, sizeof *l);

	if (l == NULL)
		return (NULL);
	l->parallel = 1;
	l->is_open = 1;
	l->next = S->lines;
	S->lines = l;
	return (l);
}

void
schedule_line_set(struct schedule_line *l, unsigned parallel, int is_open)
{
	l->parallel = parallel;
	l->is_open = is_open;
}

void
schedule_line_remove(struct schedule *S, struct schedule_line *l)
{
	struct schedule_line **p = &S->lines;

	while (*p != l)
		p = &(*p)->next;
	*p = l->next;
	queue_free(&l->ready);
	free(l);
}

struct schedule_job *
schedule_add(struct schedule *S, struct schedule_line *l, const char uuid[SCHEDULE_UUID],
    struct schedule_job *other, const struct schedule_terms *t, int64_t now, void *context)
{
	struct schedule_job *j;

	if (queue_reserve(&S->waiting, S->jobs + 1) != 0 || queue_reserve(&l->ready, l->jobs + 1) != 0 ||
	    (j = calloc(1, sizeof *j)) == NULL)
		return (NULL);
	S->jobs++;
	l->jobs++;
	j->line = l;
	j->terms = *t;
	j->hash = XXH3_64bits(uuid, strlen(uuid));
	j->cycle = wish(j);
	j->context = context;
	j->vm = j;
	if (other != NULL) {
		j->vm = other->vm;
		other->vm = j;
	}
	j->item.due = due_after(j);
	if (j->item.due < now)
		j->item.due = now;
	wait_for(S, j);
	return (j);
}

void
schedule_set(struct schedule *S, struct schedule_job *j, const struct schedule_terms *t, int64_t now)
{
	uint64_t was = wish(j);
	int was_initial = j->terms.is_initial;
	int64_t last = j->terms.last > t->last ? j->terms.last : t->last;

	if (last == j->terms.last && t->frequency == j->terms.frequency && t->least == j->terms.least &&
	    t->is_initial == was_initial)
		return;
	take(S, j);
	j->terms = *t;
	j->terms.last = last;
	if (wish(j) != was) {
		j->cycle = wish(j);
		j->too_long = j->brief = 0;
	}
	if (j->place == RUNNING)
		return;
	/* One that has failed keeps the time at which it is tried again. */
	if (j->failures == 0)
		j->item.due = due_after(j);
	if (j->item.due < now)
		j->item.due = now;
	wait_for(S, j);
}

void
schedule_remove(struct schedule *S, struct schedule_job *j)
{
	struct schedule_job *before = j;

	while (before->vm != j)
		before = before->vm;
	before->vm = j->vm;
	take(S, j);
	S->jobs--;
	j->line->jobs--;
	free(j);
}

/* --- what goes next ----------------------------------------------------------------------------------- */

static int
vm_is_running(const struct schedule_job *j)
{
	for (const struct schedule_job *x = j->vm; x != j; x = x->vm)
		if (x->place == RUNNING)
			return (1);
	return (0);
}

/* A line that has failed is tried with one job, when it is time. */
static int
has_room(const struct schedule_line *l, int64_t now)
{
	if (l->failures > 0)
		return (now >= l->retry_at && l->running == 0);
	return (l->running - l->initial < l->parallel);
}

/* An initial copy does not count against the deltas of its line, and leaves room for others over all. */
static int
has_room_initial(const struct schedule *S, const struct schedule_line *l, int64_t now)
{
	if (!l->is_open || l->initial > 0 || (S->initial > 0 && S->initial + 1 >= S->parallel))
		return (0);
	return (l->failures == 0 || (now >= l->retry_at && l->running == 0));
}

/* The neediest job of the line that is of that kind, if it is needier than best. */
static struct schedule_job *
neediest(const struct schedule_line *l, int is_initial, int64_t now, struct schedule_job *best)
{
	for (unsigned i = 0; i < l->ready.n; i++) {
		struct schedule_job *j = job_of(&l->ready, i);

		if (j->terms.is_initial == is_initial && (best == NULL || need(j, now) > need(best, now)) &&
		    !vm_is_running(j))
			best = j;
	}
	return (best);
}

struct schedule_job *
schedule_next(struct schedule *S, int64_t now)
{
	struct schedule_job *best = NULL;

	while (S->waiting.n > 0 && S->waiting.items[0]->due <= now) {
		struct schedule_job *j = job_of(&S->waiting, 0);

		take(S, j);
		make_ready(j);
	}
	if (S->running >= S->parallel)
		return (NULL);
	for (struct schedule_line *l = S->lines; l != NULL; l = l->next)
		if (has_room(l, now))
			best = neediest(l, 0, now, best);
	for (struct schedule_line *l = S->lines; best == NULL && l != NULL; l = l->next)
		if (has_room_initial(S, l, now))
			best = neediest(l, 1, now, NULL);
	if (best == NULL)
		return (NULL);
	take(S, best);
	best->place = RUNNING;
	best->began = now;
	S->running++;
	best->line->running++;
	best->is_copy = best->terms.is_initial != 0;
	S->initial += (unsigned)best->is_copy;
	best->line->initial += (unsigned)best->is_copy;
	return (best);
}

int64_t
schedule_when(const struct schedule *S, int64_t now)
{
	int64_t when = S->waiting.n > 0 ? S->waiting.items[0]->due : INT64_MAX;

	for (const struct schedule_line *l = S->lines; l != NULL; l = l->next)
		if (l->ready.n > 0 && l->failures > 0 && l->retry_at > now && l->retry_at < when)
			when = l->retry_at;
	return (when);
}

/* --- what became of it -------------------------------------------------------------------------------- */

/* What a cycle that takes so long is to be: a multiple of the wish, with some room. */
static uint64_t
kept(const struct schedule_job *j, uint64_t took)
{
	uint64_t least = took + took / 4, w = wish(j);

	return (least <= w ? w : (least + w - 1) / w * w);
}

/* The cycle took so long: is its length still right? */
static enum schedule_news
fit(struct schedule_job *j, uint64_t took)
{
	uint64_t before = j->cycle;
	int is_long = took > j->cycle, is_short = j->cycle > wish(j) && took <= j->cycle / 2;

	if ((is_long && j->too_long == 0) || (is_short && j->brief == 0) || took > j->longest)
		j->longest = took;
	j->too_long = is_long ? j->too_long + 1 : 0;
	j->brief = is_short ? j->brief + 1 : 0;
	if (j->too_long < TOO_LONG && j->brief < SHORT)
		return (SCHEDULE_NOTHING);
	j->cycle = kept(j, j->longest);
	j->too_long = j->brief = 0;
	if (j->cycle == before)
		return (SCHEDULE_NOTHING);
	if (j->cycle == wish(j))
		return (SCHEDULE_BACK);
	return (before == wish(j) ? SCHEDULE_LENGTHENED : SCHEDULE_CHANGED);
}

/* The cycles under way when a line fails all fail, and that is one failure. */
static void
fail_line(struct schedule_line *l, int64_t began, int64_t now)
{
	if (l->failures > 0 && began <= l->failed_at)
		return;
	l->failures++;
	l->failed_at = now;
	l->retry_at = now + backoff(l->failures);
}

enum schedule_news
schedule_done(struct schedule *S, struct schedule_job *j, enum schedule_outcome outcome, int64_t now)
{
	enum schedule_news news = SCHEDULE_NOTHING;

	S->running--;
	j->line->running--;
	S->initial -= (unsigned)j->is_copy;
	j->line->initial -= (unsigned)j->is_copy;
	j->failures = outcome == SCHEDULE_FAILED ? j->failures + 1 : 0;
	if (outcome == SCHEDULE_LINE)
		fail_line(j->line, j->began, now);
	else if (outcome != SCHEDULE_CUT && j->began >= j->line->failed_at)
		j->line->failures = 0;
	j->item.due = now;
	if (outcome == SCHEDULE_DONE) {
		j->terms.last = j->began;
		j->terms.is_initial = 0;
		/* How long an initial copy takes says nothing of the others. */
		if (!j->is_copy)
			news = fit(j, (uint64_t)(now - j->began));
		j->item.due = due_after(j);
	} else if (outcome == SCHEDULE_FAILED) {
		j->item.due = now + backoff(j->failures);
	}
	wait_for(S, j);
	return (news);
}

void
schedule_retry(struct schedule *S, int64_t now)
{
	for (struct schedule_line *l = S->lines; l != NULL; l = l->next)
		l->failures = 0;
	for (unsigned i = 0; i < S->waiting.n; i++) {
		struct schedule_job *j = job_of(&S->waiting, i);

		/* To the front, where the heap has nothing before it that is not as early; what it passes is done. */
		if (j->failures > 0) {
			j->failures = 0;
			j->item.due = now;
			queue_sooner(&S->waiting, &j->item);
		}
	}
}

/* --- questions ---------------------------------------------------------------------------------------- */

void *
schedule_context(const struct schedule_job *j)
{
	return (j->context);
}

int
schedule_is_running(const struct schedule_job *j)
{
	return (j->place == RUNNING);
}

int
schedule_is_initial(const struct schedule_job *j)
{
	return (j->terms.is_initial);
}

uint64_t
schedule_cycle(const struct schedule_job *j)
{
	return (j->cycle);
}

int64_t
schedule_due(const struct schedule_job *j)
{
	return (j->item.due);
}

unsigned
schedule_failures(const struct schedule_line *l)
{
	return (l->failures);
}

int64_t
schedule_retry_at(const struct schedule_line *l)
{
	return (l->retry_at);
}

static unsigned
behind(const struct queue *l, int64_t now)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->n; i++)
		n += need(job_of(l, i), now) >= 2;
	return (n);
}

void
schedule_count(const struct schedule *S, int64_t now, struct schedule_counts *c)
{
	*c = (struct schedule_counts){ .jobs = S->jobs, .running = S->running };
	c->behind = behind(&S->waiting, now);
	for (const struct schedule_line *l = S->lines; l != NULL; l = l->next)
		c->behind += behind(&l->ready, now);
}
