#include "header.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "jsontext.h"
#include "name.h"
#include "point_json.h"

static const char *const types[] = { NULL, "seed", "delta", "undo", "receipt", "request", "repair",
	"compare" };
static const char *const ciphers[] = { "none", "xchacha20poly1305" };
static const char *const levels[] = { NULL, "none", "fast", "default", "best" };

const char *
header_type_text(enum bundle_type type)
{
	return (types[type]);
}

int
header_leads(enum bundle_type type)
{
	return (type == BUNDLE_SEED || type == BUNDLE_DELTA || type == BUNDLE_UNDO);
}

int
header_has_blobs(const struct header *H)
{
	return (H->nparts > 0 || H->type == BUNDLE_REQUEST || H->type == BUNDLE_REPAIR ||
	        H->type == BUNDLE_COMPARE);
}

/* --- encode ------------------------------------------------------------------------------------------- */

static json_t *
encode_disks(const struct header *H)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < H->ndisks; i++) {
		const struct header_disk *d = &H->disks[i];
		json_t *o = json_pack("{s:s,s:I}", "id", d->id, "size", (json_int_t)d->size);

		if (H->from.seq != 0) {
			bad |=
			    json_object_set_new(o, "before_size", json_integer((json_int_t)d->before_size));
			bad |= jsontext_set_bytes(o, "before_root", d->before, LEAF_ROOT);
		}
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_excluded(const struct header *H)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < H->nexcluded; i++)
		bad |= json_array_append_new(a,
		    json_pack("{s:s,s:I}", "id", H->excluded[i].id, "size", (json_int_t)H->excluded[i].size));
	return (jsontext_whole(a, bad));
}

static json_t *
encode_targets(const struct header_target *targets, unsigned n)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < n; i++) {
		json_t *o = json_object();

		bad |= jsontext_set_bytes(o, "site", targets[i].key, RECORD_KEY);
		bad |= jsontext_set_bytes(o, "seal", targets[i].seal, HEADER_SEAL);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_parts(const struct header *H)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < H->nparts; i++) {
		const struct header_part *p = &H->parts[i];
		json_t *o = json_pack("{s:s,s:o}", "cipher", ciphers[p->cipher], "targets",
		    encode_targets(p->targets, p->ntargets));

		bad |= jsontext_set_bytes(o, "id", p->id, RECORD_ID);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

static json_t *
encode_heirs(const struct header *H)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < H->nheirs; i++) {
		json_t *o = json_object();

		bad |= jsontext_set_bytes(o, "site", H->heirs[i], RECORD_KEY);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

/* What is about roles, where there is something to say. */
static int
encode_roles(json_t *o, const struct header *H)
{
	int bad = 0;

	if (H->history.n > 0)
		bad |= json_object_set_new(o, "history", history_encode(&H->history));
	if (H->is_primary)
		bad |= json_object_set_new(o, "role", json_string("primary"));
	if (H->has_handover)
		bad |= jsontext_set_bytes(o, "handover", H->handover, RECORD_KEY);
	if (H->nheirs > 0)
		bad |= json_object_set_new(o, "heirs", encode_heirs(H));
	if (H->has_wishes)
		bad |= json_object_set_new(o, "wishes",
		    json_pack("{s:I,s:s,s:b}", "frequency", (json_int_t)H->wishes.frequency, "compress",
		        levels[H->wishes.level], "plain", H->wishes.is_plain));
	return (bad);
}

static json_t *
encode_definition(const struct header *H)
{
	const struct header_definition *d = &H->definition;
	json_t *o = json_object();
	int bad = jsontext_set_bytes(o, "digest", d->digest, HEADER_DIGEST);

	if (d->size > 0)
		bad |= jsontext_set_base64(o, "sealed", d->sealed, d->size);
	if (d->size > 0 && H->nparts > 0)
		bad |= json_object_set_new(o, "part", json_integer((json_int_t)d->part));
	return (jsontext_whole(o, bad));
}

char *
header_encode(const struct header *H, size_t *size)
{
	char created[POINT_TIME];
	json_t *o = json_object();
	int bad = 0;

	point_time_text(created, H->created);
	bad |= json_object_set_new(o, "format", json_integer(HEADER_VERSION));
	bad |= json_object_set_new(o, "incompatible", json_array());
	bad |= json_object_set_new(o, "compatible", json_array());
	bad |= json_object_set_new(o, "type", json_string(types[H->type]));
	bad |= jsontext_set_bytes(o, "id", H->id, RECORD_ID);
	bad |= json_object_set_new(o, "vm", json_pack("{s:s,s:s}", "uuid", H->uuid, "name", H->vm));
	bad |= jsontext_set_bytes(o, "lineage", H->lineage, RECORD_ID);
	if (H->from.seq != 0)
		bad |= json_object_set_new(o, "from", point_encode_text(&H->from));
	if (H->to.seq != 0)
		bad |= json_object_set_new(o, "to", point_encode_text(&H->to));
	bad |= encode_roles(o, H);
	if (H->has_of)
		bad |= jsontext_set_bytes(o, "of", H->of, RECORD_ID);
	if (H->has_against)
		bad |= jsontext_set_bytes(o, "against", H->against, RECORD_ID);
	bad |= json_object_set_new(o, "disks", encode_disks(H));
	bad |= json_object_set_new(o, "excluded", encode_excluded(H));
	if (H->definition.is_known)
		bad |= json_object_set_new(o, "definition", encode_definition(H));
	bad |= json_object_set_new(o, "keep", json_integer((json_int_t)H->keep));
	bad |= json_object_set_new(o, "most", json_integer((json_int_t)H->most));
	bad |= json_object_set_new(o, "created", json_string(created));
	bad |= json_object_set_new(o, "signer", json_string(H->signer));
	bad |= json_object_set_new(o, "cipher", json_string(ciphers[H->cipher]));
	if (H->has_leaf_seed)
		bad |= jsontext_set_bytes(o, "leaf_seed", H->leaf_seed, LEAF_SEED);
	bad |= json_object_set_new(o, "targets", encode_targets(H->targets, H->ntargets));
	if (H->nparts > 0)
		bad |= json_object_set_new(o, "parts", encode_parts(H));
	return (jsontext_dump(jsontext_whole(o, bad), LIMIT_JSON, size));
}

char *
trailer_encode(const struct trailer *T, const struct header *H, size_t *size)
{
	json_t *o = json_pack("{s:I,s:I,s:I,s:I,s:i}", "segments", (json_int_t)T->segments, "data",
	    (json_int_t)T->data, "zero", (json_int_t)T->zero, "stored", (json_int_t)T->stored, "volumes",
	    (int)T->volumes);
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < T->ndisks; i++) {
		json_t *d = json_pack("{s:s}", "id", H->disks[i].id);

		bad |= jsontext_set_bytes(d, "root", T->root[i], LEAF_ROOT);
		bad |= json_array_append_new(a, d);
	}
	bad |= json_object_set_new(o, "disks", a);
	return (jsontext_dump(jsontext_whole(o, bad), LIMIT_JSON, size));
}

