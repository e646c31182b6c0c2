#ifndef SESSION_H_
#define SESSION_H_

#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "card.h"
#include "record.h"

/*
 * What two sites say to one another over a pipe, as bytes: vmferry-session(5).  Pure, and total on any input.
 */

/* --- the handshake: fixed sizes ------------------------------------------------------------------------- */

#define SESSION_MAGIC "vmferry\x01" /* 8 bytes; the last is the version */
#define SESSION_KEY 32u             /* X25519, of this session alone */
#define SESSION_CALL \
	(32u + RECORD_KEY) /* sealed in the call: the caller's session key, and its signing key */
#define SESSION_HELLO \
	(8u + SESSION_CALL + 48u)        /* the call: magic, and that in a sealed box (crypto_box_seal) */
#define SESSION_PROOF (RECORD_KEY + 64u) /* a signing key and its signature on what was said */

/* --- frames ------------------------------------------------------------------------------------------------ */

/* A frame on the line: 4 bytes, big-endian: how many follow; then crypto_secretstream's ciphertext of kind and body. */
#define SESSION_BODY (256u << 10) /* bytes of body at most */
#define SESSION_LENGTH 4u
#define SESSION_OVERHEAD 17u

enum session_kind {
	SESSION_NONE = 0,
	SESSION_SIGN,  /* a proof; in the handshake only */
	SESSION_ASK,   /* JSON: struct session_ask */
	SESSION_HAVE,  /* JSON: struct session_have */
	SESSION_OPEN,  /* a stream of bytes begins: 1 byte, enum session_stream */
	SESSION_DATA,  /* its bytes */
	SESSION_CLOSE, /* its end: 1 byte; 0: it is whole; 1: it was given up */
	SESSION_PASSED, /* 8 bytes, big-endian: so many bytes of the stream were handed on by who receives it */
	SESSION_ANSWER, /* JSON: struct session_answer */
	SESSION_WAIT,   /* nothing: at work */
	SESSION_BYE,    /* nothing: all is done */
	SESSION_KINDS
};

enum session_stream { SESSION_BUNDLE = 1, SESSION_RECEIPT, SESSION_COMPARE };

/* --- messages ---------------------------------------------------------------------------------------------- */

enum session_verb {
	SESSION_SEND = 1, /* the caller sends of this VM: what do you have of it? */
	SESSION_FETCH,    /* the caller receives of this VM: send what I lack */
	SESSION_TEST,     /* would it be taken?  Nothing changes */
	SESSION_DIFFER,   /* the caller sends of it, and wants a compare bundle first */
	SESSION_NEXT,     /* the caller sends of it, knows what is there, and wants no answer to this */
};

struct session_ask {
	enum session_verb verb;
	char vm[LIMIT_NAME + 1];
	char uuid[40]; /* in its usual form */
	uint64_t size; /* bytes of the VM's disks, as the caller knows them; 0: not known */
	int64_t time;  /* by the caller's clock, seconds since 1970 */
};

/* What a replica side wishes of its primary: 0: nothing. */
struct session_terms {
	uint64_t frequency; /* seconds between points at least */
	uint64_t rate;      /* bytes a second at most */
	uint64_t points;    /* recovery points that are kept at most */
	uint64_t size;      /* bytes of disk for a VM at most */
};

#define SESSION_POSITION 4096u
#define SESSION_TEXT 512u
struct session_have {
	int may;                 /* the caller may do what it asks for; if not, text says why */
	char text[SESSION_TEXT]; /* printable; or empty */
	char state[32]; /* the role's state as vmferry-status(1) names it; "none": nothing is known of it */
	uint64_t epoch, seq; /* the newest point; seq 0: none */
	uint64_t held;       /* the newest point that can be reached with what is staged; 0: none */
	uint64_t free;       /* bytes free where its disks lie, or would */
	int64_t time;        /* by the clock of who says it */
	int has_receipt;     /* a receipt follows as a stream */
	struct session_terms terms;
	char position
	    [SESSION_POSITION]; /* of what was cut short, as vmferry import --position prints it; or empty */
};

struct session_answer {
	int rc;                  /* 0; 1: refused; 3: it failed there, and may be repeated */
	char text[SESSION_TEXT]; /* what was said there; or empty */
	uint64_t seq;            /* the newest point that is merged; 0: none */
};

/* Each encoder gives the length, 0 if it does not fit SESSION_BODY; each decoder NULL, or why it is none. */
size_t session_encode_ask(uint8_t *out, const struct session_ask *m);
size_t session_encode_have(uint8_t *out, const struct session_have *m);
size_t session_encode_answer(uint8_t *out, const struct session_answer *m);
const char *session_decode_ask(struct session_ask *m, const uint8_t *body, size_t n);
const char *session_decode_have(struct session_have *m, const uint8_t *body, size_t n);
const char *session_decode_answer(struct session_answer *m, const uint8_t *body, size_t n);

#endif
