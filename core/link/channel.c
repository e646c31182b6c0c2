#include "link/channel.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/say.h"
#include "link/handshake.h"
#include "link/line.h"

#define PLAIN (1u + SESSION_BODY)         /* kind and body */
#define CIPHER (PLAIN + SESSION_OVERHEAD) /* what a length says at most */
#define FRAME (SESSION_LENGTH + CIPHER)
#define PROOF_FRAME (SESSION_LENGTH + 1u + SESSION_PROOF + SESSION_OVERHEAD)
#define INPUT (2 * FRAME) /* so one read may bring many frames, and they are seldom moved */
#define HEADER crypto_secretstream_xchacha20poly1305_HEADERBYTES
#define ANSWER (SESSION_KEY + HEADER)
#define PACE 1024 /* bytes a second at least, in which a frame comes that has begun */

_Static_assert(SESSION_OVERHEAD == crypto_secretstream_xchacha20poly1305_ABYTES, "secretstream");
_Static_assert(
    SESSION_HELLO == 8u + SESSION_CALL + crypto_box_SEALBYTES && SITE_SEALED == crypto_box_SEALBYTES, "seal");

const struct channel_times channel_times = { CHANNEL_HANDSHAKE * 1000, CHANNEL_SILENCE * 1000, 10000 };

struct channel {
	struct line line;
	struct channel_times times;
	const struct site *site;
	char who[SITE_NAMED + 16]; /* the peer, for the words */
	int is_over;
	int64_t begun;    /* when the frame began that has come in part; 0: there is none */
	int64_t deadline; /* of the handshake; INT64_MAX: it is over */
	struct handshake handshake;
	crypto_secretstream_xchacha20poly1305_state pull, push;
	uint8_t input[INPUT];
	uint8_t got[PLAIN];             /* the frame that was taken last */
	uint8_t plain[PLAIN];           /* the one that is sent */
	uint8_t output[FRAME + ANSWER]; /* with room for what goes in front of the first one */
};

/* --- frames -------------------------------------------------------------------------------------------- */

/* The channel is over because of what rc says. */
static int
over(struct channel *C, int rc)
{
	C->is_over = 1;
	return (rc);
}

/* It is over because of the line. */
static int
cut(struct channel *C, const char *why)
{
	return (over(C, line_broken(&C->line, why)));
}

/* Make the frame of kind and body at out: its length. */
static size_t
seal(struct channel *C, enum session_kind kind, const void *body, size_t n, uint8_t *out)
{
	size_t length = 1 + n + SESSION_OVERHEAD;

	C->plain[0] = (uint8_t)kind;
	if (n > 0)
		memcpy(C->plain + 1, body, n);
	for (unsigned i = 0; i < SESSION_LENGTH; i++)
		out[i] = (uint8_t)(length >> (24 - 8 * i));
	crypto_secretstream_xchacha20poly1305_push(&C->push, out + SESSION_LENGTH, NULL, C->plain, 1 + n, out,
	    SESSION_LENGTH, crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
	return (SESSION_LENGTH + length);
}

static int
put(struct channel *C, size_t n)
{
	return (line_write(&C->line, C->output, n, C->deadline) == 0 ? 0 : over(C, -1));
}

int
channel_send(struct channel *C, enum session_kind kind, const void *body, size_t n)
{
	if (C->is_over)
		return (-1);
	if (n > SESSION_BODY)
		return (over(C, say_failed("%s: a frame of %zu bytes is too long to be sent", C->who, n)));
	return (put(C, seal(C, kind, body, n, C->output)));
}

/* How many bytes the frame has that begins here; 0: that is not known yet. */
static size_t
frame_size(const struct channel *C)
{
	const uint8_t *p = C->input + C->line.first;

	if (line_here(&C->line) < SESSION_LENGTH)
		return (0);
	return (SESSION_LENGTH + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]));
}

/* Take the frame that is here: 0; 1: it is not here, or not whole; -1, said. */
static int
take(struct channel *C, enum session_kind *kind, size_t *n)
{
	const uint8_t *p = C->input + C->line.first;
	size_t size = frame_size(C), most = C->deadline != INT64_MAX ? PROOF_FRAME : FRAME;
	unsigned char tag;

	if (size == 0)
		return (1);
	if (size <= SESSION_LENGTH + SESSION_OVERHEAD || size > most)
		return (cut(
		    C, "sends what is no frame: something else answers than vmferry, or bytes were changed"));
	if (line_here(&C->line) < size)
		return (1);
	if (crypto_secretstream_xchacha20poly1305_pull(&C->pull, C->got, NULL, &tag, p + SESSION_LENGTH,
	        size - SESSION_LENGTH, p, SESSION_LENGTH) != 0 ||
	    tag != crypto_secretstream_xchacha20poly1305_TAG_MESSAGE)
		return (cut(C, "sends a frame that is not its own: something else answers than vmferry, or "
		               "bytes were changed"));
	C->line.first += size;
	C->begun = 0;
	*kind = (enum session_kind)C->got[0];
	*n = size - SESSION_LENGTH - SESSION_OVERHEAD - 1;
	return (0);
}

