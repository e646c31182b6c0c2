#include "replica/replica_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsontext.h"
#include "base/say.h"
#include "base/state.h"

/* --- encode ------------------------------------------------------------------------------------------- */

static json_t *
encode_point(const struct point *p)
{
	return (json_pack("{s:I,s:I,s:I,s:i}", "epoch", (json_int_t)p->epoch, "seq", (json_int_t)p->seq,
	    "time", (json_int_t)p->time, "kind", (int)p->kind));
}

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
		json_t *o = encode_point(&R->points[i].point);

		bad |= json_object_set_new(o, "pinned", json_boolean(R->points[i].is_pinned));
		bad |= json_object_set_new(o, "damaged", json_boolean(R->points[i].is_damaged));
		bad |= json_object_set_new(o, "disks", encode_disk_points(R->points[i].disks, R->ndisks));
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_staged(const struct replica *R)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < R->nstaged; i++) {
		json_t *o = json_pack("{s:o}", "to", encode_point(&R->staged[i].to));

		if (R->staged[i].from.seq != 0)
			bad |= json_object_set_new(o, "from", encode_point(&R->staged[i].from));
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
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
		json_t *o = json_pack("{s:o}", "at", encode_point(&R->compared[i].at));

		bad |= jsontext_set_bytes(o, "id", R->compared[i].id, RECORD_ID);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

int
replica_record_write(const char *path, const struct replica *R)
{
	json_t *o = json_pack("{s:i,s:s,s:s,s:s,s:i,s:s,s:i}", "version", 1, "vm", R->vm, "uuid", R->uuid,
	    "primary", R->primary, "state", (int)R->state, "cause", R->cause, "keep", (int)R->keep);
	int bad = 0;

	bad |= jsontext_set_bytes(o, "key", R->key, RECORD_KEY);
	bad |= jsontext_set_bytes(o, "lineage", R->lineage, RECORD_ID);
	bad |= jsontext_set_bytes(o, "leaf_seed", R->leaf_seed, LEAF_SEED);
	bad |= json_object_set_new(o, "disks", encode_names(R));
	bad |= json_object_set_new(o, "excluded", encode_excluded(R));
	bad |= json_object_set_new(o, "points", encode_points(R));
	bad |= json_object_set_new(o, "staged", encode_staged(R));
	if (R->ncompared > 0)
		bad |= json_object_set_new(o, "compared", encode_compared(R));
	if (R->merging)
		bad |= json_object_set_new(o, "merging",
		    json_pack("{s:b,s:o}", "undo", R->merging_undo, "disks",
		        encode_disk_points(R->merged, R->ndisks)));
	return (state_write(path, jsontext_whole(o, bad)));
}

/* --- decode ------------------------------------------------------------------------------------------- */

static int
decode_point(struct point *p, const json_t *o)
{
	uint64_t time, kind;

	if (jsontext_get_number(o, "epoch", LIMIT_SEQ, &p->epoch) != 0 ||
	    jsontext_get_number(o, "seq", LIMIT_SEQ, &p->seq) != 0 ||
	    jsontext_get_number(o, "time", INT64_MAX, &time) != 0 ||
	    jsontext_get_number(o, "kind", POINT_FINAL, &kind) != 0 || kind == 0 || p->epoch == 0 ||
	    p->seq == 0)
		return (-1);
	p->time = (int64_t)time;
	p->kind = (enum point_kind)kind;
	return (0);
}

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
		if (decode_point(&p.point, o) != 0 ||
		    decode_disk_points(R, p.disks, json_object_get(o, "disks")) != 0)
			return (-1);
		p.is_pinned = json_is_true(json_object_get(o, "pinned"));
		p.is_damaged = json_is_true(json_object_get(o, "damaged"));
		if (replica_add_point(R, &p) != 0)
			return (-1);
	}
	return (0);
}

static int
decode_staged(struct replica *R, const json_t *a)
{
	struct replica_staged s;

	for (size_t i = 0; i < json_array_size(a); i++) {
		const json_t *o = json_array_get(a, i), *from = json_object_get(o, "from");

		memset(&s, 0, sizeof s);
		if (decode_point(&s.to, json_object_get(o, "to")) != 0 ||
		    (from != NULL && decode_point(&s.from, from) != 0) || replica_add_staged(R, &s) != 0)
			return (-1);
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

		if (R->ncompared == REPLICA_COMPARED || decode_point(&c->at, json_object_get(o, "at")) != 0 ||
		    jsontext_get_bytes(o, "id", c->id, RECORD_ID) != 0)
			return (-1);
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

static int
decode(struct replica *R, const json_t *o)
{
	const json_t *m = json_object_get(o, "merging");
	uint64_t version, keep, state;

	if (jsontext_get_number(o, "version", 1, &version) != 0 || version != 1 ||
	    jsontext_get_string(o, "vm", R->vm, sizeof R->vm) != 0 ||
	    jsontext_get_string(o, "uuid", R->uuid, sizeof R->uuid) != 0 ||
	    jsontext_get_string(o, "primary", R->primary, sizeof R->primary) != 0 ||
	    jsontext_get_string(o, "cause", R->cause, sizeof R->cause) != 0 ||
	    jsontext_get_number(o, "state", REPLICA_ERROR, &state) != 0 || state == 0 ||
	    jsontext_get_number(o, "keep", LIMIT_POINTS, &keep) != 0 || keep == 0 ||
	    jsontext_get_bytes(o, "key", R->key, RECORD_KEY) != 0 ||
	    jsontext_get_bytes(o, "lineage", R->lineage, RECORD_ID) != 0 ||
	    jsontext_get_bytes(o, "leaf_seed", R->leaf_seed, LEAF_SEED) != 0)
		return (-1);
	R->state = (enum replica_state)state;
	R->keep = (unsigned)keep;
	leaf_secret_make(&R->secret, R->leaf_seed);
	if (decode_disks(R, json_object_get(o, "disks"), json_object_get(o, "excluded")) != 0 ||
	    decode_points(R, json_object_get(o, "points")) != 0 ||
	    decode_staged(R, json_object_get(o, "staged")) != 0 ||
	    decode_compared(R, json_object_get(o, "compared")) != 0)
		return (-1);
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
