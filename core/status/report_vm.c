#include "status/report_vm.h"

#include <inttypes.h>
#include <string.h>

#include "primary/ledger.h"
#include "replica/outbox.h"
#include "status/report_charts.h"
#include "status/report_page.h"
#include "status/report_text.h"

#define SHIPMENTS 20u /* of those under way, the newest */

static const struct role *
role_of(const struct report_vm *v)
{
	return (v->P != NULL ? &v->P->role : &v->R->role);
}

static void
put_site(FILE *out, const char *name)
{
	fputs("<bdi>", out);
	report_text_put(out, name);
	fputs("</bdi>", out);
}

/* --- what it is --------------------------------------------------------------------------------------- */

static void
put_head(FILE *out, const struct report_vm *v)
{
	const struct role *r = role_of(v);

	fprintf(out, "<h3 id=\"v%uh\"><bdi>", v->id);
	report_text_put(out, v->P != NULL ? v->P->vm : v->R->vm);
	fputs("</bdi>", out);
	report_page_badge(out, v->health->grade);
	fputs("</h3>\n<p class=\"soft\">", out);
	if (v->R != NULL) {
		fputs("Replica of ", out);
		put_site(out, v->R->primary);
	} else {
		fputs("Primary", out);
		for (unsigned i = 0; i < v->P->ntargets; i++) {
			fputs(i == 0 ? " for " : ", ", out);
			put_site(out, v->P->targets[i].name);
		}
	}
	fprintf(out, "; %s", role_state_text(r->state));
	if (v->figures->goal != 0) {
		fputs("; a point every ", out);
		report_text_span(out, v->figures->goal);
	}
	fprintf(out, "; UUID <span>%s</span></p>\n", v->P != NULL ? v->P->uuid : v->R->uuid);
}

static void
put_causes(FILE *out, const struct health *h)
{
	if (h->n == 0)
		return;
	fputs("<ul class=\"why\">\n", out);
	for (unsigned i = 0; i < h->n; i++) {
		const struct health_cause *c = &h->causes[i];

		fputs("<li>", out);
		report_page_badge(out, c->grade);
		fputs("<div><p>", out);
		report_text_advice(out, c->text);
		if (c->remedy[0] != '\0') {
			fputs(".</p><p>Next: ", out);
			report_text_advice(out, c->remedy);
		}
		fputs(".</p></div></li>\n", out);
	}
	fputs("</ul>\n", out);
}

/* --- figures ------------------------------------------------------------------------------------------ */

static void
begin(FILE *out, const char *name)
{
	fprintf(out, "<div><dt>%s</dt><dd>", name);
}

static void
end(FILE *out)
{
	fputs("</dd></div>\n", out);
}

static void
put_number(FILE *out, const char *name, uint64_t n)
{
	begin(out, name);
	fprintf(out, "%" PRIu64, n);
	end(out);
}

static void
put_size(FILE *out, const char *name, uint64_t bytes)
{
	begin(out, name);
	report_text_size(out, bytes);
	end(out);
}

static void
put_span(FILE *out, const char *name, uint64_t seconds)
{
	begin(out, name);
	report_text_span(out, seconds);
	end(out);
}

static void
put_milliseconds(FILE *out, const char *name, uint64_t ms)
{
	begin(out, name);
	if (ms < 10000)
		fprintf(out, "%.1f s", (double)ms / 1000);
	else
		report_text_span(out, ms / 1000);
	end(out);
}

/* What was cut and sent, or came in. */
static void
put_bundles(FILE *out, const struct report_vm *v)
{
	const struct figures *f = v->figures;

	put_number(out, v->P != NULL ? "Cycles done" : "Points taken in", f->ok);
	put_number(out, "Cycles missed", f->missed);
	put_number(out, "Cycles failed", f->failed);
	if (f->bundles > f->seeds) {
		put_size(out, "Average delta", f->average_size);
		put_size(out, "Largest delta", f->largest_size);
	}
	if (f->bundles > 0)
		put_size(out, v->P != NULL ? "Sent in all" : "Received in all", f->bytes);
	if (f->compression > 0) {
		begin(out, "Compression");
		fprintf(out, "%.1f : 1", f->compression);
		end(out);
	}
}

