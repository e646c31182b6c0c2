#ifndef RESEND_H_
#define RESEND_H_

#include <stddef.h>
#include <stdint.h>

#include "record.h"

/*
 * The last bytes of a stream that was sent, for as long as it is not sure that they were kept where it goes: should the
 * line be cut, what is missing there is found here.  Places are counted from the start of the stream.
 */
struct resend;

#define RESEND_MOST (UINT64_C(64) << 20) /* bytes that are kept at most */
#define RESEND_MARGIN \
	(UINT64_C(32) << 20) /* so much of what was handed on may still be lost with its process */

/* NULL, said: no memory. */
struct resend *resend_new(void);
void resend_free(struct resend *W);

/* The next n bytes of the stream, of which n is at most 1 MiB.  Without memory for them older ones go. */
void resend_add(struct resend *W, const void *p, size_t n);

/* All before that place was handed on where it goes. */
void resend_passed(struct resend *W, uint64_t place);

/* The first place that is here, and the end of the stream so far. */
uint64_t resend_start(const struct resend *W);
uint64_t resend_end(const struct resend *W);

/* The bytes from place on, which is here: as many as lie together, at most n of them. */
size_t resend_get(const struct resend *W, uint64_t place, size_t n, const uint8_t **p);

/**
 * Where the stream goes on for somebody whose last good record is that one: behind its member, and of a bundle's header
 * at the bundle's start.  0; 1: that is not here.
 */
int resend_behind(const struct resend *W, const uint8_t record[RECORD_SIZE], uint64_t *place);

#endif
