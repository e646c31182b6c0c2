#ifndef TRUST_H_
#define TRUST_H_

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "card.h"

/*
 * The sites that a site knows, one line of text each, in the manner of authorized_keys:
 *
 *    site="hq" sign=HEX box=HEX vm="web*" store="/srv/replicas" max-size=2199023255552
 *
 * An entry without vm= names a site that bundles may be sealed to and whose receipts count; with it, that
 * site is also a primary which may replicate the VMs of that pattern to here.
 */
#define TRUST_MAX 1000u       /* entries */
#define TRUST_TEXT (4u << 20) /* bytes of the file */

struct trust_entry {
	struct card card;
	char vm[LIMIT_NAME + 1]; /* glob(7) pattern, or empty */
	char store[PATH_MAX];    /* absolute, or empty: in the site's home */
	uint64_t max_size;       /* bytes of disk for each VM; 0: no limit */
};

struct trust {
	struct trust_entry *entries;
	size_t n;
};

/* Read the text of a trust file.  Return 0, or the number of the first line that is none, or -1: no memory. */
int trust_decode(struct trust *T, const char *text);

/* The text of T, which the caller frees; NULL if there is no memory. */
char *trust_encode(const struct trust *T);

void trust_free(struct trust *T);

/* The entry of that key, or of that name; NULL if there is none. */
struct trust_entry *trust_by_key(const struct trust *T, const uint8_t key[RECORD_KEY]);
struct trust_entry *trust_by_name(const struct trust *T, const char *name);

/* May the site of e replicate a VM of that name to here? */
int trust_allows(const struct trust_entry *e, const char *vm);

#endif
