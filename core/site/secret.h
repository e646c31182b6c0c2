#ifndef SECRET_H_
#define SECRET_H_

#include <stddef.h>
#include <stdint.h>

#include "keylist.h"

/*
 * HOME/secret: the secret half of every key that the site has had, and the key list about them.  It is the one
 * truth about a site's own keys, replaced whole; the card is made from it.
 *
 *    vmferry secret 2
 *    sign: SEED            for each key, oldest first
 *    box: KEY
 *    vmferry keys 1        and the key list as keylist(5) has it
 *    ...
 *
 * Version 1, of sites that never rotated their keys, has the two lines of one key and no list.
 */
#define SECRET_MAX (KEYLIST_MAX + 160u * KEYLIST_KEYS)

struct secret {
	struct keylist list;
	uint8_t sign[KEYLIST_KEYS][RECORD_SECRET];
	uint8_t box[KEYLIST_KEYS][CARD_BOX];
};

/* Add a new key of that time to K, whose list then has no present key but it. */
void secret_add_key(struct secret *K, int64_t now);

/* Write K as text.  Return its length, less than SECRET_MAX. */
size_t secret_encode(char out[SECRET_MAX], const struct secret *K);

/**
 * Read n bytes of text, followed by a NUL.  In version 1 the site's name is that of card.  0, or -1: it is none,
 * or its halves do not belong together.
 */
int secret_decode(struct secret *K, const char *text, size_t n, const struct card *card);

/* The card of the present key. */
struct card secret_card(const struct secret *K);

/* The secret key that signs now. */
const uint8_t *secret_sign(const struct secret *K);

#endif
