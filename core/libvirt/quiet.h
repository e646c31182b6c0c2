#ifndef QUIET_H_
#define QUIET_H_

#include <libvirt/libvirt.h>

#include "hyper/question.h"
#include "libvirt/live.h"

/* A guest that holds still for an instant, and never longer: see watch.h for who sees to that. */
struct quiet {
	struct program_talk *watch; /* NULL: nothing to undo */
	int is_quiet;
	char why[HOST_WHY]; /* if it is not */
};

/* Have the guest's agent freeze its file systems, if it answers.  Nothing fails by this: *q says how it went. */
void quiet_freeze(struct quiet *q, virDomainPtr D, const struct question *Q, const struct live *L);

/* Thaw them, always. */
void quiet_thaw(struct quiet *q, virDomainPtr D);

/* Let a running VM stand still: 0, to be ended by quiet_resume; 1, said, if it does not run or libvirt says no; -1. */
int quiet_suspend(struct quiet *q, virDomainPtr D, const struct question *Q);

/* Let it go on: 0, and it stood still all the time; -1, said. */
int quiet_resume(struct quiet *q, virDomainPtr D);

#endif
