#include "primary/primary_record.h"

#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "base/state.h"
#include "bundle/segment.h"
#include "jsontext.h"
#include "point_json.h"
#include "role/role_text.h"

/* --- encode ------------------------------------------------------------------------------------------- */

static json_t *
encode_disks(const struct primary *P)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < P->ndisks; i++) {
		const struct primary_disk *d = &P->disks[i];
		json_t *o = json_pack("{s:s,s:s,s:b,s:b,s:b,s:I}", "id", d->id, "where", d->where, "excluded",
		    d->is_excluded, "gone", d->is_gone, "new", d->is_new, "size", (json_int_t)d->size);
		uint8_t sum[LEAF_ROOT];

		leaf_sum_pack(sum, &d->sum);
		bad |= jsontext_set_bytes(o, "sum", sum, sizeof sum);
		if (d->has_stamp)
			bad |= json_object_set_new(o, "stamp",
			    json_pack("[I,I,I,I,I]", (json_int_t)d->stamp.device, (json_int_t)d->stamp.inode,
			        (json_int_t)d->stamp.size, (json_int_t)d->stamp.modified,
			        (json_int_t)d->stamp.changed));
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_targets(const struct primary *P)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < P->ntargets; i++) {
		const struct primary_target *t = &P->targets[i];
		json_t *o = json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "name", t->name, "seeded",
		    (json_int_t)t->seeded, "sent", (json_int_t)t->sent, "acked", (json_int_t)t->acked,
		    "acked_at", (json_int_t)t->acked_at, "said_at", (json_int_t)t->said_at, "back",
		    (json_int_t)t->back);

		bad |= jsontext_set_bytes(o, "key", t->key, RECORD_KEY);
		if (t->has_via)
			bad |= jsontext_set_bytes(o, "via", t->via, RECORD_KEY);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_shipments(const struct primary *P)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < P->nshipments; i++) {
		const struct primary_shipment *s = &P->shipments[i];
		json_t *o = json_pack("{s:i,s:I,s:I,s:I,s:I,s:s,s:i,s:I,s:i,s:i}", "type", (int)s->type,
		    "from", (json_int_t)s->from, "to", (json_int_t)s->to, "targets", (json_int_t)s->targets,
		    "at", (json_int_t)s->at, "where", s->where, "volumes", (int)s->volumes, "bytes",
		    (json_int_t)s->bytes, "cipher", (int)s->cipher, "level", (int)s->level);

		bad |= jsontext_set_bytes(o, "id", s->id, RECORD_ID);
		bad |= jsontext_set_bytes(o, "key", s->key, HEADER_CONTENT_KEY);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_points(const struct primary *P)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < P->npoints; i++) {
		const struct primary_point *p = &P->points[i];
		json_t *o = point_encode(&p->point), *disks = json_array();

		for (unsigned k = 0; k < P->nreplicated; k++) {
			json_t *d = json_pack("{s:I}", "size", (json_int_t)p->size[k]);

			bad |= jsontext_set_bytes(d, "root", p->root[k], LEAF_ROOT);
			bad |= json_array_append_new(disks, d);
		}
		bad |= json_object_set_new(o, "disks", disks);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_cuts(const struct primary *P)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < P->cuts.n; i++)
		bad |= json_array_append_new(a, json_integer((json_int_t)P->cuts.at[i]));
	return (
	    json_pack("{s:I,s:o}", "frequency", (json_int_t)P->cuts.frequency, "at", jsontext_whole(a, bad)));
}

/* What was not known of it when it began is taken from its first point. */
static json_t *
encode_reminders(const struct primary *P)
{
	struct reminders m = P->reminders;

	if (m.since == 0 && P->npoints > 0)
		m.since = P->points[0].point.time;
	return (reminders_encode(&m));
}

static json_t *
encode_apps(const struct primary_apps *a)
{
	return (json_pack("{s:i,s:I,s:i,s:I,s:s}", "every", (int)a->every, "seconds", (json_int_t)a->seconds,
	    "since", (int)a->since, "at", (json_int_t)a->at, "why", a->why));
}

