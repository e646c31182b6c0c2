#ifndef TELLER_H_
#define TELLER_H_

#include "site/site.h"

/*
 * Tells this site's host what the site is to a VM now: a placeholder or replica, which is not to be started, or a primary
 * that was fenced or has handed the VM over.  What the host says to that changes no answer of ours: it is said, and
 * tried again with the next command.
 */

/* The VM, by name or UUID; nobody has its record open. */
void teller_now(const struct site *S, const char *vm);

/*
 * The same for a process that confines itself, which may run no program: another one, which parses no bundle, is told
 * the UUIDs through a pipe, and begins when all is done.  One that is killed takes it along.
 */
struct teller;

/* Before the sandbox is entered.  0; -1, said. */
int teller_start(struct teller **t, const struct site *S);

/* Something came for that VM.  Accepts NULL. */
void teller_note(struct teller *t, const char *uuid);

/* All records are closed: it tells, and is waited for.  Accepts NULL. */
void teller_end(struct teller *t);

#endif
