#ifndef CHANNEL_H_
#define CHANNEL_H_

#include <stddef.h>
#include <stdint.h>

#include "session.h"
#include "site/site.h"

/*
 * Two sites that know one another's cards, and nobody else, over a pipe in each direction: vmferry-session(5).  After the
 * handshake each has proved its key, and what is sent is whole frames, in order, or nothing.  Any error, be it the
 * line's or a hostile peer's, ends the channel: what follows fails at once.  Not for two threads.
 */
struct channel;

#define CHANNEL_HANDSHAKE 20 /* seconds that a handshake may take in all */
#define CHANNEL_SILENCE 60   /* seconds without a byte, in either direction, before the line counts as dead */

/* The same, and when a sign of life is due, in ms; of them all, only tests have others than channel_times. */
struct channel_times {
	int64_t handshake, silence, keep;
};
extern const struct channel_times channel_times;

/* What calls and answers return: 0; 1, said: the peer's answer is no, or it is none that we know; -1, said: the line. */

/**
 * Call the site of e over these two descriptors (which may be one, and stay the caller's).
 */
int channel_call(struct channel **C, const struct site *S, const struct trust_entry *e, int in, int out);

/**
 * Be called by a site that S knows, whose entry goes to *e (valid as long as S).  Who does not prove to be one gets no
 * word for it; what is said of it here names the key, if one was claimed.
 */
int channel_answer(struct channel **C, const struct site *S, const struct trust_entry **e, int in, int out);

/* The same with other times, which are not kept. */
int channel_call_timed(struct channel **C, const struct site *S, const struct trust_entry *e, int in, int out,
    const struct channel_times *T);
int channel_answer_timed(struct channel **C, const struct site *S, const struct trust_entry **e, int in,
    int out, const struct channel_times *T);

/* Send a frame of that kind with n bytes, at most SESSION_BODY: 0; -1, said. */
int channel_send(struct channel *C, enum session_kind kind, const void *body, size_t n);

/**
 * The next frame: 0, and its body, valid until the next call; 1, unsaid: none has come whole within ms milliseconds (0: what is
 * here already; -1: as long as the peer shows signs of life); -1, said: the end, or silence for too long.
 * SESSION_WAIT is taken in passing and never returned.
 */
int channel_next(struct channel *C, enum session_kind *kind, const uint8_t **body, size_t *n, int64_t ms);

/* The key that the peer has proved to have. */
const uint8_t *channel_peer(const struct channel *C);

/* For poll: where frames come in; channel_next with 0 is to be asked first, since some may be here. */
int channel_fd(const struct channel *C);

/* Say that we are at work, if nothing was said for a while: to be called every few seconds, never waits.  0; -1, said. */
int channel_keep(struct channel *C);

/* Did it end by an error of the line (and not by an answer)? */
int channel_is_broken(const struct channel *C);

/* Bytes that went out and came in so far, as they are on the line. */
void channel_count(const struct channel *C, uint64_t *sent, uint64_t *received);

/* Forget all keys; nothing is sent.  Accepts NULL. */
void channel_free(struct channel *C);

#endif
