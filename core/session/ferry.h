#ifndef FERRY_H_
#define FERRY_H_

#include "link/channel.h"
#include "session/pump.h"
#include "session.h"

/*
 * What both sides of a session do with its messages, and with bytes between its channel and a process.  While they wait,
 * they say that they are at work.  Each returns 0; -1, said, unless more is said.
 */

#define FERRY_TICK 2000        /* ms that anything waits before it looks around */
#define FERRY_SMALL (4u << 20) /* bytes that a receipt, or anything else that is small, has at most */

/* A message; one that cannot be encoded is our own fault, and said. */
int ferry_ask(struct channel *C, const struct session_ask *m);
int ferry_answer(struct channel *C, const struct session_answer *m);
int ferry_open(struct channel *C, enum session_stream stream);
int ferry_close(struct channel *C, int was_given_up);
int ferry_passed(struct channel *C, uint64_t bytes);
uint64_t ferry_passed_of(const uint8_t *body);

/* The next message: as channel_next, but it looks around meanwhile; 0; -1, said. */
int ferry_next(struct channel *C, enum session_kind *kind, const uint8_t **body, size_t *n);

/* Something came that has no place there: -1, said. */
int ferry_astray(enum session_kind kind);

/* Give the process n bytes: 0; 1, unsaid: it reads no more; -1, said. */
int ferry_give(struct channel *C, struct pump *P, const uint8_t *p, size_t n);

/* The process has no more to do than to end: wait for that. */
int ferry_wait(struct channel *C, struct pump *P, struct pump_result *r);

/**
 * All that the process writes, at most so many bytes, into memory that the caller frees, up to its end, how that was
 * being in r.  NULL, said.
 */
uint8_t *ferry_gather(struct channel *C, struct pump *P, size_t most, size_t *n, struct pump_result *r);

/* Bytes that are here, as a stream of that kind. */
int ferry_send(struct channel *C, enum session_stream stream, const uint8_t *p, size_t n);

/**
 * A small stream, whose beginning was read, into memory that the caller frees: 0; 1, unsaid: it was given up there, and
 * there is nothing; -1, said.
 */
int ferry_take(struct channel *C, uint8_t **p, size_t *n);

#endif
