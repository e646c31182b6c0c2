#include "primary/acknowledge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "primary/cycle.h"
#include "primary/ledger.h"
#include "base/say.h"

/* A receipt, on its way into the record. */
struct taking {
	const struct site *S;
	struct primary *P;
	struct primary_target *t;
	const struct trust_entry *e;
	const struct header *H;
	struct point mine; /* the newest point here; seq 0: none */
};

/* --- is it true? -------------------------------------------------------------------------------------- */

/* Is that a point that was cut on our way? */
static int
is_ours(const struct taking *k, const struct point *p)
{
	const struct primary_point *have = primary_point(k->P, p->seq);

	return (p->seq <= k->mine.seq && (have == NULL || have->point.epoch == p->epoch) &&
	        history_has(&k->P->role.history, &k->H->history, p));
}

static int
check_disks(const struct taking *k)
{
	const struct header *H = k->H;
	const struct primary_point *p = primary_point(k->P, H->from.seq);

	/* It need not know of disks that were added since. */
	if (H->ndisks > k->P->nreplicated)
		return (say_refused("%s: the receipt speaks of other disks", H->vm));
	for (unsigned i = 0; i < H->ndisks; i++)
		if (strcmp(k->P->disks[i].id, H->disks[i].id) != 0)
			return (say_refused("%s: the receipt speaks of other disks", H->vm));
	for (unsigned i = H->ndisks; p != NULL && i < k->P->nreplicated; i++)
		if (p->size[i] != 0)
			return (say_refused("%s: the receipt speaks of other disks", H->vm));
	if (H->from.seq == 0 || H->from.seq > H->to.seq || !is_ours(k, &H->to) || !is_ours(k, &H->from))
		return (say_refused("%s: the receipt is for point %" PRIu64 " of epoch %" PRIu64
		                    ", which was never cut here",
		    k->P->vm, H->to.seq, H->to.epoch));
	return (0);
}

/* The disk whose root there is not the one that was signed here; -1: they all are, or it is not kept any more. */
static int
parted(const struct taking *k)
{
	const struct primary_point *p = primary_point(k->P, k->H->from.seq);

	for (unsigned i = 0; p != NULL && i < k->H->ndisks; i++)
		if (p->size[i] != k->H->disks[i].before_size ||
		    memcmp(p->root[i], k->H->disks[i].before, LEAF_ROOT) != 0)
			return ((int)i);
	return (-1);
}

/* --- the moves ---------------------------------------------------------------------------------------- */

/* The replica's disks are not what was sent: only what is made for them as they are may go there. */
static int
part(const struct taking *k, int disk)
{
	struct role *r = &k->P->role;

	if (role_step(r, ROLE_PART) == 0) {
		snprintf(r->cause, sizeof r->cause,
		    "disk %s at site '%.60s' is not what was sent for point %" PRIu64, k->H->disks[disk].id,
		    k->e->card.name, k->H->from.seq);
		if (primary_save(k->P) != 0)
			return (-1);
	}
	return (say_refused("%s: disk %s at site '%s' is not what was sent for point %" PRIu64
	                    "; run scrub there, then bring what 'vmferry compare' says there and export "
	                    "--against it, or export a seed to it",
	    k->P->vm, k->H->disks[disk].id, k->e->card.name, k->H->from.seq));
}

/* Of a resynchronization only the receipt of what was sent for it is the end. */
static int
is_step(const struct taking *k)
{
	return (k->P->role.state != ROLE_RESYNCING || k->H->to.seq >= k->t->sent);
}

static unsigned
on_the_way(const struct primary *P, const struct primary_target *t)
{
	unsigned i = 0, n = 0;

	while (ledger_next(P, t, &i) != NULL)
		n++;
	return (n);
}

