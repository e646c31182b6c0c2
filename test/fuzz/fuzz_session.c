/*
 * A message of a session that is taken keeps to its bounds, has nothing that could drive a terminal, and is taken again as
 * the same when it is encoded.  The first byte of the input says which one it is to be.
 */
#include <string.h>

#include "check.h"
#include "name.h"
#include "session.h"

static uint8_t out[SESSION_BODY];

static void
check_words(const char *s, size_t room, int with_lines)
{
	CHECK(strlen(s) < room);
	for (; *s != '\0'; s++) {
		CHECK((unsigned char)*s >= 0x20 || (with_lines && *s == '\n'));
		CHECK(*s != 0x7f && !((unsigned char)s[0] == 0xc2 && ((unsigned char)s[1] & 0xe0) == 0x80));
	}
}

static void
check_ask(const uint8_t *data, size_t size)
{
	struct session_ask m, again;
	size_t n;

	if (session_decode_ask(&m, data, size) != NULL)
		return;
	CHECK(m.verb >= SESSION_SEND && m.verb <= SESSION_NEXT && m.time >= 0 && m.size <= INT64_MAX);
	CHECK(name_check(m.vm) == NULL || (m.verb == SESSION_FETCH && m.vm[0] == '\0' && m.uuid[0] != '\0'));
	CHECK(name_check_uuid(m.uuid) == NULL || (m.verb == SESSION_FETCH && m.uuid[0] == '\0'));
	CHECK((n = session_encode_ask(out, &m)) > 0);
	CHECK(session_decode_ask(&again, out, n) == NULL && memcmp(&m, &again, sizeof m) == 0);
}

static void
check_have(const uint8_t *data, size_t size)
{
	struct session_have m, again;
	size_t n;

	if (session_decode_have(&m, data, size) != NULL)
		return;
	check_words(m.text, SESSION_TEXT, 0);
	check_words(m.state, sizeof m.state, 0);
	check_words(m.position, SESSION_POSITION, 1);
	CHECK(m.epoch <= LIMIT_SEQ && m.seq <= LIMIT_SEQ && m.held <= LIMIT_SEQ && m.time >= 0);
	CHECK(m.terms.points <= LIMIT_POINTS && m.terms.frequency <= INT64_MAX / 1000);
	CHECK((n = session_encode_have(out, &m)) > 0);
	CHECK(session_decode_have(&again, out, n) == NULL && memcmp(&m, &again, sizeof m) == 0);
}

static void
check_answer(const uint8_t *data, size_t size)
{
	struct session_answer m, again;
	size_t n;

	if (session_decode_answer(&m, data, size) != NULL)
		return;
	check_words(m.text, SESSION_TEXT, 0);
	CHECK((m.rc == 0 || m.rc == 1 || m.rc == 3) && m.seq <= LIMIT_SEQ);
	CHECK((n = session_encode_answer(out, &m)) > 0);
	CHECK(session_decode_answer(&again, out, n) == NULL && memcmp(&m, &again, sizeof m) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const checks[])(const uint8_t *, size_t) = { check_ask, check_have, check_answer };

	if (size > 0)
		checks[data[0] % 3](data + 1, size - 1);
	return (0);
}
