#include "status/gauge.h"

#include <string.h>

#include "point_json.h"
#include "status/health.h"
#include "replica/intake.h"

static void
read_figures(struct gauge *g, const char *dir, struct figures_facts *f, int64_t interval)
{
	struct tally_hour sum;

	f->since = f->now - interval;
	tally_sum(dir, &f->since, f->now, &sum);
	figures_make(&g->figures, &sum, f);
	g->has_figures = 1;
}

int64_t
gauge_held_at(const struct primary *P, const struct primary_target *t)
{
	const struct primary_point *p =
	    t->acked == 0 ? NULL : primary_point(P, t->back != 0 ? t->back : t->acked);

	return (p == NULL ? 0 : p->point.time);
}

void
gauge_primary(struct gauge *g, const struct primary *P, int64_t now, int64_t interval)
{
	struct figures_facts f = { .is_primary = 1, .now = now, .goal = P->wishes.frequency };

	memset(g, 0, sizeof *g);
	tally_look(P->dir, &g->now);
	if (interval == 0)
		return;
	if (P->npoints > 0 && P->role.state != ROLE_DISABLED)
		f.last_cut = P->points[P->npoints - 1].point.time;
	/* Of several targets the one counts that has least. */
	for (unsigned i = 0; i < P->ntargets; i++) {
		int64_t at = gauge_held_at(P, &P->targets[i]);

		if (at != 0 && (f.held_at == 0 || at < f.held_at))
			f.held_at = at;
	}
	for (unsigned i = 0; i < P->nshipments; i++)
		f.pending_bytes += P->shipments[i].bytes;
	f.pending = P->nshipments;
	f.tested = P->reminders.tested;
	read_figures(g, P->dir, &f, interval);
}

void
gauge_replica(struct gauge *g, const struct replica *R, int64_t now, int64_t interval)
{
	struct figures_facts f = { .now = now, .goal = R->wishes.frequency };

	memset(g, 0, sizeof *g);
	tally_look(R->dir, &g->now);
	if (interval == 0)
		return;
	/* Where it is the VM itself, nothing more is to come. */
	if (R->role.state != ROLE_FAILOVER && R->role.state != ROLE_FAILED_OVER &&
	    R->role.state != ROLE_TURNED)
		f.held_at = intake_held(R).time;
	f.pending_bytes = health_need(R);
	f.pending = R->nstaged;
	f.tested = R->test.ended > R->reminders.tested ? R->test.ended : R->reminders.tested;
	read_figures(g, R->dir, &f, interval);
}

static json_int_t
whole(uint64_t n)
{
	return (n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

json_t *
gauge_json(const struct figures *f)
{
	return (json_pack("{s:o,s:{s:I,s:I,s:I},s:I,s:I,s:I,s:I,s:o,s:{s:I,s:I},s:{s:I,s:I},s:{s:f,s:f},"
	                  "s:{s:I,s:I},s:{s:o,s:o,s:I},s:I,s:I,s:o}",
	    "since", point_encode_time(f->since), "cycles", "done", whole(f->ok), "missed", whole(f->missed),
	    "failed", whole(f->failed), "bundles", whole(f->bundles), "seeds", whole(f->seeds), "bytes",
	    whole(f->bytes), "data", whole(f->data), "compression",
	    f->compression > 0 ? json_real(f->compression) : json_null(), "delta_bytes", "average",
	    whole(f->average_size), "largest", whole(f->largest_size), "latency", "average",
	    whole(f->average_latency), "largest", whole(f->largest_latency), "work", "average",
	    (double)f->average_ms / 1000, "longest", (double)f->longest_ms / 1000, "pending", "bundles",
	    whole(f->pending), "bytes", whole(f->pending_bytes), "rpo", "now",
	    f->has_rpo ? json_integer(whole(f->rpo)) : json_null(), "goal",
	    f->goal != 0 ? json_integer(whole(f->goal)) : json_null(), "largest", whole(f->largest_rpo),
	    "resyncs", whole(f->resyncs), "tests", whole(f->tests), "last_test",
	    point_encode_time(f->tested)));
}
