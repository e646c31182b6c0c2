#ifndef SITE_H_
#define SITE_H_

#include <limits.h>
#include <stdint.h>

#include "card.h"
#include "header.h"
#include "site/trust.h"

/* A site: its home folder, its identity and the sites that it trusts. */
struct site;

/**
 * Make a site's home at home (NULL: the default) with new keys.  Return 0; 1, said, if there is one already;
 * -1.
 */
int site_init(const char *home, const char *name);

/* Open the site at home (NULL: the default).  NULL, said, on error. */
struct site *site_open(const char *home);
void site_close(struct site *S);

const struct card *site_card(const struct site *S);
const struct trust *site_trust(const struct site *S);
const char *site_home(const struct site *S);

/* The secret key that signs; it stays the site's. */
const uint8_t *site_secret(const struct site *S);

/* The site's card as text.  Return its length. */
size_t site_card_text(const struct site *S, char out[CARD_MAX]);

/* Seal the keys of a bundle to the site of a card. */
void site_seal(const struct card *to, const uint8_t content_key[HEADER_CONTENT_KEY],
    const uint8_t leaf_seed[LEAF_SEED], uint8_t seal[HEADER_SEAL]);

/**
 * Get the keys of a bundle that is sealed to this site, or for which none are sealed at all.  Return NULL, or
 * why there are none for us.
 */
const char *site_unseal(const struct site *S, const struct header *H, uint8_t content_key[HEADER_CONTENT_KEY],
    uint8_t leaf_seed[LEAF_SEED]);

/* Add, replace or remove an entry of the trust file, durably: 0; 1, said; -1. */
int site_trust_add(struct site *S, const struct trust_entry *e);
int site_trust_remove(struct site *S, const char *name);

/* The default home into out: $VMFERRY_HOME, /var/lib/vmferry for root, else below the user's data folder. */
int site_default_home(char out[PATH_MAX]);

#endif
