#include <criterion/criterion.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>

#include "bounds.h"
#include "header.h"
#include "sample.h"

static void
init(void)
{
	cr_assert(sodium_init() >= 0);
}

#define HEX4 "b1b1b1b1"
#define HEX12 HEX4 HEX4 HEX4
#define HEX16 HEX12 HEX4
#define HEX32 HEX16 HEX16

TestSuite(header, .init = init);

/* The text of H; of H's trailer if it is the trailer that a test is about. */
static char *
text_of(const struct header *H, int is_trailer, size_t *n)
{
	struct trailer T = sample_trailer(H);
	char *s = is_trailer ? trailer_encode(&T, H, n) : header_encode(H, n);

	cr_assert_not_null(s);
	cr_assert_eq(strlen(s), *n);
	return (s);
}

static const char *
decode(const struct header *H, int is_trailer, const char *s, size_t n)
{
	struct header again;
	struct trailer T;

	return (is_trailer ? trailer_decode(&T, H, s, n) : header_decode(&again, s, n));
}

/* Decode the JSON value, written as compactly as it gets. */
static const char *
decode_json(const struct header *H, int is_trailer, const json_t *o)
{
	char *s = json_dumps(o, JSON_COMPACT | JSON_ENCODE_ANY);
	const char *why;

	cr_assert_not_null(s);
	why = decode(H, is_trailer, s, strlen(s));
	free(s);
	return (why);
}

static json_t *
load(const char *s)
{
	json_error_t e;
	json_t *o = json_loads(s, JSON_DECODE_ANY, &e);

	cr_assert_not_null(o, "%s: %s", s, e.text);
	return (o);
}

/* The text of H, or of its trailer, as a JSON value. */
static json_t *
value_of(const struct header *H, int is_trailer)
{
	size_t n;
	char *s = text_of(H, is_trailer, &n);
	json_t *o = load(s);

	free(s);
	return (o);
}

/* The sample of that type as a JSON value. */
static json_t *
sample(enum bundle_type type, int is_trailer)
{
	struct header H = sample_header(type);

	return (value_of(&H, is_trailer));
}

/* Set the value at a path like "disks.0.id" to a copy of a JSON text, or delete it if that is NULL. */
static void
set(json_t *o, const char *path, const char *value)
{
	char key[64];
	const char *dot;

	while ((dot = strchr(path, '.')) != NULL) {
		snprintf(key, sizeof key, "%.*s", (int)(dot - path), path);
		o = json_is_array(o) ? json_array_get(o, (size_t)atoi(key)) : json_object_get(o, key);
		path = dot + 1;
	}
	if (json_is_array(o) && value == NULL)
		json_array_remove(o, (size_t)atoi(path));
	else if (json_is_array(o))
		json_array_set_new(o, (size_t)atoi(path), load(value));
	else if (value == NULL)
		json_object_del(o, path);
	else
		json_object_set_new(o, path, load(value));
}

Test(header, comes_back_whole)
{
	for (int t = BUNDLE_SEED; t <= BUNDLE_COMPARE; t++) {
		struct header H = sample_header((enum bundle_type)t), again;
		size_t n;
		char *s = text_of(&H, 0, &n);

		cr_assert_null(header_decode(&again, s, n), "%s", header_type_text(H.type));
		cr_expect(again.type == H.type && again.created == H.created && again.keep == H.keep);
		cr_expect(again.most == H.most && again.cipher == H.cipher && again.has_leaf_seed == 0);
		cr_expect_arr_eq(again.id, H.id, RECORD_ID);
		cr_expect_arr_eq(again.lineage, H.lineage, RECORD_ID);
		cr_expect_str_eq(again.uuid, H.uuid);
		cr_expect_str_eq(again.vm, H.vm);
		cr_expect_str_eq(again.signer, H.signer);
		cr_expect(again.from.epoch == H.from.epoch && again.from.seq == H.from.seq);
		cr_expect(again.from.time == H.from.time && again.from.kind == H.from.kind);
		cr_expect(again.to.epoch == H.to.epoch && again.to.seq == H.to.seq);
		cr_expect(again.to.time == H.to.time && again.to.kind == H.to.kind);
		cr_assert(again.ndisks == 2 && again.nexcluded == 1 && again.ntargets == 2);
		for (unsigned i = 0; i < 2; i++) {
			cr_expect_str_eq(again.disks[i].id, H.disks[i].id);
			cr_expect_eq(again.disks[i].size, H.disks[i].size);
			cr_expect_eq(again.disks[i].before_size, H.disks[i].before_size);
			cr_expect_arr_eq(again.disks[i].before, H.disks[i].before, LEAF_ROOT);
			cr_expect_arr_eq(again.targets[i].key, H.targets[i].key, RECORD_KEY);
			cr_expect_arr_eq(again.targets[i].seal, H.targets[i].seal, HEADER_SEAL);
		}
		cr_expect(again.has_of == H.has_of && again.has_against == 0 && again.nparts == 0);
		cr_assert_eq(again.history.n, 1u);
		cr_expect(again.history.turns[0].epoch == 2 && again.history.turns[0].seq == 9);
		cr_expect_arr_eq(again.history.turns[0].site, H.targets[1].key, RECORD_KEY);
		cr_assert_eq(again.nheirs, 1u);
		cr_expect_arr_eq(again.heirs[0], H.heirs[0], RECORD_KEY);
		cr_expect(again.is_primary == H.is_primary && again.has_handover == 0);
		cr_expect(again.has_wishes == H.has_wishes && again.wishes.frequency == H.wishes.frequency);
		cr_expect(again.wishes.level == H.wishes.level && again.wishes.is_plain == 0);
		cr_expect(again.definition.is_known == H.definition.is_known &&
		          again.definition.size == H.definition.size);
		cr_expect_arr_eq(again.definition.digest, H.definition.digest, HEADER_DIGEST);
		cr_expect_arr_eq(again.definition.sealed, H.definition.sealed, LIMIT_SEALED);
		cr_expect_arr_eq(again.of, H.of, RECORD_ID);
		cr_expect_str_eq(again.excluded[0].id, H.excluded[0].id);
		cr_expect_eq(again.excluded[0].size, H.excluded[0].size);
		free(s);
	}
}