int
primary_record_write(const char *path, const struct primary *P)
{
	json_t *o = json_pack("{s:i,s:s,s:s,s:o,s:i,s:I,s:i,s:b,s:s,s:I}", "version", 1, "vm", P->vm, "uuid",
	    P->uuid, "role", role_encode(&P->role), "keep", (int)P->keep, "frequency",
	    (json_int_t)P->wishes.frequency, "compress", (int)P->wishes.level, "plain", P->wishes.is_plain,
	    "host", P->host, "leaves_at", (json_int_t)P->leaves_at);
	int bad = 0;

	bad |= jsontext_set_bytes(o, "lineage", P->lineage, RECORD_ID);
	bad |= json_object_set_new(o, "tracker", json_string(P->tracker));
	bad |= json_object_set_new(o, "tracker_seq", json_integer((json_int_t)P->tracker_seq));
	bad |= json_object_set_new(o, "apps", encode_apps(&P->apps));
	bad |= jsontext_set_bytes(o, "leaf_seed", P->leaf_seed, LEAF_SEED);
	if (P->told.whose != TOLD_NOBODY)
		bad |= json_object_set_new(o, "told", told_encode(&P->told));
	if (P->has_definition) {
		bad |= jsontext_set_bytes(o, "definition", P->definition, HEADER_DIGEST);
		bad |= json_object_set_new(o, "definition_seq", json_integer((json_int_t)P->definition_seq));
	}
	bad |= json_object_set_new(o, "cuts", encode_cuts(P));
	bad |= json_object_set_new(o, "reminders", encode_reminders(P));
	bad |= json_object_set_new(o, "disks", encode_disks(P));
	bad |= json_object_set_new(o, "targets", encode_targets(P));
	bad |= json_object_set_new(o, "shipments", encode_shipments(P));
	bad |= json_object_set_new(o, "points", encode_points(P));
	return (state_write(path, jsontext_whole(o, bad)));
}

/* --- decode ------------------------------------------------------------------------------------------- */

/* A stamp is compared and nothing else, so any number will do. */
static void
decode_stamp(struct primary_disk *d, const json_t *a)
{
	d->has_stamp = json_array_size(a) == 5;
	d->stamp = (struct source_stamp){ (uint64_t)json_integer_value(json_array_get(a, 0)),
		(uint64_t)json_integer_value(json_array_get(a, 1)),
		(uint64_t)json_integer_value(json_array_get(a, 2)), json_integer_value(json_array_get(a, 3)),
		json_integer_value(json_array_get(a, 4)) };
}

static int
decode_disks(struct primary *P, const json_t *a)
{
	for (P->ndisks = 0; P->ndisks < json_array_size(a); P->ndisks++) {
		struct primary_disk *d = &P->disks[P->ndisks];
		const json_t *o = json_array_get(a, P->ndisks);
		uint8_t sum[LEAF_ROOT];

		if (P->ndisks == 2 * LIMIT_DISKS || jsontext_get_string(o, "id", d->id, sizeof d->id) != 0 ||
		    jsontext_get_string(o, "where", d->where, sizeof d->where) != 0 ||
		    jsontext_get_number(o, "size", LIMIT_DISK_SIZE, &d->size) != 0 ||
		    jsontext_get_bytes(o, "sum", sum, sizeof sum) != 0)
			return (-1);
		leaf_sum_unpack(&d->sum, sum);
		decode_stamp(d, json_object_get(o, "stamp"));
		d->is_excluded = json_is_true(json_object_get(o, "excluded"));
		d->is_gone = json_is_true(json_object_get(o, "gone"));
		d->is_new = json_is_true(json_object_get(o, "new"));
		P->nreplicated += !d->is_excluded;
	}
	return (P->nreplicated > 0 && P->nreplicated <= LIMIT_DISKS ? 0 : -1);
}

static int
decode_targets(struct primary *P, const json_t *a)
{
	for (P->ntargets = 0; P->ntargets < json_array_size(a); P->ntargets++) {
		struct primary_target *t = &P->targets[P->ntargets];
		const json_t *o = json_array_get(a, P->ntargets);
		uint64_t at, said_at = 0;

		t->back = 0;
		/* Not there in the records of the first version. */
		if (json_object_get(o, "said_at") != NULL &&
		    (jsontext_get_number(o, "said_at", INT64_MAX, &said_at) != 0 ||
		        jsontext_get_number(o, "back", LIMIT_SEQ, &t->back) != 0))
			return (-1);
		t->has_via = json_object_get(o, "via") != NULL;
		if (t->has_via && jsontext_get_bytes(o, "via", t->via, RECORD_KEY) != 0)
			return (-1);
		if (P->ntargets == LIMIT_TARGETS ||
		    jsontext_get_string(o, "name", t->name, sizeof t->name) != 0 ||
		    jsontext_get_bytes(o, "key", t->key, RECORD_KEY) != 0 ||
		    jsontext_get_number(o, "seeded", LIMIT_SEQ, &t->seeded) != 0 ||
		    jsontext_get_number(o, "sent", LIMIT_SEQ, &t->sent) != 0 ||
		    jsontext_get_number(o, "acked", LIMIT_SEQ, &t->acked) != 0 ||
		    jsontext_get_number(o, "acked_at", INT64_MAX, &at) != 0)
			return (-1);
		t->acked_at = (int64_t)at;
		t->said_at = (int64_t)said_at;
	}
	return (0);
}

