#ifndef RATE_H_
#define RATE_H_

#include <stddef.h>
#include <stdint.h>

/*
 * A limit on bytes a second, which several processes may share (it lies in memory that is shared between a process and
 * its children).  Each reserves its bytes; whoever comes next gets a later time (the generic cell rate algorithm; ITU-T I.371).
 */
struct rate;

/* bytes a second; 0: no limit.  NULL, said: no memory. */
struct rate *rate_new(uint64_t bytes);
void rate_free(struct rate *r);

/* Change it from now on. */
void rate_set(struct rate *r, uint64_t bytes);

/* Reserve n bytes at that time, in ms of clock_ms: how many ms to wait before they are sent.  r NULL: 0. */
int64_t rate_reserve(struct rate *r, size_t n, int64_t now);

#endif
