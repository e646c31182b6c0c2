#include "status/report_charts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "primary/ledger.h"
#include "primary/plan.h"
#include "status/report_svg.h"
#include "status/report_text.h"

#define ID 32u
#define WORDS 512u

/* What a chart is built of. */
struct drawing {
	char id[ID], words[WORDS];
	struct report_svg frame;
};

static void
frame(struct drawing *d, const struct report_vm *v, const char *kind, unsigned number, const char *title)
{
	snprintf(d->id, sizeof d->id, "v%u%s%u", v->id, kind, number);
	d->words[0] = '\0';
	d->frame = (struct report_svg){
		.id = d->id, .title = title, .text = d->words, .from = v->from, .to = v->now
	};
}

static void
caption(FILE *out, const char *text, const char *site)
{
	fprintf(out, "<figure><figcaption>%s", text);
	if (site != NULL) {
		fputs(" <bdi>", out);
		report_text_short(out, site, 48);
		fputs("</bdi>", out);
	}
	fputs("<small>", out);
}

/* --- how old ------------------------------------------------------------------------------------------ */

/* Is the event of that site, or of whichever there is (NULL)?  Names are cut short in events. */
static int
is_of(const struct tally_event *e, const char *site)
{
	return (site == NULL || e->site[0] == '\0' || strncmp(e->site, site, TALLY_SITE - 1) == 0);
}

static int
by_arrival(const void *a, const void *b)
{
	const struct report_svg_arrival *x = a, *y = b;

	return (x->at < y->at ? -1 : x->at > y->at);
}

struct ages {
	struct report_svg_arrival arrivals[TALLY_EVENTS];
	int64_t failed[TALLY_EVENTS];
	struct report_svg_peak peaks[TALLY_HOURS];
	struct report_svg_ages all;
};

/* What came to that site, or came in from it. */
static void
gather_ages(struct ages *a, const struct report_vm *v, const char *site, int has_hours)
{
	enum tally_kind kind = v->P != NULL ? TALLY_ACKED : TALLY_TAKEN;

	a->all = (struct report_svg_ages){ .arrivals = a->arrivals, .peaks = a->peaks, .failed = a->failed };
	for (unsigned i = 0; i < v->nevents && i < TALLY_EVENTS; i++) {
		const struct tally_event *e = &v->events[i];

		if (e->kind == kind && e->point_at != 0 && is_of(e, site))
			a->arrivals[a->all.n++] = (struct report_svg_arrival){ e->at, e->point_at };
		if (e->kind == TALLY_FAILED && is_of(e, site))
			a->failed[a->all.nfailed++] = e->at;
	}
	/* They are in the order in which they were noted: a clock may have gone back. */
	qsort(a->arrivals, a->all.n, sizeof *a->arrivals, by_arrival);
	for (unsigned i = 0; has_hours && i < v->nhours && i < TALLY_HOURS; i++)
		if (v->hours[i].n[kind] != 0)
			a->peaks[a->all.npeaks++] = (struct report_svg_peak){ v->hours[i].hour * 3600,
				v->hours[i].hour * 3600 + 3600, v->hours[i].rpo };
	a->all.goal = v->figures->goal;
}

static void
put_ages(FILE *out, const struct report_vm *v, const char *site, int has_hours, unsigned number)
{
	struct ages *a = malloc(sizeof *a);
	char most[PLAN_TEXT], goal[PLAN_TEXT];
	struct drawing d = { .id = "" };

	if (a == NULL)
		return;
	frame(&d, v, "a", number, "RPO over time");
	gather_ages(a, v, site, has_hours);
	caption(out, v->P != NULL ? "RPO at" : "RPO here, from", v->P != NULL ? site : v->R->primary);
	if (a->all.n + a->all.npeaks == 0) {
		fputs("Nothing was counted yet.</small></figcaption></figure>\n", out);
		free(a);
		return;
	}
	plan_time_text(most, report_svg_largest(&d.frame, &a->all));
	plan_time_text(goal, a->all.goal);
	snprintf(d.words, sizeof d.words,
	    "How old the newest point was that is there for sure: at most %s%s%s; %u cycles failed.", most,
	    a->all.goal == 0 ? "" : ", where the goal is ", a->all.goal == 0 ? "" : goal, a->all.nfailed);
	fprintf(out, "age of the newest safe point: at most %s%s%s%s</small></figcaption>\n", most,
	    a->all.goal == 0 ? "" : ", goal ", a->all.goal == 0 ? "" : goal,
	    a->all.nfailed == 0 ? "" : "; &times; a failed cycle");
	report_svg_ages(out, &d.frame, &a->all);
	fputs("</figure>\n", out);
	free(a);
}

