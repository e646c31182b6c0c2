#include "resync.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/say.h"
#include "replica/arrival.h"
#include "replica/branch.h"
#include "replica/compare.h"
#include "replica/failover.h"
#include "replica/merge.h"
#include "side.h"
#include "teller.h"
#include "turn.h"

/* --- what a person must say --------------------------------------------------------------------------- */

static int
ask(const char *vm, const struct resync_options *o, const char *what)
{
	if (o->yes)
		return (0);
	if (!say_has_person())
		return (say_refused("%s: %s; say --yes if that is meant", vm, what));
	return (say_ask("%s: %s", vm, what) ? 0 : say_refused("%s: nothing was done", vm));
}

/* The other site, which has the say from now on: known, with a card that still counts. */
static int
find_kept(const struct site *S, const char *vm, const char *name, const struct trust_entry **e)
{
	int rc = site_find(S, name, e);

	if (rc != 0)
		return (rc);
	if (!trust_allows(*e, vm))
		return (say_refused(
		    "%s: site '%s' may not replicate this VM to here; see 'vmferry trust add --vm'", vm,
		    name));
	return (0);
}

/* A site that is to be kept has said that it is the primary. */
static int
check_claim(const char *vm, const struct role_claim *c, const char *name)
{
	if (c == NULL)
		return (
		    say_refused("%s: site '%s' has not said yet that it is its primary: import a receipt or "
		                "bundle of it first",
		        vm, name));
	if (!c->is_primary)
		return (
		    say_refused("%s: site '%s' is a replica of it, as far as is known here; let it fail over "
		                "first, or say --keep with the name of this site",
		        vm, name));
	return (0);
}

static int
is_own(const struct site *S, const char *name)
{
	return (strcmp(site_card(S)->name, name) == 0);
}

static int
objection(const struct role *r, enum role_event event, const char *vm)
{
	char words[ROLE_WORDS];
	const char *why = role_objection(r, event, words);

	return (why == NULL ? 0 : say_refused("%s: %s", vm, why));
}

/* --- a replica says what it has ----------------------------------------------------------------------- */

/* The comparison, for the site that R follows; the state that waits for its answer is saved with it. */
static int
say_what_is_here(struct replica *R, const struct site *S, const struct resync_options *o, int are_true)
{
	struct compare_options c = {
		.vm = R->vm, .full = !are_true, .are_true = are_true, .output = o->output
	};
	int rc = objection(&R->role, ROLE_RESYNC, R->vm);

	if (rc != 0)
		return (rc);
	role_step(&R->role, ROLE_RESYNC);
	if ((rc = compare_open(R, S, &c)) == 0)
		arrival_resync(R);
	return (rc);
}

static void
follow_kept(struct replica *R, const struct trust_entry *e)
{
	strcpy(R->primary, e->card.name);
	memcpy(R->key, e->card.sign, RECORD_KEY);
	while (R->nstaged > 0)
		replica_drop_staged(R, R->nstaged - 1);
}

/* A replica that has parted, or has failed over itself: it stays one, or becomes one again. */
static int
give_way_replica(
    struct replica *R, const struct site *S, const struct trust_entry *e, const struct resync_options *o)
{
	const struct role_claim *claim = branch_claim(&R->role, e);
	int is_live = replica_is_live(R), rc;

	if (!trust_has_key(e, R->key) && (rc = check_claim(R->vm, claim, e->card.name)) != 0)
		return (rc);
	if ((is_live && (rc = failover_settle(R, S)) != 0) ||
	    (rc = objection(&R->role, is_live ? ROLE_FOLLOW : ROLE_RESYNC, R->vm)) != 0 ||
	    (rc = ask(R->vm, o,
	         is_live ? "what was written here since the failover gives way, and is kept as a branch"
	                 : "what is staged is dropped, and what is here is kept as a branch")) != 0 ||
	    (rc = branch_make(R, claim)) != 0)
		return (rc);
	if (is_live) {
		role_step(&R->role, ROLE_FOLLOW);
		memset(&R->failover, 0, sizeof R->failover);
		R->role.at.seq = 0;
	}
	R->role.is_fenced = 0;
	follow_kept(R, e);
	if ((is_live && replica_keep_excluded(R) != 0) || replica_save(R) != 0 || branch_settle(R) != 0 ||
	    replica_tidy(R) != 0)
		return (-1);
	return (say_what_is_here(R, S, o, 1));
}