static int
take(struct taking *k)
{
	struct primary *P = k->P;
	const struct primary_target *t = k->t;
	char words[ROLE_WORDS];
	const char *why = role_objection(&P->role, ROLE_RECEIPT, words);
	enum ledger_news news;
	unsigned before;
	int rc, disk;

	if (why != NULL)
		return (say_refused("%s: %s", P->vm, why));
	if ((rc = check_disks(k)) != 0)
		return (rc);
	if ((disk = parted(k)) >= 0)
		return (part(k, disk));
	before = on_the_way(P, t);
	news = ledger_acked(P, k->t, k->H, (int64_t)time(NULL));
	if (is_step(k))
		role_step(&P->role, ROLE_RECEIPT);
	role_settle_claims(&P->role, &k->mine);
	if (news == LEDGER_NEWER && history_epoch(&k->H->history) == primary_epoch(P))
		role_drop_claim(&P->role, k->e->card.sign);
	if (primary_save(P) != 0)
		return (-1);
	if (news == LEDGER_NEWER)
		cycle_acked(P, t, before, on_the_way(P, t));
	if (news == LEDGER_NEWER)
		say_note("%s: site '%s' has point %" PRIu64, P->vm, t->name, t->acked);
	else if (news == LEDGER_KNOWN)
		say_note("%s: already have it: site '%s' has acknowledged point %" PRIu64, P->vm, t->name,
		    t->acked);
	else
		say_note("%s: site '%s' had point %" PRIu64 " and now says that it is at point %" PRIu64
		         ": it went back; %s",
		    P->vm, t->name, t->acked, t->back,
		    ledger_base(P, t, LEDGER_ACKED) <= t->back
		        ? "deltas to it start there again"
		        : "export --against what 'vmferry compare' says there, or --seed");
	return (0);
}

/* --- what is not a part of our own history ------------------------------------------------------------ */

static void
claim(const struct taking *k)
{
	struct role_claim c = { .history = k->H->history,
		.newest = k->H->to,
		.is_primary = k->H->is_primary,
		.heard = (int64_t)time(NULL) };

	memcpy(c.site, k->e->card.sign, RECORD_KEY);
	role_claim(&k->P->role, &c);
}

/* The site that began the epoch to which the receipt has come, by the name that it has here. */
static const char *
beginner(const struct taking *k)
{
	const struct history *h = &k->H->history;
	const struct trust_entry *e;

	if (h->n == 0 || site_is_own_key(k->S, h->turns[h->n - 1].site))
		return (site_card(k->S)->name);
	e = trust_by_key(site_trust(k->S), h->turns[h->n - 1].site);
	return (e != NULL ? e->card.name : "a site that is not known here");
}

/* The point behind which the other history left ours; 0: not known. */
static uint64_t
fork_at(const struct taking *k)
{
	return (history_fork(&k->P->role.history, &k->mine, &k->H->history, &k->H->to).seq);
}

static int
stray(const struct taking *k)
{
	claim(k);
	if (primary_save(k->P) != 0)
		return (-1);
	return (say_refused("%s: site '%s' has point %" PRIu64 " of epoch %" PRIu64
	                    ", which has parted from what is here behind "
	                    "point %" PRIu64
	                    "; say 'vmferry resync %s --keep %s' there; where it was said, bring "
	                    "what it has written, or say 'vmferry sync %s --resync' here",
	    k->P->vm, k->e->card.name, k->H->to.seq, k->H->to.epoch, fork_at(k), k->P->vm,
	    site_card(k->S)->name, k->P->vm));
}

/* Stop until a person says which is to be kept. */
static int
fence(const struct taking *k, const char *cause)
{
	struct primary *P = k->P;

	claim(k);
	role_fence(&P->role, history_epoch(&k->H->history), cause);
	if (primary_save(P) != 0)
		return (-1);
	return (
	    say_refused("%s: %s; it is fenced: nothing is sent any more; say 'vmferry resync %s --keep %s' "
	                "where what is here counts, or '--keep %s'",
	        P->vm, cause, P->vm, site_card(k->S)->name, k->e->card.name));
}

static int
ahead(const struct taking *k)
{
	char cause[ROLE_CAUSE];

	snprintf(cause, sizeof cause,
	    "site '%.60s' has point %" PRIu64 ", and the newest here is %" PRIu64
	    ": this record is older than what it sent (restored from a backup?)",
	    k->e->card.name, k->H->to.seq, k->mine.seq);
	return (fence(k, cause));
}

/* The point behind which they left our epoch; seq 0: they have not. */
static struct point
left_at(const struct taking *k)
{
	uint64_t epoch = primary_epoch(k->P);
	const struct history_turn *left = history_leaves(&k->H->history, epoch);

	return ((struct point){ epoch, left == NULL ? 0 : left->seq, 0, POINT_FINAL });
}

/* Is that a point whose handover was taken back? */
static int
was_withdrawn(const struct taking *k, uint64_t seq)
{
	const struct role *r = &k->P->role;
	const struct primary_point *p = primary_point(k->P, seq);

	return (seq != 0 && seq <= r->withdrawn &&
	        (seq == r->withdrawn || (p != NULL && p->point.kind == POINT_FINAL)));
}

