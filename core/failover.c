#include "failover.h"

#include <inttypes.h>

#include "base/say.h"
#include "export_media.h"
#include "primary/primary.h"
#include "reverse.h"
#include "side.h"
#include "teller.h"

static int
hand_over(struct site *S, const void *context)
{
	return (handover(S, context));
}

/* At the primary --complete is out of place, but where it is what has made this site the primary: then it is done. */
static int
complete_again(struct site *S, const struct failover_command *c)
{
	const char *vm = c->replica.vm;
	const struct history *h;
	struct primary *P;
	int rc = primary_open(&P, S, vm);

	if (rc != 0)
		return (rc);
	h = &P->role.history;
	if (h->n > 0 && !P->role.is_fenced && site_is_own_key(S, h->turns[h->n - 1].site))
		say_note("%s: this site is its primary already, in epoch %" PRIu64 " from point %" PRIu64
		         " on",
		    vm, h->turns[h->n - 1].epoch, h->turns[h->n - 1].seq);
	else
		rc = say_refused("%s: this site is its primary: do that at the site of its replica", vm);
	primary_close(P);
	return (rc);
}

static int
at_primary(struct site *S, const struct failover_command *c)
{
	const char *vm = c->replica.vm;

	switch (c->act) {
	case FAILOVER_PLANNED:
		if (c->handover.bundle.media == NULL || c->handover.is_dry)
			return (handover(S, &c->handover));
		return (export_media_around(S, c->handover.bundle.media, hand_over, &c->handover));
	case FAILOVER_CANCEL:
		return (handover_cancel(S, vm));
	case FAILOVER_COMPLETE:
		return (complete_again(S, c));
	default:
		return (say_refused("%s: this site is its primary: do that at the site of its replica", vm));
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
		return (
		    say_refused("%s: this site is a replica of it: say --planned at its primary, and when "
		                "what that makes was imported here, --planned --complete",
		        o->vm));
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
	enum role_side side;
	int rc = side_of(S, c->replica.vm, &side);

	if (rc != 0)
		return (rc);
	rc = side == ROLE_PRIMARY ? at_primary(S, c) : at_replica(S, c);
	if (!c->replica.is_dry)
		teller_now(S, c->replica.vm);
	return (rc);
}
