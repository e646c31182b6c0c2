#include "overview.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "primary/ledger.h"
#include "primary/pending.h"
#include "replica/intake.h"

/* What is free at the folder that a replica lies in, asked once for each. */
#define STORES 16u
struct store {
	char dir[PATH_MAX];
	uint64_t free, all;
};

struct looking {
	const struct site *S;
	const char *vm;
	int64_t now;
	int (*each)(void *context, const struct overview *o);
	void *context;
	unsigned shown;
	int rc; /* -1: a record could not be read, or shown */
	unsigned nstores;
	struct store stores[STORES];
	struct health health;
};

static int
is_wanted(const struct looking *w, const char *vm, const char *uuid)
{
	return (w->vm == NULL || strcmp(w->vm, vm) == 0 || strcmp(w->vm, uuid) == 0);
}

static void
show(struct looking *w, struct overview *o)
{
	o->S = w->S;
	o->now = w->now;
	o->health = &w->health;
	if (w->each(w->context, o) != 0)
		w->rc = -1;
	w->shown++;
}

/* The site where the lineage began, in words; NULL: not known, or this one. */
static const char *
home_of(const struct site *S, const struct reminders *m, struct health_facts *f, char name[SITE_NAMED])
{
	f->is_home = !reminders_has_home(m) || site_is_own_key(S, m->home);
	return (f->is_home ? NULL : site_name_of(S, m->home, name));
}

/* --- a primary ---------------------------------------------------------------------------------------- */

#define FLIGHT 160u

/* What is on its way to t: which points, since when and where; "" for nothing. */
static void
flight_text(const struct primary *P, const struct primary_target *t, int64_t now, char text[FLIGHT])
{
	const struct primary_shipment *s, *first = NULL;
	char age[32], points[64] = "";
	unsigned i = 0, n = 0;
	size_t used = 0;

	text[0] = '\0';
	while ((s = ledger_next(P, t, &i)) != NULL) {
		if (first == NULL)
			first = s;
		n++;
		if (n <= 4)
			used += (size_t)snprintf(
			    points + used, sizeof points - used, "%s%" PRIu64, n == 1 ? "" : ", ", s->to);
	}
	if (n == 0)
		return;
	point_age_text(age, now - first->at);
	if (n > 4)
		snprintf(points + used, sizeof points - used, " and %u more", n - 4);
	snprintf(text, FLIGHT, "%s on the way, the first since %s%s%.40s%s", points, age,
	    first->where[0] == '\0' ? "" : " (", first->where, first->where[0] == '\0' ? "" : ")");
}

/* An export that was begun and is not finished; one to a pipe is, as far as anybody can tell. */
static void
gather_pending(const struct primary *P, struct health_facts *f, char places[FLIGHT])
{
	struct pending *p;

	if (pending_read(&p, P) != 0)
		return;
	if (p->way != PENDING_PIPE) {
		pending_places(p, places, FLIGHT);
		f->pending = places;
		f->pending_since = p->started;
	}
	pending_free(p);
}

static void
view_primary(struct looking *w, const struct primary *P)
{
	char texts[LIMIT_TARGETS][FLIGHT], places[FLIGHT], name[SITE_NAMED];
	const char *flight[LIMIT_TARGETS];
	struct health_facts f = { .now = w->now, .flight = flight };
	struct overview o = { .P = P,
		.vm = P->vm,
		.uuid = P->uuid,
		.dir = P->dir,
		.side = "primary",
		.role = &P->role,
		.points = P->npoints };

	if (P->npoints > 0)
		o.last = P->points[P->npoints - 1].point;
	for (unsigned i = 0; i < P->ntargets; i++) {
		flight_text(P, &P->targets[i], w->now, texts[i]);
		flight[i] = texts[i][0] == '\0' ? NULL : texts[i];
	}
	gather_pending(P, &f, places);
	f.home = home_of(w->S, &P->reminders, &f, name);
	health_primary(&w->health, P, &f);
	show(w, &o);
}

/* Beside a replica that has not turned, the record of a primary is a leftover.  1 or 0; -1. */
static int
is_leftover(const struct site *S, const char *uuid)
{
	char path[PATH_MAX];
	struct replica *R;
	int rc;

	if (io_path(path, "%s/replicas/%s", site_home(S), uuid) != 0 || (rc = io_exists(path)) < 0)
		return (-1);
	if (rc == 0)
		return (0);
	if (replica_look(&R, S, uuid) != 0)
		return (-1);
	rc = R->role.state != ROLE_TURNED;
	replica_close(R);
	return (rc);
}

static int
look_at_primary(void *context, const char *uuid)
{
	struct looking *w = context;
	struct primary *P;
	int rc = 1;

	if (primary_look(&P, w->S, uuid) != 0)
		return (w->rc = -1, 0);
	if (is_wanted(w, P->vm, uuid) && (rc = is_leftover(w->S, uuid)) == 0)
		view_primary(w, P);
	if (rc < 0)
		w->rc = -1;
	primary_close(P);
	return (0);
}

/* --- a replica ---------------------------------------------------------------------------------------- */

