#include "replica/standing.h"

#include <inttypes.h>

#include "base/io.h"
#include "base/say.h"
#include "replica/merge.h"

/* All that came in goes to the disks first, but where the point is there already: a merge may drop it. */
int
standing_catch_up(struct replica *R, const struct site *S, uint64_t seq)
{
	int rc = seq != 0 && replica_point(R, seq) != NULL ? 0 : merge_all(R, S);

	/* That a bundle is not what it says leaves the disks where they were. */
	return (rc < 0 ? -1 : 0);
}

int
standing_point(const struct replica *R, uint64_t seq, const struct replica_point **out)
{
	*out = seq == 0 ? replica_last(R) : replica_point(R, seq);
	if (*out != NULL)
		return (0);
	if (seq == 0)
		return (say_refused("%s: the replica waits for its seed: there is no point here", R->vm));
	return (
	    say_refused("%s: there is no point %" PRIu64 " here; 'vmferry points' lists them", R->vm, seq));
}

int
standing_check_space(const struct replica *R, const struct site *S, const struct replica_point *at)
{
	uint64_t need, bytes;
	int rc = overlays_need(R, S, at, &need);

	if (rc != 0)
		return (rc);
	if (io_free(R->dir, &bytes) != 0)
		return (-1);
	if (bytes >= need)
		return (0);
	return (say_failed("%s: %" PRIu64 " bytes are free, and up to %" PRIu64
	                   " may be needed; free some space and run the command again",
	    R->dir, bytes, need));
}

int
standing_check(const struct replica *R, enum role_event event)
{
	char words[ROLE_WORDS];
	const char *why = role_objection(&R->role, event, words);

	return (why == NULL ? 0 : say_refused("%s: %s", R->vm, why));
}

int
standing_check_test(const struct replica *R)
{
	if (!R->test.is_on)
		return (0);
	return (say_refused("%s: a test failover from point %" PRIu64
	                    " stands; end it first with 'vmferry failover --stop-test'",
	    R->vm, R->test.at.seq));
}

/* Open it, with its disks at a point. */
int
standing_open(struct replica **R, const struct site *S, const char *vm)
{
	int rc = replica_open(R, S, vm);

	return (rc == 0 ? merge_recover(*R, S) : rc);
}

int
standing_define(struct replica *R, enum guest g, const struct replica_point *at, int is_defined)
{
	int rc;

	if (is_defined)
		return (guest_show(R, g, at));
	if ((rc = guest_define(R, g, at)) == 0) {
		guest_note_networks(R, at);
		return (0);
	}
	if (guest_show(R, g, at) != 0)
		return (-1);
	say_note("%s: its disks are ready all the same, and stay so; see to the host, and say the same "
	         "again, or use "
	         "them by hand",
	    R->vm);
	return (rc);
}
