#include "run/run_work.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/say.h"
#include "run/carrier.h"
#include "tally/tally.h"

#define IDLE 300 /* seconds after which a line without work is closed */

/* A carrier, and what it does now. */
struct bearer {
	struct carrier *carrier;
	enum carrier_kind kind;
	struct plan_line *line; /* NULL: it takes from a folder */
	unsigned version;       /* of the line's way */
	struct plan_job *job;   /* NULL: nothing */
	char take[PATH_MAX];    /* the folder */
	int64_t since;
	int is_over; /* it is to be released */
};

/* --- what became of it ----------------------------------------------------------------------------------- */

static void
worst(struct work *w, int rc)
{
	if (rc < 0 || w->rc == 0)
		w->rc = rc;
}

/* Most words begin with what they are about, which is said already. */
static const char *
without(const char *what, const char *why)
{
	size_t n = strlen(what);

	return (strncmp(why, what, n) == 0 && why[n] == ':' ? why + n + 1 + strspn(why + n + 1, " ") : why);
}

static void
say_why(int rc, const char *what, const char *site, const char *why)
{
	if (rc == 1)
		say_refusal("%s: to site '%s': %s", what, site, without(what, why));
	else
		say_failure("%s: to site '%s': %s", what, site, without(what, why));
}

static void
say_line(const struct plan_line *l, const char *why, int64_t now)
{
	say_failure("site '%s' cannot be reached: %s; tried again in %" PRId64 " min, and further on",
	    l->site, why, (schedule_retry_at(l->line) - now + 59999) / 60000);
}

static void
note_news(struct plan_job *j, enum schedule_news news)
{
	uint64_t seconds = (schedule_cycle(j->job) + 999) / 1000;

	if (news == SCHEDULE_NOTHING)
		return;
	tally_note_cycle(j->vm->dir, j->line->site, news == SCHEDULE_BACK ? 0 : seconds);
	if (news == SCHEDULE_LENGTHENED)
		say_note("%s: a cycle takes longer than its frequency of %" PRIu64
		         " s allows; it gets one each "
		         "%" PRIu64 " s until it is faster",
		    j->vm->name, j->vm->frequency, seconds);
	else if (news == SCHEDULE_BACK)
		say_note("%s: keeps its frequency of %" PRIu64 " s again", j->vm->name, j->vm->frequency);
}

static void
went_well(struct plan_job *j)
{
	if (j->line->said != 0)
		say_note("site '%s' is reached again", j->line->site);
	if (j->said != 0)
		say_note("%s: to site '%s': goes on", j->vm->name, j->line->site);
	j->line->said = j->said = 0;
	j->needs_seed = 0;
}

static void
went_wrong(struct work *w, struct plan_job *j, const struct sync_result *s, int64_t now)
{
	tally_note_failure(j->vm->dir, j->line->site, s->why);
	if (!s->is_line && plan_is_news(&j->said, s->why))
		say_why(s->rc, j->vm->name, j->line->site, s->why);
	else if (s->is_line && plan_is_news(&j->line->said, s->why))
		say_line(j->line, s->why, now);
	worst(w, s->is_line ? -1 : s->rc);
}

static enum schedule_outcome
outcome_of(const struct work *w, const struct sync_result *s)
{
	return (s->rc == 0   ? SCHEDULE_DONE
	        : w->is_over ? SCHEDULE_CUT
	        : s->is_line ? SCHEDULE_LINE
	                     : SCHEDULE_FAILED);
}

/* The job of b has ended like that. */
static void
conclude(struct work *w, struct bearer *b, const struct sync_result *s)
{
	int64_t now = clock_ms();
	enum schedule_outcome outcome = outcome_of(w, s);
	struct plan_job *j = b->job;
	int was_seed = schedule_is_initial(j->job);

	b->job = NULL;
	/* It was paused or removed meanwhile: that is no failure. */
	if ((outcome == SCHEDULE_FAILED || outcome == SCHEDULE_LINE) && !plan_is_wanted(w->plan, j, now)) {
		j->is_gone = 1;
		outcome = SCHEDULE_CUT;
	}
	if (s->rc != 0 && s->needs_seed && !was_seed) {
		j->needs_seed = 1;
		outcome = SCHEDULE_CUT;
	}
	note_news(j, schedule_done(w->plan->schedule, j->job, outcome, now));
	if (outcome == SCHEDULE_DONE)
		went_well(j);
	else if (outcome != SCHEDULE_CUT)
		went_wrong(w, j, s, now);
	if (s->rc == 0)
		j->least = s->frequency;
	if (j->is_gone || (w->once && outcome != SCHEDULE_CUT && outcome != SCHEDULE_LINE))
		plan_drop(w->plan, j);
	else
		plan_adjust(w->plan, j, now);
}

static struct plan_take *
take_of(struct work *w, const struct bearer *b)
{
	for (unsigned i = 0; i < w->plan->ntakes; i++)
		if (strcmp(w->plan->takes[i].route.take, b->take) == 0)
			return (&w->plan->takes[i]);
	return (NULL);
}

static void
conclude_take(struct work *w, struct bearer *b, const struct sync_result *s)
{
	struct plan_take *t = take_of(w, b);

	b->take[0] = '\0';
	worst(w, s->rc);
	if (t == NULL)
		return;
	t->is_running = 0;
	if (s->rc == 0)
		t->said = 0;
	else if (!w->is_over && plan_is_news(&t->said, s->why))
		(void)(s->rc == 1 ? say_refused("%s: %s", t->route.take, without(t->route.take, s->why))
		                  : say_failed("%s: %s", t->route.take, without(t->route.take, s->why)));
}

