#include "link/channel.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "place.h"
#include "link/handshake.h"
#include "site/keys.h"

/* Two sites that know one another, and a third that knows both, and that neither knows. */
static struct site *hq, *dr, *stranger;

static struct site *
make_site(const char *name)
{
	struct site *S;

	cr_assert_eq(site_init(at(name), name), 0);
	cr_assert_not_null(S = site_open(at(name)));
	return (S);
}

static void
trusts(struct site *S, const struct site *other)
{
	struct trust_entry e;

	memset(&e, 0, sizeof e);
	e.card = *site_card(other);
	cr_assert_eq(site_trust_add(S, &e), 0);
}

static void
make(void)
{
	place_make();
	signal(SIGPIPE, SIG_IGN);
	hq = make_site("hq");
	dr = make_site("dr");
	stranger = make_site("stranger");
	trusts(hq, dr);
	trusts(dr, hq);
	trusts(stranger, hq);
	trusts(stranger, dr);
}

static void
drop(void)
{
	site_close(hq);
	site_close(dr);
	site_close(stranger);
	place_remove();
}

TestSuite(channel, .init = make, .fini = drop);

static const struct trust_entry *
entry(const struct site *S, const char *name)
{
	const struct trust_entry *e;

	cr_assert_eq(site_find(S, name, &e), 0);
	return (e);
}

/* --- two ends, each in a thread of its own ------------------------------------------------------------ */

#define ROUNDS 2

struct peer {
	const struct site *S;
	const struct trust_entry *e; /* whom it calls; NULL: it is called */
	const struct channel_times *T;
	int fd;
	int rc;     /* of the handshake */
	int frames; /* that came, each as it was sent */
	int last;   /* what ended it: 0: all came */
	pthread_t thread;
};

static void
talk(struct peer *P, struct channel *C)
{
	static const char text[] = "what is said";
	enum session_kind kind;
	const uint8_t *body;
	size_t n;

	for (int i = 0; i < ROUNDS && P->last == 0; i++) {
		if ((P->last = channel_send(C, SESSION_DATA, text, sizeof text - (size_t)i)) != 0)
			break;
		if ((P->last = channel_next(C, &kind, &body, &n, -1)) != 0)
			break;
		cr_assert(kind == SESSION_DATA && n == sizeof text - (size_t)i && memcmp(body, text, n) == 0);
		P->frames++;
	}
}

static void *
run_peer(void *context)
{
	struct peer *P = context;
	const struct trust_entry *e;
	struct channel *C;

	if (P->e != NULL)
		P->rc = channel_call_timed(&C, P->S, P->e, P->fd, P->fd, P->T);
	else
		P->rc = channel_answer_timed(&C, P->S, &e, P->fd, P->fd, P->T);
	if (P->rc == 0)
		talk(P, C);
	else
		cr_assert_null(C);
	channel_free(C);
	close(P->fd);
	return (NULL);
}

