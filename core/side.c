#include "side.h"

#include <string.h>

#include "base/say.h"
#include "primary/primary.h"
#include "replica/replica.h"

int
side_of(const struct site *S, const char *vm, enum role_side *side)
{
	char ours[HEADER_UUID], theirs[HEADER_UUID];
	int sent = primary_find(S, vm, ours), received = replica_find(S, vm, theirs);
	int has_say;

	*side = ROLE_PRIMARY;
	if (sent < 0 || received < 0)
		return (-1);
	if (!sent && !received)
		return (say_refused("%s: no such VM is replicated here", vm));
	if (sent && received && strcmp(ours, theirs) != 0)
		return (say_refused(
		    "%s: a VM of that name is protected here, and another one is replicated to here; say "
		    "which by its UUID: %s or %s",
		    vm, ours, theirs));
	if (!received)
		return (0);
	if ((has_say = replica_has_say(S, theirs)) > 0)
		*side = ROLE_REPLICA;
	return (has_say < 0 ? -1 : 0);
}

int
side_is_replica(const struct site *S, const char *vm)
{
	char ours[HEADER_UUID], uuid[HEADER_UUID];
	int sent = primary_find(S, vm, ours), received;
	enum role_side side;

	if (sent < 0)
		return (-1);
	if ((received = replica_find(S, sent ? ours : vm, uuid)) <= 0)
		return (received);
	if (side_of(S, uuid, &side) != 0)
		return (-1);
	return (side == ROLE_REPLICA);
}