/* Until when a frame that has begun must be whole: a minute, and what is allowed for its bytes on a slow line. */
static int64_t
frame_due(const struct channel *C)
{
	if (C->begun == 0)
		return (INT64_MAX);
	return (C->begun + C->times.silence + (int64_t)(frame_size(C) * 1000 / PACE));
}

/* Until when the line is waited on at most, for what is to come next. */
static int64_t
patience(struct channel *C)
{
	int64_t until = C->line.heard + C->times.silence;

	if (line_here(&C->line) > 0 && C->begun == 0)
		C->begun = clock_ms();
	if (frame_due(C) < until)
		until = frame_due(C);
	return (C->deadline < until ? C->deadline : until);
}

/* What comes drop by drop is not waited for any longer. */
static int
is_drip(const struct channel *C)
{
	size_t size = frame_size(C);

	return (clock_ms() >= frame_due(C) && (size == 0 || line_here(&C->line) < size));
}

/* No frame is whole: get more of it, until then at most.  0; 1: it is that late; -1, said. */
static int
more(struct channel *C, int64_t until)
{
	int64_t dead = patience(C);
	int rc = line_more(&C->line, until < dead ? until : dead);

	if (rc < 0)
		return (over(C, -1));
	if (clock_ms() >= C->deadline)
		return (cut(C, "the handshake takes too long"));
	if (rc == 0 ? is_drip(C) : clock_ms() >= dead)
		return (cut(C, "the line is dead: nothing comes, or too slowly"));
	return (clock_ms() >= until);
}

/* The next frame of any kind, as channel_next. */
static int
next(struct channel *C, enum session_kind *kind, size_t *n, int64_t until)
{
	int rc, late = 0;

	while ((rc = take(C, kind, n)) == 1 && !late)
		if ((late = more(C, until)) < 0)
			return (-1);
	return (rc);
}

int
channel_next(struct channel *C, enum session_kind *kind, const uint8_t **body, size_t *n, int64_t ms)
{
	int64_t until = ms < 0 ? INT64_MAX : clock_ms() + ms;
	int rc;

	if (C->is_over)
		return (-1);
	do
		rc = next(C, kind, n, until);
	while (rc == 0 && *kind == SESSION_WAIT && *n == 0);
	*body = C->got + 1;
	if (rc == 0 && (*kind <= SESSION_SIGN || *kind >= SESSION_KINDS || *kind == SESSION_WAIT))
		return (over(C, say_failed("%s: sends a frame of a kind that has no place here: %d", C->who,
		                    (int)*kind)));
	return (rc);
}

int
channel_fd(const struct channel *C)
{
	return (C->line.in);
}

int
channel_keep(struct channel *C)
{
	if (C->is_over)
		return (-1);
	if (clock_ms() - C->line.said < C->times.keep)
		return (0);
	return (channel_send(C, SESSION_WAIT, NULL, 0));
}

int
channel_is_broken(const struct channel *C)
{
	return (C->line.is_broken);
}

void
channel_count(const struct channel *C, uint64_t *sent, uint64_t *received)
{
	*sent = C->line.sent;
	*received = C->line.received;
}

void
channel_free(struct channel *C)
{
	if (C == NULL)
		return;
	line_close(&C->line);
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
	C->times = *T;
	C->deadline = clock_ms() + T->handshake;
	C->line = (struct line){ .who = C->who, .input = C->input, .room = INPUT, .silence = T->silence };
	if (line_open(&C->line, in, out) == 0)
		return (C);
	channel_free(C);
	return (NULL);
}

/* Wait for the n bytes that come next: 0; -1, said. */
static int
want(struct channel *C, size_t n)
{
	while (line_here(&C->line) < n)
		if (more(C, INT64_MAX) < 0)
			return (-1);
	return (0);
}

static void
step(struct channel *C, void *out, size_t n)
{
	memcpy(out, C->input + C->line.first, n);
	C->line.first += n;
	C->begun = 0;
}

/* Both keys of the moment are known: make those of the frames, of which ours then has its header.  0; -1, said. */
static int
agree(struct channel *C, const uint8_t answer[SESSION_KEY], uint8_t header[HEADER], uint8_t receive[32])
{
	uint8_t send[32];

	if (handshake_agree(&C->handshake, answer, receive, send) != 0)
		return (cut(C, "gives a key that is none"));
	crypto_secretstream_xchacha20poly1305_init_push(&C->push, header, send);
	sodium_memzero(send, sizeof send);
	return (0);
}

