#ifndef RECORD_H_
#define RECORD_H_

#include <stdint.h>

/*
 * The signed record: 256 bytes in front of every member of a bundle.  It says what the member is, how long
 * it is and what it hashes to, and it names the record before it; so one signature check covers the member's
 * whole payload and its place in the bundle, before a byte of the payload is looked at.  See bundle(5).
 *
 *    0  8  magic "VMFERRY1"            64  8  plain length
 *    8  4  type                        72  8  stored length
 *   12  1  codec                       80 24  nonce
 *   13  1  cipher                     104 32  digest of the stored payload (BLAKE2b-256)
 *   14  2  part                       136 32  link
 *   16 16  bundle id                  168 24  zero
 *   32  8  number                     192 64  Ed25519 signature over a context and bytes 0 to 191
 *   40  4  disk
 *   44  4  extents
 *   48  8  offset
 *   56  8  span
 */
#define RECORD_SIZE 256u
#define RECORD_ID 16u
#define RECORD_DIGEST 32u
#define RECORD_NONCE 24u
#define RECORD_KEY 32u    /* an Ed25519 public key */
#define RECORD_SECRET 64u /* an Ed25519 secret key as libsodium keeps it */

enum record_type {
	RECORD_HEADER = 1,
	RECORD_VOLUME = 2,
	RECORD_SEGMENT = 3,
	RECORD_INDEX = 4,
	RECORD_MANIFEST = 5,
	RECORD_END = 6,
	RECORD_BLOB = 7,       /* an opaque member, for bundles that carry something else than disks */
	RECORD_VOLUME_END = 8, /* in place of END, where another volume follows */
};

enum record_codec { RECORD_RAW = 0, RECORD_ZSTD = 1 };
enum record_cipher { RECORD_CLEAR = 0, RECORD_XCHACHA20POLY1305 = 1 };

struct record {
	enum record_type type;
	enum record_codec codec;
	enum record_cipher cipher;
	uint8_t bundle[RECORD_ID];
	uint32_t part;    /* segment: index into the header's parts; else 0 */
	uint64_t number;  /* segment, blob: from 1, without gaps; volume: from 1; else 0 */
	uint32_t disk;    /* segment: index into the header's disks; else 0 */
	uint32_t extents; /* segment: entries in its extent table; else 0 */
	uint64_t offset;  /* segment: where its first extent starts; volume: segments before it; volume end:
	                    segments up to there; else 0 */
	uint64_t span;    /* segment: bytes from there to the end of its last extent; else 0 */
	uint64_t plain;   /* bytes of payload before compression and encryption */
	uint64_t stored;  /* bytes of payload as stored */
	uint8_t nonce[RECORD_NONCE];   /* zero unless encrypted */
	uint8_t digest[RECORD_DIGEST]; /* BLAKE2b-256 of the payload as stored */
	uint8_t link[RECORD_DIGEST]; /* header: the signer's public key; else the hash of the record before */
};

/* Sign R with secret into out. */
void record_pack(uint8_t out[RECORD_SIZE], const struct record *R, const uint8_t secret[RECORD_SECRET]);

/**
 * Check that the record at in was signed with key and is one of version 1, and only then take it apart.
 * Return NULL, or why not in words that live for ever; R is then undefined.
 */
const char *record_unpack(struct record *R, const uint8_t in[RECORD_SIZE], const uint8_t key[RECORD_KEY]);

/**
 * Take a record apart whose signature is not checked: for what we wrote down ourselves, and to see whether it is worth a
 * check.  0, or -1 if it cannot be one of version 1.
 */
int record_peek(struct record *R, const uint8_t in[RECORD_SIZE]);

/* The key that a header record claims to be signed with: a claim, until record_unpack has checked it. */
const uint8_t *record_claimed_key(const uint8_t in[RECORD_SIZE]);

/* Is it, by its own unchecked claim, a record from the middle of a bundle?  1, and the bundle's id; else 0. */
int record_claims_rest(const uint8_t in[RECORD_SIZE], uint8_t bundle[RECORD_ID]);

/* The hash of a packed record, which the next record carries as its link. */
void record_hash(uint8_t out[RECORD_DIGEST], const uint8_t in[RECORD_SIZE]);

#endif
