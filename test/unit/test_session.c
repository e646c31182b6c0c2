#include "session.h"

#include <criterion/criterion.h>
#include <string.h>

#include "sample.h"

static uint8_t body[SESSION_BODY];

/* Put the last one in the place of the first, in n bytes of body: how many there are then. */
static size_t
change(size_t n, const char *what, const char *by)
{
	char *p;

	body[n] = '\0';
	cr_assert_not_null(p = strstr((char *)body, what), "%s is not in %s", what, (char *)body);
	memmove(p + strlen(by), p + strlen(what), strlen(p + strlen(what)) + 1);
	memcpy(p, by, strlen(by));
	return (n + strlen(by) - strlen(what));
}

static size_t
ask(void)
{
	struct session_ask m = sample_ask();
	size_t n = session_encode_ask(body, &m);

	cr_assert_gt(n, 0);
	return (n);
}

static size_t
have(void)
{
	struct session_have m = sample_have();
	size_t n = session_encode_have(body, &m);

	cr_assert_gt(n, 0);
	return (n);
}

Test(session, messages_come_back_as_they_were)
{
	struct session_ask a = sample_ask(), a2;
	struct session_have h = sample_have(), h2;
	struct session_answer r = sample_session_answer(), r2;

	for (int v = SESSION_SEND; v <= SESSION_NEXT; v++) {
		a.verb = (enum session_verb)v;
		cr_expect_null(session_decode_ask(&a2, body, session_encode_ask(body, &a)));
		cr_expect(a2.verb == a.verb && a2.size == a.size && a2.time == a.time);
		cr_expect(strcmp(a2.vm, a.vm) == 0 && strcmp(a2.uuid, a.uuid) == 0);
	}
	cr_expect_null(session_decode_have(&h2, body, session_encode_have(body, &h)));
	cr_expect(h2.may == h.may && h2.epoch == h.epoch && h2.seq == h.seq && h2.held == h.held);
	cr_expect(h2.free == h.free && h2.time == h.time && h2.has_receipt == h.has_receipt);
	cr_expect(memcmp(&h2.terms, &h.terms, sizeof h.terms) == 0);
	cr_expect_str_eq(h2.text, h.text);
	cr_expect_str_eq(h2.state, h.state);
	cr_expect_str_eq(h2.position, h.position);
	cr_expect_null(session_decode_answer(&r2, body, session_encode_answer(body, &r)));
	cr_expect(r2.rc == r.rc && r2.seq == r.seq && strcmp(r2.text, r.text) == 0);
}

Test(session, largest_messages_fit_a_frame)
{
	struct session_have h = sample_have();

	memset(h.text, '"', sizeof h.text - 1);
	memset(h.position, '\\', sizeof h.position - 1);
	h.text[sizeof h.text - 1] = h.position[sizeof h.position - 1] = '\0';
	h.epoch = h.seq = h.held = LIMIT_SEQ;
	h.free = INT64_MAX;
	cr_expect_gt(session_encode_have(body, &h), SESSION_POSITION);
	h.free++;
	cr_expect_eq(session_encode_have(body, &h), 0);
}

Test(session, words_are_made_printable_whatever_they_were)
{
	struct session_answer r = sample_session_answer(), r2;
	static const char *const texts[][2] = { { "a\nb\033[1m\x7f", "a?b?[1m?" },
		{ "cut at \xc3", "cut at ?" },
		{ "\xc2\x9bin two bytes, and \xc3\xbc", "?in two bytes, and \xc3\xbc" } };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		strcpy(r.text, texts[i][0]);
		cr_assert_null(session_decode_answer(&r2, body, session_encode_answer(body, &r)));
		cr_expect_str_eq(r2.text, texts[i][1]);
	}
}

Test(session, question_names_its_vm_as_names_are)
{
	struct session_ask a = sample_ask();

	a.vm[0] = '\0';
	cr_expect_eq(session_encode_ask(body, &a), 0);
	a.verb = SESSION_FETCH;
	cr_expect_gt(session_encode_ask(body, &a), 0);
	a = sample_ask();
	a.uuid[0] = '\0';
	cr_expect_eq(session_encode_ask(body, &a), 0);
	a.verb = SESSION_FETCH;
	cr_expect_gt(session_encode_ask(body, &a), 0);
	strcpy(a.vm, "../x");
	cr_expect_eq(session_encode_ask(body, &a), 0);
	a = sample_ask();
	strcpy(a.uuid, "0C5D9A34-7A1F-4A55-9D3C-3F6A2B1E0D77");
	cr_expect_eq(session_encode_ask(body, &a), 0);
}

Test(session, message_that_lacks_anything_or_has_too_much_is_none)
{
	static const char *const asks[][2] = { { "\"send\"", "\"sand\"" }, { "\"verb\":", "\"verv\":" },
		{ "\"size\":1099", "\"size\":-1099" }, { "\"time\":1", "\"time\":1.5e" },
		{ "\"vm\":", "\"vm\":\"one\",\"vm\":" }, { "\"uuid\":\"0", "\"uuid\":\"" }, { "{", "[{" },
		{ "\"web", "\"\\u0000web" }, { "\"web", "\"/web" } };
	static const char *const haves[][2] = { { "true", "1" }, { "\"state\":\"", "\"state\":\"A" },
		{ "\"seq\":", "\"seq\":9999999999999999" }, { "\"terms\":{", "\"terms\":[],\"x\":{" },
		{ "\"points\":24", "\"points\":1001" }, { "\"frequency\":300", "\"frequency\":99999999" },
		{ "\"position\":\"", "\"position\":\"\\u0007" }, { "\"text\":\"", "\"text\":\"\\n" },
		{ "\"receipt\":", "\"recipe\":" } };
	struct session_ask a;
	struct session_have h;

	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
		cr_expect_not_null(
		    session_decode_ask(&a, body, change(ask(), asks[i][0], asks[i][1])), "%s", asks[i][1]);
	for (size_t i = 0; i < sizeof haves / sizeof *haves; i++)
		cr_expect_not_null(session_decode_have(&h, body, change(have(), haves[i][0], haves[i][1])),
		    "%s", haves[i][1]);
}

Test(session, what_a_later_release_may_add_is_passed_over)
{
	struct session_ask a;

	cr_expect_null(session_decode_ask(&a, body, change(ask(), "{", "{\"more\":[1,{\"a\":null}],")));
	cr_expect_str_eq(a.vm, sample_ask().vm);
}

Test(session, message_cut_at_any_byte_is_none)
{
	struct session_have h;
	size_t n = have();

	for (size_t i = 0; i < n; i++)
		cr_expect_not_null(session_decode_have(&h, body, i), "cut at %zu", i);
	cr_expect_null(session_decode_have(&h, body, n));
	memset(body + n, ' ', LIMIT_JSON + 1 - n);
	cr_expect_null(session_decode_have(&h, body, LIMIT_JSON));
	cr_expect_not_null(session_decode_have(&h, body, LIMIT_JSON + 1));
}

Test(session, answer_has_one_of_three_results)
{
	struct session_answer r = sample_session_answer(), r2;

	for (int rc = -1; rc < 5; rc++) {
		r.rc = rc;
		cr_expect_eq(session_encode_answer(body, &r) > 0, rc == 0 || rc == 1 || rc == 3);
	}
	r.rc = 3;
	cr_expect_not_null(session_decode_answer(
	    &r2, body, change(session_encode_answer(body, &r), "\"rc\":3", "\"rc\":2")));
}