/* Was the handover used, or, where it was made several times, one of them?  What was cut since is the same. */
static int
was_used(const struct taking *k)
{
	const struct role *r = &k->P->role;
	const struct history *h = &k->H->history;
	struct point at = left_at(k);

	return (at.seq != 0 && role_may_follow(r, h, trust_has_key(k->e, r->locked_for)) &&
	        role_meet(r, &at, h, &k->H->to) == ROLE_OVERTAKEN);
}

/* Somebody else has begun an epoch. */
static int
taken_over(const struct taking *k, enum role_meeting meeting)
{
	uint64_t epoch = history_epoch(&k->H->history), seq = left_at(k).seq;
	char cause[ROLE_CAUSE];

	if (was_withdrawn(k, seq))
		snprintf(cause, sizeof cause,
		    "the handover at point %" PRIu64
		    " was taken back here, and used all the same: site '%.60s' "
		    "is the primary of epoch %" PRIu64,
		    seq, beginner(k), epoch);
	else if (meeting == ROLE_RIVAL)
		snprintf(cause, sizeof cause,
		    "site '%.60s' has begun an epoch %" PRIu64 " of its own, behind point %" PRIu64,
		    beginner(k), epoch, fork_at(k));
	else
		snprintf(cause, sizeof cause,
		    "site '%.60s' has taken over with epoch %" PRIu64 ", behind point %" PRIu64 "%s",
		    beginner(k), epoch, fork_at(k),
		    meeting == ROLE_PARTED ? ", and what came later here has parted from it" : "");
	return (fence(k, cause));
}

/* The handover was used, as it was meant. */
static int
handed_over(const struct taking *k)
{
	claim(k);
	if (primary_save(k->P) != 0)
		return (-1);
	say_note("%s: the handover at point %" PRIu64
	         " was used: site '%s' is its primary now, with epoch %" PRIu64
	         "; the next bundle of it makes this site a replica",
	    k->P->vm, left_at(k).seq, beginner(k), history_epoch(&k->H->history));
	return (0);
}

static int
meet(struct taking *k)
{
	const struct header *H = k->H;
	enum role_meeting meeting = role_meet(&k->P->role, &k->mine, &H->history, &H->to);

	switch (meeting) {
	case ROLE_PEER:
	case ROLE_BEHIND:
		break;
	case ROLE_STRAY:
		return (stray(k));
	case ROLE_AHEAD:
		return (ahead(k));
	case ROLE_OVERTAKEN:
	case ROLE_PARTED:
		if (was_used(k))
			return (handed_over(k));
		return (taken_over(k, meeting));
	case ROLE_RIVAL:
		return (taken_over(k, meeting));
	}
	return (take(k));
}

static int
admit(struct taking *k)
{
	const struct primary_point *last = primary_last(k->P);

	k->t = primary_target_of(k->P, k->e);
	if (k->t == NULL)
		return (
		    say_refused("%s: nothing was ever sent to site '%s', so it has nothing to acknowledge",
		        k->P->vm, k->e->card.name));
	if (memcmp(k->H->lineage, k->P->lineage, RECORD_ID) != 0)
		return (say_refused("%s: the receipt is for another lineage of this VM", k->P->vm));
	if (last != NULL)
		k->mine = last->point;
	if (!role_is_credible(&k->P->role, &k->mine, &k->H->history, &k->H->to))
		return (say_refused("%s: site '%s' speaks of point %" PRIu64 " of epoch %" PRIu64
		                    ", which nobody can have come to: nothing of it is believed",
		    k->P->vm, k->e->card.name, k->H->to.seq, history_epoch(&k->H->history)));
	return (meet(k));
}

int
acknowledge_epoch(
    const struct site *S, struct primary *P, const struct trust_entry *e, const struct header *H)
{
	struct taking k = { .S = S, .P = P, .e = e, .H = H };
	int rc = admit(&k);

	return (rc == 0 ? say_refused("%s: nothing is exported for a comparison of epoch %" PRIu64, P->vm,
	                      history_epoch(&H->history))
	                : rc);
}

int
acknowledge(const struct site *S, const struct trust_entry *e, const struct header *H)
{
	struct taking k = { .S = S, .e = e, .H = H };
	int rc = primary_open(&k.P, S, H->uuid);

	if (rc == 0)
		rc = admit(&k);
	primary_close(k.P);
	return (rc);
}
