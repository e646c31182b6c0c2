#ifndef HANDSHAKE_H_
#define HANDSHAKE_H_

#include <stdint.h>

#include "session.h"

/*
 * The cryptography of a handshake, without the line: vmferry-session(5).  In the order of use; sodium_memzero it when it is
 * over, and nobody can read any more what was said.
 */
enum handshake_role { HANDSHAKE_CALLER, HANDSHAKE_CALLED };

struct handshake {
	enum handshake_role role;
	uint8_t own[SESSION_KEY], own_public[SESSION_KEY]; /* of the moment */
	uint8_t call[SESSION_CALL];                        /* the caller's: both keys */
	uint8_t hello[SESSION_HELLO];                      /* the same, sealed */
	uint8_t transcript[64];                            /* of all that was said before the first frame */
};

/* Make keys of the moment. */
void handshake_begin(struct handshake *H, enum handshake_role role);

/* As the caller, whose signing key is this: make hello, for the site with that box. */
void handshake_call(struct handshake *H, const uint8_t key[RECORD_KEY], const uint8_t box[CARD_BOX]);

/* The signing key that the caller says it has. */
const uint8_t *handshake_claimed(const struct handshake *H);

/**
 * Both have a key of the called site's by now (answer; its own if it is that): the two keys of the frames, for what this side
 * receives and for what it sends.  0, or -1: a key of the moment is none.
 */
int handshake_agree(
    struct handshake *H, const uint8_t answer[SESSION_KEY], uint8_t receive[32], uint8_t send[32]);

/* Sign, to the site of the key other, what was said. */
void handshake_prove(const struct handshake *H, uint8_t proof[SESSION_PROOF],
    const uint8_t secret[RECORD_SECRET], const uint8_t other[RECORD_KEY]);

/* Has the key in this proof of the peer signed it, to the site of our key?  0 or -1. */
int handshake_check(
    const struct handshake *H, const uint8_t proof[SESSION_PROOF], const uint8_t own[RECORD_KEY]);

#endif
