#ifndef RUNNING_H_
#define RUNNING_H_

#include <stdint.h>
#include <sys/types.h>

#include "base/program.h"

/* What all ways to run another program (program.h) are made of. */

/* A program that runs, and the ends of its pipes that are ours; -1 where there is none (any more). */
struct running {
	const struct program *P;
	char path[PATH_MAX];
	pid_t pid;
	int input;          /* all of it, in memory: a program that does not read it holds nobody up */
	int output, errors; /* where we read */
	int its_output, its_errors;
	int pidfd;
	int stays;     /* it is not killed when we are */
	int is_kept;   /* it is a fork of one that is kept ready: pidfd is a pipe that brings its status */
	int listening; /* what a server is to listen on */
	char **env;    /* a server's own; NULL: it gets ours */
	char listen_pid[32]; /* one of env: a server wants its own number there, which only it knows */
	size_t nwords;       /* bytes in words, the end of what it said */
	char words[PROGRAM_WORDS / 2];
};

/* One that does not run yet. */
struct running running_new(const struct program *P);

/* Its ends, and its input in memory: 0; -1, said. */
int running_make_ends(struct running *R);

/* Start it: 0; -1, said. */
int running_start(struct running *R);

/* Take what is there of its standard output, and of its errors: 0; -1, said. */
int running_take_output(struct running *R, struct program_result *out);
int running_take_errors(struct running *R);

/* Wait until there is something to do, at most until then in ms of clock_ms (0: for ever): 1 if it has ended, 0; -1, said. */
int running_wait(const struct running *R, int64_t until);

/* What it said, on one line. */
void running_words(const struct running *R, char out[PROGRAM_WORDS]);

/* It has ended, or will: its status as wait(2) has it; -1, said.  It is gone after this, and not a zombie. */
int running_collect(struct running *R);

/* The same with what is left of its output, and its exit status: 0; -1, said. */
int running_finish(struct running *R, struct program_result *out);

/* Close one end. */
void running_close(int *fd);

/* Kill it, if it runs, and release all. */
void running_end(struct running *R);

#endif
