#ifndef CARD_H_
#define CARD_H_

#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "record.h"

/*
 * A site's card: its name and public keys as a short text that says of itself, by its signature, that the
 * holder of the keys made it.  Two people compare the fingerprint over another channel.
 */
#define CARD_BOX 32u         /* an X25519 public key */
#define CARD_FINGERPRINT 40u /* eight groups of four hexadecimal digits */
#define CARD_MAX 2048u       /* bytes of text */

struct card {
	char name[LIMIT_NAME + 1];
	uint8_t sign[RECORD_KEY];
	uint8_t box[CARD_BOX];
};

/* Write C as text, signed with its own secret key.  Return its length, less than CARD_MAX. */
size_t card_encode(char out[CARD_MAX], const struct card *C, const uint8_t secret[RECORD_SECRET]);

/* Read and check n bytes of text.  Return NULL, or why not. */
const char *card_decode(struct card *C, const char *text, size_t n);

void card_fingerprint(char out[CARD_FINGERPRINT], const struct card *C);

#endif
