#ifndef KEYS_H_
#define KEYS_H_

#include <stddef.h>
#include <stdint.h>

#include "site/site.h"

/* What is done with keys: this site's own, and those of the sites that it knows. */

#define KEYS_OVERLAP_MAX (UINT64_C(36525) * 86400) /* seconds */

/**
 * Make new keys, which sign and are sealed to from now on.  The keys before count for what they sign up to now plus
 * overlap seconds, however late that arrives.  0, durable; 1, said; -1, and then the keys are the old or the new.
 */
int keys_rotate(struct site *S, uint64_t overlap);

/**
 * Revoke a key of this site, named by its number or fingerprint, or all keys of a known site, named by its name, from
 * cutoff on, which is not before a time that was said earlier; -1: from now on.  0, durable; 1, said; -1.
 */
int keys_revoke(struct site *S, const char *name, int64_t cutoff);

/* The site's key list, to be shipped on any medium: *n bytes of text, which the caller frees.  0 or -1, said. */
int keys_publish(const struct site *S, char **text, size_t *n);

/**
 * Take the key list of a known site: n bytes of text from the file name.  0: taken, durably, or an older one or the
 * same, which is said; 1, said: it is none, or must not be believed, and nothing has changed; KEYS_UNKNOWN, not
 * said: it is of a site that is not known here; -1.
 */
enum { KEYS_UNKNOWN = 2 };
int keys_take(struct site *S, const char *text, size_t n, const char *name);

/* The same with a file, "-" for standard input; that the site is not known is said and 1. */
int keys_import(struct site *S, const char *path);

/* Print this site's key list. */
int keys_show(const struct site *S);

#endif