Test(header, of_a_combined_delta_comes_back_whole)
{
	struct header H = sample_combined(), again;
	size_t n;
	char *s = text_of(&H, 0, &n);

	cr_assert_null(header_decode(&again, s, n));
	cr_expect_eq(again.has_against, 1);
	cr_expect_arr_eq(again.against, H.against, RECORD_ID);
	cr_assert_eq(again.nparts, 3u);
	for (unsigned i = 0; i < 3; i++) {
		const struct header_part *p = &H.parts[i], *q = &again.parts[i];

		cr_expect_arr_eq(q->id, p->id, RECORD_ID);
		cr_expect_eq(q->cipher, p->cipher);
		cr_assert_eq(q->ntargets, p->ntargets);
		for (unsigned k = 0; k < p->ntargets; k++) {
			cr_expect_arr_eq(q->targets[k].key, p->targets[k].key, RECORD_KEY);
			cr_expect_arr_eq(q->targets[k].seal, p->targets[k].seal, HEADER_SEAL);
		}
	}
	free(s);
}

Test(header, says_what_a_bundle_of_each_type_carries)
{
	for (int t = BUNDLE_SEED; t <= BUNDLE_COMPARE; t++) {
		struct header H = sample_header((enum bundle_type)t);

		cr_expect_eq(header_leads(H.type), t <= BUNDLE_UNDO, "%s", header_type_text(H.type));
		cr_expect_eq(header_has_blobs(&H), t >= BUNDLE_REQUEST, "%s", header_type_text(H.type));
		H.nparts = 1;
		cr_expect(header_has_blobs(&H));
	}
}

Test(header, holds_the_definition_to_its_form)
{
	static const char *const bad[] = { "null", "[]", "{}", "{\"digest\":\"de\"}",
		"{\"digest\":\"" HEX32 "\",\"sealed\":\"\"}", "{\"digest\":\"" HEX32 "\",\"sealed\":\"Xl5\"}",
		"{\"digest\":\"" HEX32 "\",\"sealed\":\"Xl5=\"}",
		"{\"digest\":\"" HEX32 "\",\"sealed\":\"Xl 4\"}",
		"{\"digest\":\"" HEX32 "\",\"sealed\":\"Xl5e\",\"part\":0}",
		"{\"digest\":\"" HEX32 "\",\"more\":1}" };
	struct header H = sample_header(BUNDLE_SEED);
	json_t *o = sample(BUNDLE_SEED, 0);

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		set(o, "definition", bad[i]);
		cr_expect_not_null(decode_json(&H, 0, o), "%s", bad[i]);
	}
	set(o, "definition", "{\"digest\":\"" HEX32 "\"}");
	cr_expect_null(decode_json(&H, 0, o));
	set(o, "definition", "{\"digest\":\"" HEX32 "\",\"sealed\":\"Xl5e\"}");
	cr_expect_null(decode_json(&H, 0, o));
	json_decref(o);
	o = sample(BUNDLE_RECEIPT, 0);
	set(o, "definition", "{\"digest\":\"" HEX32 "\"}");
	H = sample_header(BUNDLE_RECEIPT);
	cr_expect_not_null(decode_json(&H, 0, o));
	json_decref(o);
}

Test(header, of_a_combined_delta_says_of_which_part_the_definition_is)
{
	struct header H = sample_combined(), again;
	size_t n;
	char *s;
	json_t *o;

	H.definition.size = 40;
	H.definition.part = 2;
	s = text_of(&H, 0, &n);
	cr_expect_null(header_decode(&again, s, n));
	cr_expect(again.definition.part == 2 && again.definition.size == 40);
	o = load(s);
	free(s);
	set(o, "definition.part", "3");
	cr_expect_not_null(decode_json(&H, 0, o));
	set(o, "definition.part", NULL);
	cr_expect_not_null(decode_json(&H, 0, o));
	json_decref(o);
}

/* As much as there may be; one byte more is refused. */
Test(header, carries_a_definition_of_the_longest_and_none_longer)
{
	struct header H = sample_header(BUNDLE_SEED), again;
	char text[sodium_base64_ENCODED_LEN(LIMIT_SEALED + 3, sodium_base64_VARIANT_ORIGINAL) + 2];
	static uint8_t more[LIMIT_SEALED + 1];
	size_t n;
	char *s;
	json_t *o;

	H.definition.size = LIMIT_SEALED;
	s = text_of(&H, 0, &n);
	cr_expect_null(header_decode(&again, s, n));
	cr_expect_eq(again.definition.size, LIMIT_SEALED);
	o = load(s);
	free(s);
	sodium_bin2base64(text, sizeof text, more, sizeof more, sodium_base64_VARIANT_ORIGINAL);
	json_object_set_new(json_object_get(o, "definition"), "sealed", json_string(text));
	cr_expect_not_null(decode_json(&H, 0, o));
	json_decref(o);
}

Test(header, in_clear_brings_its_leaf_seed)
{
	struct header H = sample_header(BUNDLE_SEED), again;
	size_t n;
	char *s;

	H.cipher = RECORD_CLEAR;
	H.ntargets = H.nexcluded = 0;
	H.has_leaf_seed = 1;
	memset(H.leaf_seed, 0x99, LEAF_SEED);
	s = text_of(&H, 0, &n);
	cr_expect_null(header_decode(&again, s, n));
	cr_expect(again.has_leaf_seed && again.cipher == RECORD_CLEAR && again.ntargets == 0);
	cr_expect_arr_eq(again.leaf_seed, H.leaf_seed, LEAF_SEED);
	free(s);
}

