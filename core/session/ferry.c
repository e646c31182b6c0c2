#include "session/ferry.h"

#include <stdlib.h>
#include <string.h>

#include "base/stop.h"

/* --- messages ------------------------------------------------------------------------------------------------ */

static uint8_t *
room(void)
{
	uint8_t *body = malloc(SESSION_BODY);

	if (body == NULL)
		say_failed("out of memory");
	return (body);
}

/* Send and release a body that was encoded to n bytes. */
static int
send_body(struct channel *C, enum session_kind kind, uint8_t *body, size_t n)
{
	int rc = -1;

	if (body != NULL)
		rc = n == 0 ? say_failed("a message for the other site cannot be made")
		            : channel_send(C, kind, body, n);
	free(body);
	return (rc);
}

int
ferry_ask(struct channel *C, const struct session_ask *m)
{
	uint8_t *body = room();

	return (send_body(C, SESSION_ASK, body, body == NULL ? 0 : session_encode_ask(body, m)));
}

int
ferry_answer(struct channel *C, const struct session_answer *m)
{
	uint8_t *body = room();

	return (send_body(C, SESSION_ANSWER, body, body == NULL ? 0 : session_encode_answer(body, m)));
}

int
ferry_open(struct channel *C, enum session_stream stream)
{
	uint8_t body = (uint8_t)stream;

	return (channel_send(C, SESSION_OPEN, &body, 1));
}

int
ferry_close(struct channel *C, int was_given_up)
{
	uint8_t body = was_given_up ? 1 : 0;

	return (channel_send(C, SESSION_CLOSE, &body, 1));
}

int
ferry_passed(struct channel *C, uint64_t bytes)
{
	uint8_t body[8];

	for (int i = 0; i < 8; i++)
		body[i] = (uint8_t)(bytes >> (56 - 8 * i));
	return (channel_send(C, SESSION_PASSED, body, sizeof body));
}

uint64_t
ferry_passed_of(const uint8_t *body)
{
	uint64_t bytes = 0;

	for (int i = 0; i < 8; i++)
		bytes = bytes << 8 | body[i];
	return (bytes);
}

int
ferry_next(struct channel *C, enum session_kind *kind, const uint8_t **body, size_t *n)
{
	int rc;

	while ((rc = channel_next(C, kind, body, n, FERRY_TICK)) > 0)
		if (stop_check() != 0 || channel_keep(C) != 0)
			return (-1);
	return (rc);
}

int
ferry_astray(enum session_kind kind)
{
	return (say_failed("the other site has sent a message of kind %d where it has no place", (int)kind));
}

/* --- processes ----------------------------------------------------------------------------------------------- */

int
ferry_give(struct channel *C, struct pump *P, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t some = pump_write(P, p, n, FERRY_TICK);

		if (some < 0)
			return (1);
		p += some;
		n -= (size_t)some;
		if (stop_check() != 0 || channel_keep(C) != 0)
			return (-1);
	}
	return (0);
}

int
ferry_wait(struct channel *C, struct pump *P, struct pump_result *r)
{
	while (!pump_ended(P, r, FERRY_TICK))
		if (stop_check() != 0 || channel_keep(C) != 0)
			return (-1);
	return (0);
}

uint8_t *
ferry_gather(struct channel *C, struct pump *P, size_t most, size_t *n, struct pump_result *r)
{
	uint8_t *buf = malloc(most + 1);
	int ended = 0, bad = buf == NULL;
	ssize_t got = -1;

	*n = 0;
	if (bad)
		say_failed("out of memory");
	while (!bad && !ended) {
		ended = pump_ended(P, r, pump_output(P) < 0 ? FERRY_TICK : 0);
		while (
		    *n <= most && (got = pump_read(P, buf + *n, most + 1 - *n, ended ? 0 : FERRY_TICK)) > 0)
			*n += (size_t)got;
		if (*n > most)
			bad = say_failed("what the other process wrote is more than it can be");
		else if (got == 0)
			pump_close_output(P);
		bad = bad || stop_check() != 0 || channel_keep(C) != 0;
	}
	if (!bad)
		return (buf);
	free(buf);
	return (NULL);
}

/* --- small streams ----------------------------------------------------------------------------------------- */

int
ferry_send(struct channel *C, enum session_stream stream, const uint8_t *p, size_t n)
{
	if (ferry_open(C, stream) != 0)
		return (-1);
	while (n > 0) {
		size_t some = n < SESSION_BODY ? n : SESSION_BODY;

		if (channel_send(C, SESSION_DATA, p, some) != 0)
			return (-1);
		p += some;
		n -= some;
	}
	return (ferry_close(C, 0));
}

int
ferry_take(struct channel *C, uint8_t **p, size_t *n)
{
	enum session_kind kind;
	const uint8_t *body;
	uint8_t *more;
	size_t some;

	*p = NULL;
	*n = 0;
	while (ferry_next(C, &kind, &body, &some) == 0) {
		if (kind == SESSION_CLOSE && some == 1 && body[0] == 0)
			return (0);
		if (kind == SESSION_CLOSE) {
			free(*p);
			*p = NULL;
			return (1);
		}
		if (kind != SESSION_DATA || some > FERRY_SMALL - *n) {
			ferry_astray(kind);
			break;
		}
		if (some > 0 && (more = realloc(*p, *n + some)) == NULL) {
			say_failed("out of memory");
			break;
		}
		if (some > 0) {
			*p = more;
			memcpy(more + *n, body, some);
			*n += some;
		}
	}
	free(*p);
	*p = NULL;
	return (-1);
}
