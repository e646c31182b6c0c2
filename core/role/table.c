#include "role/table.h"

#include <stddef.h>

#define TO(state)                  \
	{                          \
		ROLE_##state, NULL \
	}
#define BACK                       \
	{                          \
		TABLE_BEFORE, NULL \
	}
#define NO(why)        \
	{              \
		0, why \
	}

static const char
    disabled[] = "it is disabled; 'vmferry resume' takes it up again",
    paused[] = "it is paused; 'vmferry resume' takes it up again",
    locked[] = "it is prepared for a planned failover and locked; complete that at the replica, or take it "
               "back with 'vmferry failover --cancel'",
    started[] = "it has failed over to here and is not complete; say 'vmferry failover --complete' or "
                "'--cancel' first",
    is_ours[] = "it has failed over to here: this site is its primary; turn the direction with 'vmferry "
                "reverse'";

static const char *const primary_defaults[ROLE_STATES] = {
	[ROLE_DISABLED] = disabled,
	[ROLE_READY] = "nothing was sent yet; start with 'vmferry export --seed'",
	[ROLE_WAITING] =
	    "no receipt of its seed has come yet; give that of 'vmferry import --receipt' to 'vmferry "
	    "import' here",
	[ROLE_REPLICATING] = "this site is its primary, and all is well: there is nothing to do that for",
	[ROLE_PREPARED] = locked,
	[ROLE_SUSPENDED] = paused,
	[ROLE_ERROR] = "it is stopped until a person has looked, and says 'vmferry resync --keep SITE'",
	[ROLE_WAITING_RESYNC] = "it waits for a resynchronization; 'vmferry resync' at the replica begins it",
	[ROLE_RESYNCING] = "it is being resynchronized; wait for the receipt",
	[ROLE_TURNED] = "it is not the primary any more: this site is a replica of it",
};

static const char *const replica_defaults[ROLE_STATES] = {
	[ROLE_DISABLED] = disabled,
	[ROLE_WAITING] = "it is a placeholder: its seed is not in yet",
	[ROLE_REPLICATING] = "it is a replica, and has not failed over",
	[ROLE_FAILOVER] = started,
	[ROLE_FAILED_OVER] = is_ours,
	[ROLE_SUSPENDED] = paused,
	[ROLE_ERROR] = "it is stopped until a person has looked, and says 'vmferry resync'",
	[ROLE_WAITING_RESYNC] = "it waits for a resynchronization; begin it with 'vmferry resync'",
	[ROLE_RESYNCING] =
	    "it is being resynchronized; bring what 'vmferry export --against' makes at its primary",
	[ROLE_TURNED] = "it is not a replica any more: this site is its primary",
};