static void
put_all_ages(FILE *out, const struct report_vm *v)
{
	if (v->R != NULL)
		put_ages(out, v, NULL, 1, 0);
	for (unsigned i = 0; v->P != NULL && i < v->P->ntargets && i < REPORT_CHARTS_SITES; i++)
		put_ages(out, v, v->P->targets[i].name, v->P->ntargets == 1, i);
}

/* --- how large ---------------------------------------------------------------------------------------- */

static int
is_delta(const struct report_vm *v, const struct tally_event *e)
{
	return (e->kind == (v->P != NULL ? TALLY_SENT : TALLY_TAKEN) && !e->is_seed && e->bytes != 0);
}

/* One by one, and in front of those the largest of each hour. */
static unsigned
gather_bars(struct report_svg_bar *bars, const struct report_vm *v)
{
	int64_t first = v->now;
	unsigned n = 0;

	for (unsigned i = 0; i < v->nevents; i++) {
		first = v->events[i].at < first ? v->events[i].at : first;
		if (is_delta(v, &v->events[i]) && v->events[i].at >= v->from)
			bars[n++] = (struct report_svg_bar){ v->events[i].at, v->events[i].bytes };
	}
	for (unsigned i = 0; i < v->nhours; i++) {
		int64_t start = v->hours[i].hour * 3600, end = start + 3600 < first ? start + 3600 : first;

		start = start < v->from ? v->from : start;
		if (v->hours[i].deltas != 0 && start < end)
			bars[n++] =
			    (struct report_svg_bar){ start + (end - start) / 2, v->hours[i].largest_delta };
	}
	return (n);
}

