#ifndef TRUST_H_
#define TRUST_H_

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "card.h"
#include "keylist.h"

/*
 * The sites that a site knows, one line of text each, in the manner of authorized_keys:
 *
 *    site="hq" sign=HEX box=HEX vm="web*" store="/srv/replicas" max-size=2199023255552
 *
 * and maybe inbox=BYTES, host="HOST", what runs its VMs here after a failover, and what is prescribed to it:
 * frequency=SECONDS between points at least, rate=BYTES a second at most, points=N kept at most.  An entry without vm= names a site that bundles may be sealed to and whose receipts count; with it, that
 * site is also a primary which may replicate the VMs of that pattern to here.  What is known of its keys:
 *
 *    earlier=SIGN/BOX/FROM/until/TIME     a key it had before (or revoked/TIME), oldest first; one word for each
 *    keys=VERSION/DIGEST                  its key list last taken
 *    revoked=TIME                         by a person here: of all its keys nothing counts that was made later
 */
#define TRUST_MAX 1000u       /* entries */
#define TRUST_TEXT (4u << 20) /* bytes of the file */
#define TRUST_EARLIER (2 * KEYLIST_KEYS)
#define TRUST_WORDS 512u

struct trust_entry {
	struct card card;
	char vm[LIMIT_NAME + 1]; /* glob(7) pattern, or empty */
	char store[PATH_MAX];    /* absolute, or empty: in the site's home */
	uint64_t max_size;       /* bytes of disk for each VM; 0: no limit */
	uint64_t inbox;          /* bytes that may wait in the inbox of each VM; 0: the default */
	char host[PATH_MAX];     /* what runs its VMs here, as host/host.h has it; empty: none */
	uint64_t frequency;      /* seconds between points at least; 0: as it likes; so too: */
	uint64_t rate;           /* bytes a second at most */
	uint64_t points;         /* that are kept of a VM here at most */
	unsigned nearlier;
	struct keylist_key earlier[TRUST_EARLIER]; /* none of them is current */
	uint64_t version;                          /* of the key list last taken; 0: none */
	uint8_t digest[KEYLIST_DIGEST];
	int is_revoked;
	int64_t cutoff; /* where it is */
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

/* Put a copy of e behind the entries of T, which move; NULL if there is no memory. */
struct trust_entry *trust_append(struct trust *T, const struct trust_entry *e);

/* The entry that has that key or had it, or that of a name; NULL if there is none. */
struct trust_entry *trust_by_key(const struct trust *T, const uint8_t key[RECORD_KEY]);
struct trust_entry *trust_by_name(const struct trust *T, const char *name);

/* May the site of e replicate a VM of that name to here? */
int trust_allows(const struct trust_entry *e, const char *vm);

/* How many points of a VM of the site of e (NULL: not known) are kept here, where so many are wished for. */
unsigned trust_points(const struct trust_entry *e, unsigned wished);

/* Is it a key of the site of e, be it an earlier one?  So our records, which name a site by any key, know it. */
int trust_has_key(const struct trust_entry *e, const uint8_t key[RECORD_KEY]);

/* Was it, or all of that site's keys, revoked?  To be asked again where a session with it goes on. */
int trust_is_revoked(const struct trust_entry *e, const uint8_t key[RECORD_KEY]);

/**
 * May what the site of e signed with that key at that time count?  Return NULL, or why not, put into words.  To be
 * asked of every bundle when its header was read, before anything of it is used.
 */
const char *trust_objection(
    const struct trust_entry *e, const uint8_t key[RECORD_KEY], int64_t created, char words[TRUST_WORDS]);

/**
 * Bring e up to the key list L of its site.  0; TRUST_HAVE: that one or a later one was taken before; TRUST_REFUSED,
 * with why: e has not changed.  Keys are never forgotten, and a cut-off only ever goes back.
 */
enum { TRUST_HAVE = 2, TRUST_REFUSED = 1 };
int trust_take_keys(struct trust_entry *e, const struct keylist *L, const char **why);

/* Nothing that the site of e made after cutoff counts any more: 0, or TRUST_HAVE if that was so before. */
int trust_revoke(struct trust_entry *e, int64_t cutoff);

/**
 * Put the keys of a card into e, all of whose keys were revoked: they stay so, as its earlier ones.  0 or -1: no
 * more are kept.
 */
int trust_renew(struct trust_entry *e, const struct card *C);

/* Make e what is left of a site that is known no more: its revoked keys, of which nothing counts.  Are there any? */
int trust_bury(struct trust_entry *e);

#endif