static const struct table_cell primary[ROLE_STATES][ROLE_EVENTS] = {
	[ROLE_DISABLED] = { [ROLE_RESUME] = BACK,
	    [ROLE_DISABLE] = TO(DISABLED),
	    [ROLE_FENCE] = TO(DISABLED),
	    [ROLE_START] = TO(DISABLED) },
	[ROLE_READY] = { [ROLE_SEND] = TO(WAITING),
	    [ROLE_FENCE] = TO(ERROR),
	    [ROLE_PAUSE] = TO(SUSPENDED),
	    [ROLE_RESUME] = NO("it is not paused"),
	    [ROLE_BREAK] = TO(ERROR),
	    [ROLE_START] = TO(READY),
	    [ROLE_DISABLE] = TO(DISABLED),
	    [ROLE_CANCEL] = NO("no failover of it is prepared") },
	[ROLE_WAITING] = { [ROLE_SEND] = TO(WAITING),
	    [ROLE_RECEIPT] = TO(REPLICATING),
	    [ROLE_FENCE] = TO(ERROR),
	    [ROLE_PAUSE] = TO(SUSPENDED),
	    [ROLE_RESUME] = NO("it is not paused"),
	    [ROLE_BREAK] = TO(ERROR),
	    [ROLE_START] = TO(WAITING),
	    [ROLE_DISABLE] = TO(DISABLED),
	    [ROLE_CANCEL] = NO("no failover of it is prepared"),
	    [ROLE_PART] = TO(WAITING_RESYNC) },
	[ROLE_REPLICATING] = { [ROLE_SEND] = TO(REPLICATING),
	    [ROLE_RECEIPT] = TO(REPLICATING),
	    [ROLE_PREPARE] = TO(PREPARED),
	    [ROLE_FENCE] = TO(ERROR),
	    [ROLE_PAUSE] = TO(SUSPENDED),
	    [ROLE_RESUME] = NO("it is not paused"),
	    [ROLE_BREAK] = TO(ERROR),
	    [ROLE_START] = TO(REPLICATING),
	    [ROLE_DISABLE] = TO(DISABLED),
	    [ROLE_CANCEL] = NO("no failover of it is prepared"),
	    [ROLE_PART] = TO(WAITING_RESYNC) },
	[ROLE_PREPARED] = { [ROLE_RECEIPT] = TO(PREPARED),
	    [ROLE_PREPARE] = TO(PREPARED),
	    [ROLE_CANCEL] = TO(REPLICATING),
	    [ROLE_FENCE] = TO(ERROR),
	    [ROLE_FOLLOW] = TO(TURNED),
	    [ROLE_DISABLE] = TO(DISABLED) },
	[ROLE_SUSPENDED] = { [ROLE_RECEIPT] = TO(SUSPENDED),
	    [ROLE_RESUME] = BACK,
	    [ROLE_FENCE] = TO(ERROR),
	    [ROLE_BREAK] = TO(ERROR),
	    [ROLE_PAUSE] = TO(SUSPENDED),
	    [ROLE_START] = TO(SUSPENDED),
	    [ROLE_DISABLE] = TO(DISABLED) },
	[ROLE_ERROR] = { [ROLE_RECEIPT] = TO(ERROR),
	    [ROLE_FENCE] = TO(ERROR),
	    [ROLE_BREAK] = TO(ERROR),
	    [ROLE_FOLLOW] = TO(TURNED),
	    [ROLE_KEEP_OWN] = TO(REPLICATING),
	    [ROLE_DISABLE] = TO(DISABLED) },
	[ROLE_WAITING_RESYNC] = { [ROLE_SEND] = TO(RESYNCING),
	    [ROLE_RECEIPT] = TO(WAITING_RESYNC),
	    [ROLE_FENCE] = TO(ERROR),
	    [ROLE_PAUSE] = TO(SUSPENDED),
	    [ROLE_BREAK] = TO(ERROR),
	    [ROLE_START] = TO(WAITING_RESYNC),
	    [ROLE_PART] = TO(WAITING_RESYNC),
	    [ROLE_DISABLE] = TO(DISABLED) },
	[ROLE_RESYNCING] = { [ROLE_SEND] = TO(RESYNCING),
	    [ROLE_RECEIPT] = TO(REPLICATING),
	    [ROLE_FENCE] = TO(ERROR),
	    [ROLE_PAUSE] = TO(SUSPENDED),
	    [ROLE_BREAK] = TO(ERROR),
	    [ROLE_START] = TO(RESYNCING),
	    [ROLE_PART] = TO(WAITING_RESYNC),
	    [ROLE_DISABLE] = TO(DISABLED) },
};

