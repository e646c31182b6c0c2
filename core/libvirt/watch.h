#ifndef WATCH_H_
#define WATCH_H_

#include <libvirt/libvirt.h>

#include "base/program.h"
#include "hyper/question.h"

/*
 * Who sees to it that a guest is thawed, goes on, and is rid of our job, when we are killed or hang: another process of
 * this program, which nobody has reason to kill.  It is asked as for a verb, says that it is ready, and waits on its
 * input: at "keep" all is well; at its end it does what is to be done.
 */
enum watch_what {
	WATCH_THAW, /* the guest's file systems are thawed; also when nothing was heard in WATCH_FREEZE seconds */
	WATCH_RESUME, /* the VM, paused by us, goes on; also when nothing was heard in WATCH_PAUSE seconds */
	WATCH_END, /* the job of the view Q->token is ended and its room given back, however long it stands */
};
#define WATCH_FREEZE 30
#define WATCH_PAUSE 5

/* Start one, with a connection of its own: 0, once it is ready; -1, said. */
int watch_begin(struct program_talk **T, const struct question *Q, enum watch_what what);

/* All is well: it ends.  0; 1, said, if it had waited too long and has done its work; -1, said.  NULL is fine. */
int watch_end(struct program_talk *T);

/* The verbs "thaw", "resume" and "end", which are its own: see watch_begin. */
int watch_thaw(virConnectPtr C, const struct question *Q);
int watch_resume(virConnectPtr C, const struct question *Q);
int watch_view(virConnectPtr C, const struct question *Q);

#endif