/* Start it; the other end of its line. */
static int
start(struct peer *P)
{
	int fd[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	P->fd = fd[0];
	P->rc = P->frames = P->last = 0;
	cr_assert_eq(pthread_create(&P->thread, NULL, run_peer, P), 0);
	return (fd[1]);
}

/* --- who is between them ------------------------------------------------------------------------------- */

#define SEEN 4096

/* Passes on what each says to the other (0: the caller), but for one thing. */
struct between {
	enum { PASS, FLIP, CUT, DROP, TWICE, SPLIT, SINGLE } what;
	int from;     /* whose bytes it is done to */
	size_t where; /* at which of them */
	uint8_t bit;
	size_t n[2]; /* how many came from each, and which */
	uint8_t seen[2][SEEN];
};

/* Bytes to the other one, who may have gone. */
static void
give(int fd, const uint8_t *p, size_t n)
{
	for (ssize_t put; n > 0; p += put, n -= (size_t)put)
		if ((put = send(fd, p, n, MSG_NOSIGNAL)) <= 0)
			return;
}

/* One byte: 0, or -1: that was the last. */
static int
pass(struct between *B, int from, int to, uint8_t c)
{
	size_t at_byte = B->n[from];
	uint8_t two[2] = { c, c };
	int is_it = from == B->from && at_byte == B->where;

	if (at_byte < SEEN)
		B->seen[from][at_byte] = c;
	B->n[from]++;
	if (is_it && B->what == CUT)
		return (-1);
	if (is_it && B->what == FLIP)
		two[0] ^= B->bit;
	if (!is_it || B->what != DROP)
		give(to, two, is_it && B->what == TWICE ? 2 : 1);
	return (0);
}

/* What has come from one: 0, or -1: it has gone, or is to be cut. */
static int
move(struct between *B, const int fd[2], int from)
{
	uint8_t buf[SEEN];
	ssize_t n = read(fd[from], buf, B->what == SINGLE ? 1 : sizeof buf);

	if (n <= 0)
		return (-1);
	if (B->n[from] + (size_t)n <= B->where || B->n[from] > B->where || from != B->from ||
	    B->what == SINGLE || B->what == PASS) {
		if (B->n[from] + (size_t)n <= SEEN)
			memcpy(B->seen[from] + B->n[from], buf, (size_t)n);
		B->n[from] += (size_t)n;
		give(fd[!from], buf, (size_t)n);
		return (0);
	}
	for (ssize_t i = 0; i < n; i++)
		if (pass(B, from, fd[!from], buf[i]) != 0)
			return (-1);
	return (0);
}

static void
relay(struct between *B, struct peer *caller, struct peer *called)
{
	int fd[2] = { start(caller), start(called) };
	struct pollfd p[2] = { { .fd = fd[0], .events = POLLIN }, { .fd = fd[1], .events = POLLIN } };
	int is_open = 1;

	B->n[0] = B->n[1] = 0;
	while (is_open) {
		cr_assert_gt(poll(p, 2, -1), 0);
		for (int i = 0; i < 2 && is_open; i++)
			if (p[i].revents != 0)
				is_open = move(B, fd, i) == 0;
	}
	/* What is still on its way when one has gone comes to the other. */
	for (int i = 0; i < 2; i++)
		while (B->what != CUT && recv(fd[i], (uint8_t[1]){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) > 0 &&
		       move(B, fd, i) == 0)
			;
	close(fd[0]);
	close(fd[1]);
	cr_assert_eq(pthread_join(caller->thread, NULL), 0);
	cr_assert_eq(pthread_join(called->thread, NULL), 0);
}

/* A peer that has the time that it wants; and one that soon gives up, where it will have to. */
static const struct channel_times patient = { 60000, 60000, 10000 }, hasty = { 40, 40, 10000 };

static struct peer
a_caller(const struct channel_times *T)
{
	return ((struct peer){ .S = hq, .e = entry(hq, "dr"), .T = T });
}

static struct peer
a_called(const struct channel_times *T)
{
	return ((struct peer){ .S = dr, .T = T });
}

/* The bytes of a session in which all goes well. */
static struct between
record(void)
{
	struct between B = { .what = PASS };
	struct peer caller = a_caller(&patient), called = a_called(&patient);

	relay(&B, &caller, &called);
	cr_assert(caller.rc == 0 && called.rc == 0 && caller.frames == ROUNDS && called.frames == ROUNDS);
	cr_assert(B.n[0] < SEEN && B.n[1] < SEEN);
	return (B);
}

/* How many frames can be whole in what the side before that byte said: of its handshake, none. */
static int
whole_before(int from, size_t where)
{
	size_t n =
	    (from == 0 ? SESSION_HELLO + 24 : SESSION_KEY + 24) + 4 + 1 + SESSION_PROOF + SESSION_OVERHEAD;
	int frames = 0;

	while (frames < ROUNDS && (n += 4 + 1 + 13 - (size_t)frames + SESSION_OVERHEAD) <= where)
		frames++;
	return (frames);
}

/* That thing is done to the byte: what is behind it is not taken, and neither side believes that all went well. */
static void
expect_end(struct between *B)
{
	struct peer caller = a_caller(&hasty), called = a_called(&hasty);
	struct peer *victim = B->from == 0 ? &called : &caller;

	relay(B, &caller, &called);
	cr_expect_leq(victim->frames, whole_before(B->from, B->where), "%d: byte %zu of %d, bit %x", B->what,
	    B->where, B->from, B->bit);
	cr_expect(victim->rc != 0 || victim->last != 0, "%d: byte %zu of %d, bit %x", B->what, B->where,
	    B->from, B->bit);
}

/* --- two channels in our own hands --------------------------------------------------------------------- */

struct joining {
	struct channel **C;
	const struct trust_entry **e;
	const struct channel_times *T;
	int fd;
};

static void *
answer(void *context)
{
	struct joining *j = context;

	cr_assert_eq(channel_answer_timed(j->C, dr, j->e, j->fd, j->fd, j->T), 0);
	return (NULL);
}

/* hq has called dr; their descriptors are left open. */
static void
join(struct channel **caller, struct channel **called, const struct trust_entry **e,
    const struct channel_times *T)
{
	struct joining j = { .C = called, .e = e, .T = T };
	pthread_t thread;
	int fd[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	j.fd = fd[1];
	cr_assert_eq(pthread_create(&thread, NULL, answer, &j), 0);
	cr_assert_eq(channel_call_timed(caller, hq, entry(hq, "dr"), fd[0], fd[0], T), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

static struct sending {
	struct channel *C;
	const void *p;
	size_t n;
	pthread_t thread;
} sending;

static void *
send_it(void *context)
{
	struct sending *s = context;

	cr_assert_eq(channel_send(s->C, SESSION_DATA, s->p, s->n), 0);
	return (NULL);
}

static void
send_aside(struct channel *C, const void *p, size_t n)
{
	sending = (struct sending){ .C = C, .p = p, .n = n };
	cr_assert_eq(pthread_create(&sending.thread, NULL, send_it, &sending), 0);
}

static void
sent_aside(void)
{
	cr_assert_eq(pthread_join(sending.thread, NULL), 0);
}

/* --- a line that is as it should be -------------------------------------------------------------------- */

Test(channel, carries_frames_of_every_size_both_ways)
{
	static const size_t sizes[] = { 0, 1, 1000, SESSION_BODY - 1, SESSION_BODY };
	static uint8_t much[SESSION_BODY];
	const struct trust_entry *e;
	struct channel *A = NULL, *B = NULL;
	enum session_kind kind;
	const uint8_t *body;
	uint64_t in, out, in_b, out_b;
	size_t n;
	int rc;

	randombytes_buf(much, sizeof much);
	join(&A, &B, &e, &patient);
	cr_expect_str_eq(e->card.name, "hq");
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct channel *from = i % 2 ? A : B, *to = i % 2 ? B : A;

		/* A pipe takes only a part of it at once: the sender is a process of its own. */
		send_aside(from, much, sizes[i]);
		while ((rc = channel_next(to, &kind, &body, &n, 1000)) == 1)
			;
		cr_assert_eq(rc, 0);
		cr_expect(kind == SESSION_DATA && n == sizes[i] && memcmp(body, much, n) == 0);
		sent_aside();
	}
	cr_expect_eq(channel_next(A, &kind, &body, &n, 0), 1);
	channel_count(A, &out, &in);
	channel_count(B, &out_b, &in_b);
	cr_expect(out == in_b && in == out_b && out > 262 && in > 174);
	cr_expect_eq(fcntl(channel_fd(A), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	rc = channel_fd(A);
	channel_free(A);
	cr_expect_eq(fcntl(rc, F_GETFL) & O_NONBLOCK, 0, "the descriptor is not as it was");
	channel_free(B);
}

Test(channel, takes_its_bytes_however_they_are_split)
{
	struct between B = record();
	struct peer caller = a_caller(&patient), called = a_called(&patient);

	for (int from = 0; from < 2; from++) {
		size_t n = B.n[from];

		for (size_t where = 0; where < n; where += 1) {
			struct between one = { .what = SPLIT, .from = from, .where = where };

			relay(&one, &caller, &called);
			cr_assert(caller.frames == ROUNDS && called.frames == ROUNDS);
		}
	}
	B.what = SINGLE;
	relay(&B, &caller, &called);
	cr_assert(caller.frames == ROUNDS && called.frames == ROUNDS);
}

/* --- a line on which somebody sits --------------------------------------------------------------------- */

Test(channel, ends_where_a_bit_is_flipped)
{
	const struct between B = record();

	for (int from = 0; from < 2; from++)
		for (size_t where = 0; where < B.n[from]; where++)
			for (unsigned bit = 0; bit < 8; bit++) {
				struct between one = { .what = FLIP,
					.from = from,
					.where = where,
					.bit = (uint8_t)(1u << bit) };

				/* One of each byte, and all of the key in the answer, of which X25519 leaves out one. */
				if (bit == where % 8 || (from == 1 && where < SESSION_KEY))
					expect_end(&one);
			}
}

Test(channel, ends_where_it_is_cut_or_a_byte_is_dropped_or_said_twice)
{
	const struct between B = record();

	for (int from = 0; from < 2; from++)
		for (size_t where = 0; where < B.n[from]; where++) {
			struct between cut = { .what = CUT, .from = from, .where = where };
			struct between drop_it = { .what = DROP, .from = from, .where = where };
			struct between twice = { .what = TWICE, .from = from, .where = where };

			expect_end(&cut);
			if (where % 7 != 0)
				continue;
			expect_end(&drop_it);
			/* One more at the end is not looked at any more. */
			if (where + 1 < B.n[from])
				expect_end(&twice);
		}
}

/* Say these bytes to a peer, and what it then did. */
static void
say_to(struct peer *P, const uint8_t *p, size_t n, size_t *got)
{
	uint8_t buf[SEEN];
	int fd = start(P);
	ssize_t more;

	give(fd, p, n);
	shutdown(fd, SHUT_WR);
	for (*got = 0; (more = read(fd, buf, sizeof buf)) > 0; *got += (size_t)more)
		;
	close(fd);
	cr_assert_eq(pthread_join(P->thread, NULL), 0);
}

Test(channel, that_was_recorded_is_of_no_use_to_anybody)
{
	const struct between B = record();
	struct peer caller = a_caller(&hasty), called = a_called(&hasty);
	size_t got;

	say_to(&called, B.seen[0], B.n[0], &got);
	cr_expect(called.rc == -1 && called.frames == 0);
	say_to(&caller, B.seen[1], B.n[1], &got);
	cr_expect(caller.rc == -1 && caller.frames == 0);
	cr_expect_eq(got, SESSION_HELLO, "it has proved something to who proved nothing");
}

/* Give a peer back what it says, behind n other bytes. */
static void
mirror(struct peer *P, const uint8_t *p, size_t n)
{
	uint8_t buf[SEEN];
	int fd = start(P);
	ssize_t more;

	give(fd, p, n);
	while ((more = read(fd, buf, sizeof buf)) > 0)
		give(fd, buf, (size_t)more);
	close(fd);
	cr_assert_eq(pthread_join(P->thread, NULL), 0);
}

Test(channel, is_not_made_with_ones_own_reflection)
{
	const struct between B = record();
	struct peer caller = a_caller(&hasty), called = a_called(&hasty);

	mirror(&caller, NULL, 0);
	cr_expect(caller.rc == -1 && caller.frames == 0);
	mirror(&called, B.seen[0], SESSION_HELLO);
	cr_expect(called.rc == -1 && called.frames == 0);
}

/* --- who may --------------------------------------------------------------------------------------------- */

/* A session of these two. */
static void
meet(struct peer *caller, struct peer *called, size_t *answered)
{
	struct between B = { .what = PASS };

	hush();
	relay(&B, caller, called);
	*answered = B.n[1];
}

Test(channel, gives_a_stranger_no_byte)
{
	struct peer caller = { .S = stranger, .e = entry(stranger, "dr"), .T = &patient },
	            called = a_called(&patient);
	uint8_t junk[SESSION_HELLO];
	size_t n;

	meet(&caller, &called, &n);
	cr_expect(n == 0 && caller.rc == -1 && called.rc == 1);
	cr_expect(said("of no site in the trust file"));
	meet(&caller, &called, &n);
	cr_expect(said("said nothing at all"));
	/* Who does not know the card, or speaks of something else. */
	randombytes_buf(junk, sizeof junk);
	say_to(&called, junk, sizeof junk, &n);
	cr_expect(n == 0 && called.rc == 1 && said("something else"));
	memcpy(junk, SESSION_MAGIC, 8);
	say_to(&called, junk, sizeof junk, &n);
	cr_expect(n == 0 && called.rc == 1 && said("does not know this site's card"));
	junk[7]++;
	say_to(&called, junk, sizeof junk, &n);
	cr_expect(n == 0 && called.rc == 1 && said("version 2"));
	say_to(&called, (const uint8_t *)"GET / HTTP/1.1\r\n", 16, &n);
	cr_expect(n == 0 && called.rc == 1);
	say_to(&called, NULL, 0, &n);
	cr_expect(n == 0 && called.rc == -1);
}

Test(channel, is_not_made_by_who_calls_with_anothers_name)
{
	/* It knows dr's card and says that it is hq, whose secret key it has not. */
	struct peer called = a_called(&patient);
	struct handshake H;
	uint8_t answer[56], receive[32], key[32];
	crypto_secretstream_xchacha20poly1305_state push;
	uint8_t end[24 + 118] = { 0 }, proof[1 + SESSION_PROOF] = { SESSION_SIGN };
	int fd = start(&called);

	handshake_begin(&H, HANDSHAKE_CALLER);
	handshake_call(&H, site_card(hq)->sign, site_card(dr)->box);
	give(fd, H.hello, sizeof H.hello);
	cr_assert_eq(recv(fd, answer, sizeof answer, MSG_WAITALL), (ssize_t)sizeof answer);
	cr_assert_eq(handshake_agree(&H, answer, receive, key), 0);
	crypto_secretstream_xchacha20poly1305_init_push(&push, end, key);
	end[24 + 3] = 114;
	/* Signed with the key that it has, and under hq's name. */
	handshake_prove(&H, proof + 1, site_secret(stranger), site_card(dr)->sign);
	memcpy(proof + 1, site_card(hq)->sign, RECORD_KEY);
	crypto_secretstream_xchacha20poly1305_push(
	    &push, end + 28, NULL, proof, sizeof proof, end + 24, 4, 0);
	give(fd, end, sizeof end);
	cr_assert_eq(pthread_join(called.thread, NULL), 0);
	cr_expect(called.rc == 1 && said("does not prove"));
	/* Signed well, with a key that is not the one it claimed. */
	fd = (close(fd), start(&called));
	handshake_begin(&H, HANDSHAKE_CALLER);
	handshake_call(&H, site_card(hq)->sign, site_card(dr)->box);
	give(fd, H.hello, sizeof H.hello);
	cr_assert_eq(recv(fd, answer, sizeof answer, MSG_WAITALL), (ssize_t)sizeof answer);
	cr_assert_eq(handshake_agree(&H, answer, receive, key), 0);
	crypto_secretstream_xchacha20poly1305_init_push(&push, end, key);
	handshake_prove(&H, proof + 1, site_secret(stranger), site_card(dr)->sign);
	crypto_secretstream_xchacha20poly1305_push(
	    &push, end + 28, NULL, proof, sizeof proof, end + 24, 4, 0);
	give(fd, end, sizeof end);
	cr_assert_eq(pthread_join(called.thread, NULL), 0);
	cr_expect(called.rc == 1 && said("another key than it claimed"));
	close(fd);
}

/* Both sides of a handshake, up to where each has its keys; those of one are the other's. */
static void
shake(struct handshake *caller, struct handshake *called, uint8_t keys[4][32])
{
	handshake_begin(caller, HANDSHAKE_CALLER);
	handshake_call(caller, site_card(hq)->sign, site_card(dr)->box);
	handshake_begin(called, HANDSHAKE_CALLED);
	memcpy(called->hello, caller->hello, SESSION_HELLO);
	cr_assert_eq(site_open_sealed(dr, called->hello + 8, SESSION_HELLO - 8, called->call), 0);
	cr_assert_eq(handshake_agree(caller, called->own_public, keys[0], keys[1]), 0);
	cr_assert_eq(handshake_agree(called, called->own_public, keys[2], keys[3]), 0);
	cr_assert(memcmp(keys[0], keys[3], 32) == 0 && memcmp(keys[1], keys[2], 32) == 0);
	cr_assert(memcmp(keys[0], keys[1], 32) != 0);
}

Test(channel, proof_is_of_its_own_session_role_and_peer_and_of_nothing_else)
{
	const uint8_t *a = site_card(hq)->sign, *b = site_card(dr)->sign, *c = site_card(stranger)->sign;
	struct handshake caller, called, caller2, called2, turned;
	uint8_t keys[4][32], keys2[4][32], proof[SESSION_PROOF];

	shake(&caller, &called, keys);
	shake(&caller2, &called2, keys2);
	cr_expect(memcmp(keys[0], keys2[0], 32) != 0);
	handshake_prove(&caller, proof, site_secret(hq), b);
	cr_expect_eq(handshake_check(&called, proof, b), 0);
	cr_expect_eq(handshake_check(&called2, proof, b), -1, "another session");
	cr_expect_eq(handshake_check(&called, proof, c), -1, "another peer");
	turned = called;
	turned.role = HANDSHAKE_CALLER;
	cr_expect_eq(handshake_check(&turned, proof, b), -1, "another role");
	memcpy(proof, c, RECORD_KEY);
	cr_expect_eq(handshake_check(&called, proof, b), -1, "another key");
	handshake_prove(&called, proof, site_secret(dr), a);
	cr_expect_eq(handshake_check(&caller, proof, a), 0);
	cr_expect_eq(handshake_check(&caller2, proof, a), -1, "another session");
	cr_expect_eq(handshake_check(&called, proof, a), -1, "its own");
}

Test(channel, keys_are_of_all_that_was_said)
{
	struct handshake caller, called;
	uint8_t keys[4][32], other[2][32];

	/* Where a byte of the call is another at one end, so are the keys. */
	for (size_t i = 0; i < SESSION_HELLO; i += 7) {
		shake(&caller, &called, keys);
		handshake_begin(&called, HANDSHAKE_CALLED);
		memcpy(called.hello, caller.hello, SESSION_HELLO);
		memcpy(called.call, caller.call, SESSION_CALL);
		handshake_begin(&caller, HANDSHAKE_CALLER);
		memcpy(caller.hello, called.hello, SESSION_HELLO);
		memcpy(caller.call, caller.own_public, SESSION_KEY);
		memcpy(called.call, caller.call, SESSION_CALL);
		called.hello[i] ^= 1;
		cr_assert_eq(handshake_agree(&caller, called.own_public, keys[0], keys[1]), 0);
		cr_assert_eq(handshake_agree(&called, called.own_public, other[0], other[1]), 0);
		cr_expect(memcmp(keys[0], other[1], 32) != 0 && memcmp(keys[1], other[0], 32) != 0);
	}
}

Test(channel, is_not_made_with_who_answers_in_anothers_place)
{
	/* It has taken over the place where dr answers, and even the key that is sealed to. */
	struct trust_entry forged = *entry(hq, "dr");
	struct peer caller = { .S = hq, .e = &forged, .T = &patient };
	struct peer called = { .S = stranger, .T = &patient };
	size_t n;

	memcpy(forged.card.box, site_card(stranger)->box, CARD_BOX);
	meet(&caller, &called, &n);
	cr_expect(caller.rc == 1 && said("answers with a key that is not known here"));
	/* Without that it cannot even answer. */
	caller.e = entry(hq, "dr");
	meet(&caller, &called, &n);
	cr_expect(caller.rc == -1 && n == 0);
}

static void
take_keys(struct site *S, const struct site *of)
{
	char text[KEYLIST_MAX];
	size_t n = site_keys_text(of, text);

	cr_assert_eq(keys_take(S, text, n, "keys"), 0);
}

Test(channel, goes_by_keys_as_they_are_known_now)
{
	struct peer caller = a_caller(&patient), called = a_called(&patient);
	struct trust_entry revoked;
	size_t n;

	/* What is sealed to an earlier key of dr is opened, but its new one must be known. */
	cr_assert_eq(keys_rotate(dr, 0), 0);
	meet(&caller, &called, &n);
	cr_expect(caller.rc == 1 && called.rc == -1 && said("take its key list"));
	take_keys(hq, dr);
	caller.e = entry(hq, "dr");
	meet(&caller, &called, &n);
	cr_expect(caller.rc == 0 && called.rc == 0);
	/* hq's new key is not known to dr. */
	cr_assert_eq(keys_rotate(hq, 0), 0);
	meet(&caller, &called, &n);
	cr_expect(n == 0 && called.rc == 1);
	take_keys(dr, hq);
	meet(&caller, &called, &n);
	cr_expect(caller.rc == 0 && called.rc == 0);
	/* A site that was revoked is nobody, whoever calls. */
	revoked = *caller.e;
	trust_revoke(&revoked, 1000);
	caller.e = &revoked;
	meet(&caller, &called, &n);
	cr_expect(caller.rc == 1 && said("were revoked here"));
	cr_assert_eq(keys_revoke(dr, "hq", 1000), 0);
	caller.e = entry(hq, "dr");
	meet(&caller, &called, &n);
	cr_expect(n == 0 && called.rc == 1);
}

/* --- time, and a peer that is known and hostile ------------------------------------------------------------- */

Test(channel, handshake_ends_in_time_whatever_drips_in)
{
	static const struct channel_times short_one = { 150, 60000, 10000 };
	const struct between B = record();
	struct peer called = a_called(&short_one);
	int fd = start(&called);

	for (size_t i = 0; i < B.n[0] && send(fd, B.seen[0] + i, 1, MSG_NOSIGNAL) == 1; i++)
		poll(NULL, 0, 5);
	cr_assert_eq(pthread_join(called.thread, NULL), 0);
	cr_expect(called.rc == -1 && said("the handshake takes too long"));
	close(fd);
}

Test(channel, with_a_peer_that_is_silent_or_takes_nothing_ends)
{
	static uint8_t much[SESSION_BODY];
	const struct trust_entry *e;
	struct channel *A, *B;
	enum session_kind kind;
	const uint8_t *body;
	size_t n;
	int rc = 0;

	join(&A, &B, &e, &(const struct channel_times){ 60000, 100, 50 });
	cr_expect_eq(channel_next(A, &kind, &body, &n, -1), -1);
	cr_expect(said("the line is dead") && channel_is_broken(A));
	cr_expect_eq(channel_send(A, SESSION_BYE, NULL, 0), -1);
	cr_expect_eq(channel_keep(A), -1);
	for (int i = 0; i < 1000 && rc == 0; i++)
		rc = channel_send(B, SESSION_DATA, much, sizeof much);
	cr_expect(rc == -1 && said("nothing can be sent") && channel_is_broken(B));
	channel_free(A);
	channel_free(B);
}

Test(channel, signs_of_life_keep_it_and_are_not_seen)
{
	const struct trust_entry *e;
	struct channel *A, *B;
	enum session_kind kind;
	const uint8_t *body;
	size_t n;

	join(&A, &B, &e, &(const struct channel_times){ 60000, 60000, 0 });
	/* However many: where there is no room for one, there is no need of it. */
	for (int i = 0; i < 5000; i++)
		cr_assert_eq(channel_keep(B), 0);
	cr_expect_eq(channel_next(A, &kind, &body, &n, 0), 1);
	cr_expect_eq(channel_keep(B), 0);
	cr_expect_eq(channel_send(B, SESSION_BYE, NULL, 0), 0);
	cr_expect(channel_next(A, &kind, &body, &n, 0) == 0 && kind == SESSION_BYE && n == 0);
	channel_free(A);
	channel_free(B);
}

Test(channel, ends_at_a_kind_that_has_no_place)
{
	static const int kinds[] = { SESSION_NONE, SESSION_SIGN, SESSION_KINDS, 255, SESSION_WAIT };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const struct trust_entry *e;
		struct channel *A, *B;
		enum session_kind kind;
		const uint8_t *body;
		size_t n;

		join(&A, &B, &e, &patient);
		cr_assert_eq(channel_send(B, (enum session_kind)kinds[i], "x", 1), 0);
		cr_assert_eq(channel_send(B, SESSION_BYE, NULL, 0), 0);
		cr_expect(channel_next(A, &kind, &body, &n, -1) == -1 && said("no place here"));
		cr_expect(channel_next(A, &kind, &body, &n, -1) == -1 && !channel_is_broken(A));
		channel_free(A);
		channel_free(B);
	}
}

Test(channel, refuses_a_length_that_no_frame_has)
{
	static const uint8_t lengths[][4] = { { 0, 0, 0, 0 }, { 0, 0, 0, 17 }, { 0, 4, 0, 19 },
		{ 0xff, 0xff, 0xff, 0xff } };

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		const struct trust_entry *e;
		struct channel *A, *B;
		enum session_kind kind;
		const uint8_t *body;
		size_t n;

		join(&A, &B, &e, &patient);
		give(channel_fd(B), lengths[i], 4);
		cr_expect(channel_next(A, &kind, &body, &n, -1) == -1 && said("no frame"));
		channel_free(A);
		channel_free(B);
	}
}
