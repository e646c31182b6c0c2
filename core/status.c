#include "status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "primary/ledger.h"
#include "primary/pending.h"
#include "primary/primary.h"
#include "replica/missing.h"
#include "replica/replica.h"
#include "base/say.h"

/* One line of status, whichever side it is of. */
#define CAUSES 40u
struct view {
	char vm[LIMIT_NAME + 1];
	char uuid[HEADER_UUID];
	const char *role;
	const char *state;
	const char *health; /* normal, warning or critical */
	char causes[CAUSES][320];
	const char *grade[CAUSES]; /* of each: note, warning or critical */
	unsigned ncauses;
	unsigned points, staged;
	struct point last;
	json_t *targets; /* of a primary; else NULL */
};

struct showing {
	const struct site *S;
	const char *vm;
	int json;
	json_t *list;
	unsigned shown;
	int rc; /* -1: a record could not be read */
};

/* Add a cause; "note" is one that does not touch the health. */
static void __attribute__((format(printf, 3, 4)))
cause(struct view *v, const char *grade, const char *format, ...)
{
	va_list ap;

	if (strcmp(grade, "note") != 0 && strcmp(v->health, "critical") != 0)
		v->health = grade;
	if (v->ncauses == CAUSES)
		return;
	v->grade[v->ncauses] = grade;
	va_start(ap, format);
	vsnprintf(v->causes[v->ncauses++], sizeof v->causes[0], format, ap);
	va_end(ap);
}

static json_t *
last_json(const struct point *p)
{
	char time[POINT_TIME];

	if (p->seq == 0)
		return (json_null());
	point_time_text(time, p->time);
	return (json_pack("{s:I,s:I,s:s,s:s}", "seq", (json_int_t)p->seq, "epoch", (json_int_t)p->epoch,
	    "time", time, "kind", point_kind_text(p->kind)));
}

static void
show_json(struct showing *w, const struct view *v)
{
	json_t *causes = json_array(), *o;

	for (unsigned i = 0; i < v->ncauses; i++)
		json_array_append_new(causes, json_string(v->causes[i]));
	o = json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:i,s:o,s:i}", "vm", v->vm, "uuid", v->uuid, "role", v->role,
	    "state", v->state, "health", v->health, "causes", causes, "points", (int)v->points, "last_point",
	    last_json(&v->last), "staged", (int)v->staged);
	if (v->targets != NULL)
		json_object_set(o, "targets", v->targets);
	json_array_append_new(w->list, o);
}

static void
show(struct showing *w, const struct view *v)
{
	char time[POINT_TIME] = "-";

	w->shown++;
	if (w->json) {
		show_json(w, v);
		return;
	}
	if (w->shown == 1)
		printf("%-20s %-8s %-20s %-9s %8s  %-20s %6s %6s\n", "VM", "ROLE", "STATE", "HEALTH", "POINT",
		    "TIME", "POINTS", "STAGED");
	if (v->last.seq != 0)
		point_time_text(time, v->last.time);
	printf("%-20s %-8s %-20s %-9s %8" PRIu64 "  %-20s %6u %6u\n", v->vm, v->role, v->state, v->health,
	    v->last.seq, time, v->points, v->staged);
	for (unsigned i = 0; i < v->ncauses; i++)
		printf("  %s: %s\n", v->grade[i], v->causes[i]);
}

