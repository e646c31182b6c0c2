#ifndef SCRATCH_H_
#define SCRATCH_H_

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The room that a view takes: a folder for its socket, scratch files for what the guest overwrites meanwhile, and a
 * guard over the file systems that these grow on, so that the guest never meets their end.
 *
 * Beside the scratch files lies a ballast, of real blocks.  What is free is looked at often; where it gets tight the
 * ballast goes first, and the guest writes into its room while the view is given up.
 *
 * All is named by the view's token: RUN/TOKEN.lock, held while the view stands; RUN/TOKEN/nbd, the socket;
 * DIR/.ID.TOKEN.scratch.  So what a killed program left is found, and known to be of use to nobody.
 */
struct scratch;

/**
 * The view of that token begins: make its folder, in which a QEMU that runs as uid and gid may make a socket, and hold
 * its lock.  What an earlier, dead view of the same token left there is gone.  0, *S being the caller's to close; 1,
 * said, if that view stands; -1, said.
 */
int scratch_open(struct scratch **S, const char *token, uid_t uid, gid_t gid);

/* The path of the socket to be: it fits a socket's address. */
const char *scratch_socket(const struct scratch *S);

/* The folder that sockets of views are in, without its last '/': their lock files tell whose they are. */
int scratch_run(char out[PATH_MAX]);

/* Is the view of that token standing, its program alive?  1 or 0; -1, said. */
int scratch_stands(const char *token);

/* The same of any token with that prefix but for token itself. */
int scratch_any_stands(const char *prefix, const char *token);

/**
 * Remove the scratch files that views with that prefix left in dir, those of standing ones excepted.  0 or -1, said; a
 * folder that is not there has none.
 */
int scratch_tidy(const char *dir, const char *prefix);

/* Remove what the view of that token left of its folder, unless it stands.  0 or -1, said. */
int scratch_bury(const char *token);

/* The same of all tokens with that prefix. */
int scratch_bury_all(const char *prefix);

/**
 * Take care of the file system of dir, that the view will take room on: at most `most` bytes (0: nobody knows).  0; 1,
 * said, if there is so little room that a view cannot be begun; -1, said.
 */
int scratch_watch(struct scratch *S, const char *dir, uint64_t most);

/**
 * The same, after scratch_tidy, and name the scratch file of disk id there: whoever is told the name makes it,
 * scratch_close removes it.
 */
int scratch_file(struct scratch *S, const char *dir, const char *id, const char *prefix, uint64_t most,
    char out[PATH_MAX]);

/**
 * To be asked at least each SCRATCH_PAUSE milliseconds while the view stands.  0; 1, said, once the room runs out: the
 * ballast is gone now, and the view must be ended at once.
 */
#define SCRATCH_PAUSE 50
int scratch_check(struct scratch *S);

/* The view is gone, and so is all that is here; NULL is fine. */
void scratch_close(struct scratch *S);

#endif
