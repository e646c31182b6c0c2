#include "bundle/segment.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/say.h"
#include "wire.h"

#define TAG crypto_aead_xchacha20poly1305_ietf_ABYTES
#define ASSOCIATED 28u

struct segment_coder {
	enum segment_level level;
	ZSTD_CCtx *compress;
	ZSTD_DCtx *expand;
	uint8_t *clear; /* LIMIT_STORED bytes, what was decrypted; made when first needed */
	uint8_t *again; /* LIMIT_PLAIN bytes, what was compressed and expanded again; likewise */
};

struct segment_coder *
segment_coder_new(enum segment_level level)
{
	struct segment_coder *C = calloc(1, sizeof *C);

	if (C == NULL || (C->compress = ZSTD_createCCtx()) == NULL ||
	    (C->expand = ZSTD_createDCtx()) == NULL) {
		say_failed("out of memory");
		segment_coder_free(C);
		return (NULL);
	}
	C->level = level;
	ZSTD_CCtx_setParameter(C->compress, ZSTD_c_compressionLevel, (int)level);
	return (C);
}

void
segment_coder_free(struct segment_coder *C)
{
	if (C == NULL)
		return;
	ZSTD_freeCCtx(C->compress);
	ZSTD_freeDCtx(C->expand);
	free(C->clear);
	free(C->again);
	free(C);
}

size_t
segment_bound(size_t n)
{
	return (ZSTD_compressBound(n) + TAG);
}

/* What the cipher binds a segment to, beside the signature: bundle id, disk and offset. */
static void
associated(uint8_t out[ASSOCIATED], const struct segment_crypt *K, const struct record *R)
{
	memcpy(out, K->bundle, RECORD_ID);
	wire_put32(out + 16, R->disk);
	wire_put64(out + 20, R->offset);
}

static int
need(uint8_t **buf, size_t n)
{
	if (*buf == NULL && (*buf = malloc(n)) == NULL)
		return (say_failed("out of memory"));
	return (0);
}

/* Some releases of libzstd could go wrong at high levels: what they made is expanded and compared. */
static int
prove(struct segment_coder *C, const uint8_t *plain, size_t n, const uint8_t *out, size_t stored)
{
	if (need(&C->again, LIMIT_PLAIN) != 0)
		return (-1);
	if (ZSTD_decompressDCtx(C->expand, C->again, LIMIT_PLAIN, out, stored) != n ||
	    memcmp(C->again, plain, n) != 0)
		return (say_failed("libzstd did not give back what it compressed; use --compress default"));
	return (0);
}

static int
compress(struct segment_coder *C, const uint8_t *plain, size_t n, uint8_t *out, struct record *R)
{
	size_t stored = n;

	R->codec = RECORD_RAW;
	R->plain = n;
	if (C->level != SEGMENT_NONE) {
		stored = ZSTD_compress2(C->compress, out, ZSTD_compressBound(n), plain, n);
		if (ZSTD_isError(stored))
			return (say_failed("libzstd: %s", ZSTD_getErrorName(stored)));
		if (stored < n - n / 64)
			R->codec = RECORD_ZSTD;
	}
	if (R->codec == RECORD_ZSTD) {
		R->stored = stored;
		return (C->level >= SEGMENT_BEST ? prove(C, plain, n, out, stored) : 0);
	}
	memcpy(out, plain, n);
	R->stored = n;
	return (0);
}

/* Compress, encrypt with the nonce in R, and digest. */
static int
encode(struct segment_coder *C, const struct segment_crypt *K, const uint8_t *plain, size_t n, uint8_t *out,
    struct record *R)
{
	uint8_t ad[ASSOCIATED];

	if (compress(C, plain, n, out, R) != 0)
		return (-1);
	R->cipher = K->cipher;
	if (K->cipher == RECORD_XCHACHA20POLY1305) {
		associated(ad, K, R);
		crypto_aead_xchacha20poly1305_ietf_encrypt(
		    out, NULL, out, R->stored, ad, sizeof ad, NULL, R->nonce, K->key);
		R->stored += TAG;
	}
	crypto_generichash(R->digest, RECORD_DIGEST, out, R->stored, NULL, 0);
	return (0);
}

