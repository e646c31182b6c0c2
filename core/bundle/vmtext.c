#include "bundle/vmtext.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/say.h"
#include "wire.h"

#define TAG crypto_aead_xchacha20poly1305_ietf_ABYTES
#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define LEVEL 19 /* it is short, and what it takes of a header counts */

static const char about[] = "vmferry definition", of_text[] = "vmferry 1 definition";
#define ASSOCIATED (RECORD_ID + sizeof about - 1)

void
vmtext_digest(uint8_t out[HEADER_DIGEST], const uint8_t leaf_seed[LEAF_SEED], const char *text)
{
	crypto_generichash_state h;

	crypto_generichash_init(&h, leaf_seed, LEAF_SEED, HEADER_DIGEST);
	crypto_generichash_update(&h, (const uint8_t *)of_text, sizeof of_text - 1);
	crypto_generichash_update(&h, (const uint8_t *)text, strlen(text));
	crypto_generichash_final(&h, out, HEADER_DIGEST);
}

const char *
vmtext_check(const char *text, size_t n)
{
	json_t *s;

	if (n == 0 || n > LIMIT_DEFINITION)
		return ("the VM's definition has more bytes than it may, or none");
	if (memchr(text, '\0', n) != NULL || (s = json_stringn(text, n)) == NULL)
		return ("the VM's definition is no text in UTF-8");
	json_decref(s);
	return (NULL);
}

/* What the cipher binds it to, beside the signature. */
static void
associated(uint8_t out[ASSOCIATED], const struct segment_crypt *K)
{
	memcpy(out, K->bundle, RECORD_ID);
	memcpy(out + RECORD_ID, about, sizeof about - 1);
}

int
vmtext_seal(struct header_definition *d, const struct segment_crypt *K, const char *text)
{
	size_t n = strlen(text), room = ZSTD_compressBound(n), extra = 0, used;
	uint8_t *frame = malloc(room), ad[ASSOCIATED];

	if (frame == NULL)
		return (say_failed("out of memory"));
	used = ZSTD_compress(frame, room, text, n, LEVEL);
	if (ZSTD_isError(used)) {
		free(frame);
		return (say_failed("libzstd: %s", ZSTD_getErrorName(used)));
	}
	if (K->cipher != RECORD_CLEAR)
		extra = NONCE + TAG;
	if (used + extra > sizeof d->sealed) {
		free(frame);
		return (1);
	}
	if (K->cipher == RECORD_CLEAR) {
		memcpy(d->sealed, frame, used);
	} else {
		associated(ad, K);
		randombytes_buf(d->sealed, NONCE);
		crypto_aead_xchacha20poly1305_ietf_encrypt(
		    d->sealed + NONCE, NULL, frame, used, ad, sizeof ad, NULL, d->sealed, K->key);
	}
	d->size = used + extra;
	free(frame);
	return (0);
}

/* The frame, in the clear, and how long it is: NULL, or why not. */
static const char *
decrypt(
    uint8_t frame[LIMIT_SEALED], size_t *n, const struct header_definition *d, const struct segment_crypt *K)
{
	uint8_t ad[ASSOCIATED];

	if (K->cipher == RECORD_CLEAR) {
		memcpy(frame, d->sealed, d->size);
		*n = d->size;
		return (NULL);
	}
	associated(ad, K);
	if (d->size <= NONCE + TAG ||
	    crypto_aead_xchacha20poly1305_ietf_decrypt(
	        frame, NULL, NULL, d->sealed + NONCE, d->size - NONCE, ad, sizeof ad, d->sealed, K->key) != 0)
		return ("the VM's definition cannot be decrypted with its key");
	*n = d->size - NONCE - TAG;
	return (NULL);
}

static const char *
expand(char **text, const uint8_t *frame, size_t n)
{
	static const char not_one[] =
	    "the VM's definition is not one zstd frame of the length that it may have";
	uint64_t size;
	const char *why;

	if (n < 4 || wire_get32(frame) != ZSTD_MAGICNUMBER ||
	    (size = ZSTD_getFrameContentSize(frame, n)) == 0 || size > LIMIT_DEFINITION ||
	    ZSTD_findFrameCompressedSize(frame, n) != n || ZSTD_getDictID_fromFrame(frame, n) != 0)
		return (not_one);
	if ((*text = malloc((size_t)size + 1)) == NULL)
		return ("there is no memory for the VM's definition");
	if (ZSTD_decompress(*text, (size_t)size, frame, n) != size)
		return (not_one);
	(*text)[size] = '\0';
	why = vmtext_check(*text, (size_t)size);
	return (why);
}

const char *
vmtext_open(char **text, const struct header *H, const struct segment_crypt *K,
    const struct segment_crypt parts[LIMIT_PARTS], const uint8_t leaf_seed[LEAF_SEED])
{
	const struct header_definition *d = &H->definition;
	uint8_t *frame = malloc(LIMIT_SEALED), digest[HEADER_DIGEST];
	const char *why;
	size_t n = 0;

	*text = NULL;
	if (frame == NULL)
		return ("there is no memory for the VM's definition");
	if ((why = decrypt(frame, &n, d, H->nparts > 0 ? &parts[d->part] : K)) == NULL)
		why = expand(text, frame, n);
	if (why == NULL) {
		vmtext_digest(digest, leaf_seed, *text);
		if (memcmp(digest, d->digest, HEADER_DIGEST) != 0)
			why = "the VM's definition is another one than it says";
	}
	free(frame);
	if (why != NULL) {
		free(*text);
		*text = NULL;
	}
	return (why);
}
