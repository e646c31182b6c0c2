#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/say.h"
#include "base/stop.h"
#include "carrier.h"
#include "notify.h"
#include "run_plan.h"
#include "tally/tally.h"

#define IDLE 300       /* seconds after which a line without work is closed */
#define LOOK 2000      /* ms between two looks at the records, at least */
#define LOOK_PART 1000 /* and so many times as long as a look takes */
#define FAREWELL 20000 /* ms that carriers have to stop */
#define FDS (2 * CARRIERS + 1)
#define CARRIERS 2048u /* more than any limits allow */

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

struct running {
	struct plan plan;
	int signals;
	int once;
	unsigned nbearers;
	struct bearer *bearers[CARRIERS];
	int64_t look_at, watchdog, watch_at;
	int is_told_to_stop;
	int rc; /* of what ran once: the worst */
	char status[256];
};

/* --- what became of it ----------------------------------------------------------------------------------- */

static void
worst(struct running *r, int rc)
{
	if (rc < 0 || r->rc == 0)
		r->rc = rc;
}

/* Once, however often it is tried again. */
static void
say_why(int rc, const char *what, const char *site, const char *why)
{
	size_t n = strlen(what);

	/* Most words begin with the VM. */
	if (strncmp(why, what, n) == 0 && why[n] == ':')
		why += n + 1 + strspn(why + n + 1, " ");
	if (rc == 1)
		say_refusal("%s: to site '%s': %s", what, site, why);
	else
		say_failure("%s: to site '%s': %s", what, site, why);
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
went_wrong(struct running *r, struct plan_job *j, const struct sync_result *s, int64_t now)
{
	tally_note_failure(j->vm->dir, j->line->site, s->why);
	if (!s->is_line && plan_is_news(&j->said, s->why))
		say_why(s->rc, j->vm->name, j->line->site, s->why);
	else if (s->is_line && plan_is_news(&j->line->said, s->why))
		say_line(j->line, s->why, now);
	worst(r, s->is_line ? -1 : s->rc);
}

static enum schedule_outcome
outcome_of(const struct running *r, const struct sync_result *s)
{
	return (s->rc == 0           ? SCHEDULE_DONE
	        : r->is_told_to_stop ? SCHEDULE_CUT
	        : s->is_line         ? SCHEDULE_LINE
	                             : SCHEDULE_FAILED);
}

/* The job of b has ended like that. */
static void
conclude(struct running *r, struct bearer *b, const struct sync_result *s)
{
	int64_t now = clock_ms();
	enum schedule_outcome outcome = outcome_of(r, s);
	struct plan_job *j = b->job;
	int was_seed = schedule_is_initial(j->job);

	b->job = NULL;
	/* It was paused or removed meanwhile: that is no failure. */
	if ((outcome == SCHEDULE_FAILED || outcome == SCHEDULE_LINE) && !plan_is_wanted(&r->plan, j, now)) {
		j->is_gone = 1;
		outcome = SCHEDULE_CUT;
	}
	if (s->rc != 0 && s->needs_seed && !was_seed) {
		j->needs_seed = 1;
		outcome = SCHEDULE_CUT;
	}
	note_news(j, schedule_done(r->plan.schedule, j->job, outcome, now));
	if (outcome == SCHEDULE_DONE)
		went_well(j);
	else if (outcome != SCHEDULE_CUT)
		went_wrong(r, j, s, now);
	if (s->rc == 0)
		j->least = s->frequency;
	if (j->is_gone || (r->once && outcome != SCHEDULE_CUT && outcome != SCHEDULE_LINE))
		plan_drop(&r->plan, j);
	else
		plan_adjust(&r->plan, j, now);
}

static struct plan_take *
take_of(struct running *r, const struct bearer *b)
{
	for (unsigned i = 0; i < r->plan.ntakes; i++)
		if (strcmp(r->plan.takes[i].route.take, b->take) == 0)
			return (&r->plan.takes[i]);
	return (NULL);
}

static void
conclude_take(struct running *r, struct bearer *b, const struct sync_result *s)
{
	struct plan_take *t = take_of(r, b);

	b->take[0] = '\0';
	worst(r, s->rc);
	if (t == NULL)
		return;
	t->is_running = 0;
	if (s->rc == 0)
		t->said = 0;
	else if (!r->is_told_to_stop && plan_is_news(&t->said, s->why))
		(void)(s->rc == 1 ? say_refused("%s: %s", t->route.take, s->why)
		                  : say_failed("%s: %s", t->route.take, s->why));
}

static void
conclude_any(struct running *r, struct bearer *b, const struct sync_result *s)
{
	if (b->job != NULL)
		conclude(r, b, s);
	else if (b->take[0] != '\0')
		conclude_take(r, b, s);
}

/* --- carriers ------------------------------------------------------------------------------------------- */

/* It has ended, or is not needed any more. */
static void
release(struct running *r, struct bearer *b, int64_t ms)
{
	struct sync_result s = { .rc = -1 };
	char words[SAY_LAST];

	carrier_end(b->carrier, ms, words);
	b->carrier = NULL;
	b->is_over = 1;
	snprintf(s.why, sizeof s.why, "%s", words[0] != '\0' ? words : "its process ended too early");
	conclude_any(r, b, &s);
}

static void
forget_released(struct running *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->nbearers; i++) {
		if (r->bearers[i]->is_over)
			free(r->bearers[i]);
		else
			r->bearers[n++] = r->bearers[i];
	}
	r->nbearers = n;
}