static int
decode_shipment(struct primary_shipment *s, const json_t *o)
{
	uint64_t type, targets, at, volumes, cipher, level;

	if (jsontext_get_number(o, "type", BUNDLE_COMPARE, &type) != 0 ||
	    jsontext_get_number(o, "from", LIMIT_SEQ, &s->from) != 0 ||
	    jsontext_get_number(o, "to", LIMIT_SEQ, &s->to) != 0 ||
	    jsontext_get_number(o, "targets", UINT32_MAX, &targets) != 0 ||
	    jsontext_get_number(o, "at", INT64_MAX, &at) != 0 ||
	    jsontext_get_string(o, "where", s->where, sizeof s->where) != 0 ||
	    jsontext_get_number(o, "volumes", LIMIT_VOLUMES, &volumes) != 0 ||
	    jsontext_get_number(o, "bytes", INT64_MAX, &s->bytes) != 0 ||
	    jsontext_get_number(o, "cipher", RECORD_XCHACHA20POLY1305, &cipher) != 0 ||
	    jsontext_get_number(o, "level", SEGMENT_BEST, &level) != 0 ||
	    jsontext_get_bytes(o, "id", s->id, RECORD_ID) != 0 ||
	    jsontext_get_bytes(o, "key", s->key, HEADER_CONTENT_KEY) != 0)
		return (-1);
	s->type = (enum bundle_type)type;
	s->targets = (uint32_t)targets;
	s->at = (int64_t)at;
	s->volumes = (unsigned)volumes;
	s->cipher = (enum record_cipher)cipher;
	s->level = (unsigned)level;
	return (0);
}

static int
decode_shipments(struct primary *P, const json_t *a)
{
	if (json_array_size(a) > PRIMARY_SHIPMENTS)
		return (-1);
	for (P->nshipments = 0; P->nshipments < json_array_size(a); P->nshipments++)
		if (decode_shipment(&P->shipments[P->nshipments], json_array_get(a, P->nshipments)) != 0)
			return (-1);
	return (0);
}

static int
decode_point(const struct primary *P, struct primary_point *p, const json_t *o)
{
	const json_t *disks = json_object_get(o, "disks");

	if (point_decode(&p->point, o) != 0 || json_array_size(disks) != P->nreplicated)
		return (-1);
	for (unsigned k = 0; k < P->nreplicated; k++) {
		const json_t *d = json_array_get(disks, k);

		if (jsontext_get_number(d, "size", LIMIT_DISK_SIZE, &p->size[k]) != 0 ||
		    jsontext_get_bytes(d, "root", p->root[k], LEAF_ROOT) != 0)
			return (-1);
	}
	return (0);
}

static int
decode_points(struct primary *P, const json_t *a)
{
	size_t n = json_array_size(a);

	/* One more than there are, for the point that an export adds. */
	if (n > 2 * LIMIT_POINTS || (P->points = calloc(n + 1, sizeof *P->points)) == NULL)
		return (-1);
	for (P->npoints = 0; P->npoints < n; P->npoints++)
		if (decode_point(P, &P->points[P->npoints], json_array_get(a, P->npoints)) != 0)
			return (-1);
	return (0);
}

/* There is none in older records. */
static int
decode_cuts(struct primary *P, const json_t *o)
{
	const json_t *at = json_object_get(o, "at");

	if (o == NULL)
		return (0);
	if (jsontext_get_number(o, "frequency", LIMIT_SEQ, &P->cuts.frequency) != 0 || !json_is_array(at) ||
	    json_array_size(at) > PRIMARY_CUTS)
		return (-1);
	for (P->cuts.n = 0; P->cuts.n < json_array_size(at); P->cuts.n++) {
		const json_t *t = json_array_get(at, P->cuts.n);

		if (!json_is_integer(t) || json_integer_value(t) < 0)
			return (-1);
		P->cuts.at[P->cuts.n] = (int64_t)json_integer_value(t);
	}
	return (0);
}

