#ifndef PEER_H_
#define PEER_H_

#include "site/site.h"

/**
 * The site at home as it is now, for one piece of work in a session, and the entry of the site at the other end, which has
 * proved that key: so what a person changes in the trust file counts at once.  0, S being the caller's to close; 1, said: that
 * key does not count any more; -1, said.
 */
int peer_open(struct site **S, const struct trust_entry **e, const char *home, const uint8_t key[RECORD_KEY]);

#endif