static struct bearer *
start(struct running *r, const struct carrier_way *w)
{
	struct bearer *b;

	if (r->nbearers == CARRIERS || (b = calloc(1, sizeof *b)) == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	if (carrier_start(&b->carrier, w) != 0) {
		free(b);
		return (NULL);
	}
	b->kind = w->kind;
	r->bearers[r->nbearers++] = b;
	return (b);
}

static struct bearer *
start_for(struct running *r, struct plan_line *l)
{
	int is_line = l->route.via[0] != '\0';
	struct carrier_way w = { .kind = is_line ? CARRIER_LINE : CARRIER_MAILBOX,
		.home = site_home(r->plan.S),
		.site = l->site,
		.where = is_line ? l->route.via : l->route.mailbox,
		.limits = { r->plan.rate, l->rate },
		.idle = IDLE };
	struct bearer *b = start(r, &w);

	if (b != NULL) {
		b->line = l;
		b->version = l->version;
	}
	return (b);
}

/* One that has nothing to do on that line, as it is now. */
static struct bearer *
idle_one(const struct running *r, const struct plan_line *l)
{
	for (unsigned i = 0; i < r->nbearers; i++) {
		struct bearer *b = r->bearers[i];

		if (b->line == l && b->job == NULL && b->version == l->version && !b->is_over &&
		    b->kind == CARRIER_LINE)
			return (b);
	}
	return (NULL);
}

static void
begin(struct running *r, struct plan_job *j, int64_t now)
{
	int is_seed = schedule_is_initial(j->job);
	struct bearer *b;

	/* One that has just ended by itself, being idle, is passed over. */
	while ((b = idle_one(r, j->line)) != NULL && carrier_give(b->carrier, j->vm->uuid, is_seed) != 0)
		release(r, b, 1000);
	if (b == NULL && (b = start_for(r, j->line)) != NULL &&
	    carrier_give(b->carrier, j->vm->uuid, is_seed) != 0)
		release(r, b, 1000), b = NULL;
	if (b == NULL) {
		worst(r, -1);
		schedule_done(r->plan.schedule, j->job, SCHEDULE_FAILED, now);
		return;
	}
	b->job = j;
	b->since = now;
}

static void
begin_take(struct running *r, struct plan_take *t, int64_t now)
{
	struct carrier_way w = {
		.kind = CARRIER_TAKE, .home = site_home(r->plan.S), .site = "", .where = t->route.take
	};
	struct bearer *b = start(r, &w);

	t->due = r->once ? INT64_MAX : now + (int64_t)t->route.every * 1000;
	if (b == NULL)
		return;
	strcpy(b->take, t->route.take);
	b->since = now;
	t->is_running = 1;
	if (carrier_give(b->carrier, "", 0) != 0)
		release(r, b, 1000);
}

/* It has something to say, or has ended. */
static void
attend(struct running *r, struct bearer *b)
{
	struct sync_result s;
	int rc = carrier_take(b->carrier, &s);

	if (rc == 0)
		conclude_any(r, b, &s);
	if (rc < 0 || (rc == 0 && b->kind != CARRIER_LINE))
		release(r, b, 2000);
}

/* --- the loop ------------------------------------------------------------------------------------------- */

static void
tell_status(struct running *r, int64_t now)
{
	struct schedule_counts c;
	char status[sizeof r->status];
	unsigned down = 0;

	schedule_count(r->plan.schedule, now, &c);
	for (struct plan_line *l = r->plan.lines; l != NULL; l = l->next)
		down += schedule_failures(l->line) > 0;
	snprintf(status, sizeof status,
	    "%u replications, %u under way, %u behind; %u sites cannot be reached", c.jobs, c.running,
	    c.behind, down);
	if (strcmp(status, r->status) == 0)
		return;
	strcpy(r->status, status);
	notify("STATUS=%s", status);
}

static void
look(struct running *r)
{
	int64_t now = clock_ms(), took;

	/* What could not be looked at was said; the rest goes on as it is. */
	(void)plan_look(&r->plan, now);
	took = clock_ms() - now;
	r->look_at = now + (took * LOOK_PART > LOOK ? took * LOOK_PART : LOOK);
	tell_status(r, now);
}

static void
hang_up(struct running *r)
{
	say_note("reading %s/routes again, and trying again what has failed", site_home(r->plan.S));
	(void)plan_routes(&r->plan);
	schedule_retry(r->plan.schedule, clock_ms());
	for (unsigned i = 0; i < r->plan.ntakes; i++)
		r->plan.takes[i].due = 0;
	look(r);
}

static void
take_signals(struct running *r)
{
	struct signalfd_siginfo s;

	while (read(r->signals, &s, sizeof s) == sizeof s) {
		if (s.ssi_signo == SIGHUP)
			hang_up(r);
		else
			r->is_told_to_stop = 1;
	}
}

static void
begin_due(struct running *r, int64_t now)
{
	struct schedule_job *j;

	for (unsigned i = 0; i < r->plan.ntakes; i++)
		if (!r->plan.takes[i].is_running && now >= r->plan.takes[i].due)
			begin_take(r, &r->plan.takes[i], now);
	while ((j = schedule_next(r->plan.schedule, now)) != NULL)
		begin(r, schedule_context(j), now);
	forget_released(r);
}

static int
wait_ms(const struct running *r, int64_t now)
{
	int64_t when = schedule_when(r->plan.schedule, now);

	if (r->look_at < when)
		when = r->look_at;
	for (unsigned i = 0; i < r->plan.ntakes; i++)
		if (!r->plan.takes[i].is_running && r->plan.takes[i].due < when)
			when = r->plan.takes[i].due;
	if (r->watchdog > 0 && r->watch_at < when)
		when = r->watch_at;
	return (when <= now ? 0 : when - now > 60000 ? 60000 : (int)(when - now));
}

static void
wait_for(struct running *r)
{
	struct pollfd p[FDS];
	unsigned n = r->nbearers;

	p[0] = (struct pollfd){ .fd = r->signals, .events = POLLIN };
	for (unsigned i = 0; i < n; i++) {
		const struct carrier *c = r->bearers[i]->carrier;

		p[1 + 2 * i] = (struct pollfd){ .fd = carrier_words(c), .events = POLLIN };
		p[2 + 2 * i] = (struct pollfd){ .fd = carrier_fd(c), .events = POLLIN };
	}
	if (poll(p, 1 + 2 * n, wait_ms(r, clock_ms())) <= 0)
		return;
	if (p[0].revents != 0)
		take_signals(r);
	for (unsigned i = 0; i < n; i++) {
		if (p[1 + 2 * i].revents != 0)
			carrier_listen(r->bearers[i]->carrier);
		if (p[2 + 2 * i].revents != 0)
			attend(r, r->bearers[i]);
	}
	forget_released(r);
}

static void
feed_watchdog(struct running *r, int64_t now)
{
	if (r->watchdog == 0 || now < r->watch_at)
		return;
	notify("WATCHDOG=1");
	r->watch_at = now + r->watchdog;
}

static int
is_busy(const struct running *r)
{
	for (unsigned i = 0; i < r->nbearers; i++)
		if (r->bearers[i]->job != NULL || r->bearers[i]->take[0] != '\0')
			return (1);
	return (0);
}

static void
serve_all(struct running *r)
{
	while (!r->is_told_to_stop) {
		int64_t now = clock_ms();

		if (now >= r->look_at)
			look(r);
		feed_watchdog(r, now);
		begin_due(r, now);
		wait_for(r);
	}
	say_note("stopping; what is under way goes on with the next run");
}

/* All that is due, and nothing twice; what waits for a line that has failed has failed with it. */
static void
serve_once(struct running *r)
{
	look(r);
	begin_due(r, clock_ms());
	while (!r->is_told_to_stop && is_busy(r)) {
		wait_for(r);
		begin_due(r, clock_ms());
	}
	if (r->is_told_to_stop)
		worst(r, say_failed("interrupted; what is under way goes on with the next run"));
}

/* --- beginning and end ---------------------------------------------------------------------------------- */

static int
catch_signals(struct running *r)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
	    (r->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) < 0)
		return (say_failed("cannot listen to signals: %s", strerror(errno)));
	return (0);
}

