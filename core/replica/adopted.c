#include "replica/adopted.h"

#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/scan.h"
#include "disk/source.h"
#include "replica/adoption.h"

int
adopted_is_meant(const struct header *H)
{
	return (H->type == BUNDLE_SEED && H->has_against);
}

static int
open_adoption(struct adoption **A, const struct site *S, const struct header *H)
{
	int rc = adoption_open_issued(A, S, H->against);

	return (rc == 2 ? say_refused("%s: the seed holds what differs from disks that were adopted, and no "
	                              "such disks are here; bring a whole seed, or adopt them and export "
	                              "against that",
	                      H->vm)
	                : rc);
}

int
adopted_check(const struct site *S, const struct trust_entry *e, const struct header *H)
{
	struct adoption *A;
	int rc = open_adoption(&A, S, H);

	if (rc != 0)
		return (rc);
	if (!trust_has_key(e, A->key))
		rc = say_refused("%s: the disks were adopted for site '%s', and the seed is of site '%s'",
		    H->vm, A->primary, e->card.name);
	else if (strcmp(A->vm, H->vm) != 0)
		rc = say_refused(
		    "%s: the disks that the seed is against were adopted for VM '%s'", H->vm, A->vm);
	adoption_close(A);
	return (rc);
}

/* Disk i of R: the copy, moved here now or before; or a new one, if none was adopted. */
static int
take_disk(struct disks *D, const struct replica *R, unsigned i, const struct adoption *A, uint64_t size)
{
	char disk[PATH_MAX], dir[PATH_MAX], copy[PATH_MAX], leaves[PATH_MAX];
	int is_adopted = adoption_disk(A, R->disks[i]) != NULL, there;

	if (replica_disk_path(R, i, disk) != 0 || io_path(dir, "%s/disks", R->dir) != 0 ||
	    replica_leaves_path(R, i, leaves) != 0 || adoption_path(A, R->disks[i], copy) != 0 ||
	    (there = is_adopted ? io_exists(copy) : 0) < 0)
		return (-1);
	if (there && io_move(copy, A->folder, disk, dir) != 0)
		return (-1);
	if (is_adopted && !there && io_exists(disk) != 1)
		return (
		    say_refused("%s: the adopted copy of disk %s is gone; forget the others with 'vmferry "
		                "adopt --drop', and adopt again",
		        R->vm, R->disks[i]));
	if (!is_adopted && io_remove(disk) != 0)
		return (-1);
	D->images[i] = is_adopted ? image_open(disk) : image_create(disk, size);
	if (D->images[i] == NULL || image_resize(D->images[i], 0, size) != 0 || io_remove(leaves) != 0 ||
	    (D->leaves[i] = leaves_open(leaves, 1)) == NULL)
		return (-1);
	return (0);
}

int
adopted_take(struct disks *D, const struct replica *R, const struct site *S, const struct header *H)
{
	struct adoption *A;
	int rc;

	memset(D, 0, sizeof *D);
	if ((rc = open_adoption(&A, S, H)) != 0)
		return (rc);
	for (D->n = 0; rc == 0 && D->n < R->ndisks; D->n++)
		rc = take_disk(D, R, D->n, A, H->disks[D->n].size);
	adoption_close(A);
	return (rc);
}

static int
take_leaves(void *context, uint64_t start, size_t n, const uint64_t *leaves)
{
	return (leaves_write(context, start, n, leaves));
}

static int
read_disk(const struct disks *D, const struct replica *R, unsigned i, uint64_t size, struct leaf_sum *sum)
{
	struct source *S;
	struct scan_job job = { .secret = &R->secret,
		.what = "proving",
		.sum = sum,
		.take = take_leaves,
		.context = D->leaves[i] };
	char path[PATH_MAX];
	int rc;

	if (replica_disk_path(R, i, path) != 0)
		return (-1);
	if ((rc = source_open_own(&S, path, size)) != 0)
		return (rc);
	job.source = S;
	if ((rc = leaves_clear(D->leaves[i], 0, LIMIT_DISK_SIZE / LIMIT_BLOCK)) == 0)
		rc = scan_run(&job);
	source_close(S);
	return (rc);
}

int
adopted_read(const struct disks *D, const struct replica *R, const struct header *H, struct leaf_sum *sums)
{
	for (unsigned i = 0; i < R->ndisks; i++)
		if (read_disk(D, R, i, H->disks[i].size, &sums[i]) != 0)
			return (-1);
	return (disks_sync(D, R));
}

int
adopted_done(const struct site *S, const struct header *H)
{
	struct adoption *A;
	int rc = adoption_open_issued(&A, S, H->against);

	if (rc == 0)
		rc = adoption_remove(A);
	adoption_close(A);
	return (rc == 2 ? 0 : rc);
}
