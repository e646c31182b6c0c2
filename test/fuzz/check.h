#ifndef CHECK_H_
#define CHECK_H_

/* What must hold whatever the input: a fuzzer reports the abort. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* To the descriptor: the stream is silenced, see quiet.c. */
#define CHECK(x)       \
	((x) ? (void)0 \
	     : (dprintf(STDERR_FILENO, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #x), abort()))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
