#include "primary/pending.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "base/state.h"
#include "bundle/segment.h"
#include "disk/changelog.h"
#include "jsontext.h"
#include "wire.h"

/* The path of a file in its folder. */
static int
pending_path(const struct primary *P, const char *name, char out[PATH_MAX])
{
	return (io_path(out, "%s/pending/%s", P->dir, name));
}

/* --- encode ------------------------------------------------------------------------------------------- */

/* Text that may hold any byte, as a path may, or be longer than what jsontext takes. */
static int
set_words(json_t *o, const char *key, const char *words, size_t n)
{
	char *hex = malloc(2 * n + 1);
	int rc;

	if (hex == NULL)
		return (-1);
	sodium_bin2hex(hex, 2 * n + 1, (const uint8_t *)words, n);
	rc = json_object_set_new(o, key, json_string(hex));
	free(hex);
	return (rc);
}

static json_t *
encode_disks(const struct pending *p)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < p->ndisks; i++) {
		const struct pending_disk *d = &p->disks[i];
		json_t *o = json_pack("{s:b,s:I,s:I,s:I,s:I,s:I,s:I}", "has_stamp", d->has_stamp, "device",
		    (json_int_t)d->stamp.device, "inode", (json_int_t)d->stamp.inode, "size",
		    (json_int_t)d->stamp.size, "modified", (json_int_t)d->stamp.modified, "changed",
		    (json_int_t)d->stamp.changed, "log_size", (json_int_t)d->log_size);
		uint8_t sum[LEAF_ROOT], log_sum[sizeof d->log_sum];

		leaf_sum_pack(sum, &d->sum);
		wire_put64(log_sum, d->log_sum);
		bad |= jsontext_set_bytes(o, "sum", sum, sizeof sum);
		bad |= jsontext_set_bytes(o, "log_sum", log_sum, sizeof log_sum);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_volume(const struct chain_volume *v)
{
	json_t *o = json_pack("{s:i,s:b,s:I,s:I,s:i,s:i,s:I}", "number", (int)v->number, "is_last",
	    v->is_last, "before", (json_int_t)v->before, "after", (json_int_t)v->after, "part",
	    (int)v->last.part, "disk", (int)v->last.disk, "offset", (json_int_t)v->last.offset);
	int bad = 0;

	bad |= jsontext_set_bytes(o, "header", v->header, RECORD_DIGEST);
	bad |= jsontext_set_bytes(o, "end", v->end, RECORD_DIGEST);
	return (jsontext_whole(o, bad));
}

static json_t *
encode_places(const struct pending *p)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < p->nplaces; i++)
		bad |=
		    json_array_append_new(a, json_pack("{s:s,s:i,s:i}", "label", p->places[i].label, "first",
		                                 (int)p->places[i].first, "last", (int)p->places[i].last));
	return (jsontext_whole(a, bad));
}

int
pending_write(const struct pending *p, const struct primary *P)
{
	json_t *o = json_pack("{s:i,s:i,s:I,s:I,s:b,s:b,s:i,s:b,s:I,s:I,s:I,s:I,s:I}", "version", 1, "way",
	    (int)p->way, "started", (json_int_t)p->started, "base", (json_int_t)p->base, "lost", p->is_lost,
	    "live", p->is_live, "level", (int)p->level, "is_cut", p->is_cut, "segments",
	    (json_int_t)p->segments, "stored", (json_int_t)p->stored, "data", (json_int_t)p->data, "zero",
	    (json_int_t)p->zero, "bytes", (json_int_t)p->bytes);
	char path[PATH_MAX];
	int bad = 0;

	bad |= set_words(o, "wish", p->wish, strlen(p->wish));
	bad |= set_words(o, "output", p->output, strlen(p->output));
	bad |= jsontext_set_bytes(o, "key", p->key, sizeof p->key);
	bad |= jsontext_set_bytes(o, "record", p->raw, RECORD_SIZE);
	bad |= set_words(o, "header", p->text, p->text_size);
	bad |= json_object_set_new(o, "volume", encode_volume(&p->volume));
	bad |= json_object_set_new(o, "places", encode_places(p));
	bad |= json_object_set_new(o, "disks", encode_disks(p));
	o = jsontext_whole(o, bad);
	if (io_path(path, "%s/pending", P->dir) != 0 || io_mkdir(path, 0700) != 0 ||
	    pending_path(P, "state", path) != 0) {
		json_decref(o);
		return (-1);
	}
	return (state_write(path, o));
}

/* --- decode ------------------------------------------------------------------------------------------- */

/* Up to size bytes of hexadecimal digits, with a NUL behind them. */
static int
get_words(const json_t *o, const char *key, char *out, size_t size, size_t *n)
{
	const char *hex = json_string_value(json_object_get(o, key)), *end;

	if (hex == NULL || strlen(hex) > 2 * (size - 1) ||
	    sodium_hex2bin((uint8_t *)out, size - 1, hex, strlen(hex), NULL, n, &end) != 0 || *end != '\0')
		return (-1);
	out[*n] = '\0';
	return (0);
}

