#include "leaf.h"

#include <sodium.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "bounds.h"
#include "wire.h"

void
leaf_secret_make(struct leaf_secret *S, const uint8_t seed[LEAF_SEED])
{
	randombytes_buf_deterministic(S->bytes, sizeof S->bytes, seed);
}

int
leaf_is_zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	return (n == 0 || (b[0] == 0 && memcmp(b, b + 1, n - 1) == 0));
}

uint64_t
leaf_of(const struct leaf_secret *S, const uint8_t *block, size_t n)
{
	uint8_t whole[LIMIT_BLOCK];
	uint64_t h;

	if (leaf_is_zero(block, n))
		return (0);
	if (n < LIMIT_BLOCK) {
		memcpy(whole, block, n);
		memset(whole + n, 0, LIMIT_BLOCK - n);
		block = whole;
	}
	h = XXH3_64bits_withSecret(block, LIMIT_BLOCK, S->bytes, LEAF_SECRET);
	return (h == 0 ? 1 : h);
}

uint64_t
leaf_group(const struct leaf_secret *S, const uint64_t leaves[LEAF_GROUP])
{
	uint8_t in[8 * LEAF_GROUP];
	uint64_t any = 0, h;

	for (size_t i = 0; i < LEAF_GROUP; i++) {
		wire_put64(in + 8 * i, leaves[i]);
		any |= leaves[i];
	}
	if (any == 0)
		return (0);
	h = XXH3_64bits_withSecret(in, sizeof in, S->bytes, LEAF_SECRET);
	return (h == 0 ? 1 : h);
}

static struct leaf_sum
term(const struct leaf_secret *S, uint64_t block, uint64_t leaf)
{
	uint8_t in[16];
	XXH128_hash_t h;

	wire_put64(in, block);
	wire_put64(in + 8, leaf);
	h = XXH3_128bits_withSecret(in, sizeof in, S->bytes, LEAF_SECRET);
	return ((struct leaf_sum){ h.low64, h.high64 });
}

void
leaf_join(struct leaf_sum *sum, const struct leaf_sum *other)
{
	uint64_t low = other->low;

	sum->low += low;
	sum->high += other->high + (sum->low < low);
}

void
leaf_add(const struct leaf_secret *S, struct leaf_sum *sum, uint64_t block, uint64_t leaf)
{
	struct leaf_sum t;

	if (leaf == 0)
		return;
	t = term(S, block, leaf);
	leaf_join(sum, &t);
}

void
leaf_remove(const struct leaf_secret *S, struct leaf_sum *sum, uint64_t block, uint64_t leaf)
{
	struct leaf_sum t;

	if (leaf == 0)
		return;
	t = term(S, block, leaf);
	t.low = ~t.low + 1;
	t.high = ~t.high + (t.low == 0);
	leaf_join(sum, &t);
}

void
leaf_sum_pack(uint8_t out[LEAF_ROOT], const struct leaf_sum *sum)
{
	for (int i = 0; i < 8; i++) {
		out[i] = (uint8_t)(sum->high >> (56 - 8 * i));
		out[8 + i] = (uint8_t)(sum->low >> (56 - 8 * i));
	}
}

void
leaf_sum_unpack(struct leaf_sum *sum, const uint8_t in[LEAF_ROOT])
{
	*sum = (struct leaf_sum){ 0, 0 };
	for (int i = 0; i < 8; i++) {
		sum->high = sum->high << 8 | in[i];
		sum->low = sum->low << 8 | in[8 + i];
	}
}

void
leaf_root(uint8_t out[LEAF_ROOT], const struct leaf_secret *S, const struct leaf_sum *sum, uint64_t size)
{
	uint8_t in[24];
	XXH128_canonical_t c;

	wire_put64(in, sum->low);
	wire_put64(in + 8, sum->high);
	wire_put64(in + 16, size);
	XXH128_canonicalFromHash(&c, XXH3_128bits_withSecret(in, sizeof in, S->bytes, LEAF_SECRET));
	memcpy(out, c.digest, LEAF_ROOT);
}