int
segment_encode(struct segment_coder *C, const struct segment_crypt *K, const uint8_t *plain, size_t n,
    uint8_t *out, struct record *R)
{
	memset(R->nonce, 0, RECORD_NONCE);
	if (K->cipher == RECORD_XCHACHA20POLY1305)
		randombytes_buf(R->nonce, RECORD_NONCE);
	return (encode(C, K, plain, n, out, R));
}

int
segment_encode_again(struct segment_coder *C, const struct segment_crypt *K, const uint8_t *plain, size_t n,
    uint8_t *out, const struct record *R)
{
	struct record now = *R;

	if (R->plain != n)
		return (1);
	if (encode(C, K, plain, n, out, &now) != 0)
		return (-1);
	if (now.codec == R->codec && now.cipher == R->cipher && now.stored == R->stored &&
	    memcmp(now.digest, R->digest, RECORD_DIGEST) == 0)
		return (0);
	sodium_memzero(out, (size_t)now.stored);
	return (1);
}

const char *
segment_check(const struct record *R, const uint8_t *stored)
{
	uint8_t digest[RECORD_DIGEST];

	crypto_generichash(digest, RECORD_DIGEST, stored, R->stored, NULL, 0);
	return (memcmp(digest, R->digest, RECORD_DIGEST) == 0 ? NULL : "the segment's content is damaged");
}

static const char *
expand(struct segment_coder *C, const struct record *R, const uint8_t *p, size_t n, uint8_t *plain)
{
	if (R->codec == RECORD_RAW) {
		if (n != R->plain)
			return ("a raw segment has another length than its record says");
		memcpy(plain, p, n);
		return (NULL);
	}
	/* libzstd may know older formats too; ours is the one of RFC 8878. */
	if (n < 4 || wire_get32(p) != ZSTD_MAGICNUMBER || ZSTD_getFrameContentSize(p, n) != R->plain ||
	    ZSTD_findFrameCompressedSize(p, n) != n || ZSTD_getDictID_fromFrame(p, n) != 0)
		return ("a segment is not one zstd frame of the length that its record says");
	if (ZSTD_decompressDCtx(C->expand, plain, (size_t)R->plain, p, n) != R->plain)
		return ("a segment cannot be expanded");
	return (NULL);
}

const char *
segment_open(struct segment_coder *C, const struct segment_crypt *K, const struct record *R,
    const uint8_t *stored, uint8_t *plain, size_t room)
{
	const char *why = segment_check(R, stored);
	uint8_t ad[ASSOCIATED];
	size_t n = (size_t)R->stored;

	if (why != NULL)
		return (why);
	if (R->cipher != K->cipher)
		return ("a segment is not encrypted as the header says");
	if (R->plain > room)
		return ("a segment is larger than it can be");
	if (K->cipher == RECORD_XCHACHA20POLY1305) {
		if (n <= TAG || need(&C->clear, LIMIT_STORED) != 0)
			return ("an encrypted segment is too short");
		associated(ad, K, R);
		if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		        C->clear, NULL, NULL, stored, n, ad, sizeof ad, R->nonce, K->key) != 0)
			return ("a segment cannot be decrypted with its key");
		stored = C->clear;
		n -= TAG;
	}
	return (expand(C, R, stored, n, plain));
}

const char *
segment_decode(struct segment_coder *C, const struct segment_crypt *K, const struct record *R,
    const uint8_t *stored, uint8_t *plain, struct extent *extents, uint64_t disk_size)
{
	const char *why = segment_open(C, K, R, stored, plain, LIMIT_PLAIN);

	if (why != NULL)
		return (why);
	if ((why = extent_table(extents, R->extents, plain, (size_t)R->plain, disk_size)) != NULL)
		return (why);
	if (extents[0].offset != R->offset ||
	    extents[R->extents - 1].offset + extents[R->extents - 1].length != R->offset + R->span)
		return ("a segment's extents are not in the range that its record says");
	return (NULL);
}