Test(header, trailer_comes_back_whole)
{
	for (int t = BUNDLE_SEED; t <= BUNDLE_COMPARE; t++) {
		struct header H = sample_header((enum bundle_type)t);
		struct trailer T = sample_trailer(&H), again;
		size_t n;
		char *s = text_of(&H, 1, &n);

		cr_assert_null(trailer_decode(&again, &H, s, n));
		cr_expect(again.segments == T.segments && again.data == T.data && again.zero == T.zero);
		cr_expect(again.stored == T.stored && again.volumes == T.volumes && again.ndisks == T.ndisks);
		for (unsigned i = 0; i < T.ndisks; i++)
			cr_expect_arr_eq(again.root[i], T.root[i], LEAF_ROOT);
		free(s);
	}
}

/* Fill H with as much as there may be of everything, all different and as long as they get. */
static void
fill(struct header *H)
{
	memset(H->vm, 'v', LIMIT_NAME);
	memset(H->signer, 's', LIMIT_NAME);
	H->from.epoch = H->to.epoch = LIMIT_SEQ;
	for (unsigned i = 0; i < HISTORY_TURNS; i++)
		history_turn(
		    &H->history, LIMIT_SEQ - HISTORY_TURNS + 1 + i, LIMIT_SEQ - 1, H->targets[0].key);
	H->nheirs = LIMIT_TARGETS;
	H->to.kind = POINT_FINAL;
	H->has_handover = 1;
	H->to.seq = LIMIT_SEQ;
	H->from.seq = LIMIT_SEQ - 1;
	H->keep = LIMIT_POINTS;
	H->most = LIMIT_DISKS * LIMIT_DISK_SIZE;
	H->ndisks = H->nexcluded = LIMIT_DISKS;
	H->ntargets = LIMIT_TARGETS;
	for (unsigned i = 0; i < LIMIT_DISKS; i++) {
		snprintf(H->disks[i].id, sizeof H->disks[i].id, "%064u", i);
		snprintf(H->excluded[i].id, sizeof H->excluded[i].id, "%064u", 1000 + i);
		H->disks[i].size = H->disks[i].before_size = H->excluded[i].size = LIMIT_DISK_SIZE;
	}
}

Test(header, with_all_that_the_limits_allow_still_fits)
{
	struct header H = sample_header(BUNDLE_DELTA), again;
	size_t n;
	char *s;

	fill(&H);
	s = text_of(&H, 0, &n);
	cr_expect_leq(n, LIMIT_JSON);
	cr_expect_null(header_decode(&again, s, n));
	cr_expect(
	    again.ndisks == LIMIT_DISKS && again.nexcluded == LIMIT_DISKS && again.ntargets == LIMIT_TARGETS);
	free(s);
	s = text_of(&H, 1, &n);
	cr_expect_leq(n, LIMIT_JSON);
	cr_expect_null(decode(&H, 1, s, n));
	free(s);
}

Test(header, of_adopted_disks_that_are_compared_names_no_point)
{
	struct header H = sample_header(BUNDLE_COMPARE), again;
	size_t n;
	char *s;

	H.to.seq = H.from.seq = 0;
	s = text_of(&H, 0, &n);
	cr_expect_null(header_decode(&again, s, n));
	cr_expect(again.to.seq == 0 && again.from.seq == 0);
	free(s);
}

/* The largest part that there can be is larger than a header; as many parts as there can be fit, for one site. */
Test(header, of_all_the_parts_fits_or_is_refused_for_its_length)
{
	struct header H = sample_combined(), again;
	size_t n;
	char *s;

	H.nparts = LIMIT_PARTS;
	for (unsigned i = 0; i < LIMIT_PARTS; i++) {
		memset(H.parts[i].id, (int)i, RECORD_ID);
		H.parts[i].cipher = RECORD_XCHACHA20POLY1305;
		H.parts[i].ntargets = 1;
	}
	s = text_of(&H, 0, &n);
	cr_expect_null(header_decode(&again, s, n));
	cr_expect_eq(again.nparts, LIMIT_PARTS);
	free(s);
	for (unsigned i = 0; i < LIMIT_PARTS; i++)
		H.parts[i].ntargets = LIMIT_TARGETS;
	cr_expect_null(header_encode(&H, &n));
}

/* Give each array one member more than it may have. */
Test(header, with_more_than_the_limits_allow_is_refused)
{
	static const char *const arrays[] = { "disks", "excluded", "targets", "parts" };
	struct header H = sample_header(BUNDLE_DELTA);
	size_t n;

	fill(&H);
	for (unsigned i = 0; i < LIMIT_PARTS; i++)
		H.parts[i].cipher = RECORD_CLEAR;
	H.nparts = LIMIT_PARTS;
	for (unsigned i = 0; i < 4; i++) {
		char *s = text_of(&H, 0, &n);
		json_t *o = load(s), *a = json_object_get(o, arrays[i]),
		       *more = json_deep_copy(json_array_get(a, 0));

		if (i < 2)
			json_object_set_new(more, "id", json_string("one-more"));
		cr_expect_null(decode_json(&H, 0, o), "%s", arrays[i]);
		json_array_append_new(a, more);
		cr_expect_not_null(decode_json(&H, 0, o), "%s", arrays[i]);
		json_decref(o);
		free(s);
	}
}

/* A change to a sample of a type, which must be taken or refused. */
struct change {
	enum bundle_type type;
	int valid;
	const char *path, *value;
};

