#include "failover.h"

#include "base/say.h"
#include "primary/primary.h"
#include "replica/replica.h"
#include "reverse.h"

/* Is this site the VM's primary now?  1 or 0; -1. */
static int
is_primary(const struct site *S, const char *vm)
{
	char uuid[HEADER_UUID];
	struct replica *R;
	int rc = replica_find(S, vm, uuid);

	if (rc < 0)
		return (-1);
	if (rc == 0)
		return (1); /* or nothing: the primary's side says so */
	if (replica_look(&R, S, uuid) != 0)
		return (-1);
	rc = R->role.state == ROLE_TURNED;
	replica_close(R);
	return (rc);
}

static int
at_primary(struct site *S, const struct failover_command *c)
{
	const char *vm = c->replica.vm;

	switch (c->act) {
	case FAILOVER_PLANNED:
		return (handover(S, &c->handover));
	case FAILOVER_CANCEL:
		return (handover_cancel(S, vm));
	default:
		return (
		    say_refused("%s: this site is not a replica of it: do that at the replica's site", vm));
	}
}

/* Complete, and turn the direction where that was asked for. */
static int
finish(struct site *S, const struct failover_command *c, int rc)
{
	struct reverse_options r = { .vm = c->replica.vm, .plain = -1 };

	return (rc == 0 && c->reverse && !c->replica.is_dry ? reverse(S, &r) : rc);
}

static int
at_replica(struct site *S, const struct failover_command *c)
{
	const struct failover_options *o = &c->replica;

	switch (c->act) {
	case FAILOVER_TEST:
		return (failover_test(S, o));
	case FAILOVER_STOP_TEST:
		return (failover_test_stop(S, o));
	case FAILOVER_PLANNED:
		return (finish(S, c, failover_planned(S, o)));
	case FAILOVER_UNPLANNED:
		return (failover_unplanned(S, o));
	case FAILOVER_COMPLETE:
		return (finish(S, c, o->is_planned ? failover_planned(S, o) : failover_complete(S, o)));
	case FAILOVER_CANCEL:
		return (failover_cancel(S, o));
	}
	return (-1);
}

int
failover(struct site *S, const struct failover_command *c)
{
	int rc = is_primary(S, c->replica.vm);

	if (rc < 0)
		return (-1);
	return (rc ? at_primary(S, c) : at_replica(S, c));
}