static void
conclude_any(struct work *w, struct bearer *b, const struct sync_result *s)
{
	if (b->job != NULL)
		conclude(w, b, s);
	else if (b->take[0] != '\0')
		conclude_take(w, b, s);
}

/* --- carriers ------------------------------------------------------------------------------------------- */

/* It has ended, or is not needed any more. */
static void
release(struct work *w, struct bearer *b, int64_t ms)
{
	struct sync_result s = { .rc = -1 };
	char words[SAY_LAST];

	carrier_end(b->carrier, ms, words);
	b->carrier = NULL;
	b->is_over = 1;
	snprintf(s.why, sizeof s.why, "%s", words[0] != '\0' ? words : "its process ended too early");
	conclude_any(w, b, &s);
}

static void
forget_released(struct work *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->nbearers; i++) {
		if (w->bearers[i]->is_over)
			free(w->bearers[i]);
		else
			w->bearers[n++] = w->bearers[i];
	}
	w->nbearers = n;
}

static struct bearer *
start(struct work *w, const struct carrier_way *way)
{
	struct bearer *b;

	if (w->nbearers == WORK_CARRIERS || (b = calloc(1, sizeof *b)) == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	if (carrier_start(&b->carrier, way) != 0) {
		free(b);
		return (NULL);
	}
	b->kind = way->kind;
	w->bearers[w->nbearers++] = b;
	return (b);
}

static struct bearer *
start_for(struct work *w, struct plan_line *l)
{
	int is_line = l->route.via[0] != '\0';
	struct carrier_way way = { .kind = is_line ? CARRIER_LINE : CARRIER_MAILBOX,
		.home = site_home(w->plan->S),
		.site = l->site,
		.where = is_line ? l->route.via : l->route.mailbox,
		.limits = { w->plan->rate, l->rate },
		.idle = IDLE };
	struct bearer *b = start(w, &way);

	if (b != NULL) {
		b->line = l;
		b->version = l->version;
	}
	return (b);
}

/* One that has nothing to do on that line, as it is now. */
static struct bearer *
idle_one(const struct work *w, const struct plan_line *l)
{
	for (unsigned i = 0; i < w->nbearers; i++) {
		struct bearer *b = w->bearers[i];

		if (b->line == l && b->job == NULL && b->version == l->version && !b->is_over &&
		    b->kind == CARRIER_LINE)
			return (b);
	}
	return (NULL);
}

void
work_begin(struct work *w, struct plan_job *j, int64_t now)
{
	int is_seed = schedule_is_initial(j->job), is_new;
	struct bearer *b;

	/* One that has just ended by itself, being idle, is passed over. */
	while ((b = idle_one(w, j->line)) != NULL && carrier_give(b->carrier, j->vm->uuid, is_seed) != 0)
		release(w, b, 1000);
	if (b == NULL && (b = start_for(w, j->line)) == NULL) {
		worst(w, -1);
		schedule_done(w->plan->schedule, j->job, SCHEDULE_FAILED, now);
		return;
	}
	is_new = b->since == 0;
	b->job = j;
	b->since = now;
	if (is_new && carrier_give(b->carrier, j->vm->uuid, is_seed) != 0)
		release(w, b, 1000);
	forget_released(w);
}

void
work_take(struct work *w, struct plan_take *t, int64_t now)
{
	struct carrier_way way = {
		.kind = CARRIER_TAKE, .home = site_home(w->plan->S), .site = "", .where = t->route.take
	};
	struct bearer *b = start(w, &way);

	t->due = w->once ? INT64_MAX : now + (int64_t)t->route.every * 1000;
	if (b == NULL)
		return;
	strcpy(b->take, t->route.take);
	b->since = now;
	t->is_running = 1;
	if (carrier_give(b->carrier, "", 0) != 0)
		release(w, b, 1000);
	forget_released(w);
}

/* It has something to say, or has ended. */
static void
attend(struct work *w, struct bearer *b)
{
	struct sync_result s;
	int rc = carrier_take(b->carrier, &s);

	if (rc == 0)
		conclude_any(w, b, &s);
	if (rc < 0 || (rc == 0 && b->kind != CARRIER_LINE))
		release(w, b, 2000);
}

/* --- all of them ----------------------------------------------------------------------------------------- */

unsigned
work_poll(const struct work *w, struct pollfd p[WORK_FDS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->nbearers; i++) {
		const struct carrier *c = w->bearers[i]->carrier;

		p[n++] = (struct pollfd){ .fd = carrier_words(c), .events = POLLIN };
		p[n++] = (struct pollfd){ .fd = carrier_fd(c), .events = POLLIN };
	}
	return (n);
}

void
work_attend(struct work *w, const struct pollfd p[WORK_FDS], unsigned n)
{
	for (unsigned i = 0; i < n / 2; i++) {
		if (p[2 * i].revents != 0)
			carrier_listen(w->bearers[i]->carrier);
		if (p[2 * i + 1].revents != 0)
			attend(w, w->bearers[i]);
	}
	forget_released(w);
}

int
work_is_busy(const struct work *w)
{
	for (unsigned i = 0; i < w->nbearers; i++)
		if (w->bearers[i]->job != NULL || w->bearers[i]->take[0] != '\0')
			return (1);
	return (0);
}

void
work_stop(struct work *w, int64_t ms)
{
	int64_t until = clock_ms() + ms;

	w->is_over = 1;
	for (unsigned i = 0; i < w->nbearers; i++)
		carrier_stop(w->bearers[i]->carrier);
	for (unsigned i = 0; i < w->nbearers; i++) {
		int64_t left = until - clock_ms();

		release(w, w->bearers[i], left > 0 ? left : 0);
	}
	forget_released(w);
}
