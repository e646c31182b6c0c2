#ifndef SCRIBE_H_
#define SCRIBE_H_

#include <stdint.h>

#include "site/site.h"

/*
 * Writes custody lines for a process that confines itself and may write nowhere: another one, which parses nothing,
 * is told through a pipe what was done to which of the files that were named on the command line.  Who takes the
 * confined process over can make it write what it likes into the logs beside these files, and nothing else.
 */
struct scribe;

/* Before the sandbox is entered; S signs, or nobody where it is NULL.  *s is NULL if none of the n files is on a medium.  0; -1, said. */
int scribe_start(struct scribe **s, const struct site *S, char *const *paths, unsigned n);

/* What was done to that file with that answer, and if it was not 0, what was last said; for the bundle of that id. */
void scribe_note(struct scribe *s, unsigned file, const uint8_t bundle[RECORD_ID], const char *what, int rc);

/* Wait until all is durable.  Accepts NULL. */
void scribe_end(struct scribe *s);

#endif
