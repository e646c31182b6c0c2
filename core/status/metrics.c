#include "status/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- the families of which each replication has one number at most ------------------------------------- */

enum family {
	HEALTH,
	LAST_POINT,
	POINTS,
	STAGED,
	GOAL,
	PENDING_BYTES,
	PENDING_BUNDLES,
	LAST_TEST,
	LARGEST_DELTA,
	LARGEST_LATENCY,
	LARGEST_RPO,
	BUNDLES,
	BUNDLE_BYTES,
	DISK_BYTES,
	RESYNCS,
	TESTS,
	FAMILIES
};

struct kind {
	const char *name, *type, *unit, *help;
};

static const struct kind kinds[FAMILIES] = {
	[HEALTH] = { "vmferry_health", "gauge", NULL, "0 normal, 1 warning, 2 critical." },
	[LAST_POINT] = { "vmferry_last_point_timestamp_seconds", "gauge", "seconds",
	    "When the newest recovery point was cut." },
	[POINTS] = { "vmferry_points", "gauge", NULL, "Recovery points that are kept." },
	[STAGED] = { "vmferry_staged_bundles", "gauge", NULL, "Bundles that wait to be merged." },
	[GOAL] = { "vmferry_rpo_goal_seconds", "gauge", "seconds",
	    "One cycle: what may be lost, as wished." },
	[PENDING_BYTES] = { "vmferry_pending_bytes", "gauge", "bytes",
	    "Bundles that are on the way, or not merged: their size." },
	[PENDING_BUNDLES] = { "vmferry_pending_bundles", "gauge", NULL,
	    "Bundles that are on the way, or not merged." },
	[LAST_TEST] = { "vmferry_last_test_timestamp_seconds", "gauge", "seconds",
	    "When a test failover ended last." },
	[LARGEST_DELTA] = { "vmferry_largest_delta_bytes", "gauge", "bytes",
	    "The largest delta in the statistics interval." },
	[LARGEST_LATENCY] = { "vmferry_largest_latency_seconds", "gauge", "seconds",
	    "The longest way of a point in the statistics interval." },
	[LARGEST_RPO] = { "vmferry_largest_rpo_seconds", "gauge", "seconds",
	    "The largest RPO in the statistics interval." },
	[BUNDLES] = { "vmferry_bundles", "counter", NULL, "Bundles that were sent, or taken." },
	[BUNDLE_BYTES] = { "vmferry_bundle_bytes", "counter", "bytes", "Their size." },
	[DISK_BYTES] = { "vmferry_disk_bytes", "counter", "bytes", "Bytes of disk in them." },
	[RESYNCS] = { "vmferry_resyncs", "counter", NULL, "Resynchronizations that were begun." },
	[TESTS] = { "vmferry_tests", "counter", NULL, "Test failovers that were ended." },
};

/* How it stands with another site. */
struct peer {
	char *labels;
	int64_t held_at; /* 0: not known */
	uint64_t failed, cycle;
};

struct metrics {
	char *labels; /* vm="web1",uuid="...",role="primary" */
	const char *state;
	uint32_t has; /* of the families: bit f */
	uint64_t values[FAMILIES];
	uint64_t done, missed, failed, latency, latencies;
	unsigned ncauses;
	struct {
		const char *name;
		enum health_grade grade;
	} causes[HEALTH_CAUSES];
	unsigned npeers;
	struct peer peers[LIMIT_TARGETS];
};

/* --- one replication ---------------------------------------------------------------------------------- */

static void
set(struct metrics *m, enum family f, uint64_t value)
{
	m->values[f] = value;
	m->has |= UINT32_C(1) << f;
}

static void
set_time(struct metrics *m, enum family f, int64_t when)
{
	if (when > 0)
		set(m, f, (uint64_t)when);
}

/* A label's value: what would end it is escaped. */
static void
put_label(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s=\"", name);
	for (const char *c = value; *c != '\0'; c++) {
		if (*c == '\n')
			fputs("\\n", out);
		else if (*c == '"' || *c == '\\')
			fprintf(out, "\\%c", *c);
		else
			putc(*c, out);
	}
	putc('"', out);
}

static char *
labels_of(const struct status_line *l, const char *site)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	if (out == NULL)
		return (NULL);
	put_label(out, "vm", l->vm);
	fprintf(out, ",uuid=\"%s\",role=\"%s\"", l->uuid, l->side);
	if (site != NULL) {
		putc(',', out);
		put_label(out, "site", site);
	}
	if (fclose(out) == 0)
		return (text);
	free(text);
	return (NULL);
}

