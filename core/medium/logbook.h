#ifndef LOGBOOK_H_
#define LOGBOOK_H_

#include <stdint.h>

#include "custody.h"
#include "medium/medium.h"
#include "site/site.h"

/* The custody log of a bundle on a medium, STEM.log; see custody.h for its lines. */

/**
 * Note there that we did what ("export", "import", ...) to the bundle of that id with that result ("ok", or
 * "refused: ..."), durably; signed by S, or by nobody where S is NULL.  Where the medium cannot be written to, or
 * the log is full, nothing is done: what matters is the bundle.  0; -1, said.
 */
int logbook_add(const struct medium *M, const struct site *S, const char *stem,
    const uint8_t bundle[RECORD_ID], const char *what, const char *result);

/**
 * Call each with every line of the n bytes of a log about the bundle of that id, in order: why is NULL for a proper
 * line; else C is not to be used.  is_linked: it names the line before it.  Until each returns other than 0, which is
 * then returned; else 0.
 */
int logbook_each(const char *text, size_t n, const uint8_t bundle[RECORD_ID],
    int (*each)(void *context, const struct custody *C, const char *why, int is_linked), void *context);

/**
 * The log that lies beside the volume of a bundle at path, be it on a medium or not: n bytes of text, which the
 * caller frees.  0; 2, unsaid, if there is none; -1, said.
 */
int logbook_beside(const char *path, char **text, size_t *n);

#endif