/* --- decode ------------------------------------------------------------------------------------------- */

static int
choice(const json_t *o, const char *key, const char *const *texts, int first, int last)
{
	const char *s = json_string_value(json_object_get(o, key));

	for (int i = first; s != NULL && i <= last; i++)
		if (strcmp(s, texts[i]) == 0)
			return (i);
	return (-1);
}

static int
decode_point(struct point *p, json_t *o)
{
	static const char *const keys[] = { "epoch", "seq", "time", "kind", NULL };
	const char *kind = json_string_value(json_object_get(o, "kind"));
	char time[POINT_TIME];

	if (!json_is_object(o) || !jsontext_only(o, keys) || kind == NULL ||
	    jsontext_get_number(o, "epoch", LIMIT_SEQ, &p->epoch) != 0 ||
	    jsontext_get_number(o, "seq", LIMIT_SEQ, &p->seq) != 0 ||
	    jsontext_get_string(o, "time", time, sizeof time) != 0)
		return (-1);
	p->time = point_time_parse(time);
	p->kind = point_kind_parse(kind);
	return (p->time < 0 || p->kind == 0 || p->epoch == 0 || p->seq == 0 ? -1 : 0);
}

static int
size_is_valid(uint64_t size)
{
	return (size <= LIMIT_DISK_SIZE && size % LIMIT_SECTOR == 0);
}