static void
expect_changes(const struct change *c, size_t n, int is_trailer)
{
	for (size_t i = 0; i < n; i++) {
		struct header H = sample_header(c[i].type);
		json_t *o = sample(c[i].type, is_trailer);

		set(o, c[i].path, c[i].value);
		cr_expect_eq(decode_json(&H, is_trailer, o) == NULL, c[i].valid, "row %zu: %s = %s", i,
		    c[i].path, c[i].value == NULL ? "(missing)" : c[i].value);
		json_decref(o);
	}
}

Test(header, an_excluded_disk_may_have_been_replicated_before)
{
	struct header H = sample_header(BUNDLE_DELTA);
	json_t *o = sample(BUNDLE_DELTA, 0);

	set(o, "excluded.0.id", "\"root\"");
	cr_expect_not_null(decode_json(&H, 0, o));
	set(o, "disks.0.size", "0");
	cr_expect_null(decode_json(&H, 0, o));
	/* But two disks do not share an id, whatever is left of them. */
	set(o, "disks.1.id", "\"root\"");
	cr_expect_not_null(decode_json(&H, 0, o));
	json_decref(o);
}

/* The same, of a combined delta. */
static void
expect_combined(const struct change *c, size_t n)
{
	struct header H = sample_combined();

	for (size_t i = 0; i < n; i++) {
		json_t *o = value_of(&H, 0);

		set(o, c[i].path, c[i].value);
		cr_expect_eq(decode_json(&H, 0, o) == NULL, c[i].valid, "row %zu: %s = %s", i, c[i].path,
		    c[i].value == NULL ? "(missing)" : c[i].value);
		json_decref(o);
	}
}

#define POINT(epoch, seq) \
	"{\"epoch\":" epoch ",\"seq\":" seq ",\"time\":\"2026-03-01T12:00:00Z\",\"kind\":\"app\"}"

Test(header, holds_each_field_to_its_range)
{
	static const struct change rows[] = {
		{ BUNDLE_DELTA, 0, "format", "0" },
		{ BUNDLE_DELTA, 0, "format", "2" },
		{ BUNDLE_DELTA, 0, "format", "4294967297" },
		{ BUNDLE_DELTA, 0, "type", "\"delta \"" },
		{ BUNDLE_DELTA, 0, "type", "\"\"" },
		{ BUNDLE_DELTA, 1, "id", "\"" HEX16 "\"" },
		{ BUNDLE_DELTA, 0, "id", "\"" HEX12 "\"" },
		{ BUNDLE_DELTA, 0, "id", "\"" HEX16 "b1\"" },
		{ BUNDLE_DELTA, 0, "id", "\"" HEX12 "B1b1b1b1\"" },
		{ BUNDLE_DELTA, 0, "id", "\"" HEX12 "b1b1b1b \"" },
		{ BUNDLE_DELTA, 0, "lineage", "\"" HEX12 "b1b1b1bg\"" },
		{ BUNDLE_DELTA, 0, "vm.uuid", "\"0C5D9A34-7a1f-4a55-9d3c-3f6a2b1e0d77\"" },
		{ BUNDLE_DELTA, 0, "vm.name", "\"../x\"" },
		{ BUNDLE_DELTA, 0, "vm.name", "\"a\\u001b[2J\"" },
		{ BUNDLE_DELTA, 0, "vm.name", "\"\"" },
		{ BUNDLE_DELTA, 0, "signer", "\"-x\"" },
		{ BUNDLE_DELTA, 0, "created", "\"2026-02-30T00:00:00Z\"" },
		{ BUNDLE_DELTA, 0, "created", "1772366400" },
		{ BUNDLE_DELTA, 1, "keep", "1" },
		{ BUNDLE_DELTA, 1, "keep", "1000" },
		{ BUNDLE_DELTA, 0, "keep", "0" },
		{ BUNDLE_DELTA, 0, "keep", "1001" },
		{ BUNDLE_DELTA, 0, "keep", "4294967297" },
		{ BUNDLE_DELTA, 1, "most", "0" },
		{ BUNDLE_DELTA, 1, "most", "4503599627370496" },
		{ BUNDLE_DELTA, 0, "most", "4503599627370497" },
		{ BUNDLE_DELTA, 0, "cipher", "\"aes\"" },
		{ BUNDLE_DELTA, 1, "cipher", "\"none\"" },
		{ BUNDLE_DELTA, 0, "leaf_seed", "\"" HEX16 HEX16 "\"" },
		{ BUNDLE_DELTA, 0, "leaf_seed", "\"\"" },
		{ BUNDLE_DELTA, 0, "targets", "[]" },
		{ BUNDLE_DELTA, 0, "targets.0.seal", "\"" HEX16 "\"" },
		{ BUNDLE_DELTA, 0, "targets.0.site", "\"" HEX16 "\"" },
		{ BUNDLE_DELTA, 0, "disks", "[]" },
		{ BUNDLE_DELTA, 0, "disks.1.id", "\"root\"" },
		{ BUNDLE_DELTA, 0, "disks.1.id", "\"swap\"" },
		{ BUNDLE_DELTA, 0, "disks.1.id", "\"a/b\"" },
		{ BUNDLE_DELTA, 0, "excluded.0.id", "\"root\"" },
		{ BUNDLE_DELTA, 0, "excluded.0.size", "70368744177665" },
		{ BUNDLE_DELTA, 1, "disks.0.size", "512" },
		{ BUNDLE_DELTA, 1, "disks.0.size", "70368744177664" },
		{ BUNDLE_DELTA, 0, "disks.0.size", "70368744178176" },
		{ BUNDLE_DELTA, 1, "disks.0.size", "0" },
		{ BUNDLE_DELTA, 0, "disks.0.size", "513" },
		{ BUNDLE_DELTA, 1, "disks.0.before_size", "0" },
		{ BUNDLE_DELTA, 0, "disks.0.before_size", "513" },
		{ BUNDLE_DELTA, 0, "disks.0.before_size", "70368744178176" },
		{ BUNDLE_DELTA, 0, "disks.0.before_root", "\"" HEX12 "\"" },
		{ BUNDLE_DELTA, 0, "to.epoch", "0" },
		{ BUNDLE_DELTA, 0, "to.seq", "0" },
		{ BUNDLE_DELTA, 1, "to.seq", "281474976710656" },
		{ BUNDLE_DELTA, 0, "to.seq", "281474976710657" },
		{ BUNDLE_DELTA, 0, "to.kind", "\"other\"" },
		{ BUNDLE_DELTA, 0, "to.time", "\"1969-12-31T23:59:59Z\"" },
	};

	expect_changes(rows, sizeof rows / sizeof rows[0], 0);
}