/* What is on its way to t, as a list; text is the short form: which points, since when and where. */
static json_t *
view_flight(const struct primary *P, const struct primary_target *t, char text[160])
{
	const struct primary_shipment *s, *first = NULL;
	json_t *list = json_array();
	char when[POINT_TIME], age[32], id[2 * RECORD_ID + 1], points[64] = "";
	int64_t now = (int64_t)time(NULL);
	unsigned i = 0, n = 0;
	size_t used = 0;

	text[0] = '\0';
	while ((s = ledger_next(P, t, &i)) != NULL) {
		point_time_text(when, s->at);
		sodium_bin2hex(id, sizeof id, s->id, RECORD_ID);
		json_array_append_new(
		    list, json_pack("{s:s,s:s,s:I,s:I,s:s,s:s,s:i,s:I}", "bundle", id, "type",
		              header_type_text(s->type), "from", (json_int_t)s->from, "to", (json_int_t)s->to,
		              "sent", when, "where", s->where, "volumes", (int)s->volumes, "bytes",
		              (json_int_t)s->bytes));
		if (first == NULL)
			first = s;
		n++;
		if (n <= 4)
			used += (size_t)snprintf(
			    points + used, sizeof points - used, "%s%" PRIu64, n == 1 ? "" : ", ", s->to);
	}
	if (n == 0)
		return (list);
	point_age_text(age, now - first->at);
	if (n > 4)
		snprintf(points + used, sizeof points - used, " and %u more", n - 4);
	snprintf(text, 160, "%s on the way, the first since %s%s%.40s%s", points, age,
	    first->where[0] == '\0' ? "" : " (", first->where, first->where[0] == '\0' ? "" : ")");
	return (list);
}

static void
view_target(struct view *v, const struct primary *P, const struct primary_target *t)
{
	char text[160], time[POINT_TIME] = "";
	json_t *flight = view_flight(P, t, text);
	const char *sep = text[0] == '\0' ? "" : "; ";

	if (t->acked != 0)
		point_time_text(time, t->acked_at);
	json_array_append_new(v->targets,
	    json_pack("{s:s,s:I,s:s,s:I,s:I,s:o}", "site", t->name, "acked", (json_int_t)t->acked, "acked_at",
	        time, "sent", (json_int_t)t->sent, "went_back_to", (json_int_t)t->back, "in_flight", flight));
	if (v->last.seq == 0)
		return;
	if (t->back != 0)
		cause(v, "warning",
		    "site '%s' had point %" PRIu64 " and went back to %" PRIu64
		    "; the next export starts there, where that is still kept, else export --seed%s%s",
		    t->name, t->acked, t->back, sep, text);
	else if (t->acked == 0)
		cause(v, "warning", "no receipt of site '%s' has come yet%s%s", t->name, sep, text);
	else
		cause(
		    v, "note", "site '%s' has point %" PRIu64 " for sure%s%s", t->name, t->acked, sep, text);
}

/* What a primary knows of each of its targets. */
static void
view_targets(struct view *v, const struct primary *P)
{
	unsigned acked = 0;

	v->targets = json_array();
	for (unsigned i = 0; i < P->ntargets; i++) {
		view_target(v, P, &P->targets[i]);
		acked += P->targets[i].acked != 0;
	}
	v->state = v->last.seq == 0 ? "ready-for-initial"
	           : acked == 0     ? "waiting-for-initial"
	                            : "replicating";
}

/* An export that was begun and is not finished. */
static void
view_pending(struct view *v, const struct primary *P)
{
	char places[160], since[32];
	struct pending *p;

	if (pending_read(&p, P) != 0)
		return;
	pending_places(p, places, sizeof places);
	point_age_text(since, (int64_t)time(NULL) - p->started);
	if (p->way != PENDING_PIPE)
		cause(v, "note",
		    "an export, begun %s ago, is not finished%s%s; the same command goes on with it", since,
		    places[0] == '\0' ? "" : ": ", places);
	pending_free(p);
}

static void
view_age(struct view *v, uint64_t frequency)
{
	int64_t age = (int64_t)time(NULL) - v->last.time;

	if (v->last.seq != 0 && frequency != 0 &&
	    age > (int64_t)(frequency * 3 > 3600 ? frequency * 3 : 3600))
		cause(v, "warning",
		    "the last point is %" PRId64 " seconds old; one is meant to come every %" PRIu64, age,
		    frequency);
}

