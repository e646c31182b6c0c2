#include "tally/figures.h"

#include <string.h>

uint64_t
figures_cycles(int64_t from, int64_t to, uint64_t every)
{
	uint64_t length = to > from ? (uint64_t)(to - from) : 0;

	if (every == 0)
		return (0);
	return (length / every + (length % every >= every - every / 2));
}

static uint64_t
age(int64_t now, int64_t then)
{
	return (now > then ? (uint64_t)(now - then) : 0);
}

static uint64_t
average(uint64_t sum, uint64_t n)
{
	return (n == 0 ? 0 : sum / n);
}

/* The one that is due now may still come. */
static uint64_t
overdue(const struct figures_facts *facts)
{
	uint64_t n = 0;

	if (facts->is_primary && facts->goal != 0 && facts->last_cut != 0)
		n = figures_cycles(
		    facts->last_cut > facts->since ? facts->last_cut : facts->since, facts->now, facts->goal);
	return (n > 0 ? n - 1 : 0);
}

void
figures_make(struct figures *f, const struct tally_hour *sum, const struct figures_facts *facts)
{
	const uint32_t *n = sum->n;
	enum tally_kind worked = facts->is_primary ? TALLY_SENT : TALLY_MERGED;

	memset(f, 0, sizeof *f);
	f->since = facts->since;
	f->now = facts->now;
	f->ok = facts->is_primary ? sum->settled : n[TALLY_TAKEN];
	f->missed = sum->missed + overdue(facts);
	f->failed = n[TALLY_FAILED];
	f->bundles = facts->is_primary ? n[TALLY_SENT] : n[TALLY_TAKEN];
	f->seeds = sum->seeds;
	f->bytes = sum->bytes;
	f->data = sum->data;
	f->average_size = average(sum->delta_bytes, sum->deltas);
	f->largest_size = sum->largest_delta;
	f->compression = sum->bytes == 0 ? 0 : (double)sum->data / (double)sum->bytes;
	f->average_latency = average(sum->latency, sum->latencies);
	f->largest_latency = sum->largest_latency;
	f->average_ms = average(sum->ms, n[worked]);
	f->longest_ms = sum->longest_ms;
	f->pending_bytes = facts->pending_bytes;
	f->pending = facts->pending;
	f->has_rpo = facts->held_at != 0;
	f->rpo = f->has_rpo ? age(facts->now, facts->held_at) : 0;
	f->goal = facts->goal;
	f->largest_rpo = sum->rpo > f->rpo ? sum->rpo : f->rpo;
	f->resyncs = n[TALLY_RESYNC];
	f->tests = n[TALLY_TESTED];
	f->tested = facts->tested;
}