#define TURN(epoch, seq) "{\"epoch\":" epoch ",\"seq\":" seq ",\"site\":\"" HEX16 HEX16 "\"}"

Test(header, is_held_to_what_it_says_of_roles)
{
	static const struct change rows[] = {
		{ BUNDLE_DELTA, 0, "history", NULL },
		{ BUNDLE_DELTA, 0, "history", "{}" },
		{ BUNDLE_DELTA, 0, "history", "[1]" },
		{ BUNDLE_DELTA, 1, "history", "[" TURN("2", "16") "]" },
		{ BUNDLE_DELTA, 0, "history", "[" TURN("1", "16") "]" },
		{ BUNDLE_DELTA, 1, "history", "[" TURN("2", "0") "]" },
		{ BUNDLE_DELTA, 0, "history", "[" TURN("3", "9") "]" },
		{ BUNDLE_DELTA, 0, "history", "[" TURN("2", "9") "," TURN("2", "9") "]" },
		{ BUNDLE_RECEIPT, 1, "history", "[" TURN("2", "9") "," TURN("3", "9") "]" },
		{ BUNDLE_RECEIPT, 0, "history", "[" TURN("2", "9") "," TURN("3", "8") "]" },
		{ BUNDLE_RECEIPT, 1, "history", NULL },
		{ BUNDLE_RECEIPT, 0, "role", "\"replica\"" },
		{ BUNDLE_RECEIPT, 0, "role", "1" },
		{ BUNDLE_DELTA, 0, "role", "\"primary\"" },
		{ BUNDLE_DELTA, 0, "handover", "\"" HEX16 HEX16 "\"" }, /* the point is not final */
		{ BUNDLE_DELTA, 0, "heirs", "{}" },
		{ BUNDLE_DELTA, 1, "heirs", "[]" },
		{ BUNDLE_DELTA, 0, "heirs.0.site", "\"" HEX16 "\"" },
		{ BUNDLE_DELTA, 1, "wishes", NULL },
		{ BUNDLE_DELTA, 0, "wishes", "[]" },
		{ BUNDLE_DELTA, 0, "wishes.frequency", "-1" },
		{ BUNDLE_DELTA, 0, "wishes.compress", "\"zip\"" },
		{ BUNDLE_DELTA, 0, "wishes.plain", "0" },
	};

	expect_changes(rows, sizeof rows / sizeof rows[0], 0);
}

Test(header, of_a_final_point_may_hand_over)
{
	struct header H = sample_header(BUNDLE_DELTA), again;
	size_t n;
	char *s;

	H.to.kind = POINT_FINAL;
	H.has_handover = 1;
	memset(H.handover, 0x51, RECORD_KEY);
	s = text_of(&H, 0, &n);
	cr_assert_null(header_decode(&again, s, n));
	cr_expect(again.has_handover);
	cr_expect_arr_eq(again.handover, H.handover, RECORD_KEY);
	free(s);
}

Test(header, holds_each_type_to_its_points)
{
	static const struct change rows[] = {
		{ BUNDLE_SEED, 0, "from", POINT("2", "16") },
		{ BUNDLE_SEED, 0, "disks.0.before_size", "512" },
		{ BUNDLE_SEED, 0, "disks.0.before_root", "\"" HEX16 "\"" },
		{ BUNDLE_SEED, 0, "type", "\"delta\"" },
		{ BUNDLE_DELTA, 0, "from", NULL },
		{ BUNDLE_DELTA, 0, "type", "\"seed\"" },
		{ BUNDLE_DELTA, 0, "type", "\"undo\"" },
		{ BUNDLE_DELTA, 1, "from", POINT("2", "1") },
		{ BUNDLE_DELTA, 0, "from", POINT("2", "17") },
		{ BUNDLE_DELTA, 0, "from", POINT("2", "18") },
		{ BUNDLE_DELTA, 1, "from", POINT("1", "16") },
		{ BUNDLE_DELTA, 0, "from", POINT("3", "16") },
		{ BUNDLE_DELTA, 0, "from", POINT("0", "16") },
		{ BUNDLE_DELTA, 0, "from", POINT("2", "0") },
		{ BUNDLE_UNDO, 0, "from", NULL },
		{ BUNDLE_UNDO, 0, "type", "\"delta\"" },
		{ BUNDLE_UNDO, 0, "from", POINT("2", "17") },
		{ BUNDLE_UNDO, 1, "from", POINT("2", "99") },
		{ BUNDLE_UNDO, 1, "from", POINT("3", "18") },
		{ BUNDLE_UNDO, 0, "from", POINT("1", "18") },
		{ BUNDLE_RECEIPT, 1, "from", POINT("1", "99") },
		{ BUNDLE_RECEIPT, 0, "from", POINT("2", "0") },
		{ BUNDLE_RECEIPT, 0, "to", NULL },
		{ BUNDLE_REQUEST, 0, "to", NULL },
		{ BUNDLE_REQUEST, 1, "from", POINT("1", "99") },
		{ BUNDLE_REQUEST, 0, "from", NULL },
		{ BUNDLE_REPAIR, 0, "to", NULL },
		{ BUNDLE_REPAIR, 1, "from", POINT("2", "17") },
		{ BUNDLE_COMPARE, 0, "to", NULL },
		{ BUNDLE_COMPARE, 0, "to", "null" },
		{ BUNDLE_COMPARE, 0, "from", NULL },
		{ BUNDLE_COMPARE, 1, "from", POINT("2", "17") },
		{ BUNDLE_COMPARE, 0, "from", POINT("2", "16") },
		{ BUNDLE_COMPARE, 0, "from", POINT("1", "17") },
		{ BUNDLE_COMPARE, 1, "disks.0.before_size", "512" },
		{ BUNDLE_SEED, 0, "to", NULL },
		{ BUNDLE_DELTA, 0, "to", NULL },
	};

	expect_changes(rows, sizeof rows / sizeof rows[0], 0);
}