static const char *
decode_disk(struct header *H, struct header_disk *d, json_t *o)
{
	static const char *const keys[] = { "id", "size", "before_size", "before_root", NULL };

	if (!json_is_object(o) || !jsontext_only(o, keys) ||
	    jsontext_get_string(o, "id", d->id, sizeof d->id) != 0 || name_check_disk(d->id) != NULL)
		return ("a disk without a proper id");
	if (jsontext_get_number(o, "size", LIMIT_DISK_SIZE, &d->size) != 0 || !size_is_valid(d->size))
		return ("a disk's size is out of range");
	if (H->from.seq == 0)
		return (json_object_size(o) == 2 ? NULL : "a disk has a root from before the first point");
	if (jsontext_get_number(o, "before_size", LIMIT_DISK_SIZE, &d->before_size) != 0 ||
	    !size_is_valid(d->before_size))
		return ("a disk's size before is out of range");
	if (jsontext_get_bytes(o, "before_root", d->before, LEAF_ROOT) != 0)
		return ("a disk's root before is not one");
	return (NULL);
}

/*
 * Does the id stand among the first n disks, or the first m excluded ones?  One that is excluded may have been
 * replicated before: then it is among the disks too, and of size 0.
 */
static int
id_is_taken(const struct header *H, const char *id, unsigned n, unsigned m, int is_excluded)
{
	for (unsigned i = 0; i < n; i++)
		if ((!is_excluded || H->disks[i].size > 0) && strcmp(H->disks[i].id, id) == 0)
			return (1);
	for (unsigned i = 0; i < m; i++)
		if (strcmp(H->excluded[i].id, id) == 0)
			return (1);
	return (0);
}

static const char *
decode_disks(struct header *H, json_t *a, json_t *x)
{
	static const char *const keys[] = { "id", "size", NULL };
	const char *why;

	if (!json_is_array(a) || json_array_size(a) < 1 || json_array_size(a) > LIMIT_DISKS)
		return ("a bundle has 1 to 64 disks");
	if (!json_is_array(x) || json_array_size(x) > LIMIT_DISKS)
		return ("a bundle has at most 64 excluded disks");
	for (H->ndisks = 0; H->ndisks < json_array_size(a); H->ndisks++) {
		struct header_disk *d = &H->disks[H->ndisks];

		if ((why = decode_disk(H, d, json_array_get(a, H->ndisks))) != NULL)
			return (why);
		if (id_is_taken(H, d->id, H->ndisks, 0, 0))
			return ("two disks have the same id");
	}
	for (H->nexcluded = 0; H->nexcluded < json_array_size(x); H->nexcluded++) {
		struct header_excluded *d = &H->excluded[H->nexcluded];
		json_t *o = json_array_get(x, H->nexcluded);

		if (!json_is_object(o) || !jsontext_only(o, keys) ||
		    jsontext_get_string(o, "id", d->id, sizeof d->id) != 0 ||
		    name_check_disk(d->id) != NULL ||
		    jsontext_get_number(o, "size", LIMIT_DISK_SIZE, &d->size) != 0)
			return ("an excluded disk without a proper id and size");
		if (id_is_taken(H, d->id, H->ndisks, H->nexcluded, 1))
			return ("two disks have the same id");
	}
	return (NULL);
}

static const char *
decode_targets(struct header_target *targets, unsigned *n, const json_t *a)
{
	static const char *const keys[] = { "site", "seal", NULL };

	if (!json_is_array(a) || json_array_size(a) > LIMIT_TARGETS)
		return ("a bundle is for at most 32 sites");
	for (*n = 0; *n < json_array_size(a); ++*n) {
		struct header_target *t = &targets[*n];
		json_t *o = json_array_get(a, *n);

		if (!json_is_object(o) || !jsontext_only(o, keys) ||
		    jsontext_get_bytes(o, "site", t->key, RECORD_KEY) != 0 ||
		    jsontext_get_bytes(o, "seal", t->seal, HEADER_SEAL) != 0)
			return ("a target without a proper key and seal");
	}
	return (NULL);
}

static const char *
decode_parts(struct header *H, const json_t *a)
{
	static const char *const keys[] = { "id", "cipher", "targets", NULL };
	const char *why;
	int c;

	if (a == NULL)
		return (NULL);
	if (H->type != BUNDLE_DELTA || !json_is_array(a) || json_array_size(a) < 1 ||
	    json_array_size(a) > LIMIT_PARTS)
		return ("its parts are out of range");
	for (H->nparts = 0; H->nparts < json_array_size(a); H->nparts++) {
		struct header_part *p = &H->parts[H->nparts];
		json_t *o = json_array_get(a, H->nparts);

		if (!json_is_object(o) || !jsontext_only(o, keys) ||
		    jsontext_get_bytes(o, "id", p->id, RECORD_ID) != 0 ||
		    (c = choice(o, "cipher", ciphers, RECORD_CLEAR, RECORD_XCHACHA20POLY1305)) < 0)
			return ("a part without a proper id and cipher");
		p->cipher = (enum record_cipher)c;
		if ((why = decode_targets(p->targets, &p->ntargets, json_object_get(o, "targets"))) != NULL)
			return (why);
		if (p->cipher != RECORD_CLEAR && p->ntargets == 0)
			return ("a part is encrypted, but to no site");
	}
	return (NULL);
}

