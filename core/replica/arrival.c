#include "replica/arrival.h"

#include <stdio.h>

#include "tally/tally.h"

static void
note(const struct replica *R, struct tally_event *e)
{
	snprintf(e->site, sizeof e->site, "%.63s", R->primary);
	tally_note(R->dir, e);
}

void
arrival_taken(const struct replica *R, const struct replica_staged *s)
{
	struct tally_event e = { .kind = TALLY_TAKEN,
		.seq = s->to.seq,
		.point_at = s->to.time,
		.is_seed = s->type == BUNDLE_SEED };

	/* What is on the disks already has no file. */
	for (unsigned i = 0; i < s->nvolumes; i++) {
		e.bytes += s->volumes[i].file != 0 ? s->volumes[i].file : s->volumes[i].stored;
		e.data += s->volumes[i].data;
	}
	note(R, &e);
}

void
arrival_merged(const struct replica *R, const struct point *p, int64_t ms)
{
	struct tally_event e = {
		.kind = TALLY_MERGED, .seq = p->seq, .point_at = p->time, .ms = (uint64_t)ms
	};

	note(R, &e);
}

void
arrival_tested(const struct replica *R)
{
	struct tally_event e = { .kind = TALLY_TESTED,
		.seq = R->test.last.seq,
		.point_at = R->test.last.time,
		.ms = R->test.ended > R->test.since ? (uint64_t)(R->test.ended - R->test.since) * 1000 : 0 };

	note(R, &e);
}

void
arrival_resync(const struct replica *R)
{
	struct tally_event e = { .kind = TALLY_RESYNC };

	note(R, &e);
}
