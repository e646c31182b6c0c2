#ifndef SITE_H_
#define SITE_H_

#include <limits.h>
#include <stdint.h>

#include "card.h"
#include "header.h"
#include "site/secret.h"
#include "site/trust.h"

/* A site: its home folder, its identity and the sites that it trusts. */
struct site;

/**
 * Make a site's home at home (NULL: the default) with new keys.  Return 0; 1, said, if there is one already;
 * -1.
 */
int site_init(const char *home, const char *name);

/* Is there a site at home (NULL: the default)?  1 or 0. */
int site_exists(const char *home);

/* Open the site at home (NULL: the default).  NULL, said, on error. */
struct site *site_open(const char *home);
void site_close(struct site *S);

const struct card *site_card(const struct site *S);
const struct trust *site_trust(const struct site *S);
const char *site_home(const struct site *S);

/* The entry of the site of that name, which is known and not revoked: 0; 1, said. */
int site_find(const struct site *S, const char *name, const struct trust_entry **e);

/* The secret key that signs; it stays the site's. */
const uint8_t *site_secret(const struct site *S);

/* The keys that the site has had, and the list of them as signed text; *n is its length. */
const struct keylist *site_keys(const struct site *S);
size_t site_keys_text(const struct site *S, char out[KEYLIST_MAX]);

/* The name of the site with that key: our own, or one of the trust file; else the beginning of the key.  Returns out. */
#define SITE_NAMED (LIMIT_NAME + 32u)
const char *site_name_of(const struct site *S, const uint8_t key[RECORD_KEY], char out[SITE_NAMED]);

/* Is, or was, it a key of this very site?  So what it signed itself stays its own when it changes its keys. */
int site_is_own_key(const struct site *S, const uint8_t key[RECORD_KEY]);

/* The site's card as text.  Return its length. */
size_t site_card_text(const struct site *S, char out[CARD_MAX]);

/* Seal the keys of a bundle to the site of a card. */
void site_seal(const struct card *to, const uint8_t content_key[HEADER_CONTENT_KEY],
    const uint8_t leaf_seed[LEAF_SEED], uint8_t seal[HEADER_SEAL]);

/**
 * Get the keys of a bundle that is sealed to any key that this site has had, or for which none are sealed at all.  Return NULL, or
 * why there are none for us.
 */
const char *site_unseal(const struct site *S, const struct header *H, uint8_t content_key[HEADER_CONTENT_KEY],
    uint8_t leaf_seed[LEAF_SEED]);

/* Get the content key of a part of a combined delta; of one in clear, nothing.  NULL, or why there is none for us. */
const char *site_unseal_part(
    const struct site *S, const struct header_part *p, uint8_t content_key[HEADER_CONTENT_KEY]);

/**
 * Open what somebody has sealed (crypto_box_seal) to any key that this site has had: n bytes of it, of which out gets
 * SITE_SEALED less.  0, or -1, unsaid: it is sealed to no key of ours.
 */
#define SITE_SEALED 48u
int site_open_sealed(const struct site *S, const uint8_t *sealed, size_t n, uint8_t *out);

/**
 * Change the trust file, or the site's own keys, durably and as one with what is there now: change gets it, freshly
 * read, and says 0: write it; SITE_SAME: there is nothing to write, which is 0 for the caller; 1 or -1, said: no.
 */
enum { SITE_SAME = 2 };
int site_change_trust(struct site *S, int (*change)(struct trust *T, void *context), void *context);
int site_change_keys(struct site *S, int (*change)(struct secret *K, void *context), void *context);

/**
 * Add, replace or remove an entry of the trust file, durably: 0; 1, said; -1.  Revoked keys stay known as such:
 * they are not added again, and go to the new card of a site of which all were revoked.
 */
int site_trust_add(struct site *S, const struct trust_entry *e);
int site_trust_remove(struct site *S, const char *name);

/* The default home into out: $VMFERRY_HOME, /var/lib/vmferry for root, else below the user's data folder. */
int site_default_home(char out[PATH_MAX]);

#endif
