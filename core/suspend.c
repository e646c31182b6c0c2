#include "suspend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "primary/live.h"
#include "primary/primary.h"
#include "replica/replica.h"
#include "replica/guest.h"
#include "side.h"
#include "teller.h"

static const enum role_event events[] = { [SUSPEND_PAUSE] = ROLE_PAUSE,
	[SUSPEND_RESUME] = ROLE_RESUME,
	[SUSPEND_DISABLE] = ROLE_DISABLE,
	[SUSPEND_REMOVE] = ROLE_DISABLE };

/* --- may it be? --------------------------------------------------------------------------------------- */

static int
check(const struct role *r, const char *vm, enum suspend_act act)
{
	char words[ROLE_WORDS];
	const char *why = role_objection(r, events[act], words);

	return (why == NULL ? 0 : say_refused("%s: %s", vm, why));
}

/* Where the VM runs here, its disks are not ours to remove. */
static int
check_removal(const struct role *r, const char *vm)
{
	char words[ROLE_WORDS];
	enum role_state was = role_beneath(r);

	if (r->side == ROLE_REPLICA && was == ROLE_TURNED)
		return (say_refused("%s: this site was its primary, and these disks are the VM's; take them "
		                    "elsewhere, and then remove its folder by hand",
		    vm));
	if (r->side == ROLE_REPLICA && (was == ROLE_FAILOVER || was == ROLE_FAILED_OVER))
		return (
		    say_refused("%s: it has failed over to here, and these disks are the VM's now; turn the "
		                "direction with 'vmferry reverse', or take an unfinished failover back "
		                "with 'vmferry failover --cancel'",
		        vm));
	if (r->side == ROLE_PRIMARY && was == ROLE_PREPARED)
		return (say_refused("%s: %s", vm, role_objection(r, ROLE_SEND, words)));
	return (0);
}

/*
 * What this site was before it became the primary is of no use without that.  Where the VM's disks lie in its folder
 * they stay, and so does it, disabled: the way back, and the guard of the disks.  0; 1, said; -1.
 */
static int
retire(const struct site *S, const char *uuid)
{
	char found[HEADER_UUID], path[PATH_MAX], dir[PATH_MAX];
	struct replica *R;
	int rc = replica_find(S, uuid, found), is_home = 0;

	if (rc <= 0)
		return (rc);
	if ((rc = replica_open(&R, S, uuid)) != 0)
		return (rc);
	if (realpath(R->dir, dir) == NULL)
		strcpy(dir, "/");
	for (unsigned i = 0; i < R->ndisks; i++)
		is_home |= !replica_disk_is_elsewhere(R, i) && replica_disk_path(R, i, path) == 0 &&
		           io_exists(path) == 1;
	for (unsigned i = 0; i < R->nexcluded; i++)
		is_home |= replica_excluded_path(R, i, path) == 0 && io_exists(path) == 1 &&
		           strncmp(path, dir, strlen(dir)) == 0;
	if (R->role.state == ROLE_TURNED && !is_home)
		return (replica_remove(R, S));
	if (R->role.state == ROLE_TURNED) {
		R->role.before = ROLE_TURNED;
		R->role.state = ROLE_DISABLED;
		say_note(
		    "%s: its disks stay in %s/disks; remove that folder by hand when they are not needed "
		    "there any more; 'vmferry resume %s' and 'vmferry reverse %s' protect it again",
		    R->vm, R->dir, R->vm, R->vm);
		rc = replica_save(R);
	}
	replica_close(R);
	return (rc);
}

/* What is removed is gone: a person says the VM's name. */
static int
confirm(const char *vm, const char *what)
{
	char line[LIMIT_NAME + 2];

	if (!isatty(STDIN_FILENO))
		return (say_refused("%s: %s would be removed for good; say --yes", vm, what));
	fprintf(stderr, "%s: %s will be removed for good.  Type the VM's name to go on: ", vm, what);
	if (fgets(line, sizeof line, stdin) == NULL)
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return (strcmp(line, vm) == 0 ? 0 : say_refused("%s: nothing was removed", vm));
}

/* --- */

/* 0: it is to be saved; 2: it is so already; 1, said. */
static int
move(struct role *r, const char *vm, enum suspend_act act)
{
	enum role_state before = r->state;
	int rc = check(r, vm, act);

	if (rc != 0)
		return (rc);
	if (role_step(r, events[act]) != 0)
		return (say_refused("%s: it cannot be in that state", vm));
	if (r->state == before) {
		say_note("%s: is %s already", vm, act == SUSPEND_PAUSE ? "paused" : "disabled");
		return (2);
	}
	return (0);
}

