#include "follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/scan.h"
#include "disk/source.h"
#include "turn.h"

/* What was said, and by whom. */
struct word {
	const struct site *S;
	const struct trust_entry *e;
	const struct header *H;
	struct primary *P;
	struct point mine;
};

/* --- are the disks as the handover left them? --------------------------------------------------------- */

static int
is_same_stamp(const struct source_stamp *a, const struct source_stamp *b)
{
	return (a->device == b->device && a->inode == b->inode && a->size == b->size &&
	        a->modified == b->modified && a->changed == b->changed);
}

/* 1: it is; 0: it is not; -1. */
static int
read_disk(const struct word *w, unsigned i, const struct source *source)
{
	const struct primary_disk *d = &w->P->disks[i];
	struct leaf_sum sum;
	int rc;

	if (source_size(source) != d->size)
		return (0);
	rc = scan_disk(source, &w->P->secret, NULL, "checking", &sum, NULL);
	return (rc != 0 ? -1 : sum.low == d->sum.low && sum.high == d->sum.high);
}

/* By its stamp, else by reading it: 0; 1, said; -1. */
static int
check_disk(const struct word *w, unsigned i)
{
	const struct primary_disk *d = &w->P->disks[i];
	struct source_stamp now;
	struct source *source;
	int rc;

	if (d->is_gone)
		return (0);
	if ((rc = source_open(&source, d->where, SOURCE_QUIET, NULL)) != 0)
		return (rc);
	if ((rc = source_stamp(source, &now)) >= 0)
		rc = rc == 0 && d->has_stamp && is_same_stamp(&now, &d->stamp) ? 1 : read_disk(w, i, source);
	source_close(source);
	return (rc != 0
	            ? (rc < 0 ? -1 : 0)
	            : say_refused("%s: disk %s is not what it was at the final point %" PRIu64
	                          ": somebody has written to it since; say 'vmferry resync %s --keep %s', "
	                          "which keeps that as a branch",
	                  w->P->vm, d->id, w->mine.seq, w->P->vm, w->e->card.name));
}

/* --- becoming a replica ------------------------------------------------------------------------------- */

static void
final_point(const struct primary *P, const struct point *at, struct replica_point *p)
{
	const struct primary_point *last = &P->points[P->npoints - 1];

	memset(p, 0, sizeof *p);
	p->point = *at;
	for (unsigned i = 0; i < P->nreplicated; i++) {
		p->disks[i].size = last->size[i];
		p->disks[i].sum = P->disks[i].sum;
		memcpy(p->disks[i].root, last->root[i], LEAF_ROOT);
	}
}

static int
use_handover(struct word *w)
{
	struct turning t = { .S = w->S, .P = w->P, .e = w->e, .leaves = "leaves" };
	struct replica *R;
	char vm[LIMIT_NAME + 1];
	uint64_t epoch = history_epoch(&w->H->history);
	int rc = turn_check(w->P, w->e);

	for (unsigned i = 0; rc == 0 && i < w->P->nreplicated; i++)
		rc = check_disk(w, i);
	if (rc != 0)
		return (rc);
	strcpy(vm, w->P->vm);
	final_point(w->P, &w->mine, &t.point);
	rc = turn_to_replica(&R, &t);
	w->P = t.P;
	if (rc != 0)
		return (rc);
	say_note("%s: site '%s' has used the handover, and is its primary in epoch %" PRIu64
	         ": this site is a replica now, at point %" PRIu64,
	    vm, w->e->card.name, epoch, replica_last(R)->point.seq);
	replica_close(R);
	return (FOLLOW_DONE);
}

/* --- fences and claims -------------------------------------------------------------------------------- */

static void
claim(struct word *w)
{
	struct role_claim c = { .history = w->H->history,
		.newest = w->H->to,
		.is_primary = w->H->is_primary || header_leads(w->H->type),
		.heard = (int64_t)time(NULL) };

	memcpy(c.site, w->e->card.sign, RECORD_KEY);
	role_claim(&w->P->role, &c);
}

/* Was a handover used that was taken back here? */
static int
is_withdrawn(const struct word *w)
{
	const struct history_turn *left = history_leaves(&w->H->history, primary_epoch(w->P));

	return (w->P->role.withdrawn != 0 && left != NULL && left->seq <= w->P->role.withdrawn &&
	        trust_has_key(w->e, w->P->role.locked_for));
}

