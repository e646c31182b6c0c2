#include "side.h"

#include <string.h>

#include "primary/primary.h"
#include "replica/replica.h"

/* A replica that has turned is none any more: the primary's record beside it counts. */
static int
is_turned(const struct site *S, const char *uuid)
{
	struct replica *R;
	int turned;

	if (replica_look(&R, S, uuid) != 0)
		return (-1);
	turned = R->role.state == ROLE_TURNED;
	replica_close(R);
	return (turned);
}

int
side_is_replica(const struct site *S, const char *vm)
{
	char here[HEADER_UUID], uuid[HEADER_UUID];
	int is_primary = primary_find(S, vm, here), rc;

	if (is_primary < 0)
		return (-1);
	/* Of another site's VM of the same name this one may be a replica all the same. */
	if ((rc = replica_find(S, is_primary ? here : vm, uuid)) <= 0)
		return (rc);
	return ((rc = is_turned(S, uuid)) < 0 ? -1 : !rc);
}
