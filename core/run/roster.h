#ifndef ROSTER_H_
#define ROSTER_H_

#include <limits.h>
#include <stdint.h>

#include "bounds.h"
#include "role/role.h"
#include "site/site.h"

/* What of this site's VMs is to be sent, where and how often, as their records say; for run. */

struct roster_target {
	char site[LIMIT_NAME + 1];
	int is_initial; /* nothing was sent to it yet, or came there as far as is known */
	int64_t
	    last; /* seconds since 1970: when the newest point was cut that it has; 0: none, or not known */
};

struct roster_vm {
	char vm[LIMIT_NAME + 1];
	char dir[PATH_MAX];   /* of the record that has the say */
	char host[PATH_MAX];  /* what runs it, at its primary; else "none" */
	uint64_t frequency;   /* seconds; 0: none was wished */
	char why[ROLE_WORDS]; /* nothing is to be sent now: why; or empty */
	unsigned ntargets;
	struct roster_target targets[LIMIT_TARGETS];
};

/* Call each with the UUID of every VM, and with what tells whether its records have changed.  0; -1, said. */
int roster_each(
    const struct site *S, void (*each)(void *context, const char *uuid, uint64_t stamp), void *context);

/* The same of one: 0: it has no record. */
uint64_t roster_stamp(const struct site *S, const char *uuid);

/* Look at the records of one: 0; -1, said. */
int roster_look(struct roster_vm *v, const struct site *S, const char *uuid);

#endif