Test(header, names_the_bundle_that_it_concerns_where_there_is_one)
{
	static const struct change rows[] = {
		{ BUNDLE_SEED, 0, "of", "\"" HEX16 "\"" },
		{ BUNDLE_DELTA, 0, "of", "\"" HEX16 "\"" },
		{ BUNDLE_UNDO, 0, "of", "\"" HEX16 "\"" },
		{ BUNDLE_RECEIPT, 0, "of", "\"" HEX16 "\"" },
		{ BUNDLE_COMPARE, 0, "of", "\"" HEX16 "\"" },
		{ BUNDLE_REQUEST, 1, "of", "\"" HEX16 "\"" },
		{ BUNDLE_REQUEST, 0, "of", "\"" HEX12 "\"" },
		{ BUNDLE_REQUEST, 0, "of", NULL },
		{ BUNDLE_REPAIR, 1, "of", "\"" HEX16 "\"" },
		{ BUNDLE_REPAIR, 0, "of", "\"" HEX16 "b1\"" },
		{ BUNDLE_REPAIR, 0, "of", NULL },
		{ BUNDLE_SEED, 1, "against", "\"" HEX16 "\"" },
		{ BUNDLE_SEED, 0, "against", "\"" HEX12 "\"" },
		{ BUNDLE_DELTA, 1, "against", "\"" HEX16 "\"" },
		{ BUNDLE_DELTA, 0, "against", "\"\"" },
		{ BUNDLE_DELTA, 0, "against", "null" },
		{ BUNDLE_UNDO, 0, "against", "\"" HEX16 "\"" },
		{ BUNDLE_RECEIPT, 0, "against", "\"" HEX16 "\"" },
		{ BUNDLE_REQUEST, 0, "against", "\"" HEX16 "\"" },
		{ BUNDLE_REPAIR, 0, "against", "\"" HEX16 "\"" },
		{ BUNDLE_COMPARE, 0, "against", "\"" HEX16 "\"" },
	};

	expect_changes(rows, sizeof rows / sizeof rows[0], 0);
}

#define PART "{\"id\":\"" HEX16 "\",\"cipher\":\"none\",\"targets\":[]}"

Test(header, of_a_delta_alone_has_parts)
{
	static const struct change rows[] = {
		{ BUNDLE_DELTA, 1, "parts", "[" PART "]" },
		{ BUNDLE_DELTA, 0, "parts", "[]" },
		{ BUNDLE_DELTA, 0, "parts", "{}" },
		{ BUNDLE_DELTA, 0, "parts", "null" },
		{ BUNDLE_SEED, 0, "parts", "[" PART "]" },
		{ BUNDLE_UNDO, 0, "parts", "[" PART "]" },
		{ BUNDLE_RECEIPT, 0, "parts", "[" PART "]" },
		{ BUNDLE_REQUEST, 0, "parts", "[" PART "]" },
		{ BUNDLE_REPAIR, 0, "parts", "[" PART "]" },
		{ BUNDLE_COMPARE, 0, "parts", "[" PART "]" },
	};
	static const struct change combined[] = {
		{ BUNDLE_DELTA, 1, "parts", NULL },
		{ BUNDLE_DELTA, 1, "against", NULL },
		{ BUNDLE_DELTA, 1, "parts.2", NULL },
		{ BUNDLE_DELTA, 0, "parts.0.id", "\"" HEX12 "\"" },
		{ BUNDLE_DELTA, 0, "parts.2.cipher", "\"aes\"" },
		{ BUNDLE_DELTA, 1, "parts.2.cipher", "\"none\"" },
		{ BUNDLE_DELTA, 0, "parts.1.cipher", "\"xchacha20poly1305\"" },
		{ BUNDLE_DELTA, 0, "parts.0.targets", "[]" },
		{ BUNDLE_DELTA, 0, "parts.0.targets.0.site", "\"" HEX16 "\"" },
		{ BUNDLE_DELTA, 0, "parts.2.targets.2.seal", "\"" HEX16 "\"" },
		{ BUNDLE_DELTA, 0, "parts.2.targets.2.new", "1" },
		{ BUNDLE_DELTA, 0, "parts.1.new", "1" },
		{ BUNDLE_DELTA, 0, "parts.1.parts", "[]" },
	};

	expect_changes(rows, sizeof rows / sizeof rows[0], 0);
	expect_combined(combined, sizeof combined / sizeof combined[0]);
}