static int
decode_disks(struct pending *p, const json_t *a)
{
	if (json_array_size(a) > LIMIT_DISKS)
		return (-1);
	for (p->ndisks = 0; p->ndisks < json_array_size(a); p->ndisks++) {
		struct pending_disk *d = &p->disks[p->ndisks];
		const json_t *o = json_array_get(a, p->ndisks);
		uint8_t sum[LEAF_ROOT], log_sum[sizeof d->log_sum];

		if (jsontext_get_number(o, "log_size", INT64_MAX, &d->log_size) != 0 ||
		    jsontext_get_bytes(o, "sum", sum, sizeof sum) != 0 ||
		    jsontext_get_bytes(o, "log_sum", log_sum, sizeof log_sum) != 0)
			return (-1);
		/* A stamp is compared and nothing else, so any number will do. */
		d->has_stamp = json_is_true(json_object_get(o, "has_stamp"));
		d->stamp = (struct source_stamp){ (uint64_t)json_integer_value(json_object_get(o, "device")),
			(uint64_t)json_integer_value(json_object_get(o, "inode")),
			(uint64_t)json_integer_value(json_object_get(o, "size")),
			json_integer_value(json_object_get(o, "modified")),
			json_integer_value(json_object_get(o, "changed")) };
		leaf_sum_unpack(&d->sum, sum);
		d->log_sum = wire_get64(log_sum);
	}
	return (0);
}

static int
decode_volume(struct chain_volume *v, const json_t *o)
{
	uint64_t number, part, disk;

	if (jsontext_get_number(o, "number", LIMIT_VOLUMES, &number) != 0 ||
	    jsontext_get_number(o, "before", LIMIT_SEGMENTS, &v->before) != 0 ||
	    jsontext_get_number(o, "after", LIMIT_SEGMENTS, &v->after) != 0 ||
	    jsontext_get_number(o, "part", LIMIT_PARTS, &part) != 0 ||
	    jsontext_get_number(o, "disk", LIMIT_DISKS, &disk) != 0 ||
	    jsontext_get_number(o, "offset", LIMIT_DISK_SIZE, &v->last.offset) != 0 ||
	    jsontext_get_bytes(o, "header", v->header, RECORD_DIGEST) != 0 ||
	    jsontext_get_bytes(o, "end", v->end, RECORD_DIGEST) != 0)
		return (-1);
	v->number = (uint32_t)number;
	v->is_last = json_is_true(json_object_get(o, "is_last"));
	v->last.part = (uint32_t)part;
	v->last.disk = (uint32_t)disk;
	return (0);
}

static int
decode_places(struct pending *p, const json_t *a)
{
	if (json_array_size(a) > PENDING_PLACES)
		return (-1);
	for (p->nplaces = 0; p->nplaces < json_array_size(a); p->nplaces++) {
		struct pending_place *l = &p->places[p->nplaces];
		const json_t *o = json_array_get(a, p->nplaces);
		uint64_t first, last;

		if (jsontext_get_string(o, "label", l->label, sizeof l->label) != 0 ||
		    jsontext_get_number(o, "first", LIMIT_VOLUMES, &first) != 0 ||
		    jsontext_get_number(o, "last", LIMIT_VOLUMES, &last) != 0)
			return (-1);
		l->first = (unsigned)first;
		l->last = (unsigned)last;
	}
	return (0);
}

static int
decode(struct pending *p, const json_t *o)
{
	uint64_t version, way, started, level;
	size_t n;

	if (jsontext_get_number(o, "version", 1, &version) != 0 || version != 1 ||
	    jsontext_get_number(o, "way", PENDING_MEDIA, &way) != 0 ||
	    jsontext_get_number(o, "started", INT64_MAX, &started) != 0 ||
	    jsontext_get_number(o, "base", LIMIT_SEQ, &p->base) != 0 ||
	    jsontext_get_number(o, "level", SEGMENT_BEST, &level) != 0 ||
	    jsontext_get_number(o, "segments", LIMIT_SEGMENTS, &p->segments) != 0 ||
	    jsontext_get_number(o, "stored", INT64_MAX, &p->stored) != 0 ||
	    jsontext_get_number(o, "data", INT64_MAX, &p->data) != 0 ||
	    jsontext_get_number(o, "zero", INT64_MAX, &p->zero) != 0 ||
	    jsontext_get_number(o, "bytes", INT64_MAX, &p->bytes) != 0 ||
	    get_words(o, "wish", p->wish, sizeof p->wish, &n) != 0 ||
	    get_words(o, "output", p->output, sizeof p->output, &n) != 0 ||
	    get_words(o, "header", p->text, LIMIT_JSON + 1, &p->text_size) != 0 ||
	    jsontext_get_bytes(o, "key", p->key, sizeof p->key) != 0 ||
	    jsontext_get_bytes(o, "record", p->raw, RECORD_SIZE) != 0)
		return (-1);
	p->way = (enum pending_way)way;
	p->is_lost = json_is_true(json_object_get(o, "lost"));
	p->is_live = json_is_true(json_object_get(o, "live"));
	p->started = (int64_t)started;
	p->level = (unsigned)level;
	p->is_cut = json_is_true(json_object_get(o, "is_cut"));
	if (decode_volume(&p->volume, json_object_get(o, "volume")) != 0 ||
	    decode_places(p, json_object_get(o, "places")) != 0)
		return (-1);
	return (decode_disks(p, json_object_get(o, "disks")));
}

