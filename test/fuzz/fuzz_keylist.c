/*
 * A key list that is taken is, up to its signatures, the text that its fields have; and whatever list a site takes,
 * it never gives a key back that was revoked, or counts for more.
 */
#include <sodium.h>
#include <string.h>

#include "check.h"
#include "keylist.h"
#include "name.h"
#include "../unit/sample.h"
#include "site/trust.h"

static void
check_text(const struct keylist *L, const char *data, size_t size)
{
	static const uint8_t secrets[KEYLIST_KEYS * RECORD_SECRET];
	size_t signatures = L->n * (strlen("signature: ") + 2 * crypto_sign_BYTES + 1);
	char text[KEYLIST_MAX];

	CHECK(name_check(L->name) == NULL && L->n >= 1 && L->n <= KEYLIST_KEYS);
	CHECK(keylist_encode(text, L, secrets) == size && size < KEYLIST_MAX);
	CHECK(memcmp(text, data, size - signatures) == 0);
}

/* Is there nothing that one of e's keys signed that counts now and did not before? */
static void
check_no_more(const struct trust_entry *before, const struct trust_entry *after)
{
	char words[TRUST_WORDS];

	for (unsigned i = 0; i < before->nearlier; i++) {
		const struct keylist_key *k = &before->earlier[i];

		CHECK(trust_has_key(after, k->sign));
		CHECK(k->state != KEYLIST_REVOKED ||
		      trust_objection(after, k->sign, k->end + 1, words) != NULL);
	}
	CHECK(after->version >= before->version && trust_has_key(after, before->card.sign));
}

static void
check_taken(const struct keylist *L)
{
	static uint8_t secrets[KEYLIST_KEYS * RECORD_SECRET];
	struct keylist known = sample_keylist(3, secrets);
	struct trust_entry e, before;
	const char *why;
	int rc;

	memset(&e, 0, sizeof e);
	e.card = sample_card();
	CHECK(trust_take_keys(&e, &known, &why) == 0);
	before = e;
	rc = trust_take_keys(&e, L, &why);
	CHECK(rc == 0 || memcmp(&before, &e, sizeof e) == 0);
	check_no_more(&before, &e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keylist L;

	if (keylist_decode(&L, (const char *)data, size) != NULL)
		return (0);
	check_text(&L, (const char *)data, size);
	check_taken(&L);
	return (0);
}
