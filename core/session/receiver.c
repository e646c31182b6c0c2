#include "session/receiver.h"

#include <stdlib.h>
#include <string.h>

#include "base/stop.h"
#include "session/ferry.h"
#include "session/have.h"
#include "session/peer.h"
#include "import.h"
#include "replica/compare.h"
#include "replica/replica.h"
#include "wire.h"

#define STEP (UINT64_C(1) << 20)    /* bytes after which it is said how many were handed on */
#define DRAIN (UINT64_C(512) << 20) /* bytes that may be on their way to us when the answer was no */

/* What one of our processes is to do. */
struct errand {
	const char *home;
	const struct receiver *R;
	const struct session_ask *ask;
};

/* --- what is here -------------------------------------------------------------------------------------------- */

static int
do_tell(const void *context, uint64_t *value)
{
	const struct errand *w = context;
	struct site *S = site_open(w->home);
	int rc = S == NULL ? -1 : have_write(S, w->R->peer, w->ask);

	(void)value;
	site_close(S);
	return (rc);
}

/* What the process wrote: the message, and behind it the receipt. */
static int
pass_on(struct receiver *R, const uint8_t *p, size_t n)
{
	size_t body = n < 4 ? 0 : wire_get32(p);

	if (body == 0 || body > n - 4 || body > SESSION_BODY)
		return (say_failed("what is here of the VM cannot be told"));
	if (channel_send(R->C, SESSION_HAVE, p + 4, body) != 0)
		return (-1);
	return (n == 4 + body ? 0 : ferry_send(R->C, SESSION_RECEIPT, p + 4 + body, n - 4 - body));
}

void
receiver_hear(struct receiver *R, const struct session_ask *a)
{
	snprintf(R->uuid, sizeof R->uuid, "%s", a->uuid);
}

int
receiver_tell(struct receiver *R, const struct session_ask *a)
{
	const struct errand w = { site_home(R->S), R, a };
	const struct pump_work work = {
		.run = do_tell, .context = &w, .what = "the look at the VM", .has_output = 1
	};
	struct pump_result r = { .rc = -1 };
	uint8_t *p = NULL;
	struct pump *P;
	size_t n;
	int rc = -1;

	receiver_hear(R, a);
	if (pump_start(&P, &work) != 0)
		return (-1);
	if ((p = ferry_gather(R->C, P, FERRY_SMALL, &n, &r)) != NULL && r.rc == 0)
		rc = pass_on(R, p, n);
	free(p);
	pump_free(P);
	return (rc);
}

/* --- what its disks hold -------------------------------------------------------------------------------------- */

static int
do_compare(const void *context, uint64_t *value)
{
	const struct errand *w = context;
	const struct trust_entry *e;
	struct site *S;
	int rc = peer_open(&S, &e, w->home, w->R->peer);

	(void)value;
	if (rc != 0)
		return (rc);
	rc = compare_asked(S, e, w->ask->uuid, w->ask->vm);
	site_close(S);
	return (rc);
}

/* Its output, as it comes: 0; -1, said.  The stream is opened with its first byte, so that a refusal comes without one. */
static int
send_output(struct receiver *R, struct pump *P, struct pump_result *r, int *is_open)
{
	uint8_t *buf = malloc(SESSION_BODY);
	int rc = buf == NULL ? say_failed("out of memory") : 0, ended = 0;
	ssize_t n;

	while (rc == 0 && !ended) {
		ended = pump_ended(P, r, pump_output(P) < 0 ? FERRY_TICK : 0);
		while (rc == 0 && (n = pump_read(P, buf, SESSION_BODY, ended ? 0 : FERRY_TICK)) > 0) {
			if (!*is_open)
				rc = ferry_open(R->C, SESSION_COMPARE);
			*is_open = 1;
			if (rc == 0)
				rc = channel_send(R->C, SESSION_DATA, buf, (size_t)n);
		}
		if (n == 0)
			pump_close_output(P);
		if (rc == 0 && (stop_check() != 0 || channel_keep(R->C) != 0))
			rc = -1;
	}
	free(buf);
	return (rc);
}

int
receiver_compare(struct receiver *R, const struct session_ask *a)
{
	const struct errand w = { site_home(R->S), R, a };
	const struct pump_work work = {
		.run = do_compare, .context = &w, .what = "the comparison", .has_output = 1
	};
	struct pump_result r = { .rc = -1 };
	struct session_answer m = { .rc = 0 };
	struct pump *P;
	int rc, is_open = 0;

	if (pump_start(&P, &work) != 0)
		return (-1);
	rc = send_output(R, P, &r, &is_open);
	pump_free(P);
	if (rc == 0 && is_open)
		rc = ferry_close(R->C, r.rc != 0);
	if (rc != 0 || r.rc == 0)
		return (rc);
	m.rc = say_status(r.rc);
	snprintf(m.text, sizeof m.text, "%s", r.why);
	return (ferry_answer(R->C, &m) != 0 ? -1 : r.rc);
}

/* --- a bundle -------------------------------------------------------------------------------------------------- */

