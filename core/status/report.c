#include "status/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/say.h"
#include "status/report_page.h"
#include "status/report_vm.h"
#include "status/status_view.h"

struct gathering {
	struct status_view view;
	int is_partial; /* some record could not be read, or shown */
	unsigned n, room;
	struct report_row *rows;
	unsigned nkept; /* rows with details */
	unsigned kept[REPORT_DETAILS];
	struct tally_event events[TALLY_EVENTS];
	struct tally_hour hours[TALLY_HOURS];
};

static void
free_row(struct report_row *r)
{
	free(r->vm);
	free(r->uuid);
	free(r->text);
	free(r->remedy);
	free(r->details);
}

/* --- a row -------------------------------------------------------------------------------------------- */

/* The worst of its causes, if that asks for a person. */
static void
fill_cause(struct report_row *r, const struct health *h)
{
	if (h->grade != HEALTH_NORMAL) {
		r->cause = h->causes[0].name;
		r->text = strdup(h->causes[0].text);
		r->remedy = strdup(h->causes[0].remedy);
	} else {
		r->text = strdup("");
		r->remedy = strdup("");
	}
	while (r->ncauses < h->n && h->causes[r->ncauses].grade > HEALTH_NOTE)
		r->ncauses++;
}

static void
fill_flight(struct report_row *r, const struct primary *P)
{
	r->flight = P->nshipments;
	if (P->nshipments > 0)
		r->flight_since = P->shipments[0].at;
}

/* 0; -1: no memory. */
static int
fill_row(struct report_row *r, const struct status_line *l, unsigned id)
{
	const struct figures *f = &l->gauge->figures;

	*r = (struct report_row){ .side = l->side,
		.state = role_state_text(l->role->state),
		.grade = l->health->grade,
		.last = l->last,
		.safe = f->has_rpo ? l->now - (int64_t)f->rpo : 0,
		.goal = f->goal,
		.points = l->points,
		.id = id };
	r->vm = strdup(l->vm);
	r->uuid = strdup(l->uuid);
	fill_cause(r, l->health);
	if (l->P != NULL)
		fill_flight(r, l->P);
	return (r->vm == NULL || r->uuid == NULL || r->text == NULL || r->remedy == NULL ? -1 : 0);
}

/* A row more, which is blank; NULL: no memory. */
static struct report_row *
new_row(struct gathering *g)
{
	if (g->n == g->room) {
		unsigned room = g->room == 0 ? 64 : 2 * g->room;
		struct report_row *rows = realloc(g->rows, room * sizeof *rows);

		if (rows == NULL)
			return (NULL);
		g->rows = rows;
		g->room = room;
	}
	g->rows[g->n] = (struct report_row){ 0 };
	return (&g->rows[g->n++]);
}

/* --- details ------------------------------------------------------------------------------------------ */

/* Is the last row among those that need details most?  Then it has a place, and who needs them less has none any more. */
static int
take_place(struct gathering *g)
{
	unsigned least = 0, last = g->n - 1;

	if (g->nkept < REPORT_DETAILS) {
		g->kept[g->nkept++] = last;
		return (1);
	}
	for (unsigned i = 1; i < g->nkept; i++)
		if (report_page_order(&g->rows[g->kept[i]], &g->rows[g->kept[least]]) > 0)
			least = i;
	if (report_page_order(&g->rows[last], &g->rows[g->kept[least]]) >= 0)
		return (0);
	free(g->rows[g->kept[least]].details);
	g->rows[g->kept[least]].details = NULL;
	g->kept[least] = last;
	return (1);
}

/* 0; -1, said. */
static int
fill_details(struct gathering *g, struct report_row *r, const struct status_line *l)
{
	struct report_vm v = { .S = g->view.S,
		.from = l->now - g->view.interval,
		.now = l->now,
		.id = r->id,
		.P = l->P,
		.R = l->R,
		.health = l->health,
		.figures = &l->gauge->figures,
		.events = g->events,
		.hours = g->hours };
	const char *dir = l->P != NULL ? l->P->dir : l->R->dir;
	size_t size;
	FILE *out = open_memstream(&r->details, &size);
	int rc;

	if (out == NULL)
		return (say_failed("out of memory"));
	v.nevents = tally_events(dir, g->events);
	v.nhours = tally_hours(dir, v.from, v.now, g->hours);
	rc = report_vm_put(out, &v);
	if (fclose(out) != 0 && rc == 0)
		rc = say_failed("out of memory");
	return (rc);
}

static int
take(void *context, const struct status_line *l)
{
	struct gathering *g = context;
	struct report_row *r = new_row(g);

	if (r == NULL)
		return (say_failed("out of memory"));
	if (fill_row(r, l, g->n) != 0) {
		free_row(r);
		g->n--;
		return (say_failed("out of memory"));
	}
	return (take_place(g) ? fill_details(g, r, l) : 0);
}

static int
look_at_primary(void *context, const char *uuid)
{
	struct gathering *g = context;

	g->is_partial |= status_view_primary(&g->view, uuid, g) < 0;
	return (0);
}

static int
look_at_replica(void *context, const char *uuid)
{
	struct gathering *g = context;

	g->is_partial |= status_view_replica(&g->view, uuid, g) < 0;
	return (0);
}

/* Each VM, one after the other: 0; 1, said: the one that is asked for is not here; -1, said: not all of them. */
static int
gather(struct gathering *g)
{
	pthread_mutex_init(&g->view.lock, NULL);
	if (primary_each(g->view.S, look_at_primary, g) != 0 ||
	    replica_each(g->view.S, look_at_replica, g) != 0)
		g->is_partial = 1;
	pthread_mutex_destroy(&g->view.lock);
	if (g->view.vm != NULL && g->n == 0 && !g->is_partial)
		return (say_refused("%s: no such VM is replicated here", g->view.vm));
	return (g->is_partial ? -1 : 0);
}

/* --- the page ----------------------------------------------------------------------------------------- */

static int
write_page(const char *path, const struct report_page *p)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int rc = 0;

	if (out == NULL)
		return (say_failed("out of memory"));
	report_page_put(out, p);
	if (fclose(out) != 0)
		rc = say_failed("out of memory");
	else if (strcmp(path, "-") != 0)
		rc = io_replace(path, text, size, 0644);
	else
		(void)fwrite(text, 1, size, stdout); /* say_exit sees whether it went out */
	free(text);
	return (rc);
}

int
report_html(const struct site *S, const char *path, const char *vm, uint64_t interval)
{
	struct gathering *g = calloc(1, sizeof *g);
	struct report_page p = { .site = site_card(S)->name, .interval = interval };
	int rc;

	if (g == NULL)
		return (say_failed("out of memory"));
	g->view.S = S;
	g->view.vm = vm;
	g->view.now = p.now = (int64_t)time(NULL);
	g->view.interval = (int64_t)interval;
	g->view.show = take;
	rc = gather(g);
	if (g->n > 0)
		qsort(g->rows, g->n, sizeof *g->rows, report_page_order);
	p.vm = vm == NULL || g->n == 0 ? NULL : g->rows[0].vm;
	p.is_partial = g->is_partial;
	p.n = g->n;
	p.rows = g->rows;
	if (rc != 1 && write_page(path, &p) != 0)
		rc = -1;
	for (unsigned i = 0; i < g->n; i++)
		free_row(&g->rows[i]);
	free(g->rows);
	free(g);
	return (rc);
}
