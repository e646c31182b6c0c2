#ifndef ARGS_H_
#define ARGS_H_

#include <getopt.h>
#include <stdint.h>

#include "header.h"

/* What every tool's command line has in common.  Misuse is said and ends the program with status 2. */
struct args_tool {
	const char *name;  /* "vmferry-import" */
	const char *usage; /* the whole help */
};

/* --home, --version and --help, to be put in front of a tool's own long options. */
#define ARGS_COMMON                                                                      \
	{ "home", required_argument, NULL, 'H' }, { "version", no_argument, NULL, 'V' }, \
	{                                                                                \
		"help", no_argument, NULL, 'h'                                           \
	}

/* The next option as getopt_long gives it, or -1.  The common ones are dealt with here: *home is set. */
int args_next(const struct args_tool *t, int argc, char *argv[], const char *shorts,
    const struct option *longs, const char **home);

/* Between least and most words must follow the options; at most INT_MAX. */
void args_words(const struct args_tool *t, int argc, int least, int most);

/* Say what is wrong and how it should be, and end with 2. */
_Noreturn void args_misuse(const struct args_tool *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/**
 * The main of a tool that is asked by others, as vmferry-host(7) says: its exit status.  answer is given the question that
 * is on standard input, and returns as verbs do.
 */
struct question;
int args_answer(const struct args_tool *t, int argc, char *argv[], int (*answer)(const struct question *Q));

/* A size in bytes, with K, M, G or T behind it (powers of 1024); a time in seconds, with s, m, h or d. */
uint64_t args_size(const struct args_tool *t, const char *s);
uint64_t args_time(const struct args_tool *t, const char *s);
uint64_t args_number(const struct args_tool *t, const char *s, uint64_t least, uint64_t most);

/* none, fast, default or best. */
enum header_level args_level(const struct args_tool *t, const char *s);

#endif