static void
put_sizes(FILE *out, const struct report_vm *v)
{
	struct report_svg_bar *bars = calloc(v->nevents + v->nhours + 1, sizeof *bars);
	char most[PLAN_TEXT], each[PLAN_TEXT];
	struct drawing d = { .id = "" };
	uint64_t largest = 0;
	unsigned n;

	if (bars == NULL)
		return;
	frame(&d, v, "s", 0, "Sizes of deltas over time");
	n = gather_bars(bars, v);
	caption(out, v->P != NULL ? "Deltas sent" : "Deltas received", NULL);
	if (n == 0) {
		fputs("None in this time.</small></figcaption></figure>\n", out);
		free(bars);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		largest = bars[i].bytes > largest ? bars[i].bytes : largest;
	plan_size_text(most, largest);
	plan_time_text(each, (uint64_t)(v->now - v->from) / REPORT_SVG_BARS);
	snprintf(d.words, sizeof d.words, "The largest is %s.  A bar is the largest of %s.", most, each);
	fprintf(out, "the largest %s; a bar is the largest of %s</small></figcaption>\n", most, each);
	report_svg_bars(out, &d.frame, bars, n);
	fputs("</figure>\n", out);
	free(bars);
}

/* --- which points ------------------------------------------------------------------------------------- */

struct lanes {
	unsigned n;
	struct report_svg_lane lanes[LIMIT_TARGETS + 2];
	struct report_svg_mark *marks, *next; /* of all of them */
};

static enum report_svg_shape
shape_of(enum point_kind kind)
{
	return (kind == POINT_APP     ? REPORT_SVG_DIAMOND
	        : kind == POINT_FINAL ? REPORT_SVG_SQUARE
	                              : REPORT_SVG_ROUND);
}

static struct report_svg_mark
mark_of(const struct point *p)
{
	return ((struct report_svg_mark){ .at = p->time, .seq = p->seq, .shape = shape_of(p->kind) });
}

static int
by_time(const void *a, const void *b)
{
	const struct report_svg_mark *m = a, *n = b;

	return (m->at < n->at ? -1 : m->at > n->at);
}

/* What was put behind L->next becomes a lane. */
static void
end_lane(struct lanes *L, const char *label, unsigned n)
{
	if (n == 0)
		return;
	qsort(L->next, n, sizeof *L->next, by_time);
	L->lanes[L->n++] = (struct report_svg_lane){ label, L->next, n };
	L->next += n;
}

/* The points that a target has for sure, and those that are on the way to it. */
static void
target_lane(struct lanes *L, const struct primary *P, const struct primary_target *t)
{
	const struct primary_shipment *s;
	unsigned n = 0, i = 0;

	for (unsigned k = 0; k < P->npoints; k++)
		if (P->points[k].point.seq <= t->acked)
			L->next[n++] = mark_of(&P->points[k].point);
	while ((s = ledger_next(P, t, &i)) != NULL) {
		const struct primary_point *p = primary_point(P, s->to);

		if (s->to <= t->acked)
			continue;
		L->next[n] =
		    p != NULL ? mark_of(&p->point) : (struct report_svg_mark){ .at = s->at, .seq = s->to };
		L->next[n++].is_open = 1;
	}
	end_lane(L, t->name, n);
}

static int
primary_lanes(struct lanes *L, const struct primary *P)
{
	size_t most = (size_t)(P->npoints + P->nshipments) * P->ntargets + P->npoints;
	unsigned n = 0;

	if ((L->next = L->marks = calloc(most + 1, sizeof *L->marks)) == NULL)
		return (-1);
	for (unsigned i = 0; i < P->npoints; i++)
		L->next[n++] = mark_of(&P->points[i].point);
	end_lane(L, "kept here", n);
	for (unsigned i = 0; i < P->ntargets; i++)
		target_lane(L, P, &P->targets[i]);
	return (0);
}

static int
replica_lanes(struct lanes *L, const struct replica *R)
{
	unsigned n = 0;

	if ((L->next = L->marks = calloc((size_t)R->npoints + R->nstaged + 1, sizeof *L->marks)) == NULL)
		return (-1);
	for (unsigned i = 0; i < R->npoints; i++) {
		struct report_svg_mark m = mark_of(&R->points[i].point);

		m.is_pinned = R->points[i].is_pinned;
		m.is_bad = R->points[i].is_damaged;
		L->next[n++] = m;
	}
	end_lane(L, "kept here", n);
	n = 0;
	for (unsigned i = 0; i < R->nstaged; i++) {
		L->next[n] = mark_of(&R->staged[i].to);
		L->next[n++].is_open = 1;
	}
	end_lane(L, "waiting in the inbox", n);
	return (0);
}

/* Of all lanes: from the oldest mark on, to now, or beyond where a clock went back. */
static void
stretch(struct report_svg *c, const struct lanes *L)
{
	c->from = c->to - 3600;
	for (unsigned i = 0; i < L->n; i++) {
		const struct report_svg_lane *l = &L->lanes[i];
		int64_t last = l->marks[l->n - 1].at;

		if (l->marks[0].at < c->from)
			c->from = l->marks[0].at;
		if (last > c->to)
			c->to = last;
	}
	/* So that the first and the last are within. */
	c->from -= (c->to - c->from) / 50;
	c->to += (c->to - c->from) / 50;
}

/* Which signs there are. */
static void
put_legend(FILE *out, const struct lanes *L)
{
	int has[6] = { 0 };
	static const char *const signs[] = { "&#9679; standard", "&#9670; application-consistent",
		"&#9632; final", "hollow: not safe yet", "ringed: pinned", "crossed: damaged" };
	int is_first = 1;

	for (unsigned i = 0; i < L->n; i++)
		for (unsigned k = 0; k < L->lanes[i].n; k++) {
			const struct report_svg_mark *m = &L->lanes[i].marks[k];

			has[m->shape] = 1;
			has[3] |= m->is_open;
			has[4] |= m->is_pinned;
			has[5] |= m->is_bad;
		}
	for (unsigned i = 0; i < 6; i++)
		if (has[i]) {
			fprintf(out, "%s%s", is_first ? "" : ", ", signs[i]);
			is_first = 0;
		}
}

static int
put_points(FILE *out, const struct report_vm *v)
{
	struct lanes L = { 0 };
	char oldest[REPORT_TIME], newest[REPORT_TIME];
	struct drawing d = { .id = "" };

	if ((v->P != NULL ? primary_lanes(&L, v->P) : replica_lanes(&L, v->R)) != 0)
		return (say_failed("out of memory"));
	frame(&d, v, "p", 0, "Recovery points over time");
	caption(out, "Recovery points", NULL);
	if (L.n == 0) {
		fputs("None yet.</small></figcaption></figure>\n", out);
	} else {
		report_text_clock(oldest, L.lanes[0].marks[0].at);
		report_text_clock(newest, L.lanes[0].marks[L.lanes[0].n - 1].at);
		snprintf(d.words, sizeof d.words, "%u point%s %s, from %s to %s; %u line%s.", L.lanes[0].n,
		    L.lanes[0].n == 1 ? "" : "s", L.lanes[0].label, oldest, newest, L.n, L.n == 1 ? "" : "s");
		put_legend(out, &L);
		fputs("</small></figcaption>\n", out);
		stretch(&d.frame, &L);
		report_svg_lanes(out, &d.frame, L.lanes, L.n);
		fputs("</figure>\n", out);
	}
	free(L.marks);
	return (0);
}

int
report_charts_put(FILE *out, const struct report_vm *v)
{
	int rc;

	fputs("<div class=\"charts\">\n", out);
	put_all_ages(out, v);
	put_sizes(out, v);
	rc = put_points(out, v);
	fputs("</div>\n", out);
	return (rc);
}
