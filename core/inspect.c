#include "inspect.h"

#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/infile.h"
#include "jsontext.h"
#include "base/sandbox.h"
#include "base/say.h"

static json_t *
point_json(const struct point *p)
{
	char time[POINT_TIME];

	if (p->seq == 0)
		return (json_null());
	point_time_text(time, p->time);
	return (json_pack("{s:I,s:I,s:s,s:s}", "epoch", (json_int_t)p->epoch, "seq", (json_int_t)p->seq,
	    "time", time, "kind", point_kind_text(p->kind)));
}

static json_t *
disks_json(const struct header *H, const struct trailer *T)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < H->ndisks; i++) {
		json_t *o =
		    json_pack("{s:s,s:I}", "id", H->disks[i].id, "size", (json_int_t)H->disks[i].size);

		if (H->from.seq != 0) {
			json_object_set_new(
			    o, "before_size", json_integer((json_int_t)H->disks[i].before_size));
			jsontext_set_bytes(o, "before_root", H->disks[i].before, LEAF_ROOT);
		}
		if (i < T->ndisks)
			jsontext_set_bytes(o, "root", T->root[i], LEAF_ROOT);
		json_array_append_new(a, o);
	}
	return (a);
}

static json_t *
lists_json(const struct header *H, json_t *o)
{
	json_t *excluded = json_array(), *targets = json_array();
	char hex[2 * RECORD_KEY + 1];

	for (unsigned i = 0; i < H->nexcluded; i++)
		json_array_append_new(excluded,
		    json_pack("{s:s,s:I}", "id", H->excluded[i].id, "size", (json_int_t)H->excluded[i].size));
	for (unsigned i = 0; i < H->ntargets; i++) {
		sodium_bin2hex(hex, sizeof hex, H->targets[i].key, RECORD_KEY);
		json_array_append_new(targets, json_string(hex));
	}
	json_object_set_new(o, "excluded", excluded);
	json_object_set_new(o, "targets", targets);
	return (o);
}

static int
print_json(const struct header *H, const struct trailer *T, const uint8_t key[RECORD_KEY], uint64_t bytes)
{
	json_t *o = json_object();
	char created[POINT_TIME];
	int rc;

	point_time_text(created, H->created);
	json_object_set_new(o, "format", json_integer(HEADER_VERSION));
	json_object_set_new(o, "type", json_string(header_type_text(H->type)));
	jsontext_set_bytes(o, "id", H->id, RECORD_ID);
	json_object_set_new(o, "vm", json_string(H->vm));
	json_object_set_new(o, "uuid", json_string(H->uuid));
	jsontext_set_bytes(o, "lineage", H->lineage, RECORD_ID);
	json_object_set_new(o, "from", point_json(&H->from));
	json_object_set_new(o, "to", point_json(&H->to));
	json_object_set_new(o, "created", json_string(created));
	json_object_set_new(o, "signer", json_string(H->signer));
	jsontext_set_bytes(o, "key", key, RECORD_KEY);
	json_object_set_new(o, "encrypted", json_boolean(H->cipher != RECORD_CLEAR));
	json_object_set_new(o, "keep", json_integer((json_int_t)H->keep));
	json_object_set_new(o, "disks", disks_json(H, T));
	lists_json(H, o);
	json_object_set_new(o, "segments", json_integer((json_int_t)T->segments));
	json_object_set_new(o, "data", json_integer((json_int_t)T->data));
	json_object_set_new(o, "zero", json_integer((json_int_t)T->zero));
	json_object_set_new(o, "stored", json_integer((json_int_t)T->stored));
	json_object_set_new(o, "bytes", json_integer((json_int_t)bytes));
	rc = json_dumpf(o, stdout, JSON_INDENT(1)) == 0 && putchar('\n') != EOF ? 0 : -1;
	json_decref(o);
	return (rc);
}

static void
print_point(const char *what, const struct point *p)
{
	char time[POINT_TIME];

	if (p->seq == 0)
		return;
	point_time_text(time, p->time);
	printf("%s%" PRIu64 " of epoch %" PRIu64 ", %s, %s\n", what, p->seq, p->epoch, time,
	    point_kind_text(p->kind));
}

static int
print_text(const struct header *H, const struct trailer *T, const uint8_t key[RECORD_KEY], uint64_t bytes)
{
	char hex[2 * RECORD_KEY + 1];

	sodium_bin2hex(hex, sizeof hex, key, RECORD_KEY);
	printf(
	    "bundle    %s, format %d, %" PRIu64 " bytes\n", header_type_text(H->type), HEADER_VERSION, bytes);
	printf("vm        %s (%s)\n", H->vm, H->uuid);
	print_point("from      point ", &H->from);
	print_point("to        point ", &H->to);
	printf("signed    by '%s' with %s\n", H->signer, hex);
	printf("contents  %s, %u targets, %" PRIu64 " segments: %" PRIu64 " bytes of data, %" PRIu64
	       " of zeroes, stored in %" PRIu64 "\n",
	    H->cipher == RECORD_CLEAR ? "in clear" : "encrypted", H->ntargets, T->segments, T->data, T->zero,
	    T->stored);
	for (unsigned i = 0; i < H->ndisks; i++) {
		printf("disk      %s, %" PRIu64 " bytes", H->disks[i].id, H->disks[i].size);
		if (i < T->ndisks) {
			sodium_bin2hex(hex, sizeof hex, T->root[i], LEAF_ROOT);
			printf(", root %s", hex);
		}
		printf("\n");
	}
	for (unsigned i = 0; i < H->nexcluded; i++)
		printf("excluded  %s, %" PRIu64 " bytes\n", H->excluded[i].id, H->excluded[i].size);
	return (0);
}

static int
inspect_open(struct infile *F, struct member *m, int json)
{
	struct reader *R = infile_reader(F);
	const struct header *H;
	uint8_t key[RECORD_KEY];
	int rc;

	if ((rc = reader_start(R, key)) != 0 || (rc = reader_header(R, m, &H)) != 0)
		return (rc);
	do
		rc = reader_skip(R, m);
	while (rc == 0 && m->record.type != RECORD_END && m->record.type != RECORD_VOLUME_END);
	if (rc != 0)
		return (rc);
	return ((json ? print_json : print_text)(H, reader_trailer(R), key, reader_position(R)));
}

int
inspect(const char *path, int json)
{
	const struct sandbox box = { .work = SANDBOX_READ };
	struct member m = { .payload = malloc(LIMIT_STORED) };
	struct infile *F;
	int rc;

	if (m.payload == NULL)
		return (say_failed("out of memory"));
	if ((rc = infile_open(&F, path)) == 0) {
		if ((rc = sandbox_enter(&box)) == 0)
			rc = inspect_open(F, &m, json);
		infile_close(F);
	}
	free(m.payload);
	return (rc);
}
