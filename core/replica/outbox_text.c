#include "replica/outbox_text.h"

#include <string.h>

#include "jsontext.h"
#include "point_json.h"
#include "replica/outbox.h"

#define SITES ((UINT64_C(1) << LIMIT_TARGETS) - 1)

/* --- encode ------------------------------------------------------------------------------------------- */

static json_t *
encode_forwards(const struct replica *R)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < R->nforwards; i++) {
		const struct replica_forward *f = &R->forwards[i];
		json_t *o = json_pack("{s:s,s:I,s:I}", "name", f->name, "acked_at", (json_int_t)f->acked_at,
		    "said_at", (json_int_t)f->said_at);

		bad |= jsontext_set_bytes(o, "key", f->key, RECORD_KEY);
		if (f->acked.seq != 0)
			bad |= json_object_set_new(o, "acked", point_encode(&f->acked));
		if (f->lost.seq != 0)
			bad |= json_object_set_new(o, "lost", point_encode(&f->lost));
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_volumes(const struct replica_out *b)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < b->nvolumes; i++)
		bad |= json_array_append_new(
		    a, json_pack("{s:I,s:I,s:I}", "number", (json_int_t)b->volumes[i].number, "file",
		           (json_int_t)b->volumes[i].file, "sent", (json_int_t)b->volumes[i].sent));
	return (jsontext_whole(a, bad));
}

static json_t *
encode_outs(const struct replica *R)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < R->nouts; i++) {
		const struct replica_out *b = &R->outs[i];
		json_t *o = json_pack("{s:i,s:o,s:I,s:o}", "type", (int)b->type, "to", point_encode(&b->to),
		    "wanted", (json_int_t)b->wanted, "volumes", encode_volumes(b));

		bad |= jsontext_set_bytes(o, "id", b->id, RECORD_ID);
		if (b->from.seq != 0)
			bad |= json_object_set_new(o, "from", point_encode(&b->from));
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

int
outbox_encode(const struct replica *R, json_t *o)
{
	int bad = json_object_set_new(o, "forwards", encode_forwards(R));

	bad |= json_object_set_new(o, "outbox", encode_outs(R));
	return (bad == 0 ? 0 : -1);
}

/* --- decode ------------------------------------------------------------------------------------------- */

static int
decode_forward(struct replica_forward *f, const json_t *o)
{
	uint64_t acked_at, said_at;

	memset(f, 0, sizeof *f);
	if (jsontext_get_string(o, "name", f->name, sizeof f->name) != 0 ||
	    jsontext_get_bytes(o, "key", f->key, RECORD_KEY) != 0 ||
	    jsontext_get_number(o, "acked_at", INT64_MAX, &acked_at) != 0 ||
	    jsontext_get_number(o, "said_at", INT64_MAX, &said_at) != 0 ||
	    point_decode_any(&f->acked, json_object_get(o, "acked")) != 0 ||
	    point_decode_any(&f->lost, json_object_get(o, "lost")) != 0)
		return (-1);
	f->acked_at = (int64_t)acked_at;
	f->said_at = (int64_t)said_at;
	return (0);
}

static int
decode_volumes(struct replica_out *b, const json_t *a)
{
	for (size_t i = 0; i < json_array_size(a); i++) {
		const json_t *o = json_array_get(a, i);
		uint64_t number, sent;
		struct replica_out_volume v;

		if (jsontext_get_number(o, "number", LIMIT_VOLUMES, &number) != 0 || number == 0 ||
		    jsontext_get_number(o, "file", INT64_MAX, &v.file) != 0 ||
		    jsontext_get_number(o, "sent", SITES, &sent) != 0)
			return (-1);
		v.number = (uint32_t)number;
		v.sent = (uint32_t)sent;
		if (outbox_add_volume(b, &v) != 0)
			return (-1);
	}
	return (0);
}

static int
decode_out(struct replica *R, const json_t *o)
{
	struct replica_out b = { .nvolumes = 0 }, *new;
	uint64_t type, wanted;

	if (jsontext_get_number(o, "type", BUNDLE_COMPARE, &type) != 0 || type == 0 ||
	    jsontext_get_number(o, "wanted", SITES, &wanted) != 0 ||
	    jsontext_get_bytes(o, "id", b.id, RECORD_ID) != 0 ||
	    point_decode_any(&b.to, json_object_get(o, "to")) != 0 || b.to.seq == 0 ||
	    point_decode_any(&b.from, json_object_get(o, "from")) != 0)
		return (-1);
	b.type = (enum bundle_type)type;
	b.wanted = (uint32_t)wanted;
	return ((new = outbox_add(R, &b)) == NULL ? -1 : decode_volumes(new, json_object_get(o, "volumes")));
}

int
outbox_decode(struct replica *R, const json_t *o)
{
	const json_t *forwards = json_object_get(o, "forwards"), *outs = json_object_get(o, "outbox");

	for (R->nforwards = 0; R->nforwards < json_array_size(forwards); R->nforwards++)
		if (R->nforwards == LIMIT_TARGETS ||
		    decode_forward(&R->forwards[R->nforwards], json_array_get(forwards, R->nforwards)) != 0)
			return (-1);
	for (size_t i = 0; i < json_array_size(outs); i++)
		if (decode_out(R, json_array_get(outs, i)) != 0)
			return (-1);
	return (0);
}