static void
cause(const struct word *w, enum role_meeting m, char out[ROLE_CAUSE])
{
	const struct history *h = &w->H->history;
	struct point fork = history_fork(&w->P->role.history, &w->mine, h, &w->H->to);

	if (m == ROLE_AHEAD)
		snprintf(out, ROLE_CAUSE,
		    "site '%.80s' has point %" PRIu64 " of epoch %" PRIu64 ", and here it is point %" PRIu64
		    ": this record is an old one",
		    w->e->card.name, w->H->to.seq, w->H->to.epoch, w->mine.seq);
	else
		snprintf(out, ROLE_CAUSE,
		    "site '%.80s' is its primary in epoch %" PRIu64 ", which parted behind point %" PRIu64
		    "%s",
		    w->e->card.name, history_epoch(h), fork.seq,
		    is_withdrawn(w) ? "; the handover that was taken back here was used" : "");
}

static int
fence(struct word *w, enum role_meeting m)
{
	char why[ROLE_CAUSE];

	cause(w, m, why);
	if (!w->P->role.is_fenced)
		role_fence(&w->P->role, history_epoch(&w->H->history), why);
	if (primary_save(w->P) != 0)
		return (-1);
	return (say_refused("%s: %s, and here it is epoch %" PRIu64 " at point %" PRIu64
	                    ": this site is fenced, and exports nothing more; say 'vmferry resync %s --keep "
	                    "%s' to become its replica, or '--keep %s' if what is here counts",
	    w->P->vm, why, primary_epoch(w->P), w->mine.seq, w->P->vm, w->e->card.name,
	    site_card(w->S)->name));
}

/* It does not know of our epoch, or has parted from it. */
static int
refuse_older(struct word *w, enum role_meeting m)
{
	if (primary_save(w->P) != 0)
		return (-1);
	return (say_refused("%s: site '%s' speaks of epoch %" PRIu64
	                    ", and this site is its primary in epoch %" PRIu64 "%s; import the word of "
	                    "'vmferry reverse %s -o FILE' there%s",
	    w->P->vm, w->e->card.name, history_epoch(&w->H->history), primary_epoch(w->P),
	    m == ROLE_STRAY ? ": the histories have parted" : "", w->P->vm,
	    m == ROLE_STRAY ? ", and then say 'vmferry resync' there" : ""));
}

/* Is it a site that may have taken over? */
static int
is_heir(const struct word *w)
{
	const struct role *r = &w->P->role;

	if (primary_target_of(w->P, w->e) != NULL ||
	    ((r->locked != 0 || r->withdrawn != 0) && trust_has_key(w->e, r->locked_for)))
		return (1);
	for (unsigned i = 0; i < r->history.n; i++)
		if (trust_has_key(w->e, r->history.turns[i].site))
			return (1);
	return (0);
}

/* Of handovers that were made one after the other any may have been used, if the disks were the same at all of them. */
static void
find_used(struct word *w)
{
	const struct role *r = &w->P->role;
	const struct history *h = &w->H->history;
	const struct history_turn *left = history_leaves(h, primary_epoch(w->P));
	const struct primary_point *last = primary_last(w->P), *used;

	if (last == NULL || left == NULL || !role_may_follow(r, h, trust_has_key(w->e, r->locked_for)))
		return;
	used = primary_point(w->P, left->seq);
	for (unsigned i = 0; used != NULL && i < w->P->nreplicated; i++)
		if (used->size[i] != last->size[i] || memcmp(used->root[i], last->root[i], LEAF_ROOT) != 0)
			used = NULL;
	if (used != NULL)
		w->mine = used->point;
}