Test(header, refuses_unknown_incompatible_features_and_passes_over_compatible_ones)
{
	static const struct change rows[] = {
		{ BUNDLE_DELTA, 0, "incompatible", "[\"x\"]" },
		{ BUNDLE_DELTA, 0, "incompatible", "[0]" },
		{ BUNDLE_DELTA, 0, "incompatible", "[null]" },
		{ BUNDLE_DELTA, 1, "compatible", "[\"x\"]" },
		{ BUNDLE_DELTA, 1, "new", "{\"a\":[1,null,{}]}" },
		{ BUNDLE_DELTA, 0, "vm.new", "1" },
		{ BUNDLE_DELTA, 0, "from.new", "1" },
		{ BUNDLE_DELTA, 0, "to.new", "1" },
		{ BUNDLE_DELTA, 0, "disks.1.new", "1" },
		{ BUNDLE_DELTA, 0, "excluded.0.new", "1" },
		{ BUNDLE_DELTA, 0, "targets.1.new", "1" },
	};

	expect_changes(rows, sizeof rows / sizeof rows[0], 0);
}

Test(header, holds_its_trailer_to_its_disks)
{
	static const struct change rows[] = {
		{ BUNDLE_DELTA, 1, "new", "1" },
		{ BUNDLE_DELTA, 0, "volumes", "0" },
		{ BUNDLE_DELTA, 1, "volumes", "1" },
		{ BUNDLE_DELTA, 1, "volumes", "65536" },
		{ BUNDLE_DELTA, 0, "volumes", "65537" },
		{ BUNDLE_DELTA, 0, "volumes", "4294967297" },
		{ BUNDLE_DELTA, 1, "segments", "0" },
		{ BUNDLE_DELTA, 0, "segments", "9223372036854775807" },
		{ BUNDLE_DELTA, 0, "disks", "[]" },
		{ BUNDLE_DELTA, 0, "disks.1", NULL },
		{ BUNDLE_DELTA, 0, "disks.0.id", "\"data.1\"" },
		{ BUNDLE_DELTA, 0, "disks.0.root", "\"" HEX12 "\"" },
		{ BUNDLE_DELTA, 0, "disks.0.root", "\"" HEX16 "b1\"" },
		{ BUNDLE_RECEIPT, 0, "disks", "[{\"id\":\"root\",\"root\":\"" HEX16 "\"}]" },
		{ BUNDLE_REQUEST, 0, "disks", "[{\"id\":\"root\",\"root\":\"" HEX16 "\"}]" },
		{ BUNDLE_REPAIR, 0, "disks", "[{\"id\":\"root\",\"root\":\"" HEX16 "\"}]" },
		{ BUNDLE_COMPARE, 0, "disks", "[{\"id\":\"root\",\"root\":\"" HEX16 "\"}]" },
	};

	expect_changes(rows, sizeof rows / sizeof rows[0], 1);
}

/*
 * Put each wrong value in the place of v, which is at key or index in parent, and see the whole refused; then
 * do the same for all that v holds.
 */
static void
spoil(const struct header *H, int is_trailer, json_t *root, json_t *parent, const char *key, size_t index)
{
	static const char *const wrong[] = { "null", "true", "-1", "1.5", "1e300", "\"\"", "\"x\"", "[[]]",
		"{\"x\":1}" };
	json_t *v = key != NULL ? json_object_get(parent, key) : json_array_get(parent, index), *child;
	const char *k;
	size_t i;

	json_incref(v);
	for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		json_t *w = load(wrong[i]);

		/* A name may well be "x", yes and no are both a wish, and nothing is asked of what is "compatible". */
		if (!(json_is_string(v) && json_is_string(w)) && !(json_is_array(v) && json_is_array(w)) &&
		    !(json_is_boolean(v) && json_is_boolean(w))) {
			if (key != NULL)
				json_object_set(parent, key, w);
			else
				json_array_set(parent, index, w);
			cr_expect_not_null(decode_json(H, is_trailer, root), "%s (%zu) = %s", key ? key : "",
			    index, wrong[i]);
		}
		json_decref(w);
	}
	if (key != NULL)
		json_object_set(parent, key, v);
	else
		json_array_set(parent, index, v);
	if (json_is_object(v))
		json_object_foreach (v, k, child)
			spoil(H, is_trailer, root, v, k, 0);
	json_array_foreach (v, i, child)
		spoil(H, is_trailer, root, v, NULL, i);
	json_decref(v);
}

/* Of each type, and behind them, at one more, of a combined delta. */
static struct header
sample_at(int t)
{
	return (t <= BUNDLE_COMPARE ? sample_header((enum bundle_type)t) : sample_combined());
}

Test(header, refuses_each_field_of_a_wrong_kind)
{
	for (int t = BUNDLE_SEED; t <= BUNDLE_COMPARE + 1; t++)
		for (int is_trailer = 0; is_trailer < 2; is_trailer++) {
			struct header H = sample_at(t);
			json_t *root = json_pack("[o]", value_of(&H, is_trailer)),
			       *o = json_array_get(root, 0), *v;
			const char *key;

			json_object_foreach (o, key, v)
				spoil(&H, is_trailer, o, o, key, 0);
			cr_expect_null(decode_json(&H, is_trailer, o), "and as it was");
			json_decref(root);
		}
}

/* May a header do without it?  A history is needed by what leads to a point of a later epoch than the first. */
static int
may_be_missing(const struct header *H, const char *key)
{
	static const char *const keys[] = { "parts", "against", "heirs", "wishes", "role", "definition",
		"sealed" };

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strcmp(key, keys[i]) == 0)
			return (1);
	return (strcmp(key, "history") == 0 && H->type != BUNDLE_SEED && H->type != BUNDLE_DELTA);
}

/* Delete each key at any depth. */
static void
expect_all_needed(const struct header *H, int is_trailer, json_t *root, json_t *o)
{
	json_t *copy = json_deep_copy(o), *v;
	const char *key;
	size_t i;

	if (json_is_object(o))
		json_object_foreach (copy, key, v) {
			json_t *was = json_incref(json_object_get(o, key));
			int is_needed = !may_be_missing(H, key);

			json_object_del(o, key);
			cr_expect_eq(decode_json(H, is_trailer, root) != NULL, is_needed, "%s", key);
			json_object_set_new(o, key, was);
			expect_all_needed(H, is_trailer, root, was);
		}
	json_array_foreach (o, i, v)
		expect_all_needed(H, is_trailer, root, v);
	json_decref(copy);
}

