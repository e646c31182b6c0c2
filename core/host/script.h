#ifndef SCRIPT_H_
#define SCRIPT_H_

#include "host/host.h"
#include "point.h"

/*
 * A site's own script, HOME/hook: what is to be done around the start and the end of a VM at a failover, and what nobody
 * but the site knows: addresses, names, the hosts of others.  See vmferry-host(7).
 */
enum script_phase {
	SCRIPT_BEFORE_START, /* may refuse the start */
	SCRIPT_AFTER_START,
	SCRIPT_AFTER_STOP,
	SCRIPT_AFTER_TURN, /* this site is the VM's primary from now on */
};

#define SCRIPT_WORDS 128u
struct script {
	const char *home; /* the site's */
	const char *site; /* its name */
	const char *act;  /* "test", "unplanned", "planned", "complete", "cancel", "reverse" */
	enum script_phase phase;
	const struct host_vm *vm;
	const struct point *point;            /* that it stands on, or NULL */
	const struct host_networks *networks; /* as the host knows them, or NULL */
};

/* Does the site with that home have one?  What it is to know need not be found out if not.  1 or 0; -1, said. */
int script_is_there(const char *home);

/**
 * Run the one that is there: 0; 1, said: it says no, or cannot be run, or failed, and failure has a line about that for a
 * person; -1.  In front of a start a 1 refuses; else it is a warning.
 */
int script_run(const struct script *s, char failure[SCRIPT_WORDS]);

const char *script_phase_name(enum script_phase phase);

#endif
