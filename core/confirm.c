#include "confirm.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/say.h"
#include "history.h"
#include "primary/primary.h"
#include "replica/guest.h"
#include "replica/replica.h"

/* Is there anything to confirm?  0; 1, said. */
static int
check(const struct confirm_options *o, const char *vm, const struct role *r, const struct reminders *m)
{
	/* A person has done what the site's script did not. */
	if (o->what == CONFIRM_DNS && m->script[0] != '\0')
		return (0);
	if (o->what == CONFIRM_DNS && r->side == ROLE_REPLICA && r->state != ROLE_FAILED_OVER)
		return (say_refused("%s: it has not failed over to here, so addresses and DNS lead to its "
		                    "primary; confirm it there",
		    vm));
	if (o->what == CONFIRM_DNS && history_epoch(&r->history) == 1)
		return (say_refused("%s: it never failed over, so no address had to change", vm));
	if (o->what != CONFIRM_DNS && r->side == ROLE_PRIMARY)
		return (say_refused("%s: this site is its primary; confirm that at the replica", vm));
	return (0);
}

static void
note(struct reminders *m, const struct confirm_options *o, const struct role *r, int64_t now)
{
	if (o->what == CONFIRM_DNS)
		m->script[0] = '\0';
	if (o->what == CONFIRM_DNS && (r->side == ROLE_PRIMARY || r->state == ROLE_FAILED_OVER))
		m->dns = history_epoch(&r->history);
	else if (o->what == CONFIRM_DNS)
		return;
	else if (o->what == CONFIRM_NETWORK)
		m->network = now;
	else if (o->has_every)
		m->test_every = o->every;
	else
		m->tested = now;
}

static void
say(const char *vm, const struct confirm_options *o, const struct role *r)
{
	if (o->what == CONFIRM_DNS)
		say_note("%s: addresses and DNS lead to this site, in epoch %" PRIu64, vm,
		    history_epoch(&r->history));
	else if (o->what == CONFIRM_NETWORK)
		say_note("%s: its networks are here", vm);
	else if (o->has_every && o->every != 0)
		say_note("%s: a test is due every %" PRIu64 " seconds", vm, o->every);
	else if (o->has_every)
		say_note("%s: a test is due as often as if nothing was said", vm);
	else
		say_note("%s: was tested today", vm);
}

static int
at_primary(const struct site *S, const struct confirm_options *o, const char *uuid)
{
	struct primary *P;
	int rc = primary_open(&P, S, uuid);

	if (rc == 0 && (rc = check(o, P->vm, &P->role, &P->reminders)) == 0) {
		note(&P->reminders, o, &P->role, (int64_t)time(NULL));
		if ((rc = primary_save(P)) == 0)
			say(P->vm, o, &P->role);
	}
	primary_close(P);
	return (rc);
}

/* What the host says of its networks, where it can be asked, is worth more than a person's word.  0; 1, said; -1. */
static int
ask_host(struct replica *R, const struct site *S)
{
	int rc;

	if (R->npoints == 0)
		return (0);
	if ((rc = guest_prepare(R, S)) != 0 || strcmp(R->host, "none") == 0)
		return (rc);
	guest_note_networks(R, replica_last(R));
	if (R->reminders.missing[0] == '\0')
		return (0);
	return (replica_save(R) != 0 ? -1
	                             : say_refused("%s: the host here still does not have these networks: %s",
	                                   R->vm, R->reminders.missing));
}

static int
at_replica(const struct site *S, const struct confirm_options *o, const char *uuid)
{
	struct replica *R;
	int rc = replica_open(&R, S, uuid);

	if (rc == 0)
		rc = check(o, R->vm, &R->role, &R->reminders);
	if (rc == 0 && o->what == CONFIRM_NETWORK)
		rc = ask_host(R, S);
	if (rc == 0) {
		note(&R->reminders, o, &R->role, (int64_t)time(NULL));
		if ((rc = replica_save(R)) == 0)
			say(R->vm, o, &R->role);
	}
	replica_close(R);
	return (rc);
}

int
confirm(const struct site *S, const struct confirm_options *o)
{
	char uuid[HEADER_UUID];
	int rc = replica_find(S, o->vm, uuid);

	if (rc > 0 && (rc = replica_has_say(S, uuid)) > 0)
		return (at_replica(S, o, uuid));
	if (rc == 0)
		rc = primary_find(S, o->vm, uuid);
	if (rc < 0)
		return (-1);
	return (rc > 0 ? at_primary(S, o, uuid) : say_refused("%s: no such VM is replicated here", o->vm));
}
