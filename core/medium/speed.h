#ifndef SPEED_H_
#define SPEED_H_

#include <stdint.h>

#include "medium/medium.h"

/**
 * How many bytes a second the medium takes, by trying: a file without a name is written for about two seconds, or up
 * to 256 MiB or a quarter of what is free, as bundles are.  0; 1, said: there is no room to try; -1.
 */
int speed_measure(const struct medium *M, uint64_t *bytes_per_second);

#endif
