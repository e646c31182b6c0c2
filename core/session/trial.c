#include "session/trial.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/say.h"
#include "jsontext.h"
#include "session/ferry.h"
#include "session/have.h"
#include "link/channel.h"
#include "link/via.h"
#include "primary/primary.h"
#include "replica/replica.h"
#include "session/sender.h"

#define APART \
	300 /* seconds: clocks further apart say wrong things of how old a point is, and which keys count */

enum { TRANSPORT, KEYS, AUTHORIZATION, SPACE, CLOCK, TERMS, QUESTIONS };
static const char *const names[QUESTIONS] = { "transport", "keys", "authorization", "space", "clock",
	"terms" };

enum verdict { UNTRIED = 0, FINE, BAD };

struct verdicts {
	enum verdict is[QUESTIONS];
	char text[QUESTIONS][SESSION_TEXT + SAY_LAST];
};

static void judge(struct verdicts *v, int q, enum verdict is, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void
judge(struct verdicts *v, int q, enum verdict is, const char *format, ...)
{
	va_list ap;

	v->is[q] = is;
	va_start(ap, format);
	vsnprintf(v->text[q], sizeof v->text[q], format, ap);
	va_end(ap);
}

/* --- what the other site says ------------------------------------------------------------------------------ */

/* What the state here says of it: NULL, or why it would not be sent. */
static int
may_send(const struct site *S, const struct cargo *c, char words[ROLE_WORDS])
{
	const char *why;
	struct primary *P;

	if (c->side != ROLE_PRIMARY)
		return (1);
	if (primary_look(&P, S, c->uuid) != 0) {
		say_last(words);
		return (0);
	}
	why = role_objection(&P->role, ROLE_SEND, words);
	primary_close(P);
	return (why == NULL);
}

static void
judge_right(struct verdicts *v, const struct site *S, const struct cargo *c, const struct session_have *h)
{
	char words[ROLE_WORDS];

	if (!h->may)
		judge(v, AUTHORIZATION, BAD, "%s", h->text);
	else if (!may_send(S, c, words))
		judge(v, AUTHORIZATION, BAD, "%s", words);
	else if (have_is_nothing(h) && h->position[0] == '\0' && c->side == ROLE_PRIMARY && c->acked != 0)
		judge(v, AUTHORIZATION, BAD,
		    "it has nothing, and had acknowledged point %" PRIu64 "; sync with --seed or --resync",
		    c->acked);
	else if (!have_is_nothing(h) && !h->has_receipt && c->acked == 0 && c->side == ROLE_PRIMARY)
		judge(v, AUTHORIZATION, BAD,
		    "it takes itself for the primary of '%.100s', at point %" PRIu64
		    "; 'vmferry resync --keep' there says which site counts",
		    c->vm, h->seq);
	else if (have_is_nothing(h) && c->mailed[0] != '\0')
		judge(v, AUTHORIZATION, BAD,
		    "an initial copy is on its way (%s); import it there, or sync with --seed", c->mailed);
	else
		judge(v, AUTHORIZATION, FINE,
		    "'%.100s' may be replicated there; its state there: %s, point %" PRIu64, c->vm, h->state,
		    h->seq);
}

static void
judge_space(struct verdicts *v, const struct site *S, const struct cargo *c, const struct session_have *h)
{
	uint64_t all, taken;

	if (!have_is_nothing(h) || cargo_measure(c, S, &all, &taken) != 0)
		taken = 0;
	if (h->free == 0 || h->free < taken)
		judge(v, SPACE, BAD,
		    "%" PRIu64 " MiB are free there, and up to %" PRIu64
		    " MiB may be needed; free some space there, or name another --store to 'vmferry trust "
		    "add'",
		    h->free >> 20, (taken >> 20) + 1);
	else if (taken > 0)
		judge(v, SPACE, FINE, "%" PRIu64 " MiB are free there, up to %" PRIu64 " MiB are needed",
		    h->free >> 20, (taken >> 20) + 1);
	else
		judge(v, SPACE, FINE, "%" PRIu64 " MiB are free there, for what has changed", h->free >> 20);
}

static void
judge_clock(struct verdicts *v, const struct session_have *h)
{
	int64_t apart = h->time - (int64_t)time(NULL);

	if (apart > APART || apart < -APART)
		judge(v, CLOCK, BAD,
		    "the clock there is %" PRId64 " s %s this one; set the one that is wrong",
		    apart < 0 ? -apart : apart, apart < 0 ? "behind" : "ahead of");
	else
		judge(v, CLOCK, FINE, "the clocks are %" PRId64 " s apart", apart < 0 ? -apart : apart);
}

static void
judge_terms(struct verdicts *v, const struct session_have *h)
{
	const struct session_terms *t = &h->terms;
	char text[SESSION_TEXT] = "";
	size_t n = 0;

	if (t->frequency != 0)
		n += (size_t)snprintf(
		    text + n, sizeof text - n, ", %" PRIu64 " s between points at least", t->frequency);
	if (t->rate != 0)
		n += (size_t)snprintf(
		    text + n, sizeof text - n, ", %" PRIu64 " bytes a second at most", t->rate);
	if (t->points != 0)
		n += (size_t)snprintf(
		    text + n, sizeof text - n, ", %" PRIu64 " points kept at most", t->points);
	if (t->size != 0)
		snprintf(text + n, sizeof text - n, ", disks of %" PRIu64 " bytes at most", t->size);
	judge(v, TERMS, FINE, "%s%s", text[0] == '\0' ? "nothing is prescribed" : "prescribed are ",
	    text[0] == '\0' ? "" : text + 2);
}

/* Who fetches asks whether it would be sent to it: only the other site can say that, and it does when it is done. */
static int
ask_for(struct verdicts *v, const struct site *S, const struct cargo_way *w, struct channel *C)
{
	const struct sender_options o = { .uuid = w->uuid, .to = w->site };
	struct session_have *h = calloc(1, sizeof *h);
	struct sender *s = NULL;
	struct cargo c;
	int rc = h == NULL ? say_failed("out of memory") : sender_new(&s, S, &o);

	if (rc == 0 && (rc = sender_test(s, C, h)) == 0 && (rc = cargo_look(&c, S, w->uuid, w->site)) == 0) {
		judge_right(v, S, &c, h);
		judge_space(v, S, &c, h);
		judge_clock(v, h);
		judge_terms(v, h);
	}
	sender_free(s);
	free(h);
	return (rc);
}

/* --- the line ------------------------------------------------------------------------------------------------- */

static void
say_why(struct verdicts *v, int q, const char *what)
{
	char why[SAY_LAST];

	say_last(why);
	judge(v, q, BAD, "%s; %s", why, what);
}

static int
call(struct verdicts *v, const struct site *S, const struct cargo_way *w, const char *via,
    const struct trust_entry *e)
{
	char print[CARD_FINGERPRINT];
	int64_t begun = clock_ms();
	struct channel *C = NULL;
	struct via V;
	int rc;

	if ((rc = via_open(&V, via)) != 0) {
		say_why(v, TRANSPORT, "see to it that 'vmferry serve' runs at its other end");
		return (rc);
	}
	if ((rc = channel_call(&C, S, e, V.in, V.out)) != 0) {
		/* Of a command that has failed, that is why. */
		if (rc < 0)
			via_close(&V, 1);
		say_why(v, rc < 0 ? TRANSPORT : KEYS,
		    rc < 0 ? "see to it that 'vmferry serve' runs at its other end, and that it knows this "
		             "site's card"
		           : "compare the fingerprints of both sites' cards, and add what is missing with "
		             "'vmferry trust add'");
		via_close(&V, 1);
		return (rc);
	}
	judge(v, TRANSPORT, FINE, "'%.100s' leads there, and back within %" PRId64 " ms", via,
	    clock_ms() - begun);
	card_fingerprint(print, &e->card);
	judge(v, KEYS, FINE, "site '%.100s' has proved its key (%s), and this site its own", w->site, print);
	if ((rc = ask_for(v, S, w, C)) != 0)
		say_why(v, AUTHORIZATION, "see what 'vmferry serve' says there");
	else
		(void)channel_send(C, SESSION_BYE, NULL, 0);
	channel_free(C);
	via_close(&V, rc != 0);
	return (rc);
}

/* --- the answers ----------------------------------------------------------------------------------------------- */

static int
print_json(const struct verdicts *v)
{
	json_t *a = json_array();
	int rc;

	for (int q = 0; q < QUESTIONS; q++) {
		json_t *is = v->is[q] == UNTRIED ? json_null() : json_boolean(v->is[q] == FINE);

		json_array_append_new(a, json_pack("{s:s,s:o,s:o}", "test", names[q], "ok", is, "text",
		                             jsontext_words(v->text[q])));
	}
	rc = json_dumpf(a, stdout, JSON_INDENT(1)) == 0 && putchar('\n') != EOF ? 0 : -1;
	json_decref(a);
	return (rc);
}

static int
print(const struct verdicts *v, int json)
{
	if (json)
		return (print_json(v));
	for (int q = 0; q < QUESTIONS; q++)
		printf("%-14s %s%s%s\n", names[q],
		    v->is[q] == FINE  ? "ok: "
		    : v->is[q] == BAD ? "no: "
		                      : "not tried",
		    v->text[q], "");
	return (0);
}

int
trial(const struct site *S, const struct cargo_way *w, const char *via, const struct trust_entry *e, int json)
{
	struct verdicts *v = calloc(1, sizeof *v);
	int rc;

	if (v == NULL)
		return (say_failed("out of memory"));
	if (w->is_fetched)
		rc = say_refused(
		    "%s: this site is a replica of it: test the way at '%s', or fetch", w->vm, w->site);
	else if ((rc = call(v, S, w, via, e)) == 0)
		for (int q = 0; q < QUESTIONS; q++)
			rc |= v->is[q] != FINE;
	if (!w->is_fetched && print(v, json) != 0)
		rc = -1;
	free(v);
	return (rc);
}
