/*
 * A caller who does not keep to vmferry-session(5):
 *
 *    caller HOME SITE COMMAND RECIPE [UUID]
 *
 * HOME is the site that calls SITE, whose serve COMMAND runs.  Recipes that begin with "raw" speak without a handshake, all
 * others after a good one, as a site that is known and hostile.  Printed are the kinds of the frames that came, the last HAVE and
 * ANSWER, and how much memory COMMAND had at most, in KiB.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/say.h"
#include "link/channel.h"
#include "link/via.h"

static uint8_t much[SESSION_BODY];
static const char *uuid = "0c5d9a34-7a1f-4a55-9d3c-3f6a2b1e0d77";

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "caller: %s\n", what);
	exit(3);
}

/* --- without a handshake ------------------------------------------------------------------------------- */

static int
raw(const struct via *V, const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n > 0) {
		ssize_t put = write(V->out, b, n);

		if (put <= 0)
			return (-1);
		b += put;
		n -= (size_t)put;
	}
	return (0);
}

static void
raw_noise(const struct via *V)
{
	randombytes_buf(much, sizeof much);
	raw(V, much, sizeof much);
}

static void
raw_http(const struct via *V)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: dr\r\n\r\n";

	raw(V, text, sizeof text - 1);
}

static void
raw_magic_and_zeroes(const struct via *V)
{
	raw(V, SESSION_MAGIC, 8);
	while (raw(V, much, sizeof much) == 0)
		;
}

static void
raw_later_version(const struct via *V)
{
	raw(V, "vmferry\x02", 8);
	raw(V, much, SESSION_HELLO);
}

static void
raw_half_a_call(const struct via *V)
{
	raw(V, SESSION_MAGIC, 8);
	raw(V, much, 60);
}

static void
raw_nothing(const struct via *V)
{
	(void)V;
}

/* --- after a good one ---------------------------------------------------------------------------------- */

static void
tell(struct channel *C, enum session_kind kind, const void *body, size_t n)
{
	/* It may have hung up already. */
	(void)channel_send(C, kind, body, n);
}

static void
ask(struct channel *C, enum session_verb verb, const char *vm)
{
	struct session_ask m = { .verb = verb, .size = 1 << 20, .time = 1772366400 };
	size_t n;

	snprintf(m.vm, sizeof m.vm, "%s", vm);
	snprintf(m.uuid, sizeof m.uuid, "%s", uuid);
	if ((n = session_encode_ask(much, &m)) == 0)
		die("cannot ask");
	tell(C, SESSION_ASK, much, n);
}

static void
open_stream(struct channel *C, int stream)
{
	uint8_t b = (uint8_t)stream;

	tell(C, SESSION_OPEN, &b, 1);
}

static void
close_stream(struct channel *C, int how)
{
	uint8_t b = (uint8_t)how;

	tell(C, SESSION_CLOSE, &b, 1);
}

static void
noise(struct channel *C, unsigned frames)
{
	while (frames-- > 0) {
		randombytes_buf(much, sizeof much);
		tell(C, SESSION_DATA, much, sizeof much);
	}
}

static void
ask_other_vm(struct channel *C)
{
	ask(C, SESSION_SEND, "mail");
	tell(C, SESSION_BYE, NULL, 0);
}

static void
fetch_other_vm(struct channel *C)
{
	struct session_have h = { .state = "none", .time = 1772366400 };

	ask(C, SESSION_FETCH, "web1");
	tell(C, SESSION_HAVE, much, session_encode_have(much, &h));
	tell(C, SESSION_BYE, NULL, 0);
}

static void
ask_no_json(struct channel *C)
{
	memset(much, '[', sizeof much);
	tell(C, SESSION_ASK, much, 60000);
}

static void
ask_huge(struct channel *C)
{
	memset(much, '[', sizeof much);
	tell(C, SESSION_ASK, much, sizeof much);
}

