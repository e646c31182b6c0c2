/*
 * Linked into every target.  What core says to the person goes nowhere, while it is put into words all the same.
 * libFuzzer took its own stream before, and the sanitizers write to the descriptor: their reports are seen.
 */
#include <sodium.h>

#include "check.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	CHECK(sodium_init() >= 0 && (stderr = fopen("/dev/null", "w")) != NULL);
	return (0);
}
