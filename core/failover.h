#ifndef CORE_FAILOVER_H_
#define CORE_FAILOVER_H_

#include "primary/handover.h"
#include "replica/failover.h"

/* A failover, at whichever side of the replication this site is. */
enum failover_act {
	FAILOVER_TEST = 1,
	FAILOVER_STOP_TEST,
	FAILOVER_PLANNED, /* at the primary: the handover; at a replica: as with complete */
	FAILOVER_UNPLANNED,
	FAILOVER_COMPLETE,
	FAILOVER_CANCEL,
};

struct failover_command {
	enum failover_act act;
	struct handover_options handover;
	struct failover_options replica;
	int reverse; /* when it is complete, turn the direction at once */
};

/* 0; 1, said; -1. */
int failover(struct site *S, const struct failover_command *c);

#endif