/* This very site is to be kept: only one that has failed over can say so. */
static int
keep_own_replica(struct replica *R, const struct site *S)
{
	int rc;

	if (!replica_is_live(R))
		return (say_refused(
		    "%s: this site is a replica of site '%s', and follows it; there is nothing to "
		    "keep; to take over, see vmferry-failover(1)",
		    R->vm, R->primary));
	if ((rc = objection(&R->role, ROLE_KEEP_OWN, R->vm)) != 0)
		return (rc);
	if (role_keep_own(&R->role, &replica_last(R)->point, site_card(S)->sign) != 0 || replica_save(R) != 0)
		return (-1);
	say_note("%s: what is here counts, in epoch %" PRIu64 "; turn the direction with 'vmferry reverse'",
	    R->vm, history_epoch(&R->role.history));
	return (0);
}

static int
at_replica(const struct site *S, const struct resync_options *o)
{
	const struct trust_entry *e;
	struct replica *R;
	int rc = replica_open(&R, S, o->vm);

	if (rc != 0 || (rc = merge_recover(R, S)) != 0)
		goto done;
	if (o->keep != NULL && is_own(S, o->keep)) {
		rc = keep_own_replica(R, S);
	} else if (o->keep != NULL) {
		if ((rc = find_kept(S, R->vm, o->keep, &e)) == 0)
			rc = give_way_replica(R, S, e, o);
	} else if (R->role.state == ROLE_REPLICATING) {
		rc = say_refused(
		    "%s: this site is a replica of site '%s', and follows it: there is nothing to "
		    "resynchronize",
		    R->vm, R->primary);
	} else {
		rc = say_what_is_here(R, S, o, 0);
	}
done:
	replica_close(R);
	return (rc);
}

/* --- a primary gives way ------------------------------------------------------------------------------ */

/* Read its disks into leaves.new/ in its folder: where are they? */
static int
read_disks(struct primary *P, const struct role_claim *c, struct replica_point *p)
{
	const struct primary_point *last = primary_last(P);
	char dir[PATH_MAX], path[PATH_MAX];
	int rc = 0, differs = 0;

	memset(p, 0, sizeof *p);
	if (io_path(dir, "%s/leaves.new", P->dir) != 0 || io_remove_tree(dir) != 0 ||
	    io_mkdir(dir, 0700) != 0)
		return (-1);
	for (unsigned i = 0; rc == 0 && i < P->nreplicated; i++) {
		struct replica_disk_point *d = &p->disks[i];

		primary_no_disk(P, &d->size, d->root);
		if (!P->disks[i].is_gone && (rc = io_path(path, "%s/%s", dir, P->disks[i].id)) == 0)
			rc = branch_read(&P->secret, P->disks[i].where, path, d);
		differs |= d->size != last->size[i] || memcmp(d->root, last->root[i], LEAF_ROOT) != 0;
	}
	p->is_pinned = p->is_branch = 1;
	p->point = last->point;
	if (differs)
		p->point = (struct point){ primary_epoch(P), branch_seq(&last->point, c), (int64_t)time(NULL),
			POINT_STANDARD };
	return (rc == 0 ? io_sync_dir(dir) : rc);
}

