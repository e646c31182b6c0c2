#include "record.h"

#include <sodium.h>
#include <string.h>

#include "bounds.h"
#include "wire.h"

#define SIGNED_SIZE 192u
#define CONTEXT_SIZE 32u

static const uint8_t magic[8] = { 'V', 'M', 'F', 'E', 'R', 'R', 'Y', '1' };

/* What is signed in front of each type, so that a signature made for one use fits no other. */
static const char contexts[][CONTEXT_SIZE] = {
	[RECORD_HEADER] = "vmferry 1 bundle header",
	[RECORD_VOLUME] = "vmferry 1 bundle volume",
	[RECORD_SEGMENT] = "vmferry 1 bundle segment",
	[RECORD_INDEX] = "vmferry 1 bundle index",
	[RECORD_MANIFEST] = "vmferry 1 bundle manifest",
	[RECORD_END] = "vmferry 1 bundle end",
	[RECORD_BLOB] = "vmferry 1 bundle blob",
	[RECORD_VOLUME_END] = "vmferry 1 bundle volume end",
};

static void
message(uint8_t out[CONTEXT_SIZE + SIGNED_SIZE], uint32_t type, const uint8_t *rec)
{
	memcpy(out, contexts[type], CONTEXT_SIZE);
	memcpy(out + CONTEXT_SIZE, rec, SIGNED_SIZE);
}

void
record_pack(uint8_t out[RECORD_SIZE], const struct record *R, const uint8_t secret[RECORD_SECRET])
{
	uint8_t m[CONTEXT_SIZE + SIGNED_SIZE];

	memset(out, 0, RECORD_SIZE);
	memcpy(out, magic, sizeof magic);
	wire_put32(out + 8, R->type);
	out[12] = (uint8_t)R->codec;
	out[13] = (uint8_t)R->cipher;
	wire_put16(out + 14, (uint16_t)R->part);
	memcpy(out + 16, R->bundle, RECORD_ID);
	wire_put64(out + 32, R->number);
	wire_put32(out + 40, R->disk);
	wire_put32(out + 44, R->extents);
	wire_put64(out + 48, R->offset);
	wire_put64(out + 56, R->span);
	wire_put64(out + 64, R->plain);
	wire_put64(out + 72, R->stored);
	memcpy(out + 80, R->nonce, RECORD_NONCE);
	memcpy(out + 104, R->digest, RECORD_DIGEST);
	memcpy(out + 136, R->link, RECORD_DIGEST);
	message(m, R->type, out);
	crypto_sign_detached(out + SIGNED_SIZE, NULL, m, sizeof m, secret);
}

/* Where a volume begins or ends: no payload, but a number and a count of segments. */
static const char *
check_volume(const struct record *R)
{
	uint8_t empty[RECORD_DIGEST];

	crypto_generichash(empty, sizeof empty, NULL, 0, NULL, 0);
	if (R->stored != 0 || memcmp(R->digest, empty, sizeof empty) != 0)
		return ("a volume record has a payload");
	if (R->number < 1 || R->number > LIMIT_VOLUMES || R->offset > LIMIT_SEGMENTS)
		return ("the volume's number is out of range");
	return (NULL);
}

static const char *
check_blob(const struct record *R)
{
	if (R->number < 1 || R->number > LIMIT_BLOBS)
		return ("the blob's number is out of range");
	if (R->plain < 1 || R->plain > LIMIT_STORED || R->stored < 1 || R->stored > LIMIT_STORED)
		return ("the blob's length is out of range");
	return (NULL);
}

/* What must hold of the fields of every type but a segment. */
static const char *
check_other(const struct record *R)
{
	int is_volume = R->type == RECORD_VOLUME || R->type == RECORD_VOLUME_END;

	if (R->type != RECORD_BLOB &&
	    (R->codec != RECORD_RAW || R->cipher != RECORD_CLEAR || R->plain != R->stored))
		return ("a record that is no segment has a codec or a cipher");
	if (R->part != 0 || R->disk != 0 || R->extents != 0 || (R->offset != 0 && !is_volume) || R->span != 0)
		return ("a record that is no segment has a disk range");
	if (R->type == RECORD_BLOB)
		return (check_blob(R));
	if (is_volume)
		return (check_volume(R));
	if (R->number != 0)
		return ("a record that is not numbered has a number");
	if ((R->type == RECORD_HEADER || R->type == RECORD_END) && R->stored > LIMIT_JSON)
		return ("its JSON text is longer than 64 KiB");
	return (NULL);
}

