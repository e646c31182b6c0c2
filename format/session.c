#include "session.h"

#include <jansson.h>
#include <string.h>

#include "jsontext.h"
#include "name.h"

#define FREQUENCY_MAX (UINT64_C(366) * 86400)

static const char *const verbs[] = { NULL, "send", "fetch", "test", "differ", "next" };

/* --- text ---------------------------------------------------------------------------------------------- */

/* The length of the control character at p, in UTF-8; 0 if it is none. */
static size_t
control(const char *p)
{
	const unsigned char *c = (const unsigned char *)p;

	if (c[0] == 0xc2 && (c[1] & 0xe0) == 0x80)
		return (2);
	return (c[0] < 0x20 || c[0] == 0x7f ? 1 : 0);
}

static int
is_printable(const char *s, int with_lines)
{
	for (; *s != '\0'; s++)
		if (control(s) != 0 && !(with_lines && *s == '\n'))
			return (0);
	return (1);
}

/* Words as they may be said to a peer, wherever they are from and wherever they were cut. */
static json_t *
words(const char *text)
{
	char out[SESSION_TEXT];
	size_t n = 0, skip;
	json_t *s;

	for (const char *p = text; *p != '\0' && n + 1 < sizeof out; p += skip > 0 ? skip : 1)
		out[n++] = (skip = control(p)) > 0 ? '?' : *p;
	out[n] = '\0';
	if ((s = json_string(out)) != NULL)
		return (s);
	/* It is no UTF-8. */
	for (char *p = out; *p != '\0'; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return (json_string(out));
}

/* Put the object into out, as a message: its length, or 0.  Takes o. */
static size_t
dump(uint8_t *out, json_t *o)
{
	size_t n = o == NULL ? 0 : json_dumpb(o, (char *)out, LIMIT_JSON, JSON_COMPACT);

	json_decref(o);
	return (n <= LIMIT_JSON ? n : 0);
}

static json_t *
load(const uint8_t *body, size_t n)
{
	json_t *o = n > LIMIT_JSON ? NULL : json_loadb((const char *)body, n, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(o))
		return (o);
	json_decref(o);
	return (NULL);
}

/* --- numbers ------------------------------------------------------------------------------------------- */

static int
put_number(json_t *o, const char *key, uint64_t v, uint64_t max)
{
	return (v > max ? -1 : json_object_set_new(o, key, json_integer((json_int_t)v)));
}

static int
put_time(json_t *o, int64_t time)
{
	return (time < 0 ? -1 : json_object_set_new(o, "time", json_integer(time)));
}

static int
get_time(const json_t *o, int64_t *time)
{
	uint64_t v;

	if (jsontext_get_number(o, "time", INT64_MAX, &v) != 0)
		return (-1);
	*time = (int64_t)v;
	return (0);
}

static int
get_flag(const json_t *o, const char *key, int *flag)
{
	const json_t *v = json_object_get(o, key);

	*flag = json_is_true(v);
	return (json_is_boolean(v) ? 0 : -1);
}

static int
get_words(const json_t *o, char text[SESSION_TEXT])
{
	return (jsontext_get_string(o, "text", text, SESSION_TEXT) == 0 && is_printable(text, 0) ? 0 : -1);
}

/* --- ask ----------------------------------------------------------------------------------------------- */

/* Who fetches may know only one of the two. */
static int
names_a_vm(const struct session_ask *m)
{
	if (m->verb == SESSION_FETCH && m->vm[0] == '\0')
		return (name_check_uuid(m->uuid) == NULL);
	if (name_check(m->vm) != NULL)
		return (0);
	return (name_check_uuid(m->uuid) == NULL || (m->verb == SESSION_FETCH && m->uuid[0] == '\0'));
}

size_t
session_encode_ask(uint8_t *out, const struct session_ask *m)
{
	json_t *o;
	int bad;

	if (m->verb < SESSION_SEND || m->verb > SESSION_NEXT || !names_a_vm(m))
		return (0);
	o = json_pack("{s:s,s:s,s:s}", "verb", verbs[m->verb], "vm", m->vm, "uuid", m->uuid);
	bad = put_number(o, "size", m->size, INT64_MAX);
	bad |= put_time(o, m->time);
	return (dump(out, jsontext_whole(o, bad)));
}

static const char *
decode_ask(struct session_ask *m, const json_t *o)
{
	char verb[16];

	if (jsontext_get_string(o, "verb", verb, sizeof verb) != 0)
		return ("the question has no verb");
	for (int v = SESSION_SEND; v <= SESSION_NEXT; v++)
		if (strcmp(verb, verbs[v]) == 0)
			m->verb = (enum session_verb)v;
	if (m->verb == 0)
		return ("the question has a verb that is not known here");
	if (jsontext_get_string(o, "vm", m->vm, sizeof m->vm) != 0 ||
	    jsontext_get_string(o, "uuid", m->uuid, sizeof m->uuid) != 0 || !names_a_vm(m))
		return ("the question names no VM");
	if (jsontext_get_number(o, "size", INT64_MAX, &m->size) != 0 || get_time(o, &m->time) != 0)
		return ("the question has a size or time that is none");
	return (NULL);
}

const char *
session_decode_ask(struct session_ask *m, const uint8_t *body, size_t n)
{
	json_t *o = load(body, n);
	const char *why;

	memset(m, 0, sizeof *m);
	why = o == NULL ? "the question is not JSON" : decode_ask(m, o);
	json_decref(o);
	return (why);
}

/* --- have ---------------------------------------------------------------------------------------------- */

static json_t *
encode_terms(const struct session_terms *t)
{
	json_t *o = json_object();
	int bad = put_number(o, "frequency", t->frequency, FREQUENCY_MAX);

	bad |= put_number(o, "rate", t->rate, INT64_MAX);
	bad |= put_number(o, "points", t->points, LIMIT_POINTS);
	bad |= put_number(o, "size", t->size, INT64_MAX);
	return (jsontext_whole(o, bad));
}

static int
decode_terms(struct session_terms *t, const json_t *o)
{
	return (o == NULL || jsontext_get_number(o, "frequency", FREQUENCY_MAX, &t->frequency) != 0 ||
	                jsontext_get_number(o, "rate", INT64_MAX, &t->rate) != 0 ||
	                jsontext_get_number(o, "points", LIMIT_POINTS, &t->points) != 0 ||
	                jsontext_get_number(o, "size", INT64_MAX, &t->size) != 0
	            ? -1
	            : 0);
}

static int
is_state(const char *s)
{
	return (s[0] != '\0' && strspn(s, "abcdefghijklmnopqrstuvwxyz- ") == strlen(s));
}

size_t
session_encode_have(uint8_t *out, const struct session_have *m)
{
	json_t *o;
	int bad;

	if (!is_state(m->state) || !is_printable(m->position, 1))
		return (0);
	o = json_pack("{s:b,s:o,s:s,s:b,s:o,s:s}", "may", m->may != 0, "text", words(m->text), "state",
	    m->state, "receipt", m->has_receipt != 0, "terms", encode_terms(&m->terms), "position",
	    m->position);
	bad = put_number(o, "epoch", m->epoch, LIMIT_SEQ);
	bad |= put_number(o, "seq", m->seq, LIMIT_SEQ);
	bad |= put_number(o, "held", m->held, LIMIT_SEQ);
	bad |= put_number(o, "free", m->free, INT64_MAX);
	bad |= put_time(o, m->time);
	return (dump(out, jsontext_whole(o, bad)));
}

static const char *
decode_have(struct session_have *m, const json_t *o)
{
	if (get_flag(o, "may", &m->may) != 0 || get_flag(o, "receipt", &m->has_receipt) != 0)
		return ("what is there lacks a yes or no");
	if (get_words(o, m->text) != 0)
		return ("what is there has words that cannot be shown");
	if (jsontext_get_string(o, "state", m->state, sizeof m->state) != 0 || !is_state(m->state))
		return ("what is there has no state");
	if (jsontext_get_number(o, "epoch", LIMIT_SEQ, &m->epoch) != 0 ||
	    jsontext_get_number(o, "seq", LIMIT_SEQ, &m->seq) != 0 ||
	    jsontext_get_number(o, "held", LIMIT_SEQ, &m->held) != 0)
		return ("what is there has a point that is none");
	if (jsontext_get_number(o, "free", INT64_MAX, &m->free) != 0 || get_time(o, &m->time) != 0)
		return ("what is there has a size or time that is none");
	if (decode_terms(&m->terms, jsontext_get(o, "terms")) != 0)
		return ("what is there has terms that are none");
	if (jsontext_get_string(o, "position", m->position, sizeof m->position) != 0 ||
	    !is_printable(m->position, 1))
		return ("what is there has a position that is none");
	return (NULL);
}

const char *
session_decode_have(struct session_have *m, const uint8_t *body, size_t n)
{
	json_t *o = load(body, n);
	const char *why;

	memset(m, 0, sizeof *m);
	why = o == NULL ? "what is there is not JSON" : decode_have(m, o);
	json_decref(o);
	return (why);
}

/* --- answer -------------------------------------------------------------------------------------------- */

static int
is_result(uint64_t rc)
{
	return (rc == 0 || rc == 1 || rc == 3);
}

size_t
session_encode_answer(uint8_t *out, const struct session_answer *m)
{
	json_t *o;
	int bad;

	if (m->rc < 0 || !is_result((uint64_t)m->rc))
		return (0);
	o = json_pack("{s:i,s:o}", "rc", m->rc, "text", words(m->text));
	bad = put_number(o, "seq", m->seq, LIMIT_SEQ);
	return (dump(out, jsontext_whole(o, bad)));
}

static const char *
decode_answer(struct session_answer *m, const json_t *o)
{
	uint64_t rc;

	if (jsontext_get_number(o, "rc", 3, &rc) != 0 || !is_result(rc))
		return ("the answer has no result");
	m->rc = (int)rc;
	if (get_words(o, m->text) != 0)
		return ("the answer has words that cannot be shown");
	return (jsontext_get_number(o, "seq", LIMIT_SEQ, &m->seq) == 0
	            ? NULL
	            : "the answer has a point that is none");
}

const char *
session_decode_answer(struct session_answer *m, const uint8_t *body, size_t n)
{
	json_t *o = load(body, n);
	const char *why;

	memset(m, 0, sizeof *m);
	why = o == NULL ? "the answer is not JSON" : decode_answer(m, o);
	json_decref(o);
	return (why);
}
