#include "primary/notice.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/say.h"
#include "bundle/outfile.h"
#include "bundle/writer.h"

static void
describe(struct header *H, const struct primary *P, const struct site *S)
{
	const struct primary_point *last = primary_last(P);

	H->type = BUNDLE_RECEIPT;
	randombytes_buf(H->id, sizeof H->id);
	memcpy(H->lineage, P->lineage, RECORD_ID);
	strcpy(H->uuid, P->uuid);
	strcpy(H->vm, P->vm);
	strcpy(H->signer, site_card(S)->name);
	H->created = (int64_t)time(NULL);
	H->history = P->role.history;
	H->is_primary = 1;
	H->from = H->to = last->point;
	H->keep = P->keep;
	H->ndisks = P->nreplicated;
	for (unsigned i = 0; i < P->nreplicated; i++) {
		strcpy(H->disks[i].id, P->disks[i].id);
		H->disks[i].size = H->disks[i].before_size = last->size[i];
		memcpy(H->disks[i].before, last->root[i], LEAF_ROOT);
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
notice_write(const struct primary *P, const struct site *S, const char *path)
{
	struct header *H;
	struct outfile *F;
	int rc;

	if (primary_last(P) == NULL)
		return (say_refused("%s: no point was ever cut here: there is nothing to say", P->vm));
	if ((rc = outfile_open(&F, path)) != 0)
		return (rc);
	if ((H = calloc(1, sizeof *H)) == NULL) {
		rc = say_failed("out of memory");
	} else {
		describe(H, P, S);
		rc = write_bundle(H, S, F);
	}
	free(H);
	outfile_free(F);
	return (rc);
}