static const char *
decode_vm(struct header *H, json_t *o)
{
	static const char *const keys[] = { "uuid", "name", NULL };

	if (!json_is_object(o) || !jsontext_only(o, keys) ||
	    jsontext_get_string(o, "uuid", H->uuid, sizeof H->uuid) != 0 || name_check_uuid(H->uuid) != NULL)
		return ("the VM has no proper UUID");
	/* A name that looks like a UUID could stand for another VM. */
	if (jsontext_get_string(o, "name", H->vm, sizeof H->vm) != 0 || name_check(H->vm) != NULL ||
	    name_check_uuid(H->vm) == NULL)
		return ("the VM has no proper name");
	return (NULL);
}

static const char *
decode_points(struct header *H, json_t *o)
{
	json_t *from = json_object_get(o, "from");

	H->from.seq = H->to.seq = 0;
	if (from != NULL && decode_point(&H->from, from) != 0)
		return ("the point it starts from is not one");
	/* Disks that were adopted are compared before they are at any point. */
	if (H->type == BUNDLE_COMPARE && json_object_get(o, "to") == NULL)
		return (from == NULL ? NULL : "it starts from a point and leads to none");
	if (decode_point(&H->to, json_object_get(o, "to")) != 0)
		return ("the point it leads to is not one");
	switch (H->type) {
	case BUNDLE_SEED:
		return (from == NULL ? NULL : "a seed starts from a point");
	case BUNDLE_COMPARE:
		if (from == NULL || H->from.seq != H->to.seq || H->from.epoch != H->to.epoch)
			return ("the point that was compared is not named with its roots");
		return (NULL);
	case BUNDLE_DELTA:
	case BUNDLE_UNDO:
		if (from == NULL)
			return ("it does not start from a point");
		if (H->type == BUNDLE_DELTA ? H->from.epoch > H->to.epoch : H->from.epoch < H->to.epoch)
			return ("its epochs are in the wrong order");
		if (H->type == BUNDLE_DELTA ? H->from.seq >= H->to.seq : H->from.seq <= H->to.seq)
			return ("its points are in the wrong order");
		return (NULL);
	case BUNDLE_RECEIPT:
	case BUNDLE_REQUEST:
	case BUNDLE_REPAIR:
		return (NULL);
	}
	return ("unknown type");
}

/* The other bundle that this one belongs to. */
static const char *
decode_relations(struct header *H, const json_t *o)
{
	int needs_of = H->type == BUNDLE_REQUEST || H->type == BUNDLE_REPAIR;

	H->has_of = json_object_get(o, "of") != NULL;
	if (H->has_of != needs_of || (needs_of && jsontext_get_bytes(o, "of", H->of, RECORD_ID) != 0))
		return ("the bundle that it concerns is not named, or there is none");
	H->has_against = json_object_get(o, "against") != NULL;
	if (H->has_against && ((H->type != BUNDLE_SEED && H->type != BUNDLE_DELTA) ||
	                          jsontext_get_bytes(o, "against", H->against, RECORD_ID) != 0))
		return ("what it was compared with is not named properly");
	return (NULL);
}

static const char *
decode_heirs(struct header *H, const json_t *a)
{
	static const char *const keys[] = { "site", NULL };

	if (a == NULL)
		return (NULL);
	if (!json_is_array(a) || json_array_size(a) > LIMIT_TARGETS)
		return ("at most 32 sites may continue a lineage");
	for (; H->nheirs < json_array_size(a); H->nheirs++) {
		json_t *o = json_array_get(a, H->nheirs);

		if (!json_is_object(o) || !jsontext_only(o, keys) ||
		    jsontext_get_bytes(o, "site", H->heirs[H->nheirs], RECORD_KEY) != 0)
			return ("a site that may continue the lineage has no proper key");
	}
	return (NULL);
}

