#include "replica/compare.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "bounds.h"
#include "disk/leaves.h"
#include "disk/scan.h"
#include "disk/source.h"
#include "replica/adopt.h"
#include "replica/comparison.h"
#include "replica/merge.h"
#include "replica/replica.h"

/* Bundles that wait to be merged; of one that was cut short nothing can be. */
static unsigned
waiting(const struct replica *R)
{
	unsigned n = 0;

	for (unsigned i = 0; i < R->nstaged; i++)
		n += R->staged[i].nvolumes > 0;
	return (n);
}

/* The disks are at one point, and all that was received is in them. */
static int
check_state(const struct replica *R, const struct compare_options *o)
{
	char words[ROLE_WORDS];

	if (replica_is_live(R))
		return (say_refused("%s: %s", R->vm, role_objection(&R->role, ROLE_MERGE, words)));
	if (replica_last(R) == NULL)
		return (say_refused(
		    "%s: the replica waits for its seed: there is nothing to compare; import it", R->vm));
	if (waiting(R) > 0)
		return (
		    say_refused("%s: %u bundles are staged; run 'vmferry merge' first", R->vm, waiting(R)));
	if (R->role.cause[0] != '\0' && !o->full && !o->are_true)
		return (
		    say_refused("%s: %s: its leaves may not say what is on its disks; compare with --full",
		        R->vm, R->role.cause));
	return (0);
}

static int
is_sum(const struct leaf_sum *a, const struct leaf_sum *b)
{
	return (a->low == b->low && a->high == b->high);
}

static int
take_leaves(void *context, uint64_t start, size_t n, const uint64_t *leaves)
{
	return (leaves_write(context, start, n, leaves));
}

/* Make the leaves of a disk anew from what is on it, if that is what was merged. */
static int
mend_leaves(const struct replica *R, unsigned i, struct leaves *L, const char *path)
{
	const struct replica_disk_point *want = &replica_last(R)->disks[i];
	struct leaf_sum sum;
	struct scan_job job = {
		.secret = &R->secret, .what = "mending", .sum = &sum, .take = take_leaves, .context = L
	};
	struct source *S;
	char disk[PATH_MAX], dir[PATH_MAX];
	int rc;

	if (replica_disk_path(R, i, disk) != 0 || io_path(dir, "%s/leaves", R->dir) != 0)
		return (-1);
	if ((rc = source_open_own(&S, disk, want->size)) != 0)
		return (rc);
	job.source = S;
	if ((rc = leaves_clear(L, 0, LIMIT_DISK_SIZE / LIMIT_BLOCK)) == 0 && (rc = scan_run(&job)) == 0 &&
	    (rc = leaves_sync(L)) == 0)
		rc = io_sync_dir(dir);
	source_close(S);
	if (rc == 0 && !is_sum(&sum, &want->sum))
		return (say_refused(
		    "%s: disk %s and its leaves are both damaged: adopt the disk, and import what "
		    "is exported against that in place of this replica",
		    R->vm, R->disks[i]));
	if (rc == 0)
		say_note("%s: %s was damaged, and is made anew: the disk is right", R->vm, path);
	return (rc);
}

/* Leaves are believed only if they sum up to what the record says of the point. */
static int
check_leaves(const struct replica *R, unsigned i, const char *path, int full)
{
	const struct leaf_sum *want = &replica_last(R)->disks[i].sum;
	struct leaves *L = leaves_open(path, full);
	struct leaf_sum sum;
	int rc;

	if (L == NULL)
		return (-1);
	if ((rc = leaves_sum(L, &R->secret, &sum)) == 0 && !is_sum(&sum, want))
		rc = full ? mend_leaves(R, i, L, path)
		          : say_refused(
		                "%s: disk %s: %s is damaged: the leaves are not those of point %" PRIu64
		                "; compare with --full",
		                R->vm, R->disks[i], path, replica_last(R)->point.seq);
	leaves_free(L);
	return (rc);
}

static int
describe(struct comparison *C, const struct replica *R, const struct site *S, const struct compare_options *o)
{
	const struct replica_point *last = replica_last(R);
	struct header *H = &C->header;
	int rc;

	if ((C->to = trust_by_key(site_trust(S), R->key)) == NULL)
		return (say_refused(
		    "%s: the card of its primary '%s' is not known any more; add it with 'vmferry trust add'",
		    R->vm, R->primary));
	C->S = S;
	C->leaf_seed = R->leaf_seed;
	C->secret = &R->secret;
	C->what = "replica";
	C->output = o->output;
	memcpy(H->lineage, R->lineage, RECORD_ID);
	strcpy(H->uuid, R->uuid);
	strcpy(H->vm, R->vm);
	H->from = H->to = last->point;
	H->history = R->role.history;
	H->keep = R->keep;
	H->ndisks = R->ndisks;
	for (unsigned i = 0; i < R->ndisks; i++) {
		strcpy(H->disks[i].id, R->disks[i]);
		H->disks[i].size = H->disks[i].before_size = last->disks[i].size;
		memcpy(H->disks[i].before, last->disks[i].root, LEAF_ROOT);
		if (replica_disk_path(R, i, C->disks[i]) != 0)
			return (-1);
		if (replica_leaves_path(R, i, C->leaves[i]) != 0)
			return (-1);
		if ((rc = check_leaves(R, i, C->leaves[i], o->full)) != 0)
			return (rc);
		if (o->full)
			C->leaves[i][0] = '\0';
	}
	return (0);
}