static void
put_times(FILE *out, const struct report_vm *v)
{
	const struct figures *f = v->figures;

	if (f->ok > 0) {
		put_span(out, "Average latency", f->average_latency);
		put_span(out, "Largest latency", f->largest_latency);
	}
	if (f->longest_ms > 0)
		put_milliseconds(out, v->P != NULL ? "Longest sending" : "Longest merging", f->longest_ms);
	put_size(out, v->P != NULL ? "Not acknowledged" : "Not merged", f->pending_bytes);
	if (f->resyncs > 0)
		put_number(out, "Resynchronizations", f->resyncs);
	if (v->R == NULL)
		return;
	begin(out, "Last test");
	if (f->tested == 0)
		fputs("never", out);
	else
		report_text_age(out, f->tested, v->now);
	end(out);
}

static void
put_figures(FILE *out, const struct report_vm *v)
{
	const struct figures *f = v->figures;

	fputs("<h4>Figures since ", out);
	report_text_time(out, f->since);
	fputs("</h4>\n<dl class=\"figs\">\n", out);
	begin(out, "RPO now");
	if (f->has_rpo)
		report_text_span(out, f->rpo);
	else
		fputs("not known", out);
	end(out);
	if (f->has_rpo)
		put_span(out, "Largest RPO", f->largest_rpo);
	put_bundles(out, v);
	put_times(out, v);
	fputs("</dl>\n", out);
}

/* --- on the way --------------------------------------------------------------------------------------- */

static void
put_points(FILE *out, uint64_t from, uint64_t to)
{
	if (from == 0)
		fprintf(out, "seed, #%" PRIu64, to);
	else
		fprintf(out, "#%" PRIu64 " to #%" PRIu64, from, to);
}

static void
put_shipment(FILE *out, const struct report_vm *v, const struct primary_shipment *s)
{
	int is_first = 1;

	fputs("<tr><th scope=\"row\">", out);
	if (s->where[0] == '\0')
		fputs("a pipe", out);
	else
		put_site(out, s->where);
	fputs("<small>to ", out);
	for (unsigned i = 0; i < v->P->ntargets; i++)
		if ((s->targets >> i & 1) != 0) {
			fputs(is_first ? "" : ", ", out);
			put_site(out, v->P->targets[i].name);
			is_first = 0;
		}
	fputs("</small></th><td>", out);
	put_points(out, s->from, s->to);
	fputs("</td><td>", out);
	report_text_age(out, s->at, v->now);
	fprintf(out, "</td><td class=\"w num\">%u</td><td class=\"num\">", s->volumes);
	report_text_size(out, s->bytes);
	fputs("</td></tr>\n", out);
}

/* What was sent, and not acknowledged by all that it is for. */
static void
put_shipments(FILE *out, const struct report_vm *v)
{
	unsigned n = v->P->nshipments, first = n > SHIPMENTS ? n - SHIPMENTS : 0;

	if (n == 0)
		return;
	fputs("<h4>On the way</h4>\n<table class=\"list\">\n<thead><tr><th scope=\"col\">Where</th><th "
	      "scope=\"col\">Points</th>"
	      "<th scope=\"col\">Left</th><th scope=\"col\" class=\"w num\">Volumes</th>"
	      "<th scope=\"col\" class=\"num\">Size</th></tr></thead>\n<tbody>\n",
	    out);
	for (unsigned i = n; i > first; i--)
		put_shipment(out, v, &v->P->shipments[i - 1]);
	fputs("</tbody>\n</table>\n", out);
	if (first > 0)
		fprintf(out, "<p class=\"soft\">And %u older ones.</p>\n", first);
}

/* What each target has for sure. */
static void
put_targets(FILE *out, const struct report_vm *v)
{
	fputs(
	    "<h4>What each site has for sure</h4>\n<table class=\"list\">\n<thead><tr><th "
	    "scope=\"col\">Site</th>"
	    "<th scope=\"col\">Acknowledged</th><th scope=\"col\">Said</th><th scope=\"col\" class=\"w\">Sent"
	    "</th></tr></thead>\n<tbody>\n",
	    out);
	for (unsigned i = 0; i < v->P->ntargets; i++) {
		const struct primary_target *t = &v->P->targets[i];

		fputs("<tr><th scope=\"row\">", out);
		put_site(out, t->name);
		if (t->acked == 0)
			fputs("</th><td>nothing</td><td>no receipt yet", out);
		else {
			fprintf(out, "</th><td>#%" PRIu64 "</td><td>", t->acked);
			report_text_age(out, t->acked_at, v->now);
		}
		fputs("</td><td class=\"w\">", out);
		if (t->sent != 0)
			fprintf(out, "#%" PRIu64, t->sent);
		fputs("</td></tr>\n", out);
	}
	fputs("</tbody>\n</table>\n", out);
}

