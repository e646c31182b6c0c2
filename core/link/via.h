#ifndef VIA_H_
#define VIA_H_

#include <sys/types.h>

/*
 * The way to another site, in the user's words:
 *
 *    unix:PATH             a socket
 *    fifo:OUT,IN           two named pipes, which the other side has the other way round
 *    anything else         a command, for sh -c: its standard input and output are the pipe ("ssh dr vmferry serve")
 */
struct via {
	int in, out; /* may be the same */
	pid_t child; /* 0: none */
	char words[160];
};

/* 0; -1, said: it cannot be opened (that a command fails is seen when nothing comes). */
int via_open(struct via *V, const char *words);

/**
 * Close both ends, wait for the command a little and end it (and its process group) where it does not.  How it
 * ended is said if it failed and is_cut is set.  Of one that was not opened (all zero, or -1) nothing.
 */
void via_close(struct via *V, int is_cut);

/* NULL; or why these words are none. */
const char *via_check(const char *words);

#endif
