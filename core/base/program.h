#ifndef PROGRAM_H_
#define PROGRAM_H_

#include <limits.h>
#include <stddef.h>

/*
 * Another program is run: by its arguments, never through a shell, with nothing of ours open but what is given
 * here.  It has a process group of its own and does not outlive us; what it leaves behind, such as a VM that it
 * started in the background, may go on, and is not waited for.
 */
#define PROGRAM_OUTPUT (1u << 20) /* bytes taken of its standard output */
#define PROGRAM_WORDS 2048u       /* room for the last KiB of its standard error, on one line */

struct program {
	const char *const *argv; /* NULL-ended; argv[0] is a path, or a name that is looked for in PATH */
	const char *package;     /* the Debian package that has it, said if it is missing, or NULL */
	const char *input;       /* for its standard input; NULL: none */
	size_t input_size;
	unsigned
	    seconds; /* after which it and its process group are killed; 0: it has all the time it wants */
};

struct program_result {
	int status;                /* its exit status, 0 to 255 */
	char *output;              /* what it wrote on standard output, with a NUL behind it; never NULL */
	size_t size;               /* at most PROGRAM_OUTPUT; the output may hold NULs */
	char words[PROGRAM_WORDS]; /* the end of its standard error, "" if there was none */
};

/**
 * Run P and wait for its end.  Return 0 if it ended by itself, with whatever exit status, R then being the caller's
 * to release; -1, said, with nothing to release, if it could not be run, was killed by a signal, took too long,
 * wrote too much, or we were asked to stop (stop_check).
 */
int program_run(const struct program *P, struct program_result *R);

/* Release what program_run gave; {0} is fine. */
void program_release(struct program_result *R);

/**
 * Run P as the server of one connection: it gets a listening socket as systemd hands one over (LISTEN_FDS), on which
 * the connection *fd is waiting already, the caller's to close.  A server that ends with its last connection so never
 * outlives us, and leaves no file.  P has no input and no time limit.  0; -1, said.
 */
struct program_server;
int program_serve(const struct program *P, struct program_server **S, int *fd);

/* The same with n connections, all of which are waiting already: the server must take that many, and gets no others. */
int program_serve_many(const struct program *P, struct program_server **S, int *fds, unsigned n);

/**
 * Wait until the server has ended, which it does as soon as all connections were closed, and release S.  If words is
 * not NULL it gets the end of its standard error.  NULL is fine.
 */
void program_served(struct program_server *S, char words[PROGRAM_WORDS]);

/**
 * Run P and talk with it: lines go to its standard input, and come from its standard output.  Unlike the others it is
 * not killed when we are: it finds its input at an end, and cleans up.  P->input is written first; P->seconds is how long
 * each of its answers may take.  0; -1, said.
 */
struct program_talk;
int program_talk(const struct program *P, struct program_talk **T);

/* Its next line, without the newline, valid until the next call.  0; 1, said, if it ended instead with status 1; -1, said. */
int program_talk_hear(struct program_talk *T, const char **line);

/* Say a line, which ends in a newline, before that: 0; -1, said. */
int program_talk_say(struct program_talk *T, const char *line, size_t size);

/**
 * Say the last line (NULL: nothing), close its input, wait for its end and release T.  0 if it ended with 0; 1, said, with
 * 1; -1, said.  One that does not end in P->seconds, or in a few where
 * we are to stop, is left to itself.
 */
int program_talk_end(struct program_talk *T, const char *line);

/**
 * Keep a program of ours ready, since to load it takes longer than what it does: it is run as PATH --stay, and from now on
 * program_talk with it (its arguments being two), here and in processes forked from here, is with a process that it forks.
 * Where it has gone, programs are run as ever.  It ends when all who could ask it are gone.  Only one is kept.  0; -1, said.
 */
int program_keep(const char *path);

/* From here on none is, in this process: of one that parses what comes from outside nobody forks anything. */
void program_keep_none(void);

/* Close all descriptors from that one on, at most 64, but what leads to the one that is kept: 0; -1, unsaid. */
int program_close_from(unsigned first);

/* What it is sent for each, in one packet: its two arguments, each with its NUL; and its input, output, errors, and a pipe
 * that its status, an int as wait(2) has it, is to be written to. */
#define PROGRAM_KEPT_FDS 4
#define PROGRAM_KEPT_TEXT 1024u

/* Where the program of that name, or path, is: 0; -1, said with the package where there is one. */
int program_find(char out[PATH_MAX], const char *name, const char *package);

#endif
