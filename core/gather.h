#ifndef GATHER_H_
#define GATHER_H_

#include "medium/holdings.h"
#include "medium/medium.h"
#include "site/site.h"

/* What every command that meets a medium does in passing: take the key lists and receipts there are for this site. */

/**
 * Take what is new to us of the key lists on M, then of the receipts as its holdings C say.  One that is bad is said,
 * and keeps none of the others back.  In the sandbox that the process is in.  0; -1, said.
 */
int gather(struct site *S, const struct medium *M, const struct holdings *C);

/* The same with the medium at dir, in a process of its own, confined; nothing if nothing of ours is there. */
int gather_apart(struct site *S, const char *dir, int insist);

/* Leave this site's own key list on M, where it has had more keys than one and M can be written to.  0; -1, said. */
int gather_leave_keys(const struct site *S, const struct medium *M);

/* The same with the medium at dir. */
int gather_leave_keys_at(const struct site *S, const char *dir);

#endif
