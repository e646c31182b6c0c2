#include "replica/replica_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsontext.h"
#include "point_json.h"
#include "replica/outbox_text.h"
#include "role/role_text.h"
#include "base/say.h"
#include "base/state.h"
#include "disk/source.h"

/* --- encode ------------------------------------------------------------------------------------------- */

static json_t *
encode_disk_points(const struct replica_disk_point *d, unsigned n)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < n; i++) {
		json_t *o = json_pack("{s:I}", "size", (json_int_t)d[i].size);
		uint8_t sum[LEAF_ROOT];

		leaf_sum_pack(sum, &d[i].sum);
		bad |= jsontext_set_bytes(o, "sum", sum, sizeof sum);
		bad |= jsontext_set_bytes(o, "root", d[i].root, LEAF_ROOT);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_points(const struct replica *R)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < R->npoints; i++) {
		json_t *o = point_encode(&R->points[i].point);

		bad |= json_object_set_new(o, "pinned", json_boolean(R->points[i].is_pinned));
		bad |= json_object_set_new(o, "damaged", json_boolean(R->points[i].is_damaged));
		if (R->points[i].is_branch)
			bad |= json_object_set_new(o, "branch", json_true());
		if (R->points[i].has_definition)
			bad |= jsontext_set_bytes(o, "definition", R->points[i].definition, HEADER_DIGEST);
		bad |= json_object_set_new(o, "disks", encode_disk_points(R->points[i].disks, R->ndisks));
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_place(const struct chain_place *p)
{
	return (json_pack("[I,I,I]", (json_int_t)p->part, (json_int_t)p->disk, (json_int_t)p->offset));
}

static json_t *
encode_volumes(const struct replica_staged *s)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < s->nvolumes; i++) {
		const struct replica_volume *v = &s->volumes[i];
		const struct chain_volume *c = &v->chain;
		json_t *o = json_pack("{s:I,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "number",
		    (json_int_t)c->number, "last", c->is_last, "before", (json_int_t)c->before, "after",
		    (json_int_t)c->after, "file", (json_int_t)v->file, "stored", (json_int_t)v->stored,
		    "data", (json_int_t)v->data, "zero", (json_int_t)v->zero, "begins",
		    encode_place(&c->first), "ends", encode_place(&c->last));

		bad |= jsontext_set_bytes(o, "header", c->header, RECORD_DIGEST);
		bad |= jsontext_set_bytes(o, "follows", c->follows, RECORD_DIGEST);
		bad |= jsontext_set_bytes(o, "end", c->end, RECORD_DIGEST);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_end(const struct trailer *T)
{
	json_t *o = json_pack("{s:I,s:I,s:I,s:I,s:i}", "segments", (json_int_t)T->segments, "data",
	    (json_int_t)T->data, "zero", (json_int_t)T->zero, "stored", (json_int_t)T->stored, "volumes",
	    (int)T->volumes);

	return (jsontext_whole(o, jsontext_set_bytes(o, "roots", T->root[0], T->ndisks * LEAF_ROOT)));
}

static json_t *
encode_staged(const struct replica *R)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < R->nstaged; i++) {
		const struct replica_staged *s = &R->staged[i];
		json_t *o = json_pack("{s:i,s:b,s:b,s:b,s:I,s:o,s:o}", "type", (int)s->type, "exact",
		    s->is_exact, "on_disks", s->on_disks, "whole", s->is_whole, "cut", (json_int_t)s->cut,
		    "to", point_encode(&s->to), "volumes", encode_volumes(s));

		bad |= jsontext_set_bytes(o, "id", s->id, RECORD_ID);
		bad |= jsontext_set_bytes(o, "key", s->key, RECORD_KEY);
		if (s->from.seq != 0)
			bad |= json_object_set_new(o, "from", point_encode(&s->from));
		if (s->has_end)
			bad |= json_object_set_new(o, "end", encode_end(&s->end));
		if (s->history.n > 0)
			bad |= json_object_set_new(o, "history", history_encode(&s->history));
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_sums(const struct leaf_sum *sums, unsigned n)
{
	uint8_t packed[LIMIT_DISKS][LEAF_ROOT];
	json_t *o = json_object();

	for (unsigned i = 0; i < n; i++)
		leaf_sum_pack(packed[i], &sums[i]);
	return (jsontext_whole(o, jsontext_set_bytes(o, "sums", packed[0], n * LEAF_ROOT)));
}

static json_t *
encode_seed(const struct replica *R)
{
	return (json_pack("{s:o,s:o,s:I,s:I,s:I}", "whole", encode_sums(R->seed.sums, R->ndisks), "cut",
	    encode_sums(R->seed.cut, R->ndisks), "records", (json_int_t)R->seed.records, "data",
	    (json_int_t)R->seed.data, "zero", (json_int_t)R->seed.zero));
}

static json_t *
encode_names(const struct replica *R)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < R->ndisks; i++)
		bad |= json_array_append_new(a, json_string(R->disks[i]));
	return (jsontext_whole(a, bad));
}

