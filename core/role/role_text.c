#include "role/role_text.h"

#include <string.h>

#include "bounds.h"
#include "jsontext.h"
#include "point_json.h"

static json_t *
encode_claims(const struct role *r)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < r->nclaims; i++) {
		const struct role_claim *c = &r->claims[i];
		json_t *o = json_pack("{s:o,s:o,s:b,s:I}", "history", history_encode(&c->history), "newest",
		    point_encode(&c->newest), "primary", c->is_primary, "heard", (json_int_t)c->heard);

		bad |= jsontext_set_bytes(o, "site", c->site, RECORD_KEY);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

json_t *
role_encode(const struct role *r)
{
	json_t *o = json_pack("{s:s,s:s,s:o,s:I,s:s,s:b}", "state", role_state_text(r->state), "before",
	    role_state_text(r->before), "history", history_encode(&r->history), "seen", (json_int_t)r->seen,
	    "cause", r->cause, "fenced", r->is_fenced);
	int bad = 0;

	if (r->locked != 0) {
		bad |= json_object_set_new(o, "locked_from", json_integer((json_int_t)r->locked_from));
		bad |= json_object_set_new(o, "locked", json_integer((json_int_t)r->locked));
	}
	if (r->locked != 0 || r->withdrawn != 0)
		bad |= jsontext_set_bytes(o, "locked_for", r->locked_for, RECORD_KEY);
	if (r->withdrawn != 0)
		bad |= json_object_set_new(o, "withdrawn", json_integer((json_int_t)r->withdrawn));
	if (r->handover != 0)
		bad |= json_object_set_new(o, "handover", json_integer((json_int_t)r->handover));
	if (r->furthest.seq != 0)
		bad |= json_object_set_new(o, "furthest", point_encode(&r->furthest));
	if (r->at.seq != 0) {
		bad |= json_object_set_new(o, "at", point_encode(&r->at));
		bad |= json_object_set_new(o, "planned", json_boolean(r->is_planned));
	}
	if (r->nclaims > 0)
		bad |= json_object_set_new(o, "claims", encode_claims(r));
	return (jsontext_whole(o, bad));
}

static int
decode_claims(struct role *r, const json_t *a)
{
	if (a != NULL && !json_is_array(a))
		return (-1);
	for (r->nclaims = 0; r->nclaims < json_array_size(a); r->nclaims++) {
		struct role_claim *c = &r->claims[r->nclaims];
		const json_t *o = json_array_get(a, r->nclaims);
		uint64_t heard;

		if (r->nclaims == ROLE_CLAIMS || jsontext_get_bytes(o, "site", c->site, RECORD_KEY) != 0 ||
		    history_decode(&c->history, json_object_get(o, "history")) != 0 ||
		    point_decode_any(&c->newest, json_object_get(o, "newest")) != 0 ||
		    jsontext_get_number(o, "heard", INT64_MAX, &heard) != 0)
			return (-1);
		c->is_primary = json_is_true(json_object_get(o, "primary"));
		c->heard = (int64_t)heard;
	}
	return (0);
}

/* A number that stands there only where it is not 0. */
static int
get_some(const json_t *o, const char *key, uint64_t *n)
{
	*n = 0;
	return (json_object_get(o, key) == NULL ? 0 : jsontext_get_number(o, key, LIMIT_SEQ, n));
}

static int
decode_state(enum role_state *state, const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	*state = s == NULL ? (enum role_state)0 : role_state_parse(s);
	return (*state == 0 ? -1 : 0);
}

int
role_decode(struct role *r, enum role_side side, const json_t *o)
{
	const json_t *at = json_object_get(o, "at"), *furthest = json_object_get(o, "furthest");

	memset(r, 0, sizeof *r);
	r->side = side;
	if (decode_state(&r->state, o, "state") != 0 || decode_state(&r->before, o, "before") != 0 ||
	    history_decode(&r->history, json_object_get(o, "history")) != 0 ||
	    jsontext_get_number(o, "seen", LIMIT_SEQ, &r->seen) != 0 ||
	    jsontext_get_string(o, "cause", r->cause, sizeof r->cause) != 0 ||
	    get_some(o, "locked_from", &r->locked_from) != 0 || get_some(o, "locked", &r->locked) != 0 ||
	    get_some(o, "withdrawn", &r->withdrawn) != 0 || get_some(o, "handover", &r->handover) != 0)
		return (-1);
	/* Of a withdrawn one older records do not say it. */
	if ((r->locked != 0 || json_object_get(o, "locked_for") != NULL) &&
	    jsontext_get_bytes(o, "locked_for", r->locked_for, RECORD_KEY) != 0)
		return (-1);
	if ((at != NULL && point_decode_any(&r->at, at) != 0) ||
	    (furthest != NULL && point_decode_any(&r->furthest, furthest) != 0))
		return (-1);
	r->is_fenced = json_is_true(json_object_get(o, "fenced"));
	r->is_planned = json_is_true(json_object_get(o, "planned"));
	return (decode_claims(r, json_object_get(o, "claims")));
}