/* The folder that the replica's own lies in, its links followed. */
static int
store_of(const struct replica *R, char dir[PATH_MAX])
{
	char *end;

	if (io_link_of(R->dir, dir) != 0)
		return (-1);
	if ((end = strrchr(dir, '/')) != NULL && end != dir)
		*end = '\0';
	return (0);
}

static int
gather_space(struct looking *w, const struct replica *R, struct health_facts *f)
{
	struct store *s;
	char dir[PATH_MAX];
	unsigned i = 0;

	if (store_of(R, dir) != 0)
		return (-1);
	while (i < w->nstores && strcmp(w->stores[i].dir, dir) != 0)
		i++;
	s = &w->stores[i < STORES ? i : STORES - 1];
	if (i == w->nstores || i == STORES) {
		if (io_space(dir, &s->free, &s->all) != 0)
			return (-1);
		strcpy(s->dir, dir);
		w->nstores += i < STORES;
	}
	f->has_space = 1;
	f->space_free = s->free;
	f->space = s->all;
	return (0);
}

static void
view_replica(struct looking *w, const struct replica *R)
{
	struct health_facts f = { .now = w->now };
	struct overview o = { .R = R,
		.vm = R->vm,
		.uuid = R->uuid,
		.dir = R->dir,
		.side = "replica",
		.role = &R->role,
		.points = R->npoints,
		.staged = R->nstaged };

	if (R->npoints > 0)
		o.last = R->points[R->npoints - 1].point;
	if (gather_space(w, R, &f) != 0)
		w->rc = -1;
	health_replica(&w->health, R, &f);
	show(w, &o);
}

/* The line of a replica that was turned is that of the primary; unless turning it was interrupted. */
static int
is_hidden(const struct site *S, const struct replica *R)
{
	char path[PATH_MAX];

	if (R->role.state != ROLE_TURNED)
		return (0);
	return (io_path(path, "%s/primaries/%s", site_home(S), R->uuid) != 0 ? -1 : io_exists(path));
}

static int
look_at_replica(void *context, const char *uuid)
{
	struct looking *w = context;
	struct replica *R;
	int rc;

	if (replica_look(&R, w->S, uuid) != 0)
		return (w->rc = -1, 0);
	if (is_wanted(w, R->vm, uuid)) {
		if ((rc = is_hidden(w->S, R)) < 0)
			w->rc = -1;
		else if (rc == 0)
			view_replica(w, R);
	}
	replica_close(R);
	return (0);
}

int
overview_each(const struct site *S, const char *vm, int64_t now,
    int (*each)(void *context, const struct overview *o), void *context)
{
	struct looking w = { .S = S, .vm = vm, .now = now, .each = each, .context = context };

	if (primary_each(S, look_at_primary, &w) != 0 || replica_each(S, look_at_replica, &w) != 0)
		return (-1);
	if (w.rc == 0 && vm != NULL && w.shown == 0)
		return (say_refused("%s: no such VM is replicated here", vm));
	return (w.rc);
}

/* --- figures ------------------------------------------------------------------------------------------ */

/* When the newest point was cut that some target has for sure; 0: not known. */
static int64_t
held_at(const struct primary *P, const struct tally_now *now)
{
	int64_t newest = 0;

	for (unsigned i = 0; i < P->ntargets; i++) {
		const struct primary_point *p = primary_point(P, P->targets[i].acked);

		if (p != NULL && p->point.time > newest)
			newest = p->point.time;
	}
	for (unsigned i = 0; i < now->nsites && newest == 0; i++)
		newest = now->sites[i].point_at;
	return (newest);
}

static void
facts_of_primary(struct figures_facts *f, const struct primary *P, const struct tally_now *now)
{
	f->is_primary = 1;
	f->goal = P->role.state == ROLE_DISABLED ? 0 : P->wishes.frequency;
	f->last_cut = P->npoints > 0 ? P->points[P->npoints - 1].point.time : 0;
	f->held_at = held_at(P, now);
	f->pending = P->nshipments;
	for (unsigned i = 0; i < P->nshipments; i++)
		f->pending_bytes += P->shipments[i].bytes;
}

static void
facts_of_replica(struct figures_facts *f, const struct replica *R)
{
	f->goal = R->role.state == ROLE_DISABLED || replica_is_live(R) ? 0 : R->wishes.frequency;
	f->held_at = intake_held(R).seq == 0 ? 0 : intake_held(R).time;
	f->pending = R->nstaged;
	for (unsigned i = 0; i < R->nstaged; i++)
		for (unsigned k = 0; k < R->staged[i].nvolumes; k++)
			f->pending_bytes += R->staged[i].volumes[k].file;
	f->tested = R->test.ended > R->reminders.tested ? R->test.ended : R->reminders.tested;
}

void
overview_figures(const struct overview *o, uint64_t interval, struct figures *out)
{
	struct figures_facts f = { .now = o->now, .since = o->now - (int64_t)interval };
	struct tally_now now;
	struct tally_hour sum;

	tally_look(o->dir, &now);
	tally_sum(o->dir, &f.since, o->now, &sum);
	if (o->P != NULL)
		facts_of_primary(&f, o->P, &now);
	else
		facts_of_replica(&f, o->R);
	figures_make(out, &sum, &f);
}
