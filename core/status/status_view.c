#include "status/status_view.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "point_json.h"
#include "base/io.h"
#include "base/say.h"
#include "primary/ledger.h"
#include "primary/pending.h"
#include "replica/outbox.h"
#include "site/folders.h"

/* 1 or 0; -1, said. */
static int
may_be_wanted(const struct status_view *v, const char *kind, const char *uuid)
{
	return (v->vm == NULL || strcmp(v->vm, uuid) == 0 ? 1 : folders_may_be(v->S, kind, uuid, v->vm));
}

static int
is_wanted(const struct status_view *v, const char *vm, const char *uuid)
{
	return (v->vm == NULL || strcmp(v->vm, vm) == 0 || strcmp(v->vm, uuid) == 0);
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

static json_t *
shipment_json(const struct primary_shipment *s)
{
	char when[POINT_TIME], id[2 * RECORD_ID + 1];

	point_time_text(when, s->at);
	sodium_bin2hex(id, sizeof id, s->id, RECORD_ID);
	return (json_pack("{s:s,s:s,s:I,s:I,s:s,s:s,s:i,s:I}", "bundle", id, "type",
	    header_type_text(s->type), "from", (json_int_t)s->from, "to", (json_int_t)s->to, "sent", when,
	    "where", s->where, "volumes", (int)s->volumes, "bytes", (json_int_t)s->bytes));
}

/* What is on its way to t: which points, since when and where.  0: nothing is. */
static int
tell_flight(const struct primary *P, const struct primary_target *t, int64_t now, char text[FLIGHT])
{
	const struct primary_shipment *s, *first = NULL;
	char age[32], points[64] = "";
	unsigned i = 0, n = 0;
	size_t used = 0;

	while ((s = ledger_next(P, t, &i)) != NULL) {
		if (first == NULL)
			first = s;
		n++;
		if (n <= 4)
			used += (size_t)snprintf(
			    points + used, sizeof points - used, "%s%" PRIu64, n == 1 ? "" : ", ", s->to);
	}
	if (n == 0)
		return (0);
	point_age_text(age, now - first->at);
	if (n > 4)
		snprintf(points + used, sizeof points - used, " and %u more", n - 4);
	snprintf(text, FLIGHT, "%s on the way, the first since %s%s%.40s%s", points, age,
	    first->where[0] == '\0' ? "" : " (", first->where, first->where[0] == '\0' ? "" : ")");
	return (1);
}

/* The same for programs. */
static json_t *
flight_json(const struct primary *P, const struct primary_target *t)
{
	const struct primary_shipment *s;
	json_t *list = json_array();
	unsigned i = 0;

	while ((s = ledger_next(P, t, &i)) != NULL)
		json_array_append_new(list, shipment_json(s));
	return (list);
}

/* What a primary knows of each of its targets. */
static json_t *
gather_targets(const struct primary *P)
{
	json_t *a = json_array();
	char time[POINT_TIME];

	for (unsigned i = 0; i < P->ntargets; i++) {
		const struct primary_target *t = &P->targets[i];

		time[0] = '\0';
		if (t->acked != 0)
			point_time_text(time, t->acked_at);
		json_array_append_new(
		    a, json_pack("{s:s,s:I,s:s,s:I,s:I,s:o}", "site", t->name, "acked", (json_int_t)t->acked,
		           "acked_at", time, "sent", (json_int_t)t->sent, "went_back_to", (json_int_t)t->back,
		           "in_flight", flight_json(P, t)));
	}
	return (a);
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

static int
view_primary(struct status_view *v, const struct primary *P, void *context)
{
	char texts[LIMIT_TARGETS][FLIGHT], places[FLIGHT], name[SITE_NAMED];
	const char *flight[LIMIT_TARGETS];
	struct gauge g;
	struct health h;
	struct health_facts f = { .now = v->now, .flight = flight, .tally = &g.now };
	struct status_line l = { .vm = P->vm,
		.uuid = P->uuid,
		.side = "primary",
		.role = &P->role,
		.health = &h,
		.gauge = &g,
		.now = v->now,
		.P = P,
		.points = P->npoints };
	int rc;

	gauge_primary(&g, P, v->now, v->interval);
	if (P->npoints > 0)
		l.last = P->points[P->npoints - 1].point;
	for (unsigned i = 0; i < P->ntargets; i++)
		flight[i] = tell_flight(P, &P->targets[i], v->now, texts[i]) ? texts[i] : NULL;
	if (v->has_more)
		l.more = json_pack("{s:o}", "targets", gather_targets(P));
	gather_pending(P, &f, places);
	f.home = home_of(v->S, &P->reminders, &f, name);
	health_primary(&h, P, &f);
	rc = v->show(context, &l);
	json_decref(l.more);
	return (rc);
}

int
status_view_primary(struct status_view *v, const char *uuid, void *context)
{
	struct primary *P;
	int rc = may_be_wanted(v, "primaries", uuid);

	if (rc <= 0)
		return (rc < 0 ? -1 : 1);
	if (primary_look(&P, v->S, uuid) != 0)
		return (-1);
	if (!is_wanted(v, P->vm, uuid))
		rc = 1;
	else if ((rc = replica_has_say(v->S, uuid)) == 0 /* else it is a leftover */)
		rc = view_primary(v, P, context);
	primary_close(P);
	return (rc);
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
gather_space(struct status_view *v, const struct replica *R, struct health_facts *f)
{
	struct status_store *s;
	char dir[PATH_MAX];
	unsigned i = 0;
	int rc = 0;

	if (store_of(R, dir) != 0)
		return (-1);
	pthread_mutex_lock(&v->lock);
	while (i < v->nstores && strcmp(v->stores[i].dir, dir) != 0)
		i++;
	s = &v->stores[i < STATUS_STORES ? i : STATUS_STORES - 1];
	if (i == v->nstores || i == STATUS_STORES) {
		s->dir[0] = '\0';
		if ((rc = io_space(dir, &s->free, &s->all)) == 0)
			strcpy(s->dir, dir);
		v->nstores += rc == 0 && i < STATUS_STORES;
	}
	f->has_space = rc == 0;
	f->space_free = s->free;
	f->space = s->all;
	pthread_mutex_unlock(&v->lock);
	return (rc);
}

/* The sites that a replica forwards to: what they have, and what waits for them. */
static json_t *
gather_forwards(const struct replica *R)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < R->nforwards; i++) {
		const struct replica_forward *f = &R->forwards[i];
		struct outbox_tally t = outbox_tally(R, f);

		json_array_append_new(
		    list, json_pack("{s:s,s:I,s:i,s:i,s:I,s:I,s:I}", "site", f->name, "acked",
		              (json_int_t)f->acked.seq, "volumes", (int)t.volumes, "sent", (int)t.sent,
		              "bytes", (json_int_t)t.bytes, "up_to", (json_int_t)outbox_reach(R, f).seq,
		              "lost", (json_int_t)f->lost.seq));
	}
	return (list);
}

/* The newest test: one that a person only told of has no point. */
static json_t *
last_test_json(const struct replica *R)
{
	const struct replica_test *t = &R->test;

	if (R->reminders.tested > t->ended)
		return (json_pack("{s:n,s:o,s:s}", "point", "ended", point_encode_time(R->reminders.tested),
		    "result", "confirmed by hand"));
	if (t->last.seq == 0)
		return (NULL);
	return (json_pack("{s:I,s:o,s:s}", "point", (json_int_t)t->last.seq, "ended",
	    point_encode_time(t->ended), "result", t->result));
}

/* What a replica has beside what every line has. */
static json_t *
gather_rest(const struct replica *R)
{
	json_t *o = json_object(), *last = last_test_json(R);

	if (last != NULL)
		json_object_set_new(o, "last_test", last);
	if (R->test.is_on)
		json_object_set_new(o, "test",
		    json_pack("{s:I,s:o}", "point", (json_int_t)R->test.at.seq, "since",
		        point_encode_time(R->test.since)));
	if (R->role.at.seq != 0)
		json_object_set_new(o, "failover",
		    json_pack("{s:I,s:b,s:b,s:o,s:b}", "point", (json_int_t)R->role.at.seq, "planned",
		        R->role.is_planned, "completed", R->role.state != ROLE_FAILOVER, "since",
		        point_encode_time(R->failover.since), "settled", !R->failover.has_overlays));
	if (R->nforwards > 0)
		json_object_set_new(o, "forwards", gather_forwards(R));
	return (o);
}

static int
view_replica(struct status_view *v, const struct replica *R, void *context)
{
	struct gauge g;
	struct health h;
	struct health_facts f = { .now = v->now, .tally = &g.now };
	struct status_line l = { .vm = R->vm,
		.uuid = R->uuid,
		.side = "replica",
		.role = &R->role,
		.health = &h,
		.gauge = &g,
		.now = v->now,
		.R = R,
		.points = R->npoints,
		.staged = R->nstaged };
	int rc;

	gauge_replica(&g, R, v->now, v->interval);
	if (R->npoints > 0)
		l.last = R->points[R->npoints - 1].point;
	rc = gather_space(v, R, &f);
	if (v->has_more)
		l.more = gather_rest(R);
	health_replica(&h, R, &f);
	if (v->show(context, &l) != 0)
		rc = -1;
	json_decref(l.more);
	return (rc);
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

int
status_view_replica(struct status_view *v, const char *uuid, void *context)
{
	struct replica *R;
	int rc = may_be_wanted(v, "replicas", uuid);

	if (rc <= 0)
		return (rc < 0 ? -1 : 1);
	if (replica_look(&R, v->S, uuid) != 0)
		return (-1);
	if (!is_wanted(v, R->vm, uuid))
		rc = 1;
	else if ((rc = is_hidden(v->S, R)) == 0)
		rc = view_replica(v, R, context);
	replica_close(R);
	return (rc);
}