static const char *
decode_wishes(struct header *H, json_t *o)
{
	static const char *const keys[] = { "frequency", "compress", "plain", NULL };
	int c;

	if ((H->has_wishes = o != NULL) == 0)
		return (NULL);
	if (!json_is_object(o) || !jsontext_only(o, keys) ||
	    jsontext_get_number(o, "frequency", LIMIT_SEQ, &H->wishes.frequency) != 0 ||
	    (c = choice(o, "compress", levels, HEADER_LEVEL_NONE, HEADER_LEVEL_BEST)) < 0 ||
	    !json_is_boolean(json_object_get(o, "plain")))
		return ("what is wished of the replica is not understood");
	H->wishes.level = (enum header_level)c;
	H->wishes.is_plain = json_is_true(json_object_get(o, "plain"));
	return (NULL);
}

/* Who is the primary, and who may be; the points are known. */
static const char *
decode_roles(struct header *H, const json_t *o)
{
	const json_t *role = json_object_get(o, "role");
	int leads = H->type == BUNDLE_SEED || H->type == BUNDLE_DELTA;
	const char *why;

	if (history_decode(&H->history, json_object_get(o, "history")) != 0)
		return ("the history of its lineage is not one");
	if (leads && history_epoch(&H->history) != H->to.epoch)
		return ("the history of its lineage does not come to the epoch of its point");
	H->is_primary = role != NULL;
	if (role != NULL &&
	    (H->type != BUNDLE_RECEIPT ||
	        strcmp(json_string_value(role) == NULL ? "" : json_string_value(role), "primary") != 0))
		return ("the role of its signer is not understood");
	H->has_handover = json_object_get(o, "handover") != NULL;
	if (H->has_handover && (!leads || H->to.kind != POINT_FINAL ||
	                           jsontext_get_bytes(o, "handover", H->handover, RECORD_KEY) != 0))
		return ("the handover is not a proper one");
	if ((why = decode_heirs(H, json_object_get(o, "heirs"))) != NULL)
		return (why);
	return (decode_wishes(H, json_object_get(o, "wishes")));
}

/* What the VM is beside its disks; the parts are known. */
static const char *
decode_definition(struct header *H, json_t *o)
{
	static const char *const keys[] = { "digest", "sealed", "part", NULL };
	struct header_definition *d = &H->definition;
	int has_part = json_object_get(o, "part") != NULL;
	uint64_t part = 0;

	if (o == NULL)
		return (NULL);
	if ((H->type != BUNDLE_SEED && H->type != BUNDLE_DELTA) || !json_is_object(o) ||
	    !jsontext_only(o, keys) || jsontext_get_bytes(o, "digest", d->digest, HEADER_DIGEST) != 0)
		return ("the VM's definition is not named properly");
	d->is_known = 1;
	if (json_object_get(o, "sealed") != NULL &&
	    (d->size = jsontext_get_base64(o, "sealed", d->sealed, sizeof d->sealed)) == 0)
		return ("the VM's definition is not one");
	if (has_part != (d->size > 0 && H->nparts > 0) ||
	    (has_part && jsontext_get_number(o, "part", H->nparts - 1, &part) != 0))
		return ("the VM's definition is of a part that is not there");
	d->part = (unsigned)part;
	return (NULL);
}

/* The fields that stand by themselves. */
static const char *
decode_plain(struct header *H, json_t *o)
{
	char time[POINT_TIME];
	uint64_t n;
	int c;

	if ((c = choice(o, "type", types, BUNDLE_SEED, BUNDLE_COMPARE)) < 0)
		return ("a bundle of a type that this version does not know");
	H->type = (enum bundle_type)c;
	if (jsontext_get_bytes(o, "id", H->id, RECORD_ID) != 0 ||
	    jsontext_get_bytes(o, "lineage", H->lineage, RECORD_ID) != 0)
		return ("the bundle's id or lineage is not one");
	if (jsontext_get_number(o, "keep", LIMIT_POINTS, &n) != 0 || n < 1)
		return ("the number of points to keep is out of range");
	H->keep = (unsigned)n;
	if (jsontext_get_number(o, "most", LIMIT_DISKS * LIMIT_DISK_SIZE, &H->most) != 0)
		return ("the most data it may carry is out of range");
	if (jsontext_get_string(o, "created", time, sizeof time) != 0 ||
	    (H->created = point_time_parse(time)) < 0)
		return ("the time of its creation is not one");
	if (jsontext_get_string(o, "signer", H->signer, sizeof H->signer) != 0 ||
	    name_check(H->signer) != NULL)
		return ("the signer has no proper name");
	if ((c = choice(o, "cipher", ciphers, RECORD_CLEAR, RECORD_XCHACHA20POLY1305)) < 0)
		return ("a cipher that this version does not know");
	H->cipher = (enum record_cipher)c;
	H->has_leaf_seed = json_object_get(o, "leaf_seed") != NULL;
	if (H->has_leaf_seed && jsontext_get_bytes(o, "leaf_seed", H->leaf_seed, LEAF_SEED) != 0)
		return ("the leaf seed is not one");
	return (NULL);
}

