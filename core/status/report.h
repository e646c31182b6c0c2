#ifndef REPORT_H_
#define REPORT_H_

#include <stdint.h>

#include "site/site.h"

#define REPORT_DETAILS 60u /* VMs that are shown one by one: those that need it most; all others have a row */

/**
 * Write a page of HTML about all that this site replicates, or about one VM of it by name or UUID (else NULL), with the
 * figures of the last so many seconds, to the file at path, which is the old page or the new one, whole, at any moment; "-":
 * to standard output.  Nothing is locked.  0; 1, said: there is no such VM, and nothing was written; -1, said: also where a
 * record could not be read, which the page says too.
 */
int report_html(const struct site *S, const char *path, const char *vm, uint64_t interval);

#endif
