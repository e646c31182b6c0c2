#include "replica/receipt.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bundle/outfile.h"
#include "base/say.h"
#include "site/slip.h"
#include "replica/intake.h"

static void
describe(struct header *H, const struct replica *R, const struct site *S)
{
	const struct replica_point *last = replica_last(R);

	H->type = BUNDLE_RECEIPT;
	randombytes_buf(H->id, sizeof H->id);
	memcpy(H->lineage, R->lineage, RECORD_ID);
	strcpy(H->uuid, R->uuid);
	strcpy(H->vm, R->vm);
	strcpy(H->signer, site_card(S)->name);
	H->created = (int64_t)time(NULL);
	H->history = R->role.history;
	H->is_primary = R->role.state == ROLE_FAILED_OVER;
	H->from = last->point;
	H->to = intake_held(R);
	H->keep = R->keep;
	H->ndisks = R->ndisks;
	for (unsigned i = 0; i < R->ndisks; i++) {
		strcpy(H->disks[i].id, R->disks[i]);
		H->disks[i].size = H->disks[i].before_size = last->disks[i].size;
		memcpy(H->disks[i].before, last->disks[i].root, LEAF_ROOT);
	}
}

/* Describe what is here; NULL, said, if there is no memory. */
static struct header *
described(const struct replica *R, const struct site *S)
{
	struct header *H = calloc(1, sizeof *H);

	if (H == NULL)
		say_failed("out of memory");
	else
		describe(H, R, S);
	return (H);
}

int
receipt_write(const struct replica *R, const struct site *S, const char *path)
{
	struct header *H;
	struct outfile *F;
	int rc;

	if (replica_last(R) == NULL)
		return (say_refused(
		    "%s: the replica waits for its seed: there is nothing to acknowledge", R->vm));
	if ((rc = outfile_open(&F, path)) != 0)
		return (rc);
	H = described(R, S);
	rc = H == NULL ? -1 : slip_write(H, S, F);
	free(H);
	outfile_free(F);
	return (rc);
}

int
receipt_leave(const struct replica *R, const struct site *S, const struct medium *M, char name[FILENAME_SIZE])
{
	char stem[FILENAME_STEM], path[PATH_MAX];
	struct outfile *F = NULL;
	struct header *H;
	int rc = -1;

	if ((H = described(R, S)) == NULL)
		return (-1);
	filename_stem(stem, H);
	filename_volume(name, stem, 1);
	if (medium_path(M, name, path) == 0 && outfile_create(&F, path) == 0 && outfile_check(F) == 0)
		rc = slip_write(H, S, F);
	outfile_free(F);
	free(H);
	return (rc);
}