static void
ask_empty(struct channel *C)
{
	tell(C, SESSION_ASK, NULL, 0);
}

static void
data_first(struct channel *C)
{
	noise(C, 1);
}

static void
close_first(struct channel *C)
{
	close_stream(C, 0);
}

static void
answer_first(struct channel *C)
{
	struct session_answer m = { .rc = 0, .seq = 9 };

	tell(C, SESSION_ANSWER, much, session_encode_answer(much, &m));
}

static void
passed_first(struct channel *C)
{
	memset(much, 0xff, 8);
	tell(C, SESSION_PASSED, much, 8);
}

static void
open_nothing(struct channel *C)
{
	tell(C, SESSION_OPEN, NULL, 0);
}

static void
open_unknown(struct channel *C)
{
	open_stream(C, 77);
}

static void
open_compare(struct channel *C)
{
	open_stream(C, SESSION_COMPARE);
}

static void
open_twice(struct channel *C)
{
	open_stream(C, SESSION_BUNDLE);
	open_stream(C, SESSION_BUNDLE);
}

static void
open_and_ask(struct channel *C)
{
	open_stream(C, SESSION_BUNDLE);
	ask(C, SESSION_SEND, "web1");
}

static void
open_and_go(struct channel *C)
{
	open_stream(C, SESSION_BUNDLE);
}

static void
bundle_of_nothing(struct channel *C)
{
	open_stream(C, SESSION_BUNDLE);
	close_stream(C, 0);
	tell(C, SESSION_BYE, NULL, 0);
}

static void
bundle_of_noise(struct channel *C)
{
	ask(C, SESSION_SEND, "web1");
	open_stream(C, SESSION_BUNDLE);
	noise(C, 4);
	close_stream(C, 0);
	tell(C, SESSION_BYE, NULL, 0);
}

/* As long as it is taken. */
static void
bundle_without_end(struct channel *C)
{
	open_stream(C, SESSION_BUNDLE);
	while (channel_send(C, SESSION_DATA, much, sizeof much) == 0)
		;
}

static void
receipt_without_end(struct channel *C)
{
	open_stream(C, SESSION_RECEIPT);
	while (channel_send(C, SESSION_DATA, much, sizeof much) == 0)
		;
}

static void
sign_again(struct channel *C)
{
	tell(C, SESSION_SIGN, much, SESSION_PROOF);
}

static void
wait_with_words(struct channel *C)
{
	tell(C, SESSION_WAIT, "words", 5);
}

static void
unknown_kind(struct channel *C)
{
	tell(C, (enum session_kind)200, much, 10);
}

static void
compare_other_vm(struct channel *C)
{
	ask(C, SESSION_DIFFER, "mail");
	tell(C, SESSION_BYE, NULL, 0);
}

/* A VM that is there, by its name, and by a UUID of none. */
static void
compare_by_name(struct channel *C)
{
	ask(C, SESSION_DIFFER, "web1");
	tell(C, SESSION_BYE, NULL, 0);
}

/* Once, and once more when somebody says so. */
static void
ask_again(struct channel *C)
{
	enum session_kind kind = SESSION_NONE;
	const uint8_t *body;
	size_t n;

	ask(C, SESSION_SEND, "web1");
	while (kind != SESSION_HAVE && channel_next(C, &kind, &body, &n, -1) == 0)
		;
	puts("asked");
	fflush(stdout);
	getchar();
	ask(C, SESSION_SEND, "web1");
	tell(C, SESSION_BYE, NULL, 0);
}

/* --- */