/* Of the disks that lie elsewhere, where. */
static json_t *
encode_where(const struct replica *R)
{
	json_t *o = json_object();
	int bad = 0;

	for (unsigned i = 0; i < R->ndisks; i++)
		if (replica_disk_is_elsewhere(R, i))
			bad |= json_object_set_new(o, R->disks[i], json_string(R->where[i]));
	return (jsontext_whole(o, bad));
}

static json_t *
encode_places(const struct replica *R)
{
	json_t *o = json_object();
	int bad = 0;

	for (unsigned i = 0; i < R->nplaces; i++)
		bad |= json_object_set_new(o, R->places[i].id, json_string(R->places[i].where));
	return (jsontext_whole(o, bad));
}

static json_t *
encode_excluded(const struct replica *R)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < R->nexcluded; i++)
		bad |= json_array_append_new(a,
		    json_pack("{s:s,s:I}", "id", R->excluded[i].id, "size", (json_int_t)R->excluded[i].size));
	return (jsontext_whole(a, bad));
}

static json_t *
encode_compared(const struct replica *R)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < R->ncompared; i++) {
		json_t *o = json_pack("{s:o}", "at", point_encode(&R->compared[i].at));

		bad |= jsontext_set_bytes(o, "id", R->compared[i].id, RECORD_ID);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_heirs(const struct replica *R)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < R->nheirs; i++) {
		json_t *o = json_object();

		bad |= jsontext_set_bytes(o, "site", R->heirs[i], RECORD_KEY);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_test(const struct replica_test *t)
{
	json_t *o = json_object();
	int bad = 0;

	if (t->is_on) {
		bad |= json_object_set_new(o, "at", point_encode(&t->at));
		bad |= json_object_set_new(o, "since", json_integer((json_int_t)t->since));
		bad |= json_object_set_new(o, "complete", json_boolean(t->is_complete));
	}
	if (t->last.seq != 0) {
		bad |= json_object_set_new(o, "last", point_encode(&t->last));
		bad |= json_object_set_new(o, "ended", json_integer((json_int_t)t->ended));
		bad |= json_object_set_new(o, "result", json_string(t->result));
	}
	return (jsontext_whole(o, bad));
}

/* What was not known of it when its seed came in is taken from its first point. */
static json_t *
encode_reminders(const struct replica *R)
{
	struct reminders m = R->reminders;

	if (m.since == 0 && R->npoints > 0)
		m.since = R->points[0].point.time;
	reminders_settle_home(&m, R->role.history.n, R->key);
	return (reminders_encode(&m));
}

int
replica_record_write(const char *path, const struct replica *R)
{
	json_t *o = json_pack("{s:i,s:s,s:s,s:s,s:o,s:o,s:I,s:i,s:b,s:s,s:i}", "version", 1, "vm", R->vm,
	    "uuid", R->uuid, "primary", R->primary, "role", role_encode(&R->role), "heirs", encode_heirs(R),
	    "frequency", (json_int_t)R->wishes.frequency, "compress", (int)R->wishes.level, "plain",
	    R->wishes.is_plain, "host", R->host, "keep", (int)R->keep);
	int bad = 0;

	bad |= jsontext_set_bytes(o, "key", R->key, RECORD_KEY);
	bad |= jsontext_set_bytes(o, "lineage", R->lineage, RECORD_ID);
	bad |= jsontext_set_bytes(o, "leaf_seed", R->leaf_seed, LEAF_SEED);
	bad |= json_object_set_new(o, "reminders", encode_reminders(R));
	if (R->forget[0] != '\0')
		bad |= json_object_set_new(o, "forget", json_string(R->forget));
	if (R->told.whose != TOLD_NOBODY)
		bad |= json_object_set_new(o, "told", told_encode(&R->told));
	bad |= json_object_set_new(o, "disks", encode_names(R));
	bad |= json_object_set_new(o, "where", encode_where(R));
	bad |= json_object_set_new(o, "excluded", encode_excluded(R));
	if (R->nplaces > 0)
		bad |= json_object_set_new(o, "places", encode_places(R));
	bad |= json_object_set_new(o, "points", encode_points(R));
	bad |= json_object_set_new(o, "staged", encode_staged(R));
	if (R->ncompared > 0)
		bad |= json_object_set_new(o, "compared", encode_compared(R));
	if (R->nforwards > 0)
		bad |= outbox_encode(R, o);
	if (R->test.is_on || R->test.last.seq != 0)
		bad |= json_object_set_new(o, "test", encode_test(&R->test));
	if (R->failover.since != 0)
		bad |= json_object_set_new(o, "failover",
		    json_pack("{s:I,s:b,s:b}", "since", (json_int_t)R->failover.since, "overlays",
		        R->failover.has_overlays, "defined", R->failover.is_defined));
	if (R->npoints == 0)
		bad |= json_object_set_new(o, "seed", encode_seed(R));
	if (R->moving_to[0] != '\0')
		bad |= json_object_set_new(
		    o, "moving", json_pack("{s:i,s:s}", "disk", (int)R->moving, "to", R->moving_to));
	if (R->merging)
		bad |= json_object_set_new(o, "merging",
		    json_pack("{s:b,s:o}", "undo", R->merging_undo, "disks",
		        encode_disk_points(R->merged, R->ndisks)));
	return (state_write(path, jsontext_whole(o, bad)));
}

/* --- decode ------------------------------------------------------------------------------------------- */

static int
decode_disk_points(const struct replica *R, struct replica_disk_point *d, const json_t *a)
{
	if (!json_is_array(a) || json_array_size(a) != R->ndisks)
		return (-1);
	for (unsigned i = 0; i < R->ndisks; i++) {
		const json_t *o = json_array_get(a, i);
		uint8_t sum[LEAF_ROOT];

		if (jsontext_get_number(o, "size", LIMIT_DISK_SIZE, &d[i].size) != 0 ||
		    jsontext_get_bytes(o, "sum", sum, sizeof sum) != 0 ||
		    jsontext_get_bytes(o, "root", d[i].root, LEAF_ROOT) != 0)
			return (-1);
		leaf_sum_unpack(&d[i].sum, sum);
	}
	return (0);
}

static int
decode_points(struct replica *R, const json_t *a)
{
	struct replica_point p;

	for (size_t i = 0; i < json_array_size(a); i++) {
		const json_t *o = json_array_get(a, i);

		memset(&p, 0, sizeof p);
		if (point_decode(&p.point, o) != 0 ||
		    decode_disk_points(R, p.disks, json_object_get(o, "disks")) != 0)
			return (-1);
		p.is_pinned = json_is_true(json_object_get(o, "pinned"));
		p.is_branch = json_is_true(json_object_get(o, "branch"));
		p.is_damaged = json_is_true(json_object_get(o, "damaged"));
		p.has_definition = json_object_get(o, "definition") != NULL;
		if (p.has_definition && jsontext_get_bytes(o, "definition", p.definition, HEADER_DIGEST) != 0)
			return (-1);
		if (replica_add_point(R, &p) != 0)
			return (-1);
	}
	return (0);
}

static int
decode_place(struct chain_place *p, const json_t *a)
{
	uint64_t n[3];

	for (size_t i = 0; i < 3; i++) {
		const json_t *v = json_array_get(a, i);

		if (!json_is_integer(v) || json_integer_value(v) < 0)
			return (-1);
		n[i] = (uint64_t)json_integer_value(v);
	}
	if (n[0] >= LIMIT_PARTS || n[1] >= LIMIT_DISKS)
		return (-1);
	*p = (struct chain_place){ (uint32_t)n[0], (uint32_t)n[1], n[2] };
	return (0);
}

static int
decode_volume(struct replica_volume *v, const json_t *o)
{
	struct chain_volume *c = &v->chain;
	uint64_t number;

	memset(v, 0, sizeof *v);
	if (jsontext_get_number(o, "number", LIMIT_VOLUMES, &number) != 0 || number == 0 ||
	    jsontext_get_number(o, "before", LIMIT_SEGMENTS, &c->before) != 0 ||
	    jsontext_get_number(o, "after", LIMIT_SEGMENTS, &c->after) != 0 ||
	    jsontext_get_number(o, "file", INT64_MAX, &v->file) != 0 ||
	    jsontext_get_number(o, "stored", INT64_MAX, &v->stored) != 0 ||
	    jsontext_get_number(o, "data", INT64_MAX, &v->data) != 0 ||
	    jsontext_get_number(o, "zero", INT64_MAX, &v->zero) != 0 ||
	    jsontext_get_bytes(o, "header", c->header, RECORD_DIGEST) != 0 ||
	    jsontext_get_bytes(o, "follows", c->follows, RECORD_DIGEST) != 0 ||
	    jsontext_get_bytes(o, "end", c->end, RECORD_DIGEST) != 0 ||
	    decode_place(&c->first, json_object_get(o, "begins")) != 0 ||
	    decode_place(&c->last, json_object_get(o, "ends")) != 0)
		return (-1);
	c->number = (uint32_t)number;
	c->is_last = json_is_true(json_object_get(o, "last"));
	return (0);
}

static int
decode_end(struct trailer *T, const json_t *o)
{
	uint64_t volumes;

	/* It may know of disks that the replica does not have yet, or not of those that were added since. */
	T->ndisks = (unsigned)(json_string_length(json_object_get(o, "roots")) / (2 * LEAF_ROOT));
	if (T->ndisks > LIMIT_DISKS ||
	    jsontext_get_number(o, "segments", LIMIT_SEGMENTS, &T->segments) != 0 ||
	    jsontext_get_number(o, "data", INT64_MAX, &T->data) != 0 ||
	    jsontext_get_number(o, "zero", INT64_MAX, &T->zero) != 0 ||
	    jsontext_get_number(o, "stored", INT64_MAX, &T->stored) != 0 ||
	    jsontext_get_number(o, "volumes", LIMIT_VOLUMES, &volumes) != 0 ||
	    jsontext_get_bytes(o, "roots", T->root[0], T->ndisks * LEAF_ROOT) != 0)
		return (-1);
	T->volumes = (unsigned)volumes;
	return (0);
}

static int
decode_one_staged(struct replica_staged *s, const json_t *o)
{
	const json_t *from = json_object_get(o, "from"), *end = json_object_get(o, "end"),
	             *volumes = json_object_get(o, "volumes");
	struct replica_volume v;
	uint64_t type, cut;

	if (jsontext_get_number(o, "type", BUNDLE_COMPARE, &type) != 0 || type == 0 ||
	    jsontext_get_number(o, "cut", LIMIT_VOLUMES, &cut) != 0 ||
	    jsontext_get_bytes(o, "id", s->id, RECORD_ID) != 0 ||
	    jsontext_get_bytes(o, "key", s->key, RECORD_KEY) != 0 ||
	    point_decode(&s->to, json_object_get(o, "to")) != 0 ||
	    (from != NULL && point_decode(&s->from, from) != 0) ||
	    history_decode(&s->history, json_object_get(o, "history")) != 0)
		return (-1);
	s->type = (enum bundle_type)type;
	s->cut = (uint32_t)cut;
	s->is_exact = json_is_true(json_object_get(o, "exact"));
	s->on_disks = json_is_true(json_object_get(o, "on_disks"));
	s->is_whole = json_is_true(json_object_get(o, "whole"));
	s->has_end = end != NULL;
	if (end != NULL && decode_end(&s->end, end) != 0)
		return (-1);
	for (size_t i = 0; i < json_array_size(volumes); i++)
		if (decode_volume(&v, json_array_get(volumes, i)) != 0 || replica_add_volume(s, &v) != 0)
			return (-1);
	return (0);
}

static int
decode_staged(struct replica *R, const json_t *a)
{
	struct replica_staged s;

	for (size_t i = 0; i < json_array_size(a); i++) {
		memset(&s, 0, sizeof s);
		if (decode_one_staged(&s, json_array_get(a, i)) != 0 || replica_add_staged(R, &s) != 0) {
			free(s.volumes);
			return (-1);
		}
	}
	return (0);
}

/* There is none in the record of a replica that never was compared. */
static int
decode_compared(struct replica *R, const json_t *a)
{
	for (R->ncompared = 0; R->ncompared < json_array_size(a); R->ncompared++) {
		struct replica_compared *c = &R->compared[R->ncompared];
		const json_t *o = json_array_get(a, R->ncompared);

		if (R->ncompared == REPLICA_COMPARED || point_decode(&c->at, json_object_get(o, "at")) != 0 ||
		    jsontext_get_bytes(o, "id", c->id, RECORD_ID) != 0)
			return (-1);
	}
	return (0);
}

static int
decode_sums(struct leaf_sum *sums, unsigned n, const json_t *o)
{
	uint8_t packed[LIMIT_DISKS][LEAF_ROOT];

	if (jsontext_get_bytes(o, "sums", packed[0], n * LEAF_ROOT) != 0)
		return (-1);
	for (unsigned i = 0; i < n; i++)
		leaf_sum_unpack(&sums[i], packed[i]);
	return (0);
}

static int
decode_seed(struct replica *R, const json_t *o)
{
	return (decode_sums(R->seed.sums, R->ndisks, json_object_get(o, "whole")) != 0 ||
	                decode_sums(R->seed.cut, R->ndisks, json_object_get(o, "cut")) != 0 ||
	                jsontext_get_number(o, "records", LIMIT_SEGMENTS, &R->seed.records) != 0 ||
	                jsontext_get_number(o, "data", INT64_MAX, &R->seed.data) != 0 ||
	                jsontext_get_number(o, "zero", INT64_MAX, &R->seed.zero) != 0
	            ? -1
	            : 0);
}

/* There are none in the record of a replica whose disks all lie in its folder. */
static int
decode_where(struct replica *R, const json_t *o)
{
	for (unsigned i = 0; o != NULL && i < R->ndisks; i++) {
		if (json_object_get(o, R->disks[i]) == NULL)
			continue;
		if (jsontext_get_string(o, R->disks[i], R->where[i], sizeof R->where[i]) != 0 ||
		    (source_path(R->where[i])[0] != '/' && !source_is_uri(R->where[i])))
			return (-1);
	}
	return (0);
}

static int
decode_places(struct replica *R, json_t *o)
{
	const char *id;
	json_t *where;

	if (o != NULL && (!json_is_object(o) || json_object_size(o) > LIMIT_DISKS))
		return (-1);
	json_object_foreach (o, id, where) {
		struct replica_place *p = &R->places[R->nplaces++];

		if (strlen(id) > LIMIT_DISK_ID ||
		    jsontext_get_string(o, id, p->where, sizeof p->where) != 0 ||
		    source_path(p->where)[0] != '/')
			return (-1);
		strcpy(p->id, id);
	}
	return (0);
}

static int
decode_disks(struct replica *R, const json_t *a, const json_t *x)
{
	if (!json_is_array(a) || json_array_size(a) > LIMIT_DISKS || !json_is_array(x) ||
	    json_array_size(x) > LIMIT_DISKS)
		return (-1);
	for (R->ndisks = 0; R->ndisks < json_array_size(a); R->ndisks++) {
		const char *id = json_string_value(json_array_get(a, R->ndisks));

		if (id == NULL || strlen(id) > LIMIT_DISK_ID)
			return (-1);
		strcpy(R->disks[R->ndisks], id);
	}
	for (R->nexcluded = 0; R->nexcluded < json_array_size(x); R->nexcluded++) {
		struct header_excluded *e = &R->excluded[R->nexcluded];
		const json_t *o = json_array_get(x, R->nexcluded);

		if (jsontext_get_string(o, "id", e->id, sizeof e->id) != 0 ||
		    jsontext_get_number(o, "size", LIMIT_DISK_SIZE, &e->size) != 0)
			return (-1);
	}
	return (0);
}

/* The first version had but three states, by number. */
static int
decode_first_role(struct replica *R, const json_t *o)
{
	static const enum role_state states[] = { ROLE_WAITING, ROLE_REPLICATING, ROLE_WAITING_RESYNC };
	uint64_t state;

	if (jsontext_get_number(o, "state", 3, &state) != 0 || state == 0)
		return (-1);
	role_begin(&R->role, ROLE_REPLICA, states[state - 1]);
	R->wishes.level = HEADER_LEVEL_DEFAULT;
	strcpy(R->host, "none");
	return (jsontext_get_string(o, "cause", R->role.cause, sizeof R->role.cause));
}

static int
decode_role(struct replica *R, const json_t *o)
{
	const json_t *role = json_object_get(o, "role"), *heirs = json_object_get(o, "heirs");
	uint64_t level;

	if (role == NULL)
		return (decode_first_role(R, o));
	if (role_decode(&R->role, ROLE_REPLICA, role) != 0 ||
	    jsontext_get_number(o, "frequency", LIMIT_SEQ, &R->wishes.frequency) != 0 ||
	    jsontext_get_number(o, "compress", HEADER_LEVEL_BEST, &level) != 0 || level == 0 ||
	    jsontext_get_string(o, "host", R->host, sizeof R->host) != 0)
		return (-1);
	R->wishes.level = (enum header_level)level;
	R->wishes.is_plain = json_is_true(json_object_get(o, "plain"));
	for (R->nheirs = 0; R->nheirs < json_array_size(heirs); R->nheirs++)
		if (R->nheirs == LIMIT_TARGETS || jsontext_get_bytes(json_array_get(heirs, R->nheirs), "site",
		                                      R->heirs[R->nheirs], RECORD_KEY) != 0)
			return (-1);
	return (0);
}

/* Of a replica that never was tested there is nothing. */
static int
decode_test(struct replica_test *t, const json_t *o)
{
	const json_t *at = json_object_get(o, "at"), *last = json_object_get(o, "last");
	uint64_t n;

	if (at != NULL) {
		if (point_decode(&t->at, at) != 0 || jsontext_get_number(o, "since", INT64_MAX, &n) != 0)
			return (-1);
		t->since = (int64_t)n;
		t->is_on = 1;
		t->is_complete = json_is_true(json_object_get(o, "complete"));
	}
	if (last == NULL)
		return (0);
	if (point_decode(&t->last, last) != 0 || jsontext_get_number(o, "ended", INT64_MAX, &n) != 0)
		return (-1);
	t->ended = (int64_t)n;
	return (jsontext_get_string(o, "result", t->result, sizeof t->result));
}

static int
decode_failover(struct replica_failover *f, const json_t *o)
{
	uint64_t since;

	if (o == NULL)
		return (0);
	if (jsontext_get_number(o, "since", INT64_MAX, &since) != 0)
		return (-1);
	f->since = (int64_t)since;
	f->has_overlays = json_is_true(json_object_get(o, "overlays"));
	f->is_defined = json_is_true(json_object_get(o, "defined"));
	return (0);
}

/* There is none where no disk is on its way to another place. */
static int
decode_moving(struct replica *R, const json_t *o)
{
	uint64_t disk;

	if (o == NULL)
		return (0);
	if (R->ndisks == 0 || jsontext_get_number(o, "disk", R->ndisks - 1, &disk) != 0 ||
	    jsontext_get_string(o, "to", R->moving_to, sizeof R->moving_to) != 0)
		return (-1);
	R->moving = (unsigned)disk;
	return (0);
}

static int
decode(struct replica *R, const json_t *o)
{
	const json_t *m = json_object_get(o, "merging");
	uint64_t version, keep;

	if (jsontext_get_number(o, "version", 1, &version) != 0 || version != 1 ||
	    jsontext_get_string(o, "vm", R->vm, sizeof R->vm) != 0 ||
	    jsontext_get_string(o, "uuid", R->uuid, sizeof R->uuid) != 0 ||
	    jsontext_get_string(o, "primary", R->primary, sizeof R->primary) != 0 || decode_role(R, o) != 0 ||
	    jsontext_get_number(o, "keep", LIMIT_POINTS, &keep) != 0 || keep == 0 ||
	    jsontext_get_bytes(o, "key", R->key, RECORD_KEY) != 0 ||
	    jsontext_get_bytes(o, "lineage", R->lineage, RECORD_ID) != 0 ||
	    jsontext_get_bytes(o, "leaf_seed", R->leaf_seed, LEAF_SEED) != 0)
		return (-1);
	R->keep = (unsigned)keep;
	leaf_secret_make(&R->secret, R->leaf_seed);
	if (decode_disks(R, json_object_get(o, "disks"), json_object_get(o, "excluded")) != 0 ||
	    decode_where(R, json_object_get(o, "where")) != 0 ||
	    decode_places(R, json_object_get(o, "places")) != 0 ||
	    decode_moving(R, json_object_get(o, "moving")) != 0 ||
	    decode_points(R, json_object_get(o, "points")) != 0 ||
	    decode_staged(R, json_object_get(o, "staged")) != 0 ||
	    decode_compared(R, json_object_get(o, "compared")) != 0 || outbox_decode(R, o) != 0 ||
	    decode_test(&R->test, json_object_get(o, "test")) != 0 ||
	    decode_failover(&R->failover, json_object_get(o, "failover")) != 0 ||
	    jsontext_find_string(o, "forget", R->forget, sizeof R->forget) != 0 ||
	    told_decode(&R->told, json_object_get(o, "told")) != 0 ||
	    reminders_decode(&R->reminders, json_object_get(o, "reminders")) != 0 ||
	    (R->npoints == 0 && decode_seed(R, json_object_get(o, "seed")) != 0))
		return (-1);
	reminders_settle_home(&R->reminders, R->role.history.n, R->key);
	R->merging = m != NULL;
	R->merging_undo = json_is_true(json_object_get(m, "undo"));
	return (m == NULL ? 0 : decode_disk_points(R, R->merged, json_object_get(m, "disks")));
}

int
replica_record_read(const char *path, struct replica *R)
{
	json_t *o = state_read(path);
	int rc;

	if (o == NULL)
		return (-1);
	if ((rc = decode(R, o)) != 0)
		say_failed("%s: the record is not one that this version understands", path);
	json_decref(o);
	return (rc);
}
