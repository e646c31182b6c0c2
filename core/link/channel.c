#include "link/channel.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/say.h"
#include "link/frames.h"
#include "link/handshake.h"

#define ANSWER (SESSION_KEY + FRAMES_HEADER) /* bytes in front of its first frame */

_Static_assert(SITE_SEALED == crypto_box_SEALBYTES, "what is sealed is longer by that");

const struct channel_times channel_times = { CHANNEL_HANDSHAKE * 1000, CHANNEL_SILENCE * 1000, 10000 };

struct channel {
	struct frames frames;
	const struct site *site;
	struct handshake handshake;
	int64_t keep;
	uint8_t peer[RECORD_KEY];  /* the key that it has proved */
	char who[SITE_NAMED + 16]; /* the peer, for the words */
};

int
channel_send(struct channel *C, enum session_kind kind, const void *body, size_t n)
{
	if (C->frames.is_over)
		return (-1);
	if (n > SESSION_BODY)
		return (frames_over(
		    &C->frames, say_failed("%s: a frame of %zu bytes is too long to be sent", C->who, n)));
	return (frames_put(&C->frames, frames_seal(&C->frames, kind, body, n, C->frames.output)));
}

int
channel_next(struct channel *C, enum session_kind *kind, const uint8_t **body, size_t *n, int64_t ms)
{
	int64_t until = ms < 0 ? INT64_MAX : clock_ms() + ms;
	int rc;

	if (C->frames.is_over)
		return (-1);
	rc = frames_next(&C->frames, kind, n, until);
	*body = C->frames.got + 1;
	if (rc == 0 && (*kind <= SESSION_SIGN || *kind >= SESSION_KINDS || *kind == SESSION_WAIT))
		return (frames_over(
		    &C->frames, say_failed("%s: sends a frame of a kind that has no place here: %d", C->who,
		                    (int)*kind)));
	return (rc);
}

const uint8_t *
channel_peer(const struct channel *C)
{
	return (C->peer);
}

int
channel_fd(const struct channel *C)
{
	return (C->frames.line.in);
}

int
channel_keep(struct channel *C)
{
	if (C->frames.is_over)
		return (-1);
	/* Where what was sent has not arrived, one more sign is none. */
	if (clock_ms() - C->frames.line.said < C->keep || !line_has_room(&C->frames.line))
		return (0);
	return (channel_send(C, SESSION_WAIT, NULL, 0));
}

int
channel_is_broken(const struct channel *C)
{
	return (C->frames.line.is_broken);
}

void
channel_count(const struct channel *C, uint64_t *sent, uint64_t *received)
{
	*sent = C->frames.line.sent;
	*received = C->frames.line.received;
}

void
channel_free(struct channel *C)
{
	if (C == NULL)
		return;
	line_close(&C->frames.line);
	sodium_memzero(C, sizeof *C);
	free(C);
}

/* --- handshake ----------------------------------------------------------------------------------------- */

