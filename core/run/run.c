#include "run/run.h"

#include <errno.h>
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
#include "run/notify.h"
#include "run/run_plan.h"
#include "run/run_work.h"

#define LOOK 2000      /* ms between two looks at the records, at least */
#define LOOK_PART 1000 /* and so many times as long as a look takes */
#define FAREWELL 20000 /* ms that carriers have to stop */

struct running {
	struct plan plan;
	struct work work;
	int signals;
	int64_t look_at, watchdog, watch_at;
	int is_told_to_stop;
	char status[256];
};

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
			work_take(&r->work, &r->plan.takes[i], now);
	while ((j = schedule_next(r->plan.schedule, now)) != NULL)
		work_begin(&r->work, schedule_context(j), now);
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
	struct pollfd p[1 + WORK_FDS];
	unsigned n = work_poll(&r->work, p + 1);

	p[0] = (struct pollfd){ .fd = r->signals, .events = POLLIN };
	if (poll(p, 1 + n, wait_ms(r, clock_ms())) <= 0)
		return;
	if (p[0].revents != 0)
		take_signals(r);
	work_attend(&r->work, p + 1, n);
}

static void
feed_watchdog(struct running *r, int64_t now)
{
	if (r->watchdog == 0 || now < r->watch_at)
		return;
	notify("WATCHDOG=1");
	r->watch_at = now + r->watchdog;
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
	while (!r->is_told_to_stop && work_is_busy(&r->work)) {
		wait_for(r);
		begin_due(r, clock_ms());
	}
	if (r->is_told_to_stop)
		r->work.rc = say_failed("interrupted; what is under way goes on with the next run");
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
	r->work.once = r->plan.once = o->once;
	r->work.plan = &r->plan;
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
		work_stop(&r->work, FAREWELL);
		rc = o->once ? r->work.rc : 0;
	}
	plan_free(&r->plan);
	io_close(r->signals);
	io_close(lock);
	free(r);
	return (rc);
}