static void
take_figures(struct metrics *m, const struct status_line *l)
{
	const struct figures *f = &l->gauge->figures;
	const struct tally_hour *t = &l->gauge->now.total;
	int is_primary = l->role->side == ROLE_PRIMARY;

	if (f->goal != 0)
		set(m, GOAL, f->goal);
	set(m, PENDING_BYTES, f->pending_bytes);
	set(m, PENDING_BUNDLES, f->pending);
	set_time(m, LAST_TEST, f->tested);
	set(m, LARGEST_DELTA, f->largest_size);
	set(m, LARGEST_LATENCY, f->largest_latency);
	set(m, LARGEST_RPO, f->largest_rpo);
	set(m, BUNDLES, t->n[is_primary ? TALLY_SENT : TALLY_TAKEN]);
	set(m, BUNDLE_BYTES, t->bytes);
	set(m, DISK_BYTES, t->data);
	set(m, RESYNCS, t->n[TALLY_RESYNC]);
	set(m, TESTS, t->n[TALLY_TESTED]);
	m->done = is_primary ? t->settled : t->n[TALLY_TAKEN];
	m->missed = t->missed;
	m->failed = t->n[TALLY_FAILED];
	m->latency = t->latency;
	m->latencies = t->latencies;
}

static int
take_peer(struct metrics *m, const struct status_line *l, const char *site, int64_t held_at)
{
	struct peer *p = &m->peers[m->npeers];
	const struct tally_now *now = &l->gauge->now;

	if ((p->labels = labels_of(l, site)) == NULL)
		return (-1);
	p->held_at = held_at;
	for (unsigned i = 0; i < now->nsites; i++)
		if (strncmp(now->sites[i].site, site, TALLY_SITE - 1) == 0) {
			p->failed = now->sites[i].failed;
			p->cycle = now->sites[i].cycle;
		}
	m->npeers++;
	return (0);
}

struct metrics *
metrics_of(const struct status_line *l, const struct primary *P)
{
	const struct health *h = l->health;
	struct metrics *m = calloc(1, sizeof *m);
	int rc = 0;

	if (m == NULL || (m->labels = labels_of(l, NULL)) == NULL)
		goto failed;
	m->state = role_state_text(l->role->state);
	set(m, HEALTH, h->grade == HEALTH_CRITICAL ? 2 : h->grade == HEALTH_WARNING ? 1 : 0);
	set_time(m, LAST_POINT, l->last.seq == 0 ? 0 : l->last.time);
	set(m, POINTS, l->points);
	set(m, STAGED, l->staged);
	take_figures(m, l);
	for (m->ncauses = 0; m->ncauses < h->n; m->ncauses++) {
		m->causes[m->ncauses].name = h->causes[m->ncauses].name;
		m->causes[m->ncauses].grade = h->causes[m->ncauses].grade;
	}
	for (unsigned i = 0; rc == 0 && P != NULL && i < P->ntargets; i++)
		rc = take_peer(m, l, P->targets[i].name, gauge_held_at(P, &P->targets[i]));
	if (rc == 0)
		return (m);
failed:
	metrics_free(m);
	return (NULL);
}

void
metrics_free(struct metrics *m)
{
	if (m == NULL)
		return;
	for (unsigned i = 0; i < m->npeers; i++)
		free(m->peers[i].labels);
	free(m->labels);
	free(m);
}

/* --- all of them -------------------------------------------------------------------------------------- */

struct page {
	FILE *out;
	struct metrics *const *all;
	size_t n;
	int64_t now;
	int is_open; /* OpenMetrics */
};

static int
is_counter(const struct kind *k)
{
	return (strcmp(k->type, "counter") == 0);
}

/* The name of its samples. */
static const char *
suffix(const struct kind *k)
{
	return (is_counter(k) ? "_total" : "");
}

