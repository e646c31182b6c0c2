#include "primary/notice.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/say.h"
#include "site/slip.h"
#include "bundle/outfile.h"

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
		rc = slip_write(H, S, F);
	}
	free(H);
	outfile_free(F);
	return (rc);
}
