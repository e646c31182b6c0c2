#include "inspect.h"

#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/infile.h"
#include "bundle/vmtext.h"
#include "jsontext.h"
#include "medium/logbook.h"
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

/* The bytes of the definition that it carries, if it is for us to read; else 0. */
static size_t
definition_bytes(const struct header *H, const struct site *S)
{
	struct segment_crypt K = { .cipher = H->cipher }, *parts = NULL;
	const struct header_definition *d = &H->definition;
	uint8_t leaf_seed[LEAF_SEED];
	char *text = NULL;
	size_t n = 0;

	memcpy(K.bundle, H->id, RECORD_ID);
	if (S == NULL || d->size == 0 || site_unseal(S, H, K.key, leaf_seed) != NULL)
		return (0);
	if (H->nparts > 0 && (parts = calloc(LIMIT_PARTS, sizeof *parts)) != NULL) {
		parts[d->part].cipher = H->parts[d->part].cipher;
		memcpy(parts[d->part].bundle, H->parts[d->part].id, RECORD_ID);
		if (site_unseal_part(S, &H->parts[d->part], parts[d->part].key) == NULL &&
		    vmtext_open(&text, H, &K, parts, leaf_seed) == NULL)
			n = strlen(text);
		sodium_memzero(parts, LIMIT_PARTS * sizeof *parts);
	} else if (H->nparts == 0 && vmtext_open(&text, H, &K, NULL, leaf_seed) == NULL) {
		n = strlen(text);
	}
	sodium_memzero(&K, sizeof K);
	sodium_memzero(leaf_seed, sizeof leaf_seed);
	free(parts);
	free(text);
	return (n);
}

static json_t *
definition_json(const struct header *H, const struct site *S)
{
	const struct header_definition *d = &H->definition;
	size_t n = definition_bytes(H, S);
	json_t *o;

	if (!d->is_known)
		return (json_null());
	o = json_pack("{s:I,s:o}", "bytes", (json_int_t)d->size, "text",
	    n == 0 ? json_null() : json_integer((json_int_t)n));
	jsontext_set_bytes(o, "digest", d->digest, HEADER_DIGEST);
	return (o);
}

static void
print_definition(const struct header *H, const struct site *S)
{
	const struct header_definition *d = &H->definition;
	size_t n = definition_bytes(H, S);

	if (!d->is_known)
		return;
	if (d->size == 0)
		printf("defined   as at the point before: it does not carry the VM's definition\n");
	else if (n > 0)
		printf("defined   it carries the VM's definition, %zu bytes\n", n);
	else
		printf("defined   it carries the VM's definition, in %zu bytes\n", d->size);
}

/* What it says of the roles: see doc/ROLES.md. */
static void
add_roles(const struct header *H, json_t *o)
{
	static const char *const levels[] = { "", "none", "fast", "default", "best" };
	json_t *heirs = json_array();
	char hex[2 * RECORD_KEY + 1];

	json_object_set_new(o, "history", history_encode(&H->history));
	json_object_set_new(o, "is_primary", json_boolean(H->is_primary));
	if (H->has_handover)
		jsontext_set_bytes(o, "handover", H->handover, RECORD_KEY);
	for (unsigned i = 0; i < H->nheirs; i++) {
		sodium_bin2hex(hex, sizeof hex, H->heirs[i], RECORD_KEY);
		json_array_append_new(heirs, json_string(hex));
	}
	json_object_set_new(o, "heirs", heirs);
	if (H->has_wishes)
		json_object_set_new(o, "wishes",
		    json_pack("{s:I,s:s,s:b}", "frequency", (json_int_t)H->wishes.frequency, "compress",
		        levels[H->wishes.level], "plain", H->wishes.is_plain));
}

/* --- custody ------------------------------------------------------------------------------------------ */

/* The log that lies beside a bundle, and who is known that may have signed it. */
struct custody_log {
	const struct site *S; /* NULL: nobody is known */
	char *text;           /* NULL: there is none */
	size_t n;
	json_t *list; /* NULL: it is printed */
};

/* The site whose key that is, or NULL. */
static const char *
known_as(const struct site *S, const uint8_t key[RECORD_KEY])
{
	const struct trust_entry *e = S == NULL ? NULL : trust_by_key(site_trust(S), key);

	if (S != NULL && site_is_own_key(S, key))
		return (site_card(S)->name);
	return (e == NULL ? NULL : e->card.name);
}

/* The same, or the key itself. */
static const char *
named(const struct site *S, const uint8_t key[RECORD_KEY], char hex[2 * RECORD_KEY + 1])
{
	const char *name = known_as(S, key);

	sodium_bin2hex(hex, 2 * RECORD_KEY + 1, key, RECORD_KEY);
	return (name != NULL ? name : hex);
}

static int
print_custody(void *context, const struct custody *C, const char *why, int is_linked)
{
	const struct custody_log *l = context;
	const char *known = why == NULL && C->word == CUSTODY_GOOD ? known_as(l->S, C->key) : NULL;
	char time[POINT_TIME];

	if (why != NULL) {
		printf("custody   BAD: %s\n", why);
		return (0);
	}
	point_time_text(time, C->time);
	printf("custody   %s %s by '%s': %s; ", time, C->what, C->site, C->result);
	if (C->word == CUSTODY_BAD)
		printf("BAD signature");
	else if (C->word == CUSTODY_UNSIGNED)
		printf("not signed");
	else if (known != NULL)
		printf("good signature of '%s'", known);
	else
		printf("unknown key");
	printf("%s\n", is_linked ? "" : "; BAD: it does not follow the line before it");
	return (0);
}

