#include "replica/receipt.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bundle/outfile.h"
#include "bundle/writer.h"
#include "base/io.h"
#include "base/say.h"
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

static int
write_bundle(const struct header *H, const struct site *S, struct outfile *F)
{
	struct trailer T = { .ndisks = 0 };
	char tmp[PATH_MAX];
	struct writer *W;
	int rc = -1;

	if (io_path(tmp, "%s/tmp", site_home(S)) != 0 || (W = writer_new(F, tmp, site_secret(S))) == NULL)
		return (-1);
	if (writer_header(W, H) == 0 && writer_finish(W, H, &T) == 0)
		rc = outfile_commit(F);
	writer_free(W);
	return (rc);
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
	if ((H = calloc(1, sizeof *H)) == NULL) {
		rc = say_failed("out of memory");
	} else {
		describe(H, R, S);
		rc = write_bundle(H, S, F);
	}
	free(H);
	outfile_free(F);
	return (rc);
}