static int
give_way_primary(struct turning *t, const struct resync_options *o)
{
	const struct role_claim *claim = branch_claim(&t->P->role, t->e);
	struct replica *R = NULL;
	int rc;

	if ((rc = check_claim(t->P->vm, claim, t->e->card.name)) != 0 ||
	    (rc = objection(&t->P->role, ROLE_FOLLOW, t->P->vm)) != 0 || (rc = turn_check(t->P, t->e)) != 0)
		return (rc);
	if (primary_last(t->P) == NULL)
		return (say_refused(
		    "%s: no point was ever cut here: there is nothing to compare; disable it", t->P->vm));
	if ((rc = ask(t->P->vm, o,
	         "this site becomes a replica; what is on its disks gives way, and is kept as a branch")) !=
	        0 ||
	    (rc = read_disks(t->P, claim, &t->point)) != 0)
		return (rc);
	if ((rc = turn_to_replica(&R, t)) == 0) {
		say_note("%s: this site is a replica of site '%s' now, at point %" PRIu64 " of epoch %" PRIu64
		         ", which is a branch",
		    R->vm, R->primary, t->point.point.seq, t->point.point.epoch);
		rc = say_what_is_here(R, t->S, o, 1);
	}
	replica_close(R);
	return (rc);
}

/* What a target has beyond the fork is not what is sent from here on: it must be compared. */
static void
forget_parted(struct primary *P, const struct site *S)
{
	const struct point mine = primary_last(P)->point;

	for (unsigned i = 0; i < P->ntargets; i++) {
		struct primary_target *t = &P->targets[i];
		const struct trust_entry *e = trust_by_key(site_trust(S), t->key);
		const struct role_claim *c = e == NULL ? NULL : branch_claim(&P->role, e);

		if (c == NULL ||
		    c->newest.seq <= history_fork(&P->role.history, &mine, &c->history, &c->newest).seq)
			continue;
		t->acked = t->sent = t->seeded = t->back = 0;
		say_note(
		    "%s: site '%s' has parted from this one: import the word of 'vmferry reverse %s -o FILE' "
		    "there, and bring what 'vmferry resync %s --keep %s' says there",
		    P->vm, t->name, P->vm, P->vm, site_card(S)->name);
	}
}

/* Where nobody else has run the VM, its addresses never led elsewhere. */
static int
led_here(const struct primary *P)
{
	for (unsigned i = 0; i < P->role.nclaims; i++)
		if (P->role.claims[i].is_primary)
			return (0);
	return (primary_epoch(P) == 1 || P->reminders.dns >= primary_epoch(P));
}

static int
keep_own_primary(struct primary *P, const struct site *S)
{
	int leads_here = led_here(P);
	int rc = objection(&P->role, ROLE_KEEP_OWN, P->vm);

	if (rc != 0)
		return (rc);
	if (primary_last(P) == NULL)
		return (say_refused("%s: no point was ever cut here: there is nothing to keep", P->vm));
	if (role_keep_own(&P->role, &primary_last(P)->point, site_card(S)->sign) != 0)
		return (-1);
	forget_parted(P, S);
	if (leads_here)
		P->reminders.dns = primary_epoch(P);
	if (primary_save(P) != 0)
		return (-1);
	say_note("%s: what is here counts: epoch %" PRIu64 " begins behind point %" PRIu64, P->vm,
	    primary_epoch(P), primary_last(P)->point.seq);
	return (0);
}

static int
at_primary(const struct site *S, const struct resync_options *o)
{
	struct turning t = { .S = S, .leaves = "leaves.new", .is_parted = 1 };
	int rc = primary_open(&t.P, S, o->vm);

	if (rc != 0)
		return (rc);
	if (o->keep == NULL)
		rc = say_refused(
		    "%s: this site is its primary: say 'vmferry resync' at the replica, or --keep "
		    "with the site whose history counts",
		    t.P->vm);
	else if (is_own(S, o->keep))
		rc = keep_own_primary(t.P, S);
	else if ((rc = find_kept(S, t.P->vm, o->keep, &t.e)) == 0)
		rc = give_way_primary(&t, o);
	primary_close(t.P);
	return (rc);
}

/* --- */

int
resync(const struct site *S, const struct resync_options *o)
{
	enum role_side side;
	int rc = side_of(S, o->vm, &side);

	if (rc != 0)
		return (rc);
	rc = side == ROLE_PRIMARY ? at_primary(S, o) : at_replica(S, o);
	if (rc == 0)
		teller_now(S, o->vm);
	return (rc);
}
