#include "status/status_json.h"

#include <sodium.h>
#include <stdio.h>

#include "jsontext.h"

json_t *
status_json_point(const struct point *p)
{
	char time[POINT_TIME];

	if (p->seq == 0)
		return (json_null());
	point_time_text(time, p->time);
	return (json_pack("{s:I,s:I,s:s,s:s}", "seq", (json_int_t)p->seq, "epoch", (json_int_t)p->epoch,
	    "time", time, "kind", point_kind_text(p->kind)));
}

json_t *
status_json_history(const struct history *h, const struct site *S)
{
	char name[SITE_NAMED], key[2 * RECORD_KEY + 1];
	json_t *a = json_array();

	for (unsigned i = 0; i < h->n; i++) {
		const struct history_turn *t = &h->turns[i];

		sodium_bin2hex(key, sizeof key, t->site, RECORD_KEY);
		json_array_append_new(
		    a, json_pack("{s:I,s:I,s:s,s:s}", "epoch", (json_int_t)t->epoch, "behind",
		           (json_int_t)t->seq, "site", site_name_of(S, t->site, name), "key", key));
	}
	return (a);
}

/* Texts may have been cut within a character. */
static json_t *
alerts_json(const struct health *h)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < h->n; i++)
		json_array_append_new(
		    a, json_pack("{s:s,s:s,s:o,s:o}", "name", h->causes[i].name, "grade",
		           health_grade_text(h->causes[i].grade), "text", jsontext_words(h->causes[i].text),
		           "remedy", jsontext_words(h->causes[i].remedy)));
	return (a);
}

static json_t *
causes_json(const struct health *h)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < h->n; i++) {
		json_t *text = jsontext_words(h->causes[i].text),
		       *remedy = jsontext_words(h->causes[i].remedy);

		json_array_append_new(
		    a, json_sprintf("%s%s%s", json_string_value(text),
		           h->causes[i].remedy[0] == '\0' ? "" : "; ", json_string_value(remedy)));
		json_decref(text);
		json_decref(remedy);
	}
	return (a);
}

/* The planned failover that it is locked for; NULL where there is none. */
static json_t *
failover_json(const struct role *r, const struct site *S)
{
	char name[SITE_NAMED];

	if (r->side == ROLE_PRIMARY && r->locked != 0)
		return (json_pack("{s:I,s:b,s:s}", "point", (json_int_t)r->locked, "planned", 1, "site",
		    site_name_of(S, r->locked_for, name)));
	return (NULL);
}

json_t *
status_json(const struct status_line *l, const struct site *S)
{
	const struct health *h = l->health;
	json_t *failing = failover_json(l->role, S);
	json_t *o = json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:i,s:o,s:i}", "vm", l->vm, "uuid", l->uuid, "role",
	    l->side, "state", role_state_text(l->role->state), "health", health_grade_text(h->grade),
	    "causes", causes_json(h), "points", (int)l->points, "last_point", status_json_point(&l->last),
	    "staged", (int)l->staged);

	json_object_set_new(o, "epoch", json_integer((json_int_t)history_epoch(&l->role->history)));
	json_object_set_new(o, "fenced", json_boolean(l->role->is_fenced));
	json_object_set_new(o, "alerts", alerts_json(h));
	json_object_set_new(o, "history", status_json_history(&l->role->history, S));
	json_object_set_new(o, "next",
	    h->grade == HEALTH_NORMAL || h->causes[0].remedy[0] == '\0'
	        ? json_null()
	        : jsontext_words(h->causes[0].remedy));
	if (failing != NULL)
		json_object_set_new(o, "failover", failing);
	if (l->gauge->has_figures)
		json_object_set_new(o, "figures", gauge_json(&l->gauge->figures));
	if (l->more != NULL)
		json_object_update(o, l->more);
	return (o);
}
