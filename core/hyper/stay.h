#ifndef STAY_H_
#define STAY_H_

#include "base/program.h"

/*
 * A host program that is kept ready (program_keep): it forks a process for each question, and so spares the time to load
 * it.  Nothing but that happens in it: no connection is made, no question read.
 */

/**
 * Fork for each who asks, at the socket that is standard input.  Return 1 in such a process, with its input, output and
 * errors in place, and argv, a PROGRAM_KEPT_TEXT of text and the caller's to keep, set as if it was run so: NAME VERB NAME;
 * 0 when nobody can ask any more; -1, said.
 */
int stay(const char *argv[4], char text[PROGRAM_KEPT_TEXT]);

#endif