static void
put_head(const struct page *p, const struct kind *k)
{
	const char *more = p->is_open ? "" : suffix(k);

	fprintf(p->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", k->name, more, k->help, k->name, more, k->type);
	if (p->is_open && k->unit != NULL)
		fprintf(p->out, "# UNIT %s %s\n", k->name, k->unit);
}

static void
put_family(const struct page *p, enum family f)
{
	const struct kind *k = &kinds[f];

	put_head(p, k);
	for (size_t i = 0; i < p->n; i++)
		if (p->all[i]->has & UINT32_C(1) << f)
			fprintf(p->out, "%s%s{%s} %" PRIu64 "\n", k->name, suffix(k), p->all[i]->labels,
			    p->all[i]->values[f]);
}

static void
put_states(const struct page *p)
{
	static const struct kind state = { "vmferry_state", "gauge", NULL, "The state that it is in: 1." };
	static const struct kind cause = { "vmferry_cause", "gauge", NULL, "What is to be known of it: 1." };

	put_head(p, &state);
	for (size_t i = 0; i < p->n; i++)
		fprintf(p->out, "%s{%s,state=\"%s\"} 1\n", state.name, p->all[i]->labels, p->all[i]->state);
	put_head(p, &cause);
	for (size_t i = 0; i < p->n; i++)
		for (unsigned c = 0; c < p->all[i]->ncauses; c++) {
			unsigned before = 0;

			/* One that is there of each target is there once. */
			while (before < c &&
			       strcmp(p->all[i]->causes[before].name, p->all[i]->causes[c].name) != 0)
				before++;
			if (before == c)
				fprintf(p->out, "%s{%s,cause=\"%s\",grade=\"%s\"} 1\n", cause.name,
				    p->all[i]->labels, p->all[i]->causes[c].name,
				    health_grade_text(p->all[i]->causes[c].grade));
		}
}

static void
put_cycles(const struct page *p)
{
	static const struct kind k = { "vmferry_cycles", "counter", NULL,
		"Cycles that were done, missed, or failed." };
	static const struct kind l = { "vmferry_latency_seconds", "summary", "seconds",
		"From the cut of a point to its receipt, or till it was here." };

	put_head(p, &k);
	for (size_t i = 0; i < p->n; i++) {
		const struct metrics *m = p->all[i];

		fprintf(p->out,
		    "%s_total{%s,result=\"done\"} %" PRIu64 "\n%s_total{%s,result=\"missed\"} %" PRIu64
		    "\n%s_total{%s,result=\"failed\"} %" PRIu64 "\n",
		    k.name, m->labels, m->done, k.name, m->labels, m->missed, k.name, m->labels, m->failed);
	}
	put_head(p, &l);
	for (size_t i = 0; i < p->n; i++)
		fprintf(p->out, "%s_sum{%s} %" PRIu64 "\n%s_count{%s} %" PRIu64 "\n", l.name,
		    p->all[i]->labels, p->all[i]->latency, l.name, p->all[i]->labels, p->all[i]->latencies);
}

enum of_peer { HELD_AT, RPO, FAILED, CYCLE, OF_PEER };

static const struct kind of_peers[OF_PEER] = {
	[HELD_AT] = { "vmferry_held_point_timestamp_seconds", "gauge", "seconds",
	    "When the newest point was cut that the other site has for sure." },
	[RPO] = { "vmferry_rpo_seconds", "gauge", "seconds", "How old that is now." },
	[FAILED] = { "vmferry_failed_cycles", "gauge", NULL, "Cycles that failed since its last receipt." },
	[CYCLE] = { "vmferry_cycle_seconds", "gauge", "seconds",
	    "The cycle that is kept to, where it is longer than what was wished; else 0." },
};

static void
put_peer(const struct page *p, const struct peer *peer, enum of_peer what)
{
	const uint64_t values[OF_PEER] = { [HELD_AT] = (uint64_t)peer->held_at,
		[RPO] = p->now > peer->held_at ? (uint64_t)(p->now - peer->held_at) : 0,
		[FAILED] = peer->failed,
		[CYCLE] = peer->cycle };

	if (peer->held_at > 0 || what == FAILED || what == CYCLE)
		fprintf(p->out, "%s{%s} %" PRIu64 "\n", of_peers[what].name, peer->labels, values[what]);
}

void
metrics_write(FILE *out, struct metrics *const *all, size_t n, const char *site, int64_t now, int is_open)
{
	static const struct kind written = { "vmferry_written_timestamp_seconds", "gauge", "seconds",
		"When these were written." };
	const struct page p = { out, all, n, now, is_open };

	put_head(&p, &written);
	fprintf(out, "%s{", written.name);
	put_label(out, "site", site);
	fprintf(out, "} %" PRId64 "\n", now);
	put_states(&p);
	for (unsigned f = 0; f < FAMILIES; f++)
		put_family(&p, (enum family)f);
	put_cycles(&p);
	for (unsigned k = 0; k < OF_PEER; k++) {
		put_head(&p, &of_peers[k]);
		for (size_t i = 0; i < n; i++)
			for (unsigned t = 0; t < all[i]->npeers; t++)
				put_peer(&p, &all[i]->peers[t], (enum of_peer)k);
	}
	fprintf(out, "# EOF\n");
}