/* What must hold of the fields of each type by themselves. */
static const char *
check(const struct record *R)
{
	if (R->type != RECORD_SEGMENT)
		return (check_other(R));
	if (R->part >= LIMIT_PARTS)
		return ("the segment's part is out of range");
	if (R->disk >= LIMIT_DISKS || R->number < 1 || R->number > LIMIT_SEGMENTS)
		return ("the segment's number or disk is out of range");
	if (R->extents < 1 || R->extents > LIMIT_EXTENTS)
		return ("the segment's extent count is out of range");
	if (R->plain < 24u * (uint64_t)R->extents || R->plain > 24u * (uint64_t)R->extents + LIMIT_DATA)
		return ("the segment's plain length is out of range");
	if (R->stored < 1 || R->stored > LIMIT_STORED)
		return ("the segment's stored length is out of range");
	if (R->offset > LIMIT_DISK_SIZE || R->span < 1 || R->span > LIMIT_DISK_SIZE - R->offset)
		return ("the segment's range lies beyond the largest disk");
	return (NULL);
}

static int
is_zero(const uint8_t *p, size_t n)
{
	return (sodium_is_zero(p, n));
}

/* The fields of a packed record, whose magic, type, codec and cipher were looked at. */
static void
take_apart(struct record *R, const uint8_t in[RECORD_SIZE])
{
	R->type = (enum record_type)wire_get32(in + 8);
	R->codec = (enum record_codec)in[12];
	R->cipher = (enum record_cipher)in[13];
	R->part = wire_get16(in + 14);
	memcpy(R->bundle, in + 16, RECORD_ID);
	R->number = wire_get64(in + 32);
	R->disk = wire_get32(in + 40);
	R->extents = wire_get32(in + 44);
	R->offset = wire_get64(in + 48);
	R->span = wire_get64(in + 56);
	R->plain = wire_get64(in + 64);
	R->stored = wire_get64(in + 72);
	memcpy(R->nonce, in + 80, RECORD_NONCE);
	memcpy(R->digest, in + 104, RECORD_DIGEST);
	memcpy(R->link, in + 136, RECORD_DIGEST);
}

const char *
record_unpack(struct record *R, const uint8_t in[RECORD_SIZE], const uint8_t key[RECORD_KEY])
{
	uint8_t m[CONTEXT_SIZE + SIGNED_SIZE];
	uint32_t type = wire_get32(in + 8);

	if (memcmp(in, magic, sizeof magic) != 0)
		return ("not a vmferry bundle record of version 1");
	if (type < RECORD_HEADER || type > RECORD_VOLUME_END)
		return ("a record of an unknown type");
	message(m, type, in);
	if (crypto_sign_verify_detached(in + SIGNED_SIZE, m, sizeof m, key) != 0)
		return ("the signature is wrong");
	if (in[12] > RECORD_ZSTD || in[13] > RECORD_XCHACHA20POLY1305)
		return ("an unknown codec or cipher");
	if (!is_zero(in + 168, 24))
		return ("reserved bytes are in use: written by a newer vmferry");
	take_apart(R, in);
	if (R->cipher == RECORD_CLEAR && !is_zero(R->nonce, RECORD_NONCE))
		return ("a record in clear has a nonce");
	if (type == RECORD_HEADER && memcmp(R->link, key, RECORD_KEY) != 0)
		return ("the header names another signer");
	return (check(R));
}

int
record_peek(struct record *R, const uint8_t in[RECORD_SIZE])
{
	uint32_t type = wire_get32(in + 8);

	if (memcmp(in, magic, sizeof magic) != 0 || type < RECORD_HEADER || type > RECORD_VOLUME_END ||
	    in[12] > RECORD_ZSTD || in[13] > RECORD_XCHACHA20POLY1305)
		return (-1);
	take_apart(R, in);
	return (check(R) == NULL ? 0 : -1);
}

const uint8_t *
record_claimed_key(const uint8_t in[RECORD_SIZE])
{
	return (in + 136);
}

int
record_claims_rest(const uint8_t in[RECORD_SIZE], uint8_t bundle[RECORD_ID])
{
	uint32_t type = wire_get32(in + 8);

	memcpy(bundle, in + 16, RECORD_ID);
	return (memcmp(in, magic, sizeof magic) == 0 && type > RECORD_HEADER && type <= RECORD_VOLUME_END);
}

void
record_hash(uint8_t out[RECORD_DIGEST], const uint8_t in[RECORD_SIZE])
{
	crypto_generichash(out, RECORD_DIGEST, in, RECORD_SIZE, NULL, 0);
}