/* The bundle's id is on record before anybody can have it. */
static int
remember(struct replica *R, uint8_t id[RECORD_ID])
{
	struct replica_compared *c;

	randombytes_buf(id, RECORD_ID);
	if (R->ncompared == REPLICA_COMPARED)
		memmove(R->compared, R->compared + 1, --R->ncompared * sizeof *R->compared);
	c = &R->compared[R->ncompared++];
	memcpy(c->id, id, RECORD_ID);
	c->at = replica_last(R)->point;
	return (replica_save(R));
}

int
compare_is_fit(const struct replica *R, const struct header *H)
{
	const struct point *at = &H->from;

	for (unsigned i = 0; i < R->ncompared; i++)
		if (memcmp(R->compared[i].id, H->against, RECORD_ID) == 0 &&
		    R->compared[i].at.seq == at->seq && R->compared[i].at.epoch == at->epoch)
			return (1);
	return (0);
}

int
compare_open(struct replica *R, const struct site *S, const struct compare_options *o)
{
	struct comparison *C = calloc(1, sizeof *C);
	int rc;

	if (C == NULL)
		return (say_failed("out of memory"));
	if ((rc = check_state(R, o)) == 0 && (rc = describe(C, R, S, o)) == 0 &&
	    (rc = remember(R, C->header.id)) == 0)
		rc = comparison_write(C);
	free(C);
	return (rc);
}

static int
compare_replica(const struct site *S, const struct compare_options *o)
{
	struct replica *R;
	int rc = replica_open(&R, S, o->vm);

	if (rc == 0 && (rc = merge_recover(R, S)) == 0)
		rc = compare_open(R, S, o);
	replica_close(R);
	return (rc);
}

/**
 * Is there a replica with disks, and not just a placeholder, or nothing?  1, the key of its primary, and whether it is not
 * sure that its leaves say what is on the disks, so that these are to be read; 0; -1.
 */
static int
has_disks(const struct site *S, const char *vm, uint8_t key[RECORD_KEY], int *is_unsure)
{
	char uuid[HEADER_UUID];
	struct replica *R;
	int rc = replica_find(S, vm, uuid);

	if (rc <= 0)
		return (rc);
	if (replica_look(&R, S, uuid) != 0)
		return (-1);
	rc = replica_last(R) != NULL;
	memcpy(key, R->key, RECORD_KEY);
	*is_unsure = R->role.cause[0] != '\0';
	replica_close(R);
	return (rc);
}

int
compare(const struct site *S, const struct compare_options *o)
{
	uint8_t key[RECORD_KEY];
	int is_unsure, rc = has_disks(S, o->vm, key, &is_unsure);

	if (rc == 0 && (rc = adopt_is_known(S, o->vm)) > 0)
		return (adopt_compare(S, o->vm, o->output));
	return (rc < 0 ? -1 : compare_replica(S, o));
}

/* Are there adopted disks of that VM, from the site of e?  1 or 0; 2, said: not just now; -1. */
static int
has_adopted(const struct site *S, const struct trust_entry *e, const char *vm)
{
	struct adoption *A;
	int rc = adoption_open(&A, S, vm), is_its = rc == 0 && trust_has_key(e, A->key);

	adoption_close(A);
	return (rc == 0 || rc == 2 ? is_its : rc < 0 ? -1 : 2);
}

int
compare_asked(const struct site *S, const struct trust_entry *e, const char *uuid, const char *vm)
{
	struct compare_options o = { .vm = uuid };
	uint8_t key[RECORD_KEY];
	int rc = has_disks(S, uuid, key, &o.full);

	if (rc > 0 && trust_has_key(e, key))
		return (compare_replica(S, &o));
	if (rc == 0 && (rc = has_adopted(S, e, vm)) == 1)
		return (adopt_compare(S, vm, NULL));
	return (rc < 0 ? -1
	        : rc == 2
	            ? 1
	            : say_refused("%s: nothing is here that is compared for site '%s'", vm, e->card.name));
}