/* There is none in older records. */
static int
decode_apps(struct primary_apps *a, const json_t *o)
{
	uint64_t every, since, at;

	if (o == NULL)
		return (0);
	if (jsontext_get_number(o, "every", UINT16_MAX, &every) != 0 ||
	    jsontext_get_number(o, "seconds", LIMIT_SEQ, &a->seconds) != 0 ||
	    jsontext_get_number(o, "since", UINT16_MAX, &since) != 0 ||
	    jsontext_get_number(o, "at", INT64_MAX, &at) != 0 ||
	    jsontext_get_string(o, "why", a->why, sizeof a->why) != 0)
		return (-1);
	a->every = (unsigned)every;
	a->since = (unsigned)since;
	a->at = (int64_t)at;
	return (0);
}

/* What the records of the first version do not have. */
static int
decode_role(struct primary *P, const json_t *o)
{
	const json_t *role = json_object_get(o, "role");
	uint64_t level = HEADER_LEVEL_DEFAULT;
	unsigned acked = 0;

	if (role == NULL) {
		for (unsigned i = 0; i < P->ntargets; i++)
			acked += P->targets[i].acked != 0;
		role_begin(&P->role, ROLE_PRIMARY,
		    P->npoints == 0 ? ROLE_READY
		    : acked == 0    ? ROLE_WAITING
		                    : ROLE_REPLICATING);
		P->wishes.level = HEADER_LEVEL_DEFAULT;
		strcpy(P->host, "none");
		return (0);
	}
	if (role_decode(&P->role, ROLE_PRIMARY, role) != 0 ||
	    jsontext_get_number(o, "compress", HEADER_LEVEL_BEST, &level) != 0 || level == 0 ||
	    jsontext_get_string(o, "host", P->host, sizeof P->host) != 0)
		return (-1);
	P->wishes.level = (enum header_level)level;
	P->wishes.is_plain = json_is_true(json_object_get(o, "plain"));
	return (0);
}

/* There is none in older records, and where no host could tell. */
static int
decode_definition(struct primary *P, const json_t *o)
{
	P->has_definition = json_object_get(o, "definition") != NULL;
	if (!P->has_definition)
		return (0);
	return (jsontext_get_bytes(o, "definition", P->definition, HEADER_DIGEST) != 0
	            ? -1
	            : jsontext_get_number(o, "definition_seq", LIMIT_SEQ, &P->definition_seq));
}

static int
decode(struct primary *P, const json_t *o)
{
	uint64_t version, keep;

	if (jsontext_get_number(o, "version", 1, &version) != 0 || version != 1 ||
	    jsontext_get_string(o, "vm", P->vm, sizeof P->vm) != 0 ||
	    jsontext_get_string(o, "uuid", P->uuid, sizeof P->uuid) != 0 ||
	    jsontext_get_bytes(o, "lineage", P->lineage, RECORD_ID) != 0 ||
	    jsontext_get_bytes(o, "leaf_seed", P->leaf_seed, LEAF_SEED) != 0 ||
	    jsontext_get_number(o, "keep", LIMIT_POINTS, &keep) != 0 ||
	    jsontext_get_number(o, "frequency", LIMIT_SEQ, &P->wishes.frequency) != 0 ||
	    jsontext_get_number(o, "leaves_at", LIMIT_SEQ, &P->leaves_at) != 0)
		return (-1);
	P->keep = (unsigned)keep;
	leaf_secret_make(&P->secret, P->leaf_seed);
	if (decode_disks(P, jsontext_get(o, "disks")) != 0 ||
	    decode_targets(P, jsontext_get(o, "targets")) != 0 ||
	    decode_shipments(P, json_object_get(o, "shipments")) != 0 ||
	    decode_cuts(P, json_object_get(o, "cuts")) != 0 || decode_definition(P, o) != 0 ||
	    told_decode(&P->told, json_object_get(o, "told")) != 0 ||
	    decode_apps(&P->apps, json_object_get(o, "apps")) != 0 ||
	    jsontext_find_string(o, "tracker", P->tracker, sizeof P->tracker) != 0 ||
	    jsontext_find_number(o, "tracker_seq", LIMIT_SEQ, &P->tracker_seq) != 0 ||
	    reminders_decode(&P->reminders, json_object_get(o, "reminders")) != 0)
		return (-1);
	return (decode_points(P, jsontext_get(o, "points")) != 0 ? -1 : decode_role(P, o));
}

int
primary_record_read(const char *path, struct primary *P)
{
	json_t *o = state_read(path);
	int rc;

	if (o == NULL)
		return (-1);
	if ((rc = decode(P, o)) != 0)
		say_failed("%s: the record is not one that this version understands", path);
	json_decref(o);
	return (rc);
}
