#ifndef STATUS_VIEW_H_
#define STATUS_VIEW_H_

#include <limits.h>
#include <pthread.h>

#include "site/site.h"
#include "status/status_print.h"

/* What is known of a replication, put together from its record and what lies beside it.  Several threads may look at a time. */

/* What is free at the folder that a replica lies in, asked once for each. */
#define STATUS_STORES 16u
struct status_store {
	char dir[PATH_MAX];
	uint64_t free, all;
};

struct status_view {
	const struct site *S;
	const char *vm; /* NULL: all */
	int64_t now;
	int64_t interval; /* of the figures; 0: none are needed */
	int has_more;     /* what only a program wants to know is needed too */
	/* Gets each line, which is gone when it returns.  0; -1, said. */
	int (*show)(void *context, const struct status_line *l);
	pthread_mutex_t lock; /* of what is below */
	unsigned nstores;
	struct status_store stores[STATUS_STORES];
};

/* The line of that VM, to show with context, if it has one: 0; 1: it has none, or is not wanted; -1, said. */
int status_view_primary(struct status_view *v, const char *uuid, void *context);
int status_view_replica(struct status_view *v, const char *uuid, void *context);

#endif