/* The header of the frames that come. */
static int
hear(struct channel *C, const uint8_t header[HEADER], uint8_t receive[32])
{
	int rc = crypto_secretstream_xchacha20poly1305_init_pull(&C->pull, header, receive);

	sodium_memzero(receive, 32);
	return (rc == 0 ? 0 : cut(C, "gives a key that is none"));
}

/* Our proof, behind n bytes of output: 0; -1, said. */
static int
prove(struct channel *C, size_t n, const uint8_t other[RECORD_KEY])
{
	uint8_t proof[SESSION_PROOF];

	handshake_prove(&C->handshake, proof, site_secret(C->site), other);
	return (put(C, n + seal(C, SESSION_SIGN, proof, sizeof proof, C->output + n)));
}

/* The peer's proof: 0; 1, said: it proves nothing; -1, said. */
static int
check(struct channel *C, const uint8_t **key)
{
	enum session_kind kind = SESSION_NONE;
	size_t n = 0;

	if (next(C, &kind, &n, INT64_MAX) != 0)
		return (-1);
	*key = C->got + 1;
	if (kind != SESSION_SIGN || n != SESSION_PROOF ||
	    handshake_check(&C->handshake, C->got + 1, site_card(C->site)->sign) != 0)
		return (over(C, say_refused("%s: does not prove that it has the key that it names", C->who)));
	return (0);
}

/* The handshake is done, or was given up. */
static int
finish(struct channel **out, struct channel *C, int rc)
{
	sodium_memzero(&C->handshake, sizeof C->handshake);
	C->deadline = INT64_MAX;
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
	memcpy(C->output, C->handshake.hello, SESSION_HELLO);
	return (put(C, SESSION_HELLO));
}

/* Has the site that we called answered, with a key of which it may be?  0; 1, said; -1, said. */
static int
take_answer(struct channel *C, const struct trust_entry *e, uint8_t header[HEADER], const uint8_t **key)
{
	uint8_t answer[ANSWER], receive[32];
	char objection[TRUST_WORDS];
	const char *why;
	int rc;

	if (want(C, ANSWER) != 0)
		return (-1);
	step(C, answer, ANSWER);
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
channel_call_timed(struct channel **out, const struct site *S, const struct trust_entry *e, int in, int to,
    const struct channel_times *T)
{
	char who[SITE_NAMED + 16];
	uint8_t header[HEADER];
	const uint8_t *key;
	struct channel *C;
	int rc;

	*out = NULL;
	snprintf(who, sizeof who, "site '%s'", e->card.name);
	if ((C = make(S, who, in, to, T)) == NULL)
		return (-1);
	if ((rc = send_call(C, e)) == 0 && (rc = take_answer(C, e, header, &key)) == 0) {
		memcpy(C->output, header, HEADER);
		rc = prove(C, HEADER, key);
	}
	if (rc < 0 && C->line.is_ended && C->line.received == 0)
		say_note("%s: said nothing at all: the line was cut there, or this site is not in its trust "
		         "file, or "
		         "the card of it here is not its own",
		    C->who);
	return (finish(out, C, rc));
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
		if (want(C, i) != 0)
			return (-1);
		if (C->input[i - 1] == (uint8_t)SESSION_MAGIC[i - 1])
			continue;
		return (i < n ? say_refused("%s: says something else than a vmferry does", C->who)
		              : say_refused("%s: speaks version %u of the protocol, which is not known here",
		                    C->who, C->input[i - 1]));
	}
	if (want(C, SESSION_HELLO) != 0)
		return (-1);
	step(C, H->hello, SESSION_HELLO);
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
	uint8_t header[HEADER], receive[32];
	const uint8_t *key;
	int rc;

	memcpy(C->output, H->own_public, SESSION_KEY);
	if (agree(C, H->own_public, C->output + SESSION_KEY, receive) != 0 ||
	    prove(C, ANSWER, handshake_claimed(H)) != 0 || want(C, HEADER) != 0)
		return (-1);
	step(C, header, HEADER);
	if (hear(C, header, receive) != 0)
		return (-1);
	if ((rc = check(C, &key)) != 0)
		return (rc);
	if (memcmp(key, handshake_claimed(H), RECORD_KEY) != 0)
		return (say_refused("%s: proves another key than it claimed", C->who));
	return (0);
}

int
channel_answer_timed(struct channel **out, const struct site *S, const struct trust_entry **e, int in, int to,
    const struct channel_times *T)
{
	struct channel *C;
	int rc;

	*out = NULL;
	*e = NULL;
	if ((C = make(S, "who calls", in, to, T)) == NULL)
		return (-1);
	if ((rc = take_call(C)) == 0 && (rc = find_caller(C, e)) == 0)
		rc = answer_call(C);
	return (finish(out, C, rc));
}

int
channel_answer(struct channel **C, const struct site *S, const struct trust_entry **e, int in, int out)
{
	return (channel_answer_timed(C, S, e, in, out, &channel_times));
}
