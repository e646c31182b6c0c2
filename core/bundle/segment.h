#ifndef SEGMENT_H_
#define SEGMENT_H_

#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "extent.h"
#include "record.h"

/* A segment's payload: compress, encrypt, digest, and the way back.  One coder serves one thread at a time. */

#define SEGMENT_UNIT \
	(1u << 20) /* bytes of disk that our own segments carry at most: what fits a core's cache */

struct segment_crypt {
	enum record_cipher cipher;
	uint8_t bundle[RECORD_ID];
	uint8_t key[32];
};

enum segment_level { SEGMENT_NONE = 0, SEGMENT_FAST = 1, SEGMENT_DEFAULT = 3, SEGMENT_BEST = 12 };

struct segment_coder;

/* NULL, said, if there is no memory. */
struct segment_coder *segment_coder_new(enum segment_level level);
void segment_coder_free(struct segment_coder *C);

/* Bytes that the stored form of n plain bytes can take at most. */
size_t segment_bound(size_t n);

/**
 * Encode n plain bytes (extent table and data) into out, which has segment_bound(n), and set R's codec,
 * cipher, nonce, lengths and digest; disk and offset are set already.  Return 0 or -1, said.
 */
int segment_encode(struct segment_coder *C, const struct segment_crypt *K, const uint8_t *plain, size_t n,
    uint8_t *out, struct record *R);

/**
 * Make a segment again as it was: the same with the nonce of R, the record that it has.  Return 0; 1 if these bytes are
 * not what R was made of, and then nothing of them may leave (a nonce is for one content only); -1, said.
 */
int segment_encode_again(struct segment_coder *C, const struct segment_crypt *K, const uint8_t *plain,
    size_t n, uint8_t *out, const struct record *R);

/**
 * Check the stored payload against R's digest, then decode it into plain, which has LIMIT_PLAIN bytes, and
 * its table into extents, which has room for R->extents.  disk_size is that of R's disk.  Return NULL, or
 * why it is no proper segment.
 */
const char *segment_decode(struct segment_coder *C, const struct segment_crypt *K, const struct record *R,
    const uint8_t *stored, uint8_t *plain, struct extent *extents, uint64_t disk_size);

/**
 * The same for what is no segment: check, decrypt and expand the payload of a blob into plain, which has room
 * bytes.  It counts as disk 0, offset 0.  Return NULL, or why not.
 */
const char *segment_open(struct segment_coder *C, const struct segment_crypt *K, const struct record *R,
    const uint8_t *stored, uint8_t *plain, size_t room);

/* The digest alone, for those who have no key. */
const char *segment_check(const struct record *R, const uint8_t *stored);

#endif