static void
conclude(const struct role *r, const char *vm, enum suspend_act act)
{
	if (act == SUSPEND_RESUME)
		say_note("%s: goes on: %s", vm, role_state_text(r->state));
	else if (r->side == ROLE_PRIMARY)
		say_note("%s: %s: nothing is sent until 'vmferry resume'", vm,
		    act == SUSPEND_PAUSE ? "paused" : "disabled");
	else
		say_note("%s: %s: nothing is received until 'vmferry resume'; the disks and points stay", vm,
		    act == SUSPEND_PAUSE ? "paused" : "disabled");
}

static int
at_primary(const struct site *S, const struct suspend_options *o)
{
	struct primary *P;
	char vm[sizeof P->vm], uuid[sizeof P->uuid];
	int rc;

	if (o->act == SUSPEND_REMOVE && (rc = primary_sweep(S)) != 0)
		return (rc);
	/* Interrupted, when the record of the primary was gone: the rest. */
	if (o->act == SUSPEND_REMOVE && (rc = primary_find(S, o->vm, uuid)) <= 0) {
		if (rc == 0 && !o->yes)
			rc = confirm(o->vm, "the record of its replication, not its disks,");
		return (rc != 0 ? rc : retire(S, o->vm));
	}
	if ((rc = primary_open(&P, S, o->vm)) != 0)
		return (rc);
	strcpy(vm, P->vm);
	strcpy(uuid, P->uuid);
	if (o->act == SUSPEND_REMOVE) {
		if ((rc = check(&P->role, vm, o->act)) == 0 && (rc = check_removal(&P->role, vm)) == 0 &&
		    !o->yes)
			rc = confirm(vm, "the record of its replication, not its disks,");
		if (rc == 0)
			live_forget(P);
		if (rc > 0)
			primary_close(P);
		else if (rc == 0 && (rc = primary_remove(P, S)) == 0 && (rc = retire(S, uuid)) == 0)
			say_note("%s: is not protected any more; its disks are untouched", vm);
		return (rc);
	}
	if ((rc = move(&P->role, vm, o->act)) == 0 && (rc = primary_save(P)) == 0)
		conclude(&P->role, vm, o->act);
	primary_close(P);
	return (rc == 2 ? 0 : rc);
}

static int
at_replica(const struct site *S, const struct suspend_options *o)
{
	struct replica *R;
	char vm[sizeof R->vm];
	int rc;

	if ((rc = replica_open(&R, S, o->vm)) != 0)
		return (rc);
	strcpy(vm, R->vm);
	if (o->act == SUSPEND_REMOVE) {
		if (R->test.is_on)
			rc = say_refused("%s: a test failover stands; end it first with 'vmferry failover "
			                 "--stop-test'",
			    vm);
		if (rc == 0 && (rc = check_removal(&R->role, vm)) == 0 &&
		    (rc = check(&R->role, vm, o->act)) == 0 && !o->yes)
			rc = confirm(vm, "the replica, with its disks and points,");
		if (rc != 0 || (rc = guest_forget(R, S)) != 0)
			replica_close(R);
		else if ((rc = replica_remove(R, S)) == 0)
			say_note("%s: the replica is removed", vm);
		return (rc);
	}
	if ((rc = move(&R->role, vm, o->act)) == 0 && (rc = replica_save(R)) == 0)
		conclude(&R->role, vm, o->act);
	/* That the host cannot forget it now is said, and changes nothing: it is not to be started by its record. */
	if (rc == 0 && o->act == SUSPEND_DISABLE && !replica_is_live(R) && guest_forget(R, S) == 0)
		rc = replica_save(R);
	replica_close(R);
	return (rc == 2 ? 0 : rc);
}

int
suspend(const struct site *S, const struct suspend_options *o)
{
	enum role_side side;
	int rc;

	if ((rc = side_of(S, o->vm, &side)) != 0)
		return (rc);
	rc = side == ROLE_PRIMARY ? at_primary(S, o) : at_replica(S, o);
	if (rc == 0 && o->act == SUSPEND_RESUME)
		teller_now(S, o->vm);
	return (rc);
}
