#include "primary/acknowledge.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "primary/ledger.h"
#include "base/say.h"

/* The roots that the replica has at the point its disks are at must be the ones that were signed here. */
static int
check_roots(const struct primary *P, const struct trust_entry *e, const struct header *H)
{
	const struct primary_point *p = primary_point(P, H->from.seq);

	/* It need not know of disks that were added since. */
	if (H->ndisks > P->nreplicated)
		return (say_refused("%s: the receipt speaks of other disks", H->vm));
	for (unsigned i = 0; i < H->ndisks; i++)
		if (strcmp(P->disks[i].id, H->disks[i].id) != 0)
			return (say_refused("%s: the receipt speaks of other disks", H->vm));
	/* A point of that number on another way is none of ours. */
	if (p != NULL && p->point.epoch != H->from.epoch)
		p = NULL;
	for (unsigned i = H->ndisks; p != NULL && i < P->nreplicated; i++)
		if (p->size[i] != 0)
			return (say_refused("%s: the receipt speaks of other disks", H->vm));
	for (unsigned i = 0; p != NULL && i < H->ndisks; i++)
		if (p->size[i] != H->disks[i].before_size ||
		    memcmp(p->root[i], H->disks[i].before, LEAF_ROOT) != 0)
			return (say_refused("%s: disk %s at site '%s' is not what was sent for point %" PRIu64
			                    "; run scrub there, then export a seed to it",
			    P->vm, H->disks[i].id, e->card.name, H->from.seq));
	return (0);
}

static int
check(const struct primary *P, const struct trust_entry *e, const struct header *H)
{
	const struct primary_point *last = primary_last(P);

	if (memcmp(H->lineage, P->lineage, RECORD_ID) != 0)
		return (say_refused("%s: the receipt is for another lineage of this VM", P->vm));
	if (H->from.seq == 0 || last == NULL || H->to.seq > last->point.seq || H->from.seq > H->to.seq ||
	    !history_has(&P->role.history, &H->history, &H->to))
		return (say_refused("%s: the receipt is for point %" PRIu64 " of epoch %" PRIu64
		                    ", which was never cut here",
		    P->vm, H->to.seq, H->to.epoch));
	return (check_roots(P, e, H));
}

static int
take(struct primary *P, const struct trust_entry *e, const struct header *H)
{
	struct primary_target *t = primary_target_of(P, e);
	enum ledger_news news;
	int rc;

	if (t == NULL)
		return (
		    say_refused("%s: nothing was ever sent to site '%s', so it has nothing to acknowledge",
		        P->vm, e->card.name));
	if ((rc = check(P, e, H)) != 0)
		return (rc);
	news = ledger_acked(P, t, H, (int64_t)time(NULL));
	role_step(&P->role, ROLE_RECEIPT);
	if (primary_save(P) != 0)
		return (-1);
	if (news == LEDGER_NEWER)
		say_note("%s: site '%s' has point %" PRIu64, P->vm, t->name, t->acked);
	else if (news == LEDGER_KNOWN)
		say_note("%s: already have it: site '%s' has acknowledged point %" PRIu64, P->vm, t->name,
		    t->acked);
	else
		say_note("%s: site '%s' had point %" PRIu64 " and now says that it is at point %" PRIu64
		         ": it went back; %s",
		    P->vm, t->name, t->acked, t->back,
		    ledger_base(P, t, LEDGER_ACKED) <= t->back ? "deltas to it start there again"
		                                               : "export --seed to it");
	return (0);
}

int
acknowledge(const struct site *S, const struct trust_entry *e, const struct header *H)
{
	struct primary *P;
	int rc = primary_open(&P, S, H->uuid);

	if (rc == 0)
		rc = take(P, e, H);
	primary_close(P);
	return (rc);
}