static int
list_custody(void *context, const struct custody *C, const char *why, int is_linked)
{
	static const char *const words[] = { "none", "good", "bad" };
	const struct custody_log *l = context;
	const char *known = why == NULL && C->word == CUSTODY_GOOD ? known_as(l->S, C->key) : NULL;
	char time[POINT_TIME];
	json_t *o;

	if (why != NULL) {
		json_array_append_new(l->list, json_pack("{s:s}", "signature", "bad"));
		return (0);
	}
	point_time_text(time, C->time);
	o = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s?,s:b}", "time", time, "what", C->what, "site", C->site,
	    "result", C->result, "signature",
	    C->word == CUSTODY_GOOD && known == NULL ? "unknown" : words[C->word], "known", known, "linked",
	    is_linked);
	if (C->word != CUSTODY_UNSIGNED)
		jsontext_set_bytes(o, "key", C->key, RECORD_KEY);
	json_array_append_new(l->list, o);
	return (0);
}

/* --- */

static int
print_json(const struct header *H, const struct trailer *T, const uint8_t key[RECORD_KEY], uint64_t bytes,
    struct custody_log *l)
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
	json_object_set_new(o, "parts", json_integer((json_int_t)H->nparts));
	json_object_set_new(o, "encrypted", json_boolean(H->cipher != RECORD_CLEAR));
	json_object_set_new(o, "keep", json_integer((json_int_t)H->keep));
	json_object_set_new(o, "definition", definition_json(H, l->S));
	json_object_set_new(o, "disks", disks_json(H, T));
	lists_json(H, o);
	add_roles(H, o);
	json_object_set_new(o, "segments", json_integer((json_int_t)T->segments));
	json_object_set_new(o, "data", json_integer((json_int_t)T->data));
	json_object_set_new(o, "zero", json_integer((json_int_t)T->zero));
	json_object_set_new(o, "stored", json_integer((json_int_t)T->stored));
	json_object_set_new(o, "bytes", json_integer((json_int_t)bytes));
	if (l->text != NULL) {
		l->list = json_array();
		logbook_each(l->text, l->n, H->id, list_custody, l);
		json_object_set_new(o, "custody", l->list);
	}
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

static void
print_roles(const struct header *H, const struct site *S)
{
	char hex[2 * RECORD_KEY + 1];

	for (unsigned i = 0; i < H->history.n; i++)
		printf("epoch     %" PRIu64 " began behind point %" PRIu64 " at '%s'\n",
		    H->history.turns[i].epoch, H->history.turns[i].seq,
		    named(S, H->history.turns[i].site, hex));
	if (H->is_primary)
		printf("primary   its signer says that it is the VM's primary now\n");
	if (H->has_handover)
		printf("handover  the VM is locked at that point, for '%s' to take over\n",
		    named(S, H->handover, hex));
	for (unsigned i = 0; i < H->nheirs; i++)
		printf("heir      '%s'\n", named(S, H->heirs[i], hex));
}

static int
print_text(const struct header *H, const struct trailer *T, const uint8_t key[RECORD_KEY], uint64_t bytes,
    struct custody_log *l)
{
	char hex[2 * RECORD_KEY + 1];

	sodium_bin2hex(hex, sizeof hex, key, RECORD_KEY);
	printf(
	    "bundle    %s, format %d, %" PRIu64 " bytes\n", header_type_text(H->type), HEADER_VERSION, bytes);
	printf("vm        %s (%s)\n", H->vm, H->uuid);
	if (H->nparts > 0)
		printf("combined  of %u parts\n", H->nparts);
	print_point("from      point ", &H->from);
	print_point("to        point ", &H->to);
	print_roles(H, l->S);
	printf("signed    by '%s' with %s\n", H->signer, hex);
	printf("contents  %s, %u targets, %" PRIu64 " segments: %" PRIu64 " bytes of data, %" PRIu64
	       " of zeroes, stored in %" PRIu64 "\n",
	    H->cipher == RECORD_CLEAR ? "in clear" : "encrypted", H->ntargets, T->segments, T->data, T->zero,
	    T->stored);
	print_definition(H, l->S);
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
	if (l->text != NULL)
		logbook_each(l->text, l->n, H->id, print_custody, l);
	return (0);
}

static int
inspect_open(struct infile *F, struct member *m, struct custody_log *l, int json)
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
	return ((json ? print_json : print_text)(H, reader_trailer(R), key, reader_position(R), l));
}

int
inspect(const char *path, const struct site *S, int json)
{
	const struct sandbox box = { .work = SANDBOX_READ };
	struct member m = { .payload = malloc(LIMIT_STORED) };
	struct custody_log l = { .S = S };
	struct infile *F;
	int rc;

	if (m.payload == NULL)
		return (say_failed("out of memory"));
	if ((rc = infile_open(&F, path)) == 0) {
		if (path != NULL && strcmp(path, "-") != 0 && logbook_beside(path, &l.text, &l.n) < 0)
			rc = -1;
		if (rc == 0 && (rc = sandbox_enter(&box)) == 0)
			rc = inspect_open(F, &m, &l, json);
		infile_close(F);
	}
	free(l.text);
	free(m.payload);
	return (rc);
}
