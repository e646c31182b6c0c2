#include "status/report_page.h"

#include <inttypes.h>
#include <string.h>

#include "status/report_style.h"
#include "status/report_text.h"

int
report_page_order(const void *a, const void *b)
{
	const struct report_row *r = a, *s = b;
	int d = (int)s->grade - (int)r->grade;

	if (d == 0)
		d = strcmp(r->vm, s->vm);
	return (d != 0 ? d : strcmp(r->uuid, s->uuid));
}

void
report_page_badge(FILE *out, enum health_grade grade)
{
	static const char *const signs[] = { "&#9679;", "&#9675;", "&#9650;", "&#9632;" };
	const char *text = health_grade_text(grade);

	fprintf(out, "<span class=\"b %s\"><span aria-hidden=\"true\">%s</span> %s</span>", text,
	    signs[grade], text);
}

static unsigned
count(const struct report_page *p, enum health_grade grade)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n; i++)
		n += p->rows[i].grade == grade;
	return (n);
}

/* --- the head ----------------------------------------------------------------------------------------- */

static void
put_verdict(FILE *out, const struct report_page *p)
{
	unsigned bad = count(p, HEALTH_CRITICAL), warned = count(p, HEALTH_WARNING);

	if (p->n == 0)
		fputs("Nothing is replicated here yet.", out);
	else if (bad + warned == 0)
		fputs(p->n == 1 ? "All is well." : "All is well with all of them.", out);
	else if (p->n == 1)
		fputs("The VM needs a look.", out);
	else
		fprintf(out, "%u of %u VMs need%s a look.", bad + warned, p->n, bad + warned == 1 ? "s" : "");
}

static void
put_head(FILE *out, const struct report_page *p)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
	      "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
	      "<meta name=\"referrer\" content=\"no-referrer\">\n"
	      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
	    out);
	report_text_put(out, p->vm != NULL ? p->vm : p->site);
	fputs(": replication</title>\n<style>\n", out);
	report_style_put(out);
	fputs("</style>\n</head>\n<body>\n<header>\n<h1>Replication ", out);
	if (p->vm != NULL) {
		fputs("of <bdi>", out);
		report_text_put(out, p->vm);
		fputs("</bdi> ", out);
	}
	fputs("at <bdi>", out);
	report_text_put(out, p->site);
	fputs("</bdi></h1>\n<p>", out);
	put_verdict(out, p);
	if (p->is_partial)
		fputs("</p>\n<p class=\"badly\"><strong>This is not all of it:</strong> some records could "
		      "not be "
		      "read. "
		      "Run <code>vmferry status</code> and see what it says.",
		    out);
	fputs("</p>\n<p class=\"soft\">As of ", out);
	report_text_time(out, p->now);
	fputs(". Figures and charts: the last ", out);
	report_text_span(out, p->interval);
	fputs(". All times are UTC.</p>\n</header>\n<main>\n", out);
}

/* --- how it stands ------------------------------------------------------------------------------------ */

static void
put_tile(FILE *out, const char *kind, unsigned n, const char *word)
{
	fprintf(out, "<li class=\"card%s\"><b>%u</b>%s</li>\n", n == 0 ? "" : kind, n, word);
}

/* Whose newest safe point is the oldest, and what has been on its way for longest. */
static void
put_worst(FILE *out, const struct report_page *p)
{
	const struct report_row *oldest = NULL, *slowest = NULL;
	unsigned flight = 0;

	for (unsigned i = 0; i < p->n; i++) {
		const struct report_row *r = &p->rows[i];

		if (r->safe != 0 && (oldest == NULL || r->safe < oldest->safe))
			oldest = r;
		if (r->flight != 0 && (slowest == NULL || r->flight_since < slowest->flight_since))
			slowest = r;
		flight += r->flight;
	}
	if (oldest != NULL) {
		fputs("<li class=\"card\"><b>", out);
		report_text_span(out, p->now > oldest->safe ? (uint64_t)(p->now - oldest->safe) : 0);
		fputs("</b>the largest RPO now, of <bdi>", out);
		report_text_short(out, oldest->vm, 40);
		fputs("</bdi></li>\n", out);
	}
	fprintf(out, "<li class=\"card\"><b>%u</b>bundle%s on the way", flight, flight == 1 ? "" : "s");
	if (slowest != NULL) {
		fputs(", the first left ", out);
		report_text_age(out, slowest->flight_since, p->now);
	}
	fputs("</li>\n", out);
}

static void
put_tiles(FILE *out, const struct report_page *p)
{
	fputs("<ul class=\"tiles\">\n", out);
	put_tile(out, " t-critical", count(p, HEALTH_CRITICAL), "critical");
	put_tile(out, " t-warning", count(p, HEALTH_WARNING), "warning");
	put_tile(out, " t-normal", count(p, HEALTH_NORMAL), "normal");
	put_worst(out, p);
	fputs("</ul>\n", out);
}

/* --- what to do next ---------------------------------------------------------------------------------- */

/* How many there were of each cause. */
struct tally {
	const char *cause;
	unsigned n;
};

static struct tally *
tally_of(struct tally *t, unsigned *n, const char *cause)
{
	unsigned i = 0;

	while (i < *n && strcmp(t[i].cause, cause) != 0)
		i++;
	if (i == *n && i == HEALTH_CAUSES)
		i--; /* more kinds of causes than there are */
	else if (i == *n)
		t[(*n)++] = (struct tally){ cause, 0 };
	return (&t[i]);
}

