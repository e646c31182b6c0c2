#include "site/secret.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define FIRST_1 "vmferry secret 1\n"
#define FIRST_2 "vmferry secret 2\n"

void
secret_add_key(struct secret *K, int64_t now)
{
	struct keylist_key *k = &K->list.keys[K->list.n];

	memset(k, 0, sizeof *k);
	crypto_sign_keypair(k->sign, K->sign[K->list.n]);
	crypto_box_keypair(k->box, K->box[K->list.n]);
	k->from = now;
	K->list.n++;
}

size_t
secret_encode(char out[SECRET_MAX], const struct secret *K)
{
	char sign[2 * crypto_sign_SEEDBYTES + 1], box[2 * CARD_BOX + 1];
	uint8_t seed[crypto_sign_SEEDBYTES];
	size_t n = (size_t)snprintf(out, SECRET_MAX, FIRST_2);

	for (unsigned i = 0; i < K->list.n; i++) {
		crypto_sign_ed25519_sk_to_seed(seed, K->sign[i]);
		sodium_bin2hex(sign, sizeof sign, seed, sizeof seed);
		sodium_bin2hex(box, sizeof box, K->box[i], CARD_BOX);
		n += (size_t)snprintf(out + n, SECRET_MAX - n, "sign: %s\nbox: %s\n", sign, box);
	}
	n += keylist_encode(out + n, &K->list, K->sign[0]);
	sodium_memzero(seed, sizeof seed);
	sodium_memzero(sign, sizeof sign);
	sodium_memzero(box, sizeof box);
	return (n);
}

static int
bytes(uint8_t *out, size_t n, const char *hex)
{
	size_t got = 0;

	return (sodium_hex2bin(out, n, hex, strlen(hex), NULL, &got, NULL) == 0 && got == n ? 0 : -1);
}

/* Step over the two lines of a key at *p, setting its secret and public halves. */
static int
take_pair(const char **p, struct keylist_key *k, uint8_t sign[RECORD_SECRET], uint8_t box[CARD_BOX])
{
	char a[2 * crypto_sign_SEEDBYTES + 1], b[2 * CARD_BOX + 1];
	uint8_t seed[crypto_sign_SEEDBYTES];
	int n = 0, rc = -1;

	if (sscanf(*p, "sign: %64[0-9a-f]\nbox: %64[0-9a-f]%n", a, b, &n) == 2 && (*p)[n] == '\n' &&
	    bytes(seed, sizeof seed, a) == 0 && bytes(box, CARD_BOX, b) == 0) {
		crypto_sign_seed_keypair(k->sign, sign, seed);
		crypto_scalarmult_base(k->box, box);
		*p += n + 1;
		rc = 0;
	}
	sodium_memzero(seed, sizeof seed);
	sodium_memzero(a, sizeof a);
	sodium_memzero(b, sizeof b);
	return (rc);
}

/* A site that never changed its keys: the same list each time it is made. */
static int
decode_1(struct secret *K, const char *text, const struct card *card)
{
	strcpy(K->list.name, card->name);
	K->list.version = 1;
	K->list.n = 1;
	return (take_pair(&text, &K->list.keys[0], K->sign[0], K->box[0]));
}

static int
decode_2(struct secret *K, const char *text, const char *end)
{
	struct keylist_key had[KEYLIST_KEYS];
	unsigned n = 0;

	while (n < KEYLIST_KEYS && take_pair(&text, &had[n], K->sign[n], K->box[n]) == 0)
		n++;
	if (keylist_decode(&K->list, text, (size_t)(end - text)) != NULL || K->list.n != n)
		return (-1);
	for (unsigned i = 0; i < n; i++)
		if (memcmp(had[i].sign, K->list.keys[i].sign, RECORD_KEY) != 0 ||
		    memcmp(had[i].box, K->list.keys[i].box, CARD_BOX) != 0)
			return (-1);
	return (0);
}

int
secret_decode(struct secret *K, const char *text, size_t n, const struct card *card)
{
	size_t first = strlen(FIRST_1);

	sodium_memzero(K, sizeof *K);
	if (strncmp(text, FIRST_1, first) == 0)
		return (decode_1(K, text + first, card));
	if (strncmp(text, FIRST_2, first) == 0)
		return (decode_2(K, text + first, text + n));
	return (-1);
}

struct card
secret_card(const struct secret *K)
{
	const struct keylist_key *k = &K->list.keys[K->list.n - 1];
	struct card C;

	memset(&C, 0, sizeof C);
	strcpy(C.name, K->list.name);
	memcpy(C.sign, k->sign, RECORD_KEY);
	memcpy(C.box, k->box, CARD_BOX);
	return (C);
}

const uint8_t *
secret_sign(const struct secret *K)
{
	return (K->sign[K->list.n - 1]);
}
