#include "replica/scrub.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "disk/scan.h"
#include "disk/source.h"
#include "replica/inbox.h"
#include "replica/merge.h"
#include "base/say.h"

#define NAMED 5u /* damaged ranges that are said for each disk */

static int
report(const struct replica *R, unsigned i, const struct ranges *differ)
{
	for (size_t k = 0; k < differ->n && k < NAMED; k++)
		say_refused("%s: disk %s: bytes %" PRIu64 " to %" PRIu64
		            " are not what they were when they were merged",
		    R->vm, R->disks[i], differ->runs[k].start * LIMIT_BLOCK,
		    (differ->runs[k].start + differ->runs[k].count) * LIMIT_BLOCK - 1);
	if (differ->n > NAMED)
		say_refused("%s: disk %s: and %zu ranges more", R->vm, R->disks[i], differ->n - NAMED);
	return (say_refused("%s: disk %s: the root is not that of point %" PRIu64 "; run 'vmferry compare "
	                    "--full' and export --against that, or export a seed to here",
	    R->vm, R->disks[i], replica_last(R)->point.seq));
}

static int
scrub_disk(const struct replica *R, unsigned i)
{
	const struct replica_disk_point *want = &replica_last(R)->disks[i];
	char path[PATH_MAX];
	struct source *S = NULL;
	struct leaves *L = NULL;
	struct ranges differ = RANGES_EMPTY;
	struct leaf_sum sum;
	uint8_t root[LEAF_ROOT];
	int rc;

	if (replica_disk_path(R, i, path) != 0)
		return (-1);
	if ((rc = source_open_own(&S, path, want->size)) != 0)
		return (rc);
	if (replica_leaves_path(R, i, path) != 0 || (L = leaves_open(path, 0)) == NULL)
		rc = -1;
	else
		rc = scan_disk(S, &R->secret, L, "scrub", &sum, &differ);
	if (rc == 0) {
		leaf_root(root, &R->secret, &sum, source_size(S));
		if (memcmp(root, want->root, LEAF_ROOT) != 0 || source_size(S) != want->size || differ.n > 0)
			rc = report(R, i, &differ);
	}
	leaves_free(L);
	source_close(S);
	ranges_free(&differ);
	return (rc);
}

static int
scrub_bundle(struct inbox *b, int rc)
{
	if (rc == 0)
		rc = inbox_run(b, NULL, NULL, "scrub");
	inbox_close(b);
	return (rc);
}

/* All of it, so that a person hears of every damage at once. */
static int
scrub_all(const struct replica *R, const struct site *S, int only_folder)
{
	struct inbox b;
	int bad = 0, rc = 0;

	for (unsigned i = 0; rc >= 0 && i < R->ndisks; i++)
		if (!only_folder || !replica_disk_is_elsewhere(R, i))
			bad |= (rc = scrub_disk(R, i)) > 0;
	for (unsigned i = 0; rc >= 0 && i + 1 < R->npoints; i++) {
		rc = inbox_open_undo(&b, R, S, &R->points[i].point);
		bad |= (rc = scrub_bundle(&b, rc)) > 0;
	}
	for (unsigned i = 0; rc >= 0 && i < R->nstaged; i++) {
		if (!R->staged[i].is_whole)
			continue;
		rc = inbox_open(&b, R, S, &R->staged[i]);
		bad |= (rc = scrub_bundle(&b, rc)) > 0;
	}
	return (rc < 0 ? -1 : bad);
}

int
scrub_folder(const struct replica *R, const struct site *S)
{
	return (scrub_all(R, S, 1));
}

int
scrub(struct replica *R, const struct site *S)
{
	char words[ROLE_WORDS];
	int rc = merge_recover(R, S);

	if (rc != 0)
		return (rc);
	if (replica_is_live(R))
		return (say_refused("%s: %s", R->vm, role_objection(&R->role, ROLE_MERGE, words)));
	if (replica_last(R) == NULL)
		return (say_refused("%s: the replica waits for its seed: there is nothing to prove", R->vm));
	if ((rc = scrub_all(R, S, 0)) < 0)
		return (-1);
	if (role_step(&R->role, rc == 0 ? ROLE_RESYNCED : ROLE_BREAK) == 0 && rc != 0)
		snprintf(R->role.cause, sizeof R->role.cause, "%s", REPLICA_DAMAGE);
	if (replica_save(R) != 0)
		return (-1);
	if (rc == 0)
		say_note("%s: point %" PRIu64
		         ": all %u disks have their signed roots, %u undos and %u staged bundles are whole",
		    R->vm, replica_last(R)->point.seq, R->ndisks, R->npoints - 1, R->nstaged);
	return (rc);
}
