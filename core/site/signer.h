#ifndef SIGNER_H_
#define SIGNER_H_

#include "bundle/reader.h"
#include "site/trust.h"

#define SIGNER_UNKNOWN 2

/**
 * Read the header of a bundle whose first record R has read (reader_start), if it is signed by a site that T knows,
 * with a key that counts for what was made then.  0, and the site's entry; SIGNER_UNKNOWN, unsaid, if no site of T has
 * or had that key: nothing more was read; 1 or -1, said.
 */
int signer_header(const struct trust *T, struct reader *R, struct member *m, const struct header **H,
    const struct trust_entry **e);

#endif
