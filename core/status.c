#include "status.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <time.h>

#include "overview.h"
#include "primary/ledger.h"
#include "replica/outbox.h"
#include "status_print.h"

struct showing {
	int json;
	json_t *list;
	unsigned shown;
};

static void
show(struct showing *w, const struct status_line *l, const struct site *S)
{
	if (w->json)
		json_array_append_new(w->list, status_json(l, S));
	else if (w->shown == 0)
		status_print_head();
	if (!w->json)
		status_print(l);
	w->shown++;
}

/* --- a primary ---------------------------------------------------------------------------------------- */

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

/* What is on its way to t. */
static json_t *
gather_flight(const struct primary *P, const struct primary_target *t)
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
		           "in_flight", gather_flight(P, t)));
	}
	return (a);
}

/* --- a replica ---------------------------------------------------------------------------------------- */

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

/* A time, or null. */
static json_t *
time_json(int64_t time)
{
	char text[POINT_TIME];

	if (time == 0)
		return (json_null());
	point_time_text(text, time);
	return (json_string(text));
}

/* The newest test: one that a person only told of has no point. */
static json_t *
last_test_json(const struct replica *R)
{
	const struct replica_test *t = &R->test;

	if (R->reminders.tested > t->ended)
		return (json_pack("{s:n,s:o,s:s}", "point", "ended", time_json(R->reminders.tested), "result",
		    "confirmed by hand"));
	if (t->last.seq == 0)
		return (NULL);
	return (json_pack("{s:I,s:o,s:s}", "point", (json_int_t)t->last.seq, "ended", time_json(t->ended),
	    "result", t->result));
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
		    json_pack(
		        "{s:I,s:o}", "point", (json_int_t)R->test.at.seq, "since", time_json(R->test.since)));
	if (R->role.at.seq != 0)
		json_object_set_new(o, "failover",
		    json_pack("{s:I,s:b,s:b,s:o,s:b}", "point", (json_int_t)R->role.at.seq, "planned",
		        R->role.is_planned, "completed", R->role.state != ROLE_FAILOVER, "since",
		        time_json(R->failover.since), "settled", !R->failover.has_overlays));
	if (R->nforwards > 0)
		json_object_set_new(o, "forwards", gather_forwards(R));
	return (o);
}

/* --- both --------------------------------------------------------------------------------------------- */

static int
view(void *context, const struct overview *o)
{
	struct status_line l = { .vm = o->vm,
		.uuid = o->uuid,
		.side = o->side,
		.role = o->role,
		.health = o->health,
		.last = o->last,
		.points = o->points,
		.staged = o->staged };

	l.more = o->P != NULL ? json_pack("{s:o}", "targets", gather_targets(o->P)) : gather_rest(o->R);
	show(context, &l, o->S);
	json_decref(l.more);
	return (0);
}

int
status(const struct site *S, const char *vm, int json)
{
	struct showing w = { .json = json, .list = json_array() };
	int rc = overview_each(S, vm, (int64_t)time(NULL), view, &w);

	if (rc == 0 && json && (json_dumpf(w.list, stdout, JSON_INDENT(1)) != 0 || putchar('\n') == EOF))
		rc = -1;
	json_decref(w.list);
	return (rc);
}