static int
show_primary(void *context, const char *uuid)
{
	struct showing *w = context;
	struct view v = { .role = "primary", .health = "normal" };
	struct primary *P;

	if (primary_look(&P, w->S, uuid) != 0)
		return (w->rc = -1, 0);
	if (w->vm == NULL || strcmp(w->vm, P->vm) == 0 || strcmp(w->vm, uuid) == 0) {
		strcpy(v.vm, P->vm);
		strcpy(v.uuid, P->uuid);
		v.points = P->npoints;
		if (primary_last(P) != NULL)
			v.last = primary_last(P)->point;
		view_targets(&v, P);
		view_pending(&v, P);
		view_age(&v, P->wishes.frequency);
		show(w, &v);
		json_decref(v.targets);
	}
	primary_close(P);
	return (0);
}

static void
missing(void *context, const char *text)
{
	cause(context, "note", "%s", text);
}

/* What stands on the disks of a replica. */
static void
view_failover(struct view *v, const struct replica *R)
{
	char since[POINT_TIME];

	point_time_text(since, R->test.is_on ? R->test.since : R->failover.since);
	if (R->test.is_on)
		cause(v, "note", "a test failover from point %" PRIu64 " stands since %s; merges wait",
		    R->test.at.seq, since);
	if (R->role.state == ROLE_FAILOVER)
		cause(v, "warning",
		    "it has failed over to here, to point %" PRIu64
		    ", at %s, and is not complete; merges wait",
		    R->role.at.seq, since);
	if (R->role.state == ROLE_FAILED_OVER)
		cause(v, "warning",
		    "it has failed over to here, to point %" PRIu64
		    ", at %s, and nothing protects it until 'vmferry reverse'%s",
		    R->role.at.seq, since,
		    R->failover.has_overlays ? "; it runs on overlays that are not in its disks yet" : "");
}

static int
show_replica(void *context, const char *uuid)
{
	struct showing *w = context;
	struct view v = { .role = "replica", .health = "normal" };
	struct replica *R;

	if (replica_look(&R, w->S, uuid) != 0)
		return (w->rc = -1, 0);
	if (w->vm == NULL || strcmp(w->vm, R->vm) == 0 || strcmp(w->vm, uuid) == 0) {
		strcpy(v.vm, R->vm);
		strcpy(v.uuid, R->uuid);
		v.state = role_state_text(R->role.state);
		v.points = R->npoints;
		v.staged = R->nstaged;
		if (replica_last(R) != NULL)
			v.last = replica_last(R)->point;
		if (R->role.cause[0] != '\0')
			cause(&v, "critical", "%s", R->role.cause);
		if (R->role.state == ROLE_WAITING)
			cause(&v, "warning", "the seed is not in yet");
		for (unsigned i = 0, n = 0; i < R->npoints; i++)
			if (R->points[i].is_damaged && n++ == 0)
				cause(&v, "critical",
				    "point %" PRIu64 " and others before it may not come back: the disks had "
				    "changed by themselves",
				    R->points[i].point.seq);
		missing_each(R, missing, &v);
		view_failover(&v, R);
		if (R->merging)
			cause(&v, "warning", "a merge was interrupted; the next command on it goes on");
		show(w, &v);
	}
	replica_close(R);
	return (0);
}

int
status(const struct site *S, const char *vm, int json)
{
	struct showing w = { .S = S, .vm = vm, .json = json, .list = json_array() };
	int rc = 0;

	if (primary_each(S, show_primary, &w) != 0 || replica_each(S, show_replica, &w) != 0)
		rc = -1;
	if (rc == 0)
		rc = w.rc;
	if (rc == 0 && vm != NULL && w.shown == 0)
		rc = say_refused("%s: no such VM is replicated here", vm);
	if (rc == 0 && json && (json_dumpf(w.list, stdout, JSON_INDENT(1)) != 0 || putchar('\n') == EOF))
		rc = -1;
	json_decref(w.list);
	return (rc);
}