static const struct table_cell replica[ROLE_STATES][ROLE_EVENTS] = {
	[ROLE_DISABLED] = { [ROLE_RESUME] = BACK,
	    [ROLE_FENCE] = TO(DISABLED),
	    [ROLE_DISABLE] = TO(DISABLED) },
	[ROLE_WAITING] = { [ROLE_RECEIVE] = TO(WAITING),
	    [ROLE_SEEDED] = TO(REPLICATING),
	    [ROLE_PAUSE] = TO(SUSPENDED),
	    [ROLE_RESUME] = NO("it is not paused"),
	    [ROLE_BREAK] = TO(ERROR),
	    [ROLE_DISABLE] = TO(DISABLED) },
	[ROLE_REPLICATING] = { [ROLE_RECEIVE] = TO(REPLICATING),
	    [ROLE_SEEDED] = TO(REPLICATING),
	    [ROLE_MERGE] = TO(REPLICATING),
	    [ROLE_TEST] = TO(REPLICATING),
	    [ROLE_TAKE_OVER] = TO(FAILED_OVER),
	    [ROLE_FAIL_OVER] = TO(FAILOVER),
	    [ROLE_PART] = TO(WAITING_RESYNC),
	    [ROLE_RESYNC] = TO(REPLICATING),
	    [ROLE_RESYNCED] = TO(REPLICATING),
	    [ROLE_PAUSE] = TO(SUSPENDED),
	    [ROLE_RESUME] = NO("it is not paused"),
	    [ROLE_BREAK] = TO(ERROR),
	    [ROLE_DISABLE] = TO(DISABLED) },
	[ROLE_FAILOVER] = { [ROLE_RECEIVE] = TO(FAILOVER),
	    [ROLE_COMPLETE] = TO(FAILED_OVER),
	    [ROLE_CANCEL] = BACK,
	    [ROLE_START] = TO(FAILOVER) },
	[ROLE_FAILED_OVER] = { [ROLE_REVERSE] = TO(TURNED),
	    [ROLE_START] = TO(FAILED_OVER),
	    [ROLE_FENCE] = TO(FAILED_OVER),
	    [ROLE_KEEP_OWN] = TO(FAILED_OVER),
	    [ROLE_FOLLOW] = TO(WAITING_RESYNC),
	    [ROLE_DISABLE] = TO(DISABLED),
	    [ROLE_CANCEL] =
	        NO("it is complete and cannot be taken back; turn the direction with 'vmferry reverse', "
	           "and fail over again at the other site") },
	[ROLE_SUSPENDED] = { [ROLE_MERGE] = TO(SUSPENDED),
	    [ROLE_TEST] = TO(SUSPENDED),
	    [ROLE_TAKE_OVER] = TO(FAILED_OVER),
	    [ROLE_FAIL_OVER] = TO(FAILOVER),
	    [ROLE_PART] = TO(WAITING_RESYNC),
	    [ROLE_PAUSE] = TO(SUSPENDED),
	    [ROLE_RESUME] = BACK,
	    [ROLE_BREAK] = TO(ERROR),
	    [ROLE_DISABLE] = TO(DISABLED) },
	[ROLE_ERROR] = { [ROLE_RECEIVE] = TO(ERROR),
	    [ROLE_MERGE] = TO(ERROR),
	    [ROLE_TEST] = TO(ERROR),
	    [ROLE_FAIL_OVER] = TO(FAILOVER),
	    [ROLE_PART] = TO(ERROR),
	    [ROLE_RESYNC] = TO(ERROR),
	    [ROLE_RESYNCED] = TO(REPLICATING),
	    [ROLE_BREAK] = TO(ERROR),
	    [ROLE_DISABLE] = TO(DISABLED) },
	[ROLE_WAITING_RESYNC] = { [ROLE_RECEIVE] = TO(WAITING_RESYNC),
	    [ROLE_SEEDED] = TO(REPLICATING),
	    [ROLE_MERGE] = TO(REPLICATING),
	    [ROLE_TEST] = TO(WAITING_RESYNC),
	    [ROLE_FAIL_OVER] = TO(FAILOVER),
	    [ROLE_PART] = TO(WAITING_RESYNC),
	    [ROLE_RESYNC] = TO(RESYNCING),
	    [ROLE_RESYNCED] = TO(REPLICATING),
	    [ROLE_PAUSE] = TO(SUSPENDED),
	    [ROLE_BREAK] = TO(ERROR),
	    [ROLE_DISABLE] = TO(DISABLED) },
	[ROLE_RESYNCING] = { [ROLE_RECEIVE] = TO(RESYNCING),
	    [ROLE_SEEDED] = TO(REPLICATING),
	    [ROLE_MERGE] = TO(REPLICATING),
	    [ROLE_TEST] = TO(RESYNCING),
	    [ROLE_FAIL_OVER] = TO(FAILOVER),
	    [ROLE_PART] = TO(WAITING_RESYNC),
	    [ROLE_RESYNC] = TO(RESYNCING),
	    [ROLE_RESYNCED] = TO(REPLICATING),
	    [ROLE_PAUSE] = TO(SUSPENDED),
	    [ROLE_BREAK] = TO(ERROR),
	    [ROLE_DISABLE] = TO(DISABLED) },
};

const struct table_cell *
table_cell(enum role_side side, enum role_state state, enum role_event event)
{
	return (side == ROLE_PRIMARY ? &primary[state][event] : &replica[state][event]);
}

const char *
table_default(enum role_side side, enum role_state state)
{
	const char *why = side == ROLE_PRIMARY ? primary_defaults[state] : replica_defaults[state];

	return (why != NULL ? why : "it cannot be in that state");
}