static struct channel *
make(const struct site *S, const char *who, int in, int out, const struct channel_times *T)
{
	struct channel *C = calloc(1, sizeof *C);

	if (C == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	snprintf(C->who, sizeof C->who, "%s", who);
	C->site = S;
	C->keep = T->keep;
	C->frames.deadline = clock_ms() + T->handshake;
	C->frames.line = (struct line){
		.who = C->who, .input = C->frames.input, .room = FRAMES_INPUT, .silence = T->silence
	};
	if (line_open(&C->frames.line, in, out) == 0)
		return (C);
	channel_free(C);
	return (NULL);
}

/* Both keys of the moment are known: make those of the frames, of which ours then has its header.  0; -1, said. */
static int
agree(
    struct channel *C, const uint8_t answer[SESSION_KEY], uint8_t header[FRAMES_HEADER], uint8_t receive[32])
{
	uint8_t send[32];

	if (handshake_agree(&C->handshake, answer, receive, send) != 0)
		return (frames_cut(&C->frames, "gives a key that is none"));
	crypto_secretstream_xchacha20poly1305_init_push(&C->frames.push, header, send);
	sodium_memzero(send, sizeof send);
	return (0);
}

/* The header of the frames that come. */
static int
hear(struct channel *C, const uint8_t header[FRAMES_HEADER], uint8_t receive[32])
{
	int rc = crypto_secretstream_xchacha20poly1305_init_pull(&C->frames.pull, header, receive);

	sodium_memzero(receive, 32);
	return (rc == 0 ? 0 : frames_cut(&C->frames, "gives a key that is none"));
}

/* Our proof, behind n bytes of output: 0; -1, said. */
static int
prove(struct channel *C, size_t n, const uint8_t other[RECORD_KEY])
{
	uint8_t proof[SESSION_PROOF];

	handshake_prove(&C->handshake, proof, site_secret(C->site), other);
	return (frames_put(&C->frames,
	    n + frames_seal(&C->frames, SESSION_SIGN, proof, sizeof proof, C->frames.output + n)));
}

/* The peer's proof: 0; 1, said: it proves nothing; -1, said. */
static int
check(struct channel *C, const uint8_t **key)
{
	enum session_kind kind = SESSION_NONE;
	size_t n = 0;

	if (frames_next(&C->frames, &kind, &n, INT64_MAX) != 0)
		return (-1);
	*key = C->frames.got + 1;
	if (kind != SESSION_SIGN || n != SESSION_PROOF ||
	    handshake_check(&C->handshake, C->frames.got + 1, site_card(C->site)->sign) != 0)
		return (frames_over(
		    &C->frames, say_refused("%s: does not prove that it has the key that it names", C->who)));
	memcpy(C->peer, *key, RECORD_KEY);
	return (0);
}

/* The handshake is done, or was given up. */
static int
finish(struct channel **out, struct channel *C, int rc)
{
	sodium_memzero(&C->handshake, sizeof C->handshake);
	C->frames.deadline = INT64_MAX;
	if (rc != 0)
		channel_free(C);
	else
		*out = C;
	return (rc);
}

/* --- the caller ---------------------------------------------------------------------------------------- */

static int
send_call(struct channel *C, const struct trust_entry *e)
{
	handshake_begin(&C->handshake, HANDSHAKE_CALLER);
	handshake_call(&C->handshake, site_card(C->site)->sign, e->card.box);
	memcpy(C->frames.output, C->handshake.hello, SESSION_HELLO);
	return (frames_put(&C->frames, SESSION_HELLO));
}

/* Has the site that we called answered, with a key of which it may be?  0; 1, said; -1, said. */
static int
take_answer(
    struct channel *C, const struct trust_entry *e, uint8_t header[FRAMES_HEADER], const uint8_t **key)
{
	uint8_t answer[ANSWER], receive[32];
	char objection[TRUST_WORDS];
	const char *why;
	int rc;

	if (frames_want(&C->frames, ANSWER) != 0)
		return (-1);
	frames_step(&C->frames, answer, ANSWER);
	if (agree(C, answer, header, receive) != 0 || hear(C, answer + SESSION_KEY, receive) != 0)
		return (-1);
	if ((rc = check(C, key)) != 0)
		return (rc);
	if (!trust_has_key(e, *key))
		return (say_refused(
		    "%s: answers with a key that is not known here; take its key list with 'vmferry key "
		    "import', or see who answers there",
		    C->who));
	if ((why = trust_objection(e, *key, (int64_t)time(NULL), objection)) != NULL)
		return (say_refused("%s: %s", C->who, why));
	return (0);
}

int
channel_call_timed(struct channel **C, const struct site *S, const struct trust_entry *e, int in, int out,
    const struct channel_times *T)
{
	char who[SITE_NAMED + 16];
	uint8_t header[FRAMES_HEADER];
	const uint8_t *key;
	struct channel *N;
	int rc;

	*C = NULL;
	snprintf(who, sizeof who, "site '%s'", e->card.name);
	if ((N = make(S, who, in, out, T)) == NULL)
		return (-1);
	if ((rc = send_call(N, e)) == 0 && (rc = take_answer(N, e, header, &key)) == 0) {
		memcpy(N->frames.output, header, FRAMES_HEADER);
		rc = prove(N, FRAMES_HEADER, key);
	}
	if (rc < 0 && N->frames.line.is_ended && N->frames.line.received == 0)
		say_note("%s: said nothing at all: the line was cut there, or this site is not in its trust "
		         "file, or "
		         "the card of it here is not its own",
		    N->who);
	return (finish(C, N, rc));
}

int
channel_call(struct channel **C, const struct site *S, const struct trust_entry *e, int in, int out)
{
	return (channel_call_timed(C, S, e, in, out, &channel_times));
}

/* --- who is called ------------------------------------------------------------------------------------- */

/* Read the call: 0; 1, said: it is none, or not for us; -1, said. */
static int
take_call(struct channel *C)
{
	struct handshake *H = &C->handshake;
	const size_t n = strlen(SESSION_MAGIC);

	handshake_begin(H, HANDSHAKE_CALLED);
	/* Whoever speaks of something else need not be waited for. */
	for (size_t i = 1; i <= n; i++) {
		if (frames_want(&C->frames, i) != 0)
			return (-1);
		if (C->frames.input[i - 1] == (uint8_t)SESSION_MAGIC[i - 1])
			continue;
		return (i < n ? say_refused("%s: says something else than a vmferry does", C->who)
		              : say_refused("%s: speaks version %u of the protocol, which is not known here",
		                    C->who, C->frames.input[i - 1]));
	}
	if (frames_want(&C->frames, SESSION_HELLO) != 0)
		return (-1);
	frames_step(&C->frames, H->hello, SESSION_HELLO);
	if (site_open_sealed(C->site, H->hello + n, SESSION_HELLO - n, H->call) != 0)
		return (say_refused("%s: does not know this site's card, or calls another site", C->who));
	return (0);
}

/* May whoever claims that key call?  0, and its entry; 1, said. */
static int
find_caller(struct channel *C, const struct trust_entry **e)
{
	const uint8_t *key = handshake_claimed(&C->handshake);
	char name[SITE_NAMED], objection[TRUST_WORDS];
	const char *why;

	site_name_of(C->site, key, name);
	if (site_is_own_key(C->site, key) || (*e = trust_by_key(site_trust(C->site), key)) == NULL)
		return (say_refused("%s: says that it has %s, %s", C->who, name,
		    site_is_own_key(C->site, key) ? "this very site"
		                                  : "which is of no site in the trust file"));
	if ((why = trust_objection(*e, key, (int64_t)time(NULL), objection)) != NULL)
		return (say_refused("%s: says that it is site '%s': %s", C->who, (*e)->card.name, why));
	snprintf(C->who, sizeof C->who, "site '%s'", (*e)->card.name);
	return (0);
}

/* Answer the call, and see that the caller is who it says: 0; 1, said; -1, said. */
static int
answer_call(struct channel *C)
{
	struct handshake *H = &C->handshake;
	uint8_t header[FRAMES_HEADER], receive[32];
	const uint8_t *key;
	int rc;

	memcpy(C->frames.output, H->own_public, SESSION_KEY);
	if (agree(C, H->own_public, C->frames.output + SESSION_KEY, receive) != 0 ||
	    prove(C, ANSWER, handshake_claimed(H)) != 0 || frames_want(&C->frames, FRAMES_HEADER) != 0)
		return (-1);
	frames_step(&C->frames, header, FRAMES_HEADER);
	if (hear(C, header, receive) != 0)
		return (-1);
	if ((rc = check(C, &key)) != 0)
		return (rc);
	if (memcmp(key, handshake_claimed(H), RECORD_KEY) != 0)
		return (say_refused("%s: proves another key than it claimed", C->who));
	return (0);
}

int
channel_answer_timed(struct channel **C, const struct site *S, const struct trust_entry **e, int in, int out,
    const struct channel_times *T)
{
	struct channel *N;
	int rc;

	*C = NULL;
	*e = NULL;
	if ((N = make(S, "who calls", in, out, T)) == NULL)
		return (-1);
	if ((rc = take_call(N)) == 0 && (rc = find_caller(N, e)) == 0)
		rc = answer_call(N);
	return (finish(C, N, rc));
}

int
channel_answer(struct channel **C, const struct site *S, const struct trust_entry **e, int in, int out)
{
	return (channel_answer_timed(C, S, e, in, out, &channel_times));
}
