#ifndef CHANGELIST_H_
#define CHANGELIST_H_

#include "disk/ranges.h"

/*
 * A list of changes from another tracker (thin_delta, rbd diff, zfs, anything): lines "disk offset length",
 * or "offset length" where there is one disk; bytes, decimal or 0x; words behind, empty lines and lines
 * starting with '#' are passed over.
 */

/**
 * Read the list at path ("-": standard input) into sets, one for each of the n ids; they are sorted then.
 * size gives each disk's size: no change can lie beyond.  0; 1, said, if a line is none; -1.
 */
int changelist_read(
    const char *path, const char *const *ids, const uint64_t *sizes, unsigned n, struct ranges *sets);

#endif