static void
put_name(FILE *out, const struct report_row *r)
{
	if (r->details != NULL)
		fprintf(out, "<a href=\"#v%u\">", r->id);
	fputs("<bdi>", out);
	report_text_put(out, r->vm);
	fputs(r->details != NULL ? "</bdi></a>" : "</bdi>", out);
}

static void
put_task(FILE *out, const struct report_row *r)
{
	fputs("<li>", out);
	report_page_badge(out, r->grade);
	fputs("<div><p><strong>", out);
	put_name(out, r);
	fputs("</strong>: ", out);
	report_text_advice(out, r->text);
	fputs(".</p>", out);
	if (r->remedy[0] != '\0') {
		fputs("<p>Next: ", out);
		report_text_advice(out, r->remedy);
		fputs(".</p>", out);
	}
	if (r->ncauses > 1)
		fprintf(out, "<p class=\"soft\">And %u more.</p>", r->ncauses - 1);
	fputs("</div></li>\n", out);
}

static void
put_others(FILE *out, const struct tally *t, unsigned n)
{
	int is_first = 1;

	for (unsigned i = 0; i < n; i++) {
		if (t[i].n <= REPORT_PAGE_SAME)
			continue;
		fprintf(out, "%s%u more with &ldquo;%s&rdquo;",
		    is_first ? "<p class=\"soft\">Beside these, see the table: " : ", ",
		    t[i].n - REPORT_PAGE_SAME, t[i].cause);
		is_first = 0;
	}
	fputs(is_first ? "" : ".</p>\n", out);
}

static void
put_tasks(FILE *out, const struct report_page *p)
{
	struct tally t[HEALTH_CAUSES];
	unsigned n = 0;

	if (count(p, HEALTH_CRITICAL) + count(p, HEALTH_WARNING) == 0)
		return;
	fputs("<section aria-labelledby=\"next\">\n<h2 id=\"next\">What to do next</h2>\n<ol class=\"todo "
	      "card\">\n",
	    out);
	for (unsigned i = 0; i < p->n; i++)
		if (p->rows[i].cause != NULL && tally_of(t, &n, p->rows[i].cause)->n++ < REPORT_PAGE_SAME)
			put_task(out, &p->rows[i]);
	fputs("</ol>\n", out);
	put_others(out, t, n);
	fputs("</section>\n", out);
}

/* --- a row for each ----------------------------------------------------------------------------------- */

static void
put_newest(FILE *out, const struct report_row *r, int64_t now)
{
	if (r->last.seq == 0) {
		fputs("<span class=\"soft\">none</span>", out);
		return;
	}
	report_text_age(out, r->last.time, now);
	fprintf(out, " <small class=\"nw\">#%" PRIu64 "</small>", r->last.seq);
}

static void
put_rpo(FILE *out, const struct report_row *r, int64_t now)
{
	if (r->safe == 0)
		fputs("<span class=\"soft\">not known</span>", out);
	else
		report_text_span(out, now > r->safe ? (uint64_t)(now - r->safe) : 0);
	if (r->goal != 0) {
		fputs(" <small class=\"nw\">goal ", out);
		report_text_span(out, r->goal);
		fputs("</small>", out);
	}
}

static void
put_row(FILE *out, const struct report_row *r, int64_t now)
{
	fputs("<tr><th scope=\"row\">", out);
	put_name(out, r);
	fprintf(out, "<small>%s, %s</small></th><td>", r->side, r->state);
	report_page_badge(out, r->grade);
	fputs("</td><td>", out);
	put_newest(out, r, now);
	fputs("</td><td class=\"w\">", out);
	put_rpo(out, r, now);
	fprintf(
	    out, "</td><td class=\"w num\">%u</td><td class=\"w num\">%u</td></tr>\n", r->flight, r->points);
}

static void
put_table(FILE *out, const struct report_page *p)
{
	fputs("<section aria-labelledby=\"all\">\n<h2 id=\"all\">Virtual machines</h2>\n"
	      "<table class=\"card\">\n<thead><tr><th scope=\"col\">VM</th><th scope=\"col\">Health</th>"
	      "<th scope=\"col\">Newest point</th><th scope=\"col\" class=\"w\">RPO now</th>"
	      "<th scope=\"col\" class=\"w num\">On the way</th><th scope=\"col\" class=\"w num\">Points</th>"
	      "</tr></thead>\n<tbody>\n",
	    out);
	for (unsigned i = 0; i < p->n; i++)
		put_row(out, &p->rows[i], p->now);
	fputs("</tbody>\n</table>\n</section>\n", out);
}

static void
put_details(FILE *out, const struct report_page *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n; i++)
		n += p->rows[i].details != NULL;
	if (n == 0)
		return;
	fputs("<section aria-labelledby=\"each\">\n<h2 id=\"each\">One by one</h2>\n", out);
	if (n < p->n)
		fprintf(out,
		    "<p class=\"soft\">The %u that need it most; of any other: <code>vmferry report --html "
		    "FILE "
		    "VM</code>.</p>\n",
		    n);
	for (unsigned i = 0; i < p->n; i++)
		if (p->rows[i].details != NULL)
			fputs(p->rows[i].details, out);
	fputs("</section>\n", out);
}

void
report_page_put(FILE *out, const struct report_page *p)
{
	put_head(out, p);
	if (p->n > 1)
		put_tiles(out, p);
	if (p->vm == NULL || p->n > 1)
		put_tasks(out, p);
	if (p->n > 1 || (p->n == 1 && p->vm == NULL))
		put_table(out, p);
	put_details(out, p);
	fputs(
	    "</main>\n<footer class=\"soft\">Made by vmferry report from this site's records. "
	    "RPO: how old the newest point is that the other site has for sure.</footer>\n</body>\n</html>\n",
	    out);
}