/* The newest point that is merged, as far as that can be told; 0: none. */
static uint64_t
merged(const struct site *S, const char *uuid)
{
	char found[HEADER_UUID];
	struct replica *R;
	uint64_t seq = 0;

	if (replica_find(S, uuid, found) <= 0 || replica_look(&R, S, found) != 0)
		return (0);
	if (replica_last(R) != NULL)
		seq = replica_last(R)->point.seq;
	replica_close(R);
	return (seq);
}

static int
do_import(const void *context, uint64_t *value)
{
	const struct errand *w = context;
	const struct import_options o = { .receipt = "-", .insist = w->R->insist, .only = w->R->uuid };
	const struct trust_entry *e;
	struct site *S;
	int rc = peer_open(&S, &e, w->home, w->R->peer);

	if (rc != 0)
		return (rc);
	if ((rc = import(S, &o)) == 0)
		*value = merged(S, w->R->uuid);
	site_close(S);
	return (rc);
}

struct taking {
	struct receiver *R;
	struct pump *P;
	uint64_t bytes, told; /* that were handed on; that it was said of */
	int is_over;          /* the stream is at its end, whole or not */
	int is_deaf;          /* the import reads no more */
	struct pump_result r;
};

/* 0; 1, unsaid: the import reads no more; -1, said. */
static int
hand_on(struct taking *t, const uint8_t *p, size_t n)
{
	int rc = ferry_give(t->R->C, t->P, p, n);

	if (rc != 0)
		return (rc);
	t->bytes += n;
	if (t->bytes - t->told < STEP)
		return (0);
	t->told = t->bytes;
	return (ferry_passed(t->R->C, t->bytes));
}

/* The next message of the stream, or nothing for a while. */
static int
take_message(struct taking *t)
{
	enum session_kind kind;
	const uint8_t *body;
	size_t n;
	int rc = channel_next(t->R->C, &kind, &body, &n, FERRY_TICK);

	if (rc > 0) {
		t->is_deaf |= pump_ended(t->P, NULL, 0);
		return (stop_check() != 0 ? -1 : channel_keep(t->R->C));
	}
	if (rc < 0)
		return (-1);
	if (kind == SESSION_CLOSE && n == 1) {
		t->is_over = 1;
		return (0);
	}
	if (kind != SESSION_DATA)
		return (ferry_astray(kind));
	if ((rc = hand_on(t, body, n)) > 0)
		t->is_deaf = 1;
	return (rc < 0 ? -1 : 0);
}

/* Who sends does not know yet that it is of no use: what is on its way goes nowhere. */
static int
drain(struct taking *t)
{
	enum session_kind kind;
	const uint8_t *body;
	uint64_t bytes = 0;
	size_t n;

	while (!t->is_over) {
		if (ferry_next(t->R->C, &kind, &body, &n) != 0)
			return (-1);
		if (kind == SESSION_CLOSE)
			t->is_over = 1;
		else if (kind != SESSION_DATA)
			return (ferry_astray(kind));
		else if ((bytes += n) > DRAIN)
			return (say_failed("the other site does not stop to send what was refused"));
	}
	return (0);
}

/* The receipt, where there is one, and the answer: the last word about the bundle. */
static int
give_answer(struct taking *t, const uint8_t *receipt, size_t n, struct session_answer *m)
{
	m->rc = say_status(t->r.rc);
	m->seq = t->r.value;
	snprintf(m->text, sizeof m->text, "%s", t->r.why);
	if (n > 0 && ferry_send(t->R->C, SESSION_RECEIPT, receipt, n) != 0)
		return (-1);
	return (ferry_answer(t->R->C, m) != 0 ? -1 : 0);
}

/* Up to the end of the stream and of the import. */
static int
take_all(struct taking *t, struct session_answer *m)
{
	uint8_t *receipt;
	size_t n;
	int rc = 0;

	while (rc == 0 && !t->is_over && !t->is_deaf)
		rc = take_message(t);
	pump_close_input(t->P);
	if (rc != 0) {
		/* The line is gone: what came stays, as ever. */
		pump_finish(t->P, &t->r, !stop_wanted());
		return (-1);
	}
	if ((receipt = ferry_gather(t->R->C, t->P, FERRY_SMALL, &n, &t->r)) == NULL) {
		pump_finish(t->P, &t->r, !stop_wanted());
		return (-1);
	}
	rc = give_answer(t, receipt, n, m);
	free(receipt);
	return (rc == 0 ? drain(t) : rc);
}

int
receiver_take(struct receiver *R, struct session_answer *m)
{
	const struct errand w = { site_home(R->S), R, NULL };
	const struct pump_work work = {
		.run = do_import, .context = &w, .what = "the import", .has_input = 1, .has_output = 1
	};
	struct taking t = { .R = R };
	int rc;

	memset(m, 0, sizeof *m);
	if (R->uuid[0] == '\0')
		return (say_failed("the other site sends a bundle, and has not said of which VM"));
	if (pump_start(&t.P, &work) != 0)
		return (-1);
	rc = take_all(&t, m);
	pump_free(t.P);
	return (rc != 0 ? -1 : t.r.rc == 0 ? 0 : 1);
}
