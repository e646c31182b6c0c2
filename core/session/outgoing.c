#include "session/outgoing.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "session/ferry.h"
#include "jsontext.h"

#define PIECE_LIMITED 16384u /* bytes that are sent at once where there is a limit, so that it flows evenly */

int
outgoing_make(struct outgoing *g, const char *to)
{
	memset(g, 0, sizeof *g);
	g->to = to;
	return ((g->piece = malloc(SESSION_BODY)) == NULL ? say_failed("out of memory") : 0);
}

void
outgoing_drop(struct outgoing *g)
{
	pump_free(g->P);
	resend_free(g->W);
	g->P = NULL;
	g->W = NULL;
	g->at = 0;
	g->is_made = g->is_open = 0;
	memset(&g->made, 0, sizeof g->made);
}

void
outgoing_drop_receipt(struct outgoing *g)
{
	free(g->receipt);
	g->receipt = NULL;
	g->nreceipt = 0;
}

void
outgoing_free(struct outgoing *g)
{
	outgoing_drop(g);
	outgoing_drop_receipt(g);
	free(g->piece);
	g->piece = NULL;
}

int
outgoing_start(struct outgoing *g, const struct pump_work *w)
{
	outgoing_drop(g);
	return ((g->W = resend_new()) == NULL ? -1 : pump_start(&g->P, w));
}

/* --- what comes back ------------------------------------------------------------------------------------- */

int
outgoing_take_receipt(struct outgoing *g)
{
	outgoing_drop_receipt(g);
	return (ferry_take(g->C, &g->receipt, &g->nreceipt) < 0 ? -1 : 0);
}

int
outgoing_take_answer(struct outgoing *g, const uint8_t *body, size_t n)
{
	const char *why = session_decode_answer(&g->answer, body, n);

	if (why != NULL)
		return (say_failed("the answer of site '%s' is not understood: %s", g->to, why));
	g->has_answer = 1;
	return (0);
}

/* A message that comes while we send: 0; -1, said. */
static int
take(struct outgoing *g, enum session_kind kind, const uint8_t *body, size_t n)
{
	switch (kind) {
	case SESSION_PASSED:
		if (n == 8 && g->W != NULL)
			resend_passed(g->W, g->begun + ferry_passed_of(body));
		return (n == 8 ? 0 : ferry_astray(kind));
	case SESSION_OPEN:
		return (n == 1 && body[0] == SESSION_RECEIPT ? outgoing_take_receipt(g) : ferry_astray(kind));
	case SESSION_ANSWER:
		return (outgoing_take_answer(g, body, n));
	default:
		return (ferry_astray(kind));
	}
}

/* Take what comes for ms, but not behind an answer: 0; -1, said. */
static int
listen_for(struct outgoing *g, int64_t ms)
{
	int64_t until = clock_ms() + ms, left = ms;
	enum session_kind kind;
	const uint8_t *body;
	size_t n;
	int rc;

	while (!g->has_answer) {
		if ((rc = channel_next(g->C, &kind, &body, &n, left < FERRY_TICK ? left : FERRY_TICK)) < 0)
			return (-1);
		if (rc == 0 && take(g, kind, body, n) != 0)
			return (-1);
		if ((left = until - clock_ms()) < 0)
			left = 0;
		if (rc > 0 && left == 0)
			break;
		if (stop_check() != 0 || channel_keep(g->C) != 0)
			return (-1);
	}
	return (0);
}

/* --- what the process is given --------------------------------------------------------------------------- */

void
outgoing_give(struct outgoing *g, const char *text)
{
	(void)pump_write(g->P, text, strlen(text), FERRY_TICK);
	pump_close_input(g->P);
}