/* All of them at once, so that they need the time of one; none is left behind. */
static void
stop_carriers(struct running *r)
{
	int64_t until = clock_ms() + FAREWELL;

	r->is_told_to_stop = 1;
	for (unsigned i = 0; i < r->nbearers; i++)
		carrier_stop(r->bearers[i]->carrier);
	for (unsigned i = 0; i < r->nbearers; i++) {
		int64_t left = until - clock_ms();

		feed_watchdog(r, clock_ms());
		release(r, r->bearers[i], left > 0 ? left : 0);
	}
	forget_released(r);
}

static int
lock_home(const struct site *S)
{
	char path[PATH_MAX];
	int fd;

	if (io_path(path, "%s/run.lock", site_home(S)) != 0)
		return (-1);
	if ((fd = io_lock(path)) == -2)
		say_refused("%s: another 'vmferry run' works for this site", site_home(S));
	return (fd);
}

static int
prepare(struct running *r, struct site *S, const struct run_options *o)
{
	r->signals = -1;
	r->once = r->plan.once = o->once;
	r->plan.S = S;
	r->plan.jobs_wanted = o->jobs;
	r->plan.rate_wanted = o->rate;
	if ((r->plan.schedule = schedule_new(RUN_JOBS)) == NULL || (r->plan.rate = rate_new(0)) == NULL)
		return (say_failed("out of memory"));
	r->watchdog = notify_watchdog();
	/* One that came before is a wish to stop, and those that we start would take it for their own. */
	return (catch_signals(r) != 0 ? -1 : stop_check());
}

int
run(struct site *S, const struct run_options *o)
{
	struct running *r = calloc(1, sizeof *r);
	int lock, rc;

	if (r == NULL)
		return (say_failed("out of memory"));
	if ((lock = lock_home(S)) < 0) {
		free(r);
		return (lock == -2 ? 1 : -1);
	}
	if ((rc = prepare(r, S, o)) == 0 && (rc = plan_routes(&r->plan)) == 0) {
		notify("READY=1");
		if (o->once)
			serve_once(r);
		else
			serve_all(r);
		notify("STOPPING=1");
		stop_carriers(r);
		rc = o->once ? r->rc : 0;
	}
	plan_free(&r->plan);
	io_close(r->signals);
	io_close(lock);
	free(r);
	return (rc);
}