static const struct recipe {
	const char *name;
	void (*raw)(const struct via *V);
	void (*known)(struct channel *C);
} recipes[] = { { "raw-noise", raw_noise, NULL }, { "raw-http", raw_http, NULL },
	{ "raw-magic-and-zeroes", raw_magic_and_zeroes, NULL },
	{ "raw-later-version", raw_later_version, NULL }, { "raw-half-a-call", raw_half_a_call, NULL },
	{ "raw-nothing", raw_nothing, NULL }, { "ask-other-vm", NULL, ask_other_vm },
	{ "fetch-other-vm", NULL, fetch_other_vm }, { "compare-other-vm", NULL, compare_other_vm },
	{ "compare-by-name", NULL, compare_by_name }, { "ask-again", NULL, ask_again },
	{ "ask-no-json", NULL, ask_no_json }, { "ask-huge", NULL, ask_huge },
	{ "ask-empty", NULL, ask_empty }, { "data-first", NULL, data_first },
	{ "close-first", NULL, close_first }, { "answer-first", NULL, answer_first },
	{ "passed-first", NULL, passed_first }, { "open-nothing", NULL, open_nothing },
	{ "open-unknown", NULL, open_unknown }, { "open-compare", NULL, open_compare },
	{ "open-twice", NULL, open_twice }, { "open-and-ask", NULL, open_and_ask },
	{ "open-and-go", NULL, open_and_go }, { "bundle-of-nothing", NULL, bundle_of_nothing },
	{ "bundle-of-noise", NULL, bundle_of_noise }, { "bundle-without-end", NULL, bundle_without_end },
	{ "receipt-without-end", NULL, receipt_without_end }, { "sign-again", NULL, sign_again },
	{ "wait-with-words", NULL, wait_with_words }, { "unknown-kind", NULL, unknown_kind } };

/* What comes without a handshake: how many bytes. */
static void
hear_raw(const struct via *V)
{
	size_t got = 0;
	ssize_t n;

	while ((n = read(V->in, much, sizeof much)) > 0)
		got += (size_t)n;
	printf("bytes %zu\n", got);
}

static void
hear(struct channel *C, int64_t ms)
{
	enum session_kind kind;
	const uint8_t *body;
	size_t n;

	char have[4096] = "", answer[4096] = "";

	printf("kinds");
	while (channel_next(C, &kind, &body, &n, ms) == 0) {
		printf(" %d", (int)kind);
		if (kind == SESSION_HAVE)
			snprintf(have, sizeof have, "%.*s", (int)n, (const char *)body);
		if (kind == SESSION_ANSWER)
			snprintf(answer, sizeof answer, "%.*s", (int)n, (const char *)body);
	}
	printf("\nhave %s\nanswer %s\n", have, answer);
}

static void
known(const struct recipe *r, const struct via *V, const char *home, const char *to)
{
	const struct trust_entry *e;
	struct channel *C;
	struct site *S;

	if ((S = site_open(home)) == NULL || site_find(S, to, &e) != 0 ||
	    channel_call(&C, S, e, V->in, V->out) != 0)
		die("cannot call");
	r->known(C);
	/* It hangs up, unless it has to wait for more. */
	hear(C, r->known == open_and_go ? 0 : 60000);
	channel_free(C);
	site_close(S);
}

int
main(int argc, char *argv[])
{
	const struct recipe *r = recipes, *end = r + sizeof recipes / sizeof *recipes;
	struct rusage u;
	struct via V;

	say_init("caller");
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		for (; r < end; r++)
			printf("%s\n", r->name);
	if (argc < 5)
		return (argc == 2 ? 0 : 2);
	if (argc > 5)
		uuid = argv[5];
	while (r < end && strcmp(r->name, argv[4]) != 0)
		r++;
	if (r == end || via_open(&V, argv[3]) != 0)
		die("cannot begin");
	if (r->raw != NULL) {
		r->raw(&V);
		/* It waits for the rest of a call, or it answers. */
		close(V.out);
		V.out = V.in;
		hear_raw(&V);
	} else {
		known(r, &V, argv[1], argv[2]);
	}
	via_close(&V, 1);
	getrusage(RUSAGE_CHILDREN, &u);
	printf("peak %ld\n", u.ru_maxrss);
	return (0);
}
