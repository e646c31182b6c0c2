#ifndef TRIAL_H_
#define TRIAL_H_

#include "session/cargo.h"
#include "site/site.h"

/**
 * Would a VM be taken, that way, by the site of e?  Each question is answered with a line on standard output, or all of them
 * as JSON.  Nothing changes anywhere.  0: yes; 1: no; -1: it could not be asked, which the answers say as well.
 */
int trial(
    const struct site *S, const struct cargo_way *w, const char *via, const struct trust_entry *e, int json);

#endif
