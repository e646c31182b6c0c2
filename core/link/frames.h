#ifndef FRAMES_H_
#define FRAMES_H_

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

#include "link/line.h"
#include "session.h"

/* Frames on a line, sealed with a key for each direction: vmferry-session(5). */
#define FRAMES_PLAIN (1u + SESSION_BODY)                /* kind and body */
#define FRAMES_CIPHER (FRAMES_PLAIN + SESSION_OVERHEAD) /* what a length says at most */
#define FRAMES_SIZE (SESSION_LENGTH + FRAMES_CIPHER)
#define FRAMES_PROOF (SESSION_LENGTH + 1u + SESSION_PROOF + SESSION_OVERHEAD)
#define FRAMES_HEADER crypto_secretstream_xchacha20poly1305_HEADERBYTES
#define FRAMES_INPUT (2 * FRAMES_SIZE) /* so one read may bring many frames, and they are seldom moved */

struct frames {
	struct line line;
	int is_over;
	int64_t begun;    /* when the frame began that has come in part; 0: there is none */
	int64_t deadline; /* of the handshake, in which frames are short; INT64_MAX: it is over */
	crypto_secretstream_xchacha20poly1305_state pull, push;
	uint8_t input[FRAMES_INPUT];
	uint8_t got[FRAMES_PLAIN];   /* the frame that was taken last */
	uint8_t plain[FRAMES_PLAIN]; /* the one that is sent */
	uint8_t output[FRAMES_SIZE + SESSION_KEY +
	               FRAMES_HEADER]; /* with room for what goes in front of the first one */
};

/* The channel is over because of what rc says, which was said; or because of the line, and why is said.  Gives rc; -1. */
int frames_over(struct frames *F, int rc);
int frames_cut(struct frames *F, const char *why);

/* Make the frame of kind and body at out: its length. */
size_t frames_seal(struct frames *F, enum session_kind kind, const void *body, size_t n, uint8_t *out);

/* Send the first n bytes of output: 0; -1, said. */
int frames_put(struct frames *F, size_t n);

/* Wait for the n bytes that come next, outside of frames: 0; -1, said.  And take them. */
int frames_want(struct frames *F, size_t n);
void frames_step(struct frames *F, void *out, size_t n);

/* The next frame but SESSION_WAIT, into got: 0; 1, unsaid: none is whole until then; -1, said. */
int frames_next(struct frames *F, enum session_kind *kind, size_t *n, int64_t until);

#endif
