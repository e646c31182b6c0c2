#ifndef SUSPEND_H_
#define SUSPEND_H_

#include "site/site.h"

/* Replication is stopped by a person, and goes on by a person, at whichever side of it this site is. */
enum suspend_act {
	SUSPEND_PAUSE = 1, /* a primary sends nothing, a replica takes nothing in */
	SUSPEND_RESUME,
	SUSPEND_DISABLE, /* the same, and nobody expects otherwise */
	SUSPEND_REMOVE, /* nothing of it is kept; of a replica not even its disks, but for those that lie elsewhere */
};

struct suspend_options {
	const char *vm;
	enum suspend_act act;
	int yes; /* a person's word for a removal; else a terminal is asked for the VM's name */
};

/* 0; 1, said; -1. */
int suspend(const struct site *S, const struct suspend_options *o);

#endif
