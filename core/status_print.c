#include "status_print.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/say.h"

/* --- for people --------------------------------------------------------------------------------------- */

static void
put_byte(char c)
{
	putchar((unsigned char)c < 0x20 || c == 0x7f ? '?' : c);
}

/* A word, which is broken where it is longer than a whole line; the column behind it. */
static unsigned
put_word(const char *word, size_t n, unsigned column, unsigned indent)
{
	for (size_t i = 0; i < n; i++) {
		if (column == STATUS_COLUMNS)
			column = (unsigned)printf("\n%*s", (int)indent, "") - 1;
		put_byte(word[i]);
		column++;
	}
	return (column);
}

void
status_print_text(const char *text, unsigned first, unsigned indent)
{
	unsigned column = (unsigned)printf("%*s", (int)first, "");
	int is_first = 1;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (!is_first && column + 1 + n > STATUS_COLUMNS)
			column = (unsigned)printf("\n%*s", (int)indent, "") - 1;
		else if (!is_first)
			column += (unsigned)printf(" ");
		column = put_word(text, n, column, indent);
		text += n;
		text += *text == ' ';
		is_first = 0;
	}
	putchar('\n');
}

/* The first columns: a long name gets a line of its own. */
#define NAME 16
#define SIDE 7
#define STATE 21
#define LEAD (NAME + 1 + SIDE + 1 + STATE)

void
status_print_head(void)
{
	printf("%-*s %-*s %-*s %-8s %7s  %-20s %6s %6s\n", NAME, "VM", SIDE, "ROLE", STATE, "STATE", "HEALTH",
	    "POINT", "TIME", "POINTS", "STAGED");
}

void
status_print(const struct status_line *l)
{
	const struct health *h = l->health;
	const char *state = role_state_text(l->role->state), *name = l->vm;
	char time[POINT_TIME] = "-", text[2 * HEALTH_TEXT + 32];
	size_t room = LEAD - SIDE - 2 - (strlen(state) > STATE ? strlen(state) : STATE);

	if (strlen(name) > room) {
		status_print_text(name, 0, 2);
		name = "";
	}
	if (l->last.seq != 0)
		point_time_text(time, l->last.time);
	printf("%-*s %-*s %-*s %-8s %7" PRIu64 "  %-20s %6u %6u\n", (int)room, name, SIDE, l->side,
	    (int)(LEAD - SIDE - 2 - room), state, health_grade_text(h->grade), l->last.seq, time, l->points,
	    l->staged);
	for (unsigned i = 0; i < h->n; i++) {
		const struct health_cause *c = &h->causes[i];

		snprintf(text, sizeof text, "%s: %s%s%s", health_grade_text(c->grade), c->text,
		    c->remedy[0] == '\0' ? "" : "; ", c->remedy);
		status_print_text(text, 2, 6);
	}
}

/* --- for programs ------------------------------------------------------------------------------------- */

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

/* A text that may have been cut within a character. */
static json_t *
text_json(const char *text)
{
	char plain[2 * HEALTH_TEXT + 4];
	json_t *s = json_string(text);
	size_t n = 0;

	if (s != NULL)
		return (s);
	for (; text[n] != '\0' && n + 1 < sizeof plain; n++)
		plain[n] = (unsigned char)text[n] < 0x80 ? text[n] : '?';
	return (json_stringn(plain, n));
}

static json_t *
alerts_json(const struct health *h)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < h->n; i++)
		json_array_append_new(a, json_pack("{s:s,s:s,s:s,s:s}", "name", h->causes[i].name, "grade",
		                             health_grade_text(h->causes[i].grade), "text", h->causes[i].text,
		                             "remedy", h->causes[i].remedy));
	return (a);
}

static json_t *
causes_json(const struct health *h)
{
	char text[2 * HEALTH_TEXT + 4];
	json_t *a = json_array();

	for (unsigned i = 0; i < h->n; i++) {
		snprintf(text, sizeof text, "%s%s%s", h->causes[i].text,
		    h->causes[i].remedy[0] == '\0' ? "" : "; ", h->causes[i].remedy);
		json_array_append_new(a, text_json(text));
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
	    h->grade == HEALTH_NORMAL || h->causes[0].remedy[0] == '\0' ? json_null()
	                                                                : text_json(h->causes[0].remedy));
	if (failing != NULL)
		json_object_set_new(o, "failover", failing);
	if (l->more != NULL)
		json_object_update(o, l->more);
	return (o);
}
