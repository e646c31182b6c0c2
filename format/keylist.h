#ifndef KEYLIST_H_
#define KEYLIST_H_

#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "card.h"
#include "record.h"

/*
 * A site's key list: every key it has had, oldest first, as a short text with a version that only grows.  It is
 * signed by every key in it, so whoever knows any one of them can tell that the list is that site's own.
 */
#define KEYLIST_KEYS 32u
#define KEYLIST_MAX 16384u /* bytes of text */
#define KEYLIST_DIGEST 32u
#define KEYLIST_VERSION UINT64_C(1000000000) /* the highest */

enum keylist_state {
	KEYLIST_CURRENT, /* the last of a list, and no other */
	KEYLIST_ROTATED, /* counts for what was made up to end */
	KEYLIST_REVOKED, /* the same, but it is in the wrong hands: such a cut-off only ever goes back */
};

struct keylist_key {
	uint8_t sign[RECORD_KEY];
	uint8_t box[CARD_BOX];
	int64_t from; /* when it was made */
	enum keylist_state state;
	int64_t end; /* 0 for the current one */
};

struct keylist {
	char name[LIMIT_NAME + 1];
	uint64_t version; /* from 1 */
	int64_t made;
	unsigned n;
	struct keylist_key keys[KEYLIST_KEYS];
};

/**
 * Write L as text, signed with the secret key of each key in it: secrets has one after the other, in the order of
 * L.  Return its length, less than KEYLIST_MAX.
 */
size_t keylist_encode(char out[KEYLIST_MAX], const struct keylist *L, const uint8_t *secrets);

/* Read and check n bytes of text: no two texts are the same list.  Return NULL, or why not; L is then undefined. */
const char *keylist_decode(struct keylist *L, const char *text, size_t n);

/* What two lists have in common only if all that they say is the same. */
void keylist_digest(uint8_t out[KEYLIST_DIGEST], const struct keylist *L);

/* The key of L that signs as key, or NULL. */
const struct keylist_key *keylist_find(const struct keylist *L, const uint8_t key[RECORD_KEY]);

/* The fingerprint that the card of a key shows. */
void keylist_fingerprint(char out[CARD_FINGERPRINT], const struct keylist_key *k);

#endif