int
pending_read(struct pending **out, const struct primary *P)
{
	char path[PATH_MAX];
	struct pending *p;
	json_t *o;
	int rc;

	*out = NULL;
	if (pending_path(P, "state", path) != 0 || (rc = io_exists(path)) < 0)
		return (-1);
	if (rc == 0)
		return (2);
	if ((o = state_read(path)) == NULL)
		return (-1);
	if ((p = calloc(1, sizeof *p)) == NULL || (p->text = malloc(LIMIT_JSON + 1)) == NULL)
		rc = say_failed("out of memory");
	else if ((rc = decode(p, o)) != 0)
		say_failed("%s: the record is not one that this version understands", path);
	json_decref(o);
	if (rc == 0)
		*out = p;
	else
		pending_free(p);
	return (rc);
}

void
pending_free(struct pending *p)
{
	if (p == NULL)
		return;
	free(p->text);
	sodium_memzero(p->key, sizeof p->key);
	free(p);
}

int
pending_remove(const struct primary *P)
{
	char path[PATH_MAX];
	int rc;

	/* The record first: without it the rest is nothing. */
	if (pending_path(P, "state", path) != 0 || (rc = io_exists(path)) < 0)
		return (-1);
	if (rc == 0)
		return (0);
	if (io_remove(path) != 0 || io_path(path, "%s/pending", P->dir) != 0 || io_sync_dir(path) != 0)
		return (-1);
	return (io_remove_tree(path));
}

/* --- sets --------------------------------------------------------------------------------------------- */

static int
set_path(const struct primary *P, unsigned i, char out[PATH_MAX])
{
	return (io_path(out, "%s/pending/maybe.%s", P->dir, P->disks[i].id));
}

int
pending_keep_sets(const struct primary *P, const struct ranges sets[])
{
	char path[PATH_MAX];

	if (io_path(path, "%s/pending", P->dir) != 0 || io_mkdir(path, 0700) != 0)
		return (-1);
	for (unsigned i = 0; i < P->nreplicated; i++) {
		struct changelog *L;
		int rc = 0;

		if (set_path(P, i, path) != 0 || (L = changelog_create(path)) == NULL)
			return (-1);
		for (size_t k = 0; rc == 0 && k < sets[i].n; k++)
			rc = changelog_add(L, sets[i].runs[k].start, sets[i].runs[k].count, NULL);
		if (rc != 0)
			changelog_free(L);
		if (rc != 0 || changelog_commit(L) != 0)
			return (-1);
	}
	return (0);
}

int
pending_get_sets(const struct primary *P, struct ranges sets[])
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < P->nreplicated; i++) {
		if (set_path(P, i, path) != 0 || changelog_ranges(path, &sets[i]) != 0)
			return (-1);
		ranges_sort(&sets[i]);
	}
	return (0);
}

/* --- places ------------------------------------------------------------------------------------------- */

void
pending_note_place(struct pending *p, const char *label, unsigned number)
{
	struct pending_place *l = p->nplaces == 0 ? NULL : &p->places[p->nplaces - 1];

	if (l != NULL && strncmp(l->label, label, sizeof l->label - 1) == 0) {
		l->last = number;
		return;
	}
	if (p->nplaces == PENDING_PLACES)
		return;
	l = &p->places[p->nplaces++];
	snprintf(l->label, sizeof l->label, "%s", label);
	l->first = l->last = number;
}

void
pending_places(const struct pending *p, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < p->nplaces && used < size; i++) {
		const struct pending_place *l = &p->places[i];
		const char *sep = i == 0 ? "" : ", ";

		if (l->first == l->last)
			used += (size_t)snprintf(out + used, size - used, "%svolume %u on medium '%.40s'",
			    sep, l->first, l->label);
		else
			used += (size_t)snprintf(out + used, size - used,
			    "%svolumes %u to %u on medium '%.40s'", sep, l->first, l->last, l->label);
	}
}