int
outgoing_give_comparison(struct outgoing *g)
{
	enum session_kind kind;
	const uint8_t *body;
	size_t n;

	if (ferry_next(g->C, &kind, &body, &n) != 0)
		return (-1);
	if (kind == SESSION_ANSWER)
		return (outgoing_take_answer(g, body, n) != 0 ? -1 : 1);
	if (kind != SESSION_OPEN || n != 1 || body[0] != SESSION_COMPARE)
		return (ferry_astray(kind));
	while (ferry_next(g->C, &kind, &body, &n) == 0) {
		if (kind == SESSION_CLOSE && n == 1) {
			pump_close_input(g->P);
			return (0);
		}
		if (kind != SESSION_DATA)
			return (ferry_astray(kind));
		/* One that reads no more says itself why. */
		if (ferry_give(g->C, g->P, body, n) < 0)
			return (-1);
	}
	return (-1);
}

/* --- sending ------------------------------------------------------------------------------------------------ */

/* Wait for our turn to send n bytes. */
static int
keep_to_limits(struct outgoing *g, size_t n)
{
	int64_t now = clock_ms(), wait = 0, more;

	for (unsigned i = 0; i < g->nlimits; i++)
		if ((more = rate_reserve(g->limits[i], n, now)) > wait)
			wait = more;
	return (listen_for(g, wait));
}

static int
is_limited(const struct outgoing *g)
{
	for (unsigned i = 0; i < g->nlimits; i++)
		if (g->limits[i] != NULL)
			return (1);
	return (0);
}

/* The next piece of the stream: how long it is; 0: there is none yet, or, where is_made, at all. */
static size_t
next_piece(struct outgoing *g, const uint8_t **p)
{
	size_t most = is_limited(g) ? PIECE_LIMITED : SESSION_BODY;
	ssize_t n;

	if (g->at < resend_end(g->W))
		return (resend_get(g->W, g->at, most, p));
	if (g->is_made)
		return (0);
	g->is_made = pump_ended(g->P, &g->made, pump_output(g->P) < 0 ? FERRY_TICK : 0);
	if ((n = pump_read(g->P, g->piece, most, g->is_made ? 0 : FERRY_TICK)) > 0) {
		g->is_made = 0; /* there may be more */
		resend_add(g->W, g->piece, (size_t)n);
		*p = g->piece;
		return ((size_t)n);
	}
	if (n == 0)
		pump_close_output(g->P);
	return (0);
}

int
outgoing_send(struct outgoing *g)
{
	const uint8_t *p = NULL;
	size_t n;

	g->begun = g->at;
	g->is_open = g->has_answer = 0;
	for (;;) {
		if ((n = next_piece(g, &p)) == 0 && g->is_made)
			return (0);
		if (n > 0 && !g->is_open && ferry_open(g->C, SESSION_BUNDLE) != 0)
			return (-1);
		g->is_open |= n > 0;
		if (keep_to_limits(g, n) != 0)
			return (-1);
		if (g->has_answer)
			return (0);
		if (n > 0 && channel_send(g->C, SESSION_DATA, p, n) != 0)
			return (-1);
		g->at += n;
		g->bytes += n;
	}
}

int
outgoing_close(struct outgoing *g)
{
	/* An answer in the middle of it is one to what was not even wanted. */
	if (ferry_close(g->C, g->has_answer || g->made.rc != 0) != 0)
		return (-1);
	while (!g->has_answer)
		if (listen_for(g, FERRY_TICK) != 0)
			return (-1);
	return (0);
}

/* --- from one line to the next ----------------------------------------------------------------------------- */

/* The place behind what the other site says it has of the stream: 0; 1: that is not here. */
static int
find(const struct outgoing *g, const char *position, uint64_t *place)
{
	uint8_t record[RECORD_SIZE];
	json_t *o = json_loads(position, JSON_REJECT_DUPLICATES, NULL);
	int rc = o == NULL || jsontext_get_bytes(o, "record", record, RECORD_SIZE) != 0;

	json_decref(o);
	return (rc != 0 ? 1 : resend_behind(g->W, record, place));
}

int
outgoing_goes_on(struct outgoing *g, const char *position)
{
	if (find(g, position, &g->at) == 0)
		return (1);
	if (resend_start(g->W) != 0)
		return (0);
	g->at = 0;
	return (1);
}
