#include "session/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "session/cargo.h"
#include "session/ferry.h"
#include "link/channel.h"
#include "session/peer.h"
#include "session/receiver.h"
#include "session/sender.h"

struct session {
	const struct site *S;
	const struct trust_entry *e;
	struct channel *C;
	struct receiver R;
};

/* --- the caller fetches ------------------------------------------------------------------------------------ */

/* With the site as it is now: may that site have it, and then it gets what it lacks. */
static int
send_to(struct session *s, const struct session_ask *a, char why[SAY_LAST])
{
	const struct trust_entry *e;
	struct site *S;
	const char *vm = a->uuid[0] != '\0' ? a->uuid : a->vm;
	struct sender_options o = { .is_called = 1 };
	struct sender *sender = NULL;
	struct sender_result r = { .is_cut = 0 };
	struct cargo_way w;
	int rc = peer_open(&S, &e, site_home(s->S), s->R.peer);

	if (rc == 0 && (rc = cargo_find_for(&w, S, vm, e)) == 0) {
		o.uuid = w.uuid;
		o.to = w.site;
		rc = sender_new(&sender, S, &o);
	}
	if (rc == 0) {
		rc = sender_run(sender, s->C, 0);
		sender_result(sender, &r);
		memcpy(why, r.why, SAY_LAST);
	} else
		say_last(why);
	sender_free(sender);
	site_close(S);
	return (rc < 0 && r.is_cut ? -2 : rc);
}

static int
serve_fetch(struct session *s, const struct session_ask *a)
{
	struct session_answer m = { .rc = 0 };
	char why[SAY_LAST] = "";
	int rc = send_to(s, a, why);

	if (rc == -2)
		return (-1);
	m.rc = say_status(rc);
	if (rc != 0)
		snprintf(m.text, sizeof m.text, "%s", why);
	return (ferry_answer(s->C, &m));
}

/* --- messages --------------------------------------------------------------------------------------------------- */

static int
serve_ask(struct session *s, const uint8_t *body, size_t n)
{
	struct session_ask a;
	const char *why = session_decode_ask(&a, body, n);

	if (why != NULL)
		return (say_refused("site '%s' asks what is not understood: %s", s->e->card.name, why));
	if (a.verb == SESSION_FETCH)
		return (serve_fetch(s, &a));
	if (a.verb == SESSION_NEXT) {
		receiver_hear(&s->R, &a);
		return (0);
	}
	if (receiver_tell(&s->R, &a) != 0)
		return (-1);
	return (a.verb != SESSION_DIFFER ? 0 : receiver_compare(&s->R, &a) < 0 ? -1 : 0);
}

/* A stream begins: a bundle; or the receipt of a caller whose wish to fetch was refused before. */
static int
serve_stream(struct session *s, const uint8_t *body, size_t n)
{
	struct session_answer m;
	uint8_t *p;

	if (n == 1 && body[0] == SESSION_BUNDLE)
		return (receiver_take(&s->R, &m) < 0 ? -1 : 0);
	if (n != 1 || body[0] != SESSION_RECEIPT)
		return (ferry_astray(SESSION_OPEN));
	if (ferry_take(s->C, &p, &n) < 0)
		return (-1);
	free(p);
	return (0);
}

static int
serve_messages(struct session *s)
{
	enum session_kind kind;
	const uint8_t *body;
	size_t n;
	int rc = 0;

	while (rc == 0 && (rc = ferry_next(s->C, &kind, &body, &n)) == 0) {
		if (kind == SESSION_BYE)
			return (0);
		if (kind == SESSION_ASK)
			rc = serve_ask(s, body, n);
		else if (kind == SESSION_OPEN)
			rc = serve_stream(s, body, n);
		else if (kind != SESSION_HAVE) /* see serve_stream */
			rc = ferry_astray(kind);
	}
	return (rc);
}

/* Who may not call is told so when he has asked for something. */
static int
turn_away(struct session *s, const char *only)
{
	struct session_answer m = { .rc = 1 };
	enum session_kind kind;
	const uint8_t *body;
	size_t n;

	say_refusal("site '%s' calls, and only '%s' may", s->e->card.name, only);
	snprintf(m.text, sizeof m.text, "site '%.100s' is not served here", s->e->card.name);
	if (ferry_next(s->C, &kind, &body, &n) != 0 || ferry_answer(s->C, &m) != 0)
		return (-1);
	/* Until he has read it. */
	while (ferry_next(s->C, &kind, &body, &n) == 0 && kind != SESSION_BYE)
		;
	return (1);
}

int
serve(struct site *S, const struct serve_options *o, int in, int out)
{
	struct session s = { .S = S };
	int rc = channel_answer(&s.C, S, &s.e, in, out);

	if (rc != 0)
		return (rc);
	s.R = (struct receiver){ .S = S, .C = s.C, .insist = o->insist };
	memcpy(s.R.peer, channel_peer(s.C), RECORD_KEY);
	if (o->only != NULL && strcmp(o->only, s.e->card.name) != 0)
		rc = turn_away(&s, o->only);
	else
		rc = serve_messages(&s);
	channel_free(s.C);
	return (rc);
}