/* The sites that a replica forwards to. */
static void
put_forwards(FILE *out, const struct report_vm *v)
{
	if (v->R->nforwards == 0)
		return;
	fputs("<h4>Forwarded to</h4>\n<table class=\"list\">\n<thead><tr><th scope=\"col\">Site</th>"
	      "<th scope=\"col\">Acknowledged</th><th scope=\"col\" class=\"num\">Volumes waiting</th>"
	      "<th scope=\"col\" class=\"num\">Size</th></tr></thead>\n<tbody>\n",
	    out);
	for (unsigned i = 0; i < v->R->nforwards; i++) {
		const struct replica_forward *f = &v->R->forwards[i];
		struct outbox_tally t = outbox_tally(v->R, f);

		fputs("<tr><th scope=\"row\">", out);
		put_site(out, f->name);
		fputs("</th><td>", out);
		if (f->acked.seq == 0)
			fputs("nothing", out);
		else
			fprintf(out, "#%" PRIu64, f->acked.seq);
		fprintf(out, "</td><td class=\"num\">%u, %u sent</td><td class=\"num\">", t.volumes, t.sent);
		report_text_size(out, t.bytes);
		fputs("</td></tr>\n", out);
	}
	fputs("</tbody>\n</table>\n", out);
}

/* --- history ------------------------------------------------------------------------------------------ */

/* The one that stands here. */
static void
put_failover(FILE *out, const struct replica *R, int64_t now)
{
	fprintf(out, "<li>%s failed over to here, from point #%" PRIu64,
	    R->role.is_planned ? "As planned, it has" : "It has", R->role.at.seq);
	if (R->failover.since != 0) {
		fputs(", ", out);
		report_text_age(out, R->failover.since, now);
	}
	fputs(R->role.state == ROLE_FAILOVER ? "; that may be taken back.</li>\n" : ".</li>\n", out);
}

static void
put_history(FILE *out, const struct report_vm *v)
{
	const struct role *r = role_of(v);
	const struct history *h = &r->history;
	int stands = v->R != NULL && r->at.seq != 0;
	char name[SITE_NAMED];

	if (h->n == 0 && !stands)
		return;
	fputs("<h4>Failovers</h4>\n<ol>\n", out);
	for (unsigned i = 0; i < h->n; i++) {
		const struct history_turn *t = &h->turns[i];

		fprintf(out, "<li>Epoch %" PRIu64 " began behind point #%" PRIu64 ", at ", t->epoch, t->seq);
		put_site(out, site_name_of(v->S, t->site, name));
		fputs(".</li>\n", out);
	}
	if (stands)
		put_failover(out, v->R, v->now);
	fputs("</ol>\n", out);
}

/* The last test, and what stands now. */
static void
put_tests(FILE *out, const struct report_vm *v)
{
	const struct replica_test *t = &v->R->test;
	char result[REPLICA_RESULT + 1];

	if (t->last.seq == 0 && !t->is_on)
		return;
	fputs("<h4>Tests</h4>\n", out);
	if (t->is_on) {
		fprintf(out, "<p>One from point #%" PRIu64 " stands, begun ", t->at.seq);
		report_text_age(out, t->since, v->now);
		fputs(".</p>\n", out);
	}
	if (t->last.seq == 0)
		return;
	snprintf(result, sizeof result, "%.*s", (int)sizeof t->result, t->result);
	fprintf(out, "<p>The last, from point #%" PRIu64 ", ended ", t->last.seq);
	report_text_age(out, t->ended, v->now);
	fputs(": ", out);
	report_text_put(out, result);
	fputs(".</p>\n", out);
}

int
report_vm_put(FILE *out, const struct report_vm *v)
{
	fprintf(out, "<article class=\"vm card\" id=\"v%u\" aria-labelledby=\"v%uh\">\n", v->id, v->id);
	put_head(out, v);
	put_causes(out, v->health);
	if (report_charts_put(out, v) != 0)
		return (-1);
	put_figures(out, v);
	if (v->P != NULL) {
		put_targets(out, v);
		put_shipments(out, v);
	} else {
		put_forwards(out, v);
		put_tests(out, v);
	}
	put_history(out, v);
	fputs("</article>\n", out);
	return (0);
}