static int
meet(struct word *w)
{
	const struct role *r = &w->P->role;
	enum role_meeting m;
	int is_receipt = w->H->type == BUNDLE_RECEIPT;

	/* A receipt that is none of ours, or of what we know, is the ledger's to judge. */
	if (is_receipt &&
	    (memcmp(w->P->lineage, w->H->lineage, RECORD_ID) != 0 || !is_heir(w) || w->mine.seq == 0))
		return (FOLLOW_NOT);
	if (memcmp(w->P->lineage, w->H->lineage, RECORD_ID) != 0)
		return (say_refused(
		    "%s: this site is its primary, and the bundle is of another lineage", w->P->vm));
	if (!is_heir(w))
		return (say_refused(
		    "%s: this site is its primary, and has never sent it to site '%s'; if that is to "
		    "follow, import the word of 'vmferry reverse %s -o FILE' there",
		    w->P->vm, w->e->card.name, w->P->vm));
	if (!role_is_credible(r, &w->mine, &w->H->history, &w->H->to))
		return (say_refused("%s: site '%s' speaks of point %" PRIu64 " of epoch %" PRIu64
		                    ", which nobody can have come to: nothing of it is believed",
		    w->P->vm, w->e->card.name, w->H->to.seq, history_epoch(&w->H->history)));
	find_used(w);
	m = role_meet(r, &w->mine, &w->H->history, &w->H->to);
	if (m == ROLE_OVERTAKEN && role_may_follow(r, &w->H->history, trust_has_key(w->e, r->locked_for)))
		return (use_handover(w));
	if (is_receipt && !w->H->is_primary && (m == ROLE_PEER || m == ROLE_BEHIND))
		return (FOLLOW_NOT);
	if (m == ROLE_PEER)
		return (say_refused("%s: this site is its primary, and takes no bundle for it", w->P->vm));
	claim(w);
	return (m == ROLE_BEHIND || m == ROLE_STRAY ? refuse_older(w, m) : fence(w, m));
}

int
follow(const struct site *S, const struct trust_entry *e, const struct header *H)
{
	struct word w = { .S = S, .e = e, .H = H };
	char uuid[HEADER_UUID];
	int rc = primary_find(S, H->uuid, uuid);

	if (rc <= 0)
		return (rc < 0 ? -1 : FOLLOW_NOT);
	if ((rc = turn_settle(S, uuid)) != 0)
		return (rc < 0 ? -1 : FOLLOW_NOT);
	if ((rc = primary_open(&w.P, S, uuid)) != 0)
		return (rc);
	if (primary_last(w.P) != NULL)
		w.mine = primary_last(w.P)->point;
	rc = meet(&w);
	primary_close(w.P);
	return (rc);
}

/* --- the sandbox -------------------------------------------------------------------------------------- */

struct allowing {
	const struct site *S;
	struct sandbox *B;
	struct relay_list *N;
};

/* The file or device alone: its neighbours are none of ours. */
static int
allow_disk(const struct allowing *a, const char *where)
{
	if (where[0] == '\0' || relay_add(a->N, where) != 0)
		return (where[0] == '\0' ? 0 : -1);
	return (where[0] != '/' || io_exists(where) != 1 ? 0 : sandbox_add(a->B, where));
}

static int
allow_primary(void *context, const char *uuid)
{
	const struct allowing *a = context;
	struct primary *P;
	int rc = 0;

	if (primary_look(&P, a->S, uuid) != 0)
		return (0); /* said; it is not in the way of the others */
	for (unsigned i = 0; rc == 0 && P->role.locked != 0 && i < P->nreplicated; i++)
		rc = allow_disk(a, P->disks[i].where);
	primary_close(P);
	return (rc);
}

static int
allow_replica(void *context, const char *uuid)
{
	const struct allowing *a = context;
	char path[PATH_MAX];
	struct replica *R;
	int rc = 0;

	if (replica_look(&R, a->S, uuid) != 0)
		return (0); /* said; it is not in the way of the others */
	for (unsigned i = 0; rc == 0 && i < R->ndisks; i++) {
		rc = allow_disk(a, R->where[i]);
		/* The VM may have it open. */
		if (rc == 0 && replica_is_live(R))
			rc = replica_disk_path(R, i, path) != 0 ? -1 : relay_add(a->N, path);
	}
	replica_close(R);
	return (rc);
}

static int
allow_one(struct allowing *a, const char *vm)
{
	char uuid[HEADER_UUID];
	int rc = primary_find(a->S, vm, uuid);

	if (rc > 0)
		rc = allow_primary(a, uuid);
	if (rc == 0 && (rc = replica_find(a->S, vm, uuid)) > 0)
		rc = allow_replica(a, uuid);
	return (rc);
}

int
follow_allow(const struct site *S, struct sandbox *B, struct relay_list *N, const char *only)
{
	struct allowing a = { S, B, N };

	if (only != NULL)
		return (allow_one(&a, only));
	return (primary_each(S, allow_primary, &a) != 0 ? -1 : replica_each(S, allow_replica, &a));
}
