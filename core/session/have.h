#ifndef HAVE_H_
#define HAVE_H_

#include <stdio.h>

#include "session.h"
#include "site/site.h"

/**
 * Say what this site has of a VM, and what it prescribes, to the site with that signing key which asks: the message,
 * with its length in 4 bytes, big-endian, in front, and behind it the receipt, where there is one, to standard output.
 * Where another one works on the VM's replica, its end is waited for, for a while.  0; -1, said.
 */
int have_write(const struct site *S, const uint8_t key[RECORD_KEY], const struct session_ask *a);

/* Is nothing of the VM there: neither a point, nor one on its way? */
int have_is_nothing(const struct session_have *h);

#endif