/* Keys outside the list may come with a later version under "compatible"; a reader passes over them. */
static const char *
decode_features(const json_t *o)
{
	const json_t *in = json_object_get(o, "incompatible"), *c = json_object_get(o, "compatible");
	uint64_t format;

	if (jsontext_get_number(o, "format", UINT64_C(1) << 31, &format) != 0)
		return ("the format version is missing");
	if (format != HEADER_VERSION)
		return ("a format version that this vmferry does not know: use a newer one");
	if (!json_is_array(in) || !json_is_array(c))
		return ("the feature lists are missing");
	if (json_array_size(in) != 0)
		return ("it needs a feature that this vmferry does not know: use a newer one");
	return (NULL);
}

static const char *
decode(struct header *H, json_t *o)
{
	const char *why;

	if (!json_is_object(o))
		return ("the header is not a JSON object");
	if ((why = decode_features(o)) != NULL || (why = decode_plain(H, o)) != NULL ||
	    (why = decode_vm(H, json_object_get(o, "vm"))) != NULL || (why = decode_points(H, o)) != NULL ||
	    (why = decode_relations(H, o)) != NULL || (why = decode_roles(H, o)) != NULL ||
	    (why = decode_disks(H, json_object_get(o, "disks"), json_object_get(o, "excluded"))) != NULL)
		return (why);
	if ((why = decode_targets(H->targets, &H->ntargets, json_object_get(o, "targets"))) != NULL ||
	    (why = decode_parts(H, json_object_get(o, "parts"))) != NULL ||
	    (why = decode_definition(H, json_object_get(o, "definition"))) != NULL)
		return (why);
	if (H->cipher != RECORD_CLEAR && H->ntargets == 0)
		return ("it is encrypted, but to no site");
	if (H->cipher != RECORD_CLEAR && H->has_leaf_seed)
		return ("it is encrypted, but carries its leaf seed in clear");
	if (H->has_leaf_seed && H->ntargets != 0)
		return ("it is for a site, but carries its leaf seed in clear");
	return (NULL);
}

const char *
header_decode(struct header *H, const char *text, size_t n)
{
	json_error_t e;
	json_t *o;
	const char *why;

	memset(H, 0, sizeof *H);
	if (n > LIMIT_JSON || (o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e)) == NULL)
		return ("the header is not JSON");
	why = decode(H, o);
	json_decref(o);
	return (why);
}

static const char *
decode_trailer(struct trailer *T, const struct header *H, json_t *o)
{
	const json_t *a = json_object_get(o, "disks");
	uint64_t volumes;
	char id[LIMIT_DISK_ID + 1];

	if (!json_is_object(o) || jsontext_get_number(o, "segments", LIMIT_SEGMENTS, &T->segments) != 0 ||
	    jsontext_get_number(o, "data", INT64_MAX, &T->data) != 0 ||
	    jsontext_get_number(o, "zero", INT64_MAX, &T->zero) != 0 ||
	    jsontext_get_number(o, "stored", INT64_MAX, &T->stored) != 0 ||
	    jsontext_get_number(o, "volumes", LIMIT_VOLUMES, &volumes) != 0 || volumes == 0)
		return ("the end does not give the bundle's totals");
	T->volumes = (unsigned)volumes;
	T->ndisks = header_leads(H->type) ? H->ndisks : 0;
	if (!json_is_array(a) || json_array_size(a) != T->ndisks)
		return ("the end does not name the header's disks");
	for (unsigned i = 0; i < T->ndisks; i++) {
		const json_t *d = json_array_get(a, i);

		if (jsontext_get_string(d, "id", id, sizeof id) != 0 || strcmp(id, H->disks[i].id) != 0 ||
		    jsontext_get_bytes(d, "root", T->root[i], LEAF_ROOT) != 0)
			return ("the end does not give each disk's root");
	}
	return (NULL);
}

const char *
trailer_decode(struct trailer *T, const struct header *H, const char *text, size_t n)
{
	json_error_t e;
	json_t *o;
	const char *why;

	memset(T, 0, sizeof *T);
	if (n > LIMIT_JSON || (o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e)) == NULL)
		return ("the end is not JSON");
	why = decode_trailer(T, H, o);
	json_decref(o);
	return (why);
}