Test(header, refuses_each_field_missing)
{
	for (int t = BUNDLE_SEED; t <= BUNDLE_COMPARE + 1; t++)
		for (int is_trailer = 0; is_trailer < 2; is_trailer++) {
			struct header H = sample_at(t);
			json_t *o = value_of(&H, is_trailer);

			expect_all_needed(&H, is_trailer, o, o);
			cr_expect_null(decode_json(&H, is_trailer, o), "and as it was");
			json_decref(o);
		}
}

Test(header, refuses_a_text_cut_at_any_byte_or_with_anything_behind)
{
	for (int is_trailer = 0; is_trailer < 2; is_trailer++) {
		struct header H = sample_header(BUNDLE_DELTA);
		size_t n;
		char *s = text_of(&H, is_trailer, &n);

		cr_assert_eq(s[n - 1], '\n');
		for (size_t cut = 0; cut < n - 1; cut++)
			cr_expect_not_null(decode(&H, is_trailer, s, cut), "cut at %zu", cut);
		for (int c = 0; c < 256; c++) {
			s[n - 1] = (char)c;
			cr_expect_eq(decode(&H, is_trailer, s, n) == NULL,
			    c != 0 && strchr(" \t\r\n", c) != NULL, "byte %d behind", c);
		}
		free(s);
	}
}

Test(header, refuses_a_text_longer_than_the_limit)
{
	char *big = malloc(LIMIT_JSON + 1);

	cr_assert_not_null(big);
	for (int is_trailer = 0; is_trailer < 2; is_trailer++) {
		struct header H = sample_header(BUNDLE_DELTA);
		size_t n;
		char *s = text_of(&H, is_trailer, &n);

		memset(big, ' ', LIMIT_JSON + 1);
		memcpy(big, s, n);
		cr_expect_null(decode(&H, is_trailer, big, LIMIT_JSON));
		cr_expect_not_null(decode(&H, is_trailer, big, LIMIT_JSON + 1));
		free(s);
	}
	free(big);
}

Test(header, refuses_what_two_readers_could_read_in_two_ways)
{
	static const char *const bad[] = { "", "[]", "null", "1", "\"x\"", "{}", "{} {}", "{\"format\":1}",
		"{\"format\":1,\"format\":1}", "\xef\xbb\xbf{}", "{\"a\":\"\\u0000\"}", "{\"a\":\"\xff\"}",
		"{'a':1}", "{\"a\":01}", "{\"a\":1,}", "{\"a\":99999999999999999999}" };
	struct header H = sample_header(BUNDLE_DELTA);

	for (int is_trailer = 0; is_trailer < 2; is_trailer++) {
		size_t n;
		char *s = text_of(&H, is_trailer, &n), twice[8192];

		for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
			cr_expect_not_null(decode(&H, is_trailer, bad[i], strlen(bad[i])), "%s", bad[i]);
		s[0] = ' ';
		snprintf(twice, sizeof twice, "{\"new\":1,%s", s);
		cr_expect_null(decode(&H, is_trailer, twice, strlen(twice)), "an unknown key");
		snprintf(twice, sizeof twice, "{\"disks\":[],%s", s);
		cr_expect_not_null(decode(&H, is_trailer, twice, strlen(twice)), "a key that comes twice");
		free(s);
	}
}

Test(header, refuses_nesting_without_end)
{
	struct header H = sample_header(BUNDLE_DELTA);
	char *deep = malloc(LIMIT_JSON);

	cr_assert_not_null(deep);
	memset(deep, '[', LIMIT_JSON);
	cr_expect_not_null(decode(&H, 0, deep, LIMIT_JSON));
	cr_expect_not_null(decode(&H, 1, deep, LIMIT_JSON));
	free(deep);
}

static unsigned long until_failure;

/* Fail once, when the count comes to zero. */
static void *
failing_malloc(size_t n)
{
	return (until_failure != 0 && --until_failure == 0 ? NULL : malloc(n));
}

Test(header, is_encoded_whole_or_not_at_all_when_an_allocation_fails)
{
	for (int is_trailer = 0; is_trailer < 2; is_trailer++) {
		struct header H = is_trailer ? sample_header(BUNDLE_DELTA) : sample_combined();
		struct trailer T = sample_trailer(&H);
		size_t n;
		char *whole = text_of(&H, is_trailer, &n), *s;
		unsigned wrong = 0;
		int fired = 1;

		for (unsigned long k = 1; fired; k++) {
			json_set_alloc_funcs(failing_malloc, free);
			until_failure = k;
			s = is_trailer ? trailer_encode(&T, &H, &n) : header_encode(&H, &n);
			fired = until_failure == 0;
			json_set_alloc_funcs(malloc, free);
			cr_assert(fired || s != NULL);
			wrong += s != NULL && strcmp(s, whole) != 0;
			free(s);
		}
		cr_expect_eq(wrong, 0u, "%u of the allocations can be lost in silence", wrong);
		free(whole);
	}
}

Test(header, is_decoded_whole_or_refused_when_an_allocation_fails)
{
	for (int is_trailer = 0; is_trailer < 2; is_trailer++) {
		struct header H = sample_combined();
		size_t n;
		char *s = text_of(&H, is_trailer, &n);
		int fired = 1;

		for (unsigned long k = 1; fired; k++) {
			const char *why;

			json_set_alloc_funcs(failing_malloc, free);
			until_failure = k;
			why = decode(&H, is_trailer, s, n);
			fired = until_failure == 0;
			json_set_alloc_funcs(malloc, free);
			cr_expect_eq(why != NULL, fired, "allocation %lu", k);
		}
		free(s);
	}
}
