/*
 * Linked into the targets that take text.  One mutation in four makes a word or a number of it longer or shorter,
 * which is how a text comes to the bounds of its fields; the others are libFuzzer's own.
 */
#include <ctype.h>
#include <string.h>

#include "check.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	static const size_t by[] = { 1, 1, 1, 2, 8, 64, 256, 4096 };
	size_t at = size == 0 ? 0 : seed / 64 % size, n = by[seed / 8 % 8];

	while (at < size && !isalnum(data[at]))
		at++;
	if (seed % 4 != 0 || at == size)
		return (LLVMFuzzerMutate(data, size, max));
	if (seed / 4 % 2 == 0 && n <= max - size) {
		memmove(data + at + n, data + at, size - at);
		memset(data + at, data[at + n], n);
		return (size + n);
	}
	for (size_t left = n; left > 0 && at < size && isalnum(data[at]); left--)
		memmove(data + at, data + at + 1, --size - at);
	return (size);
}
