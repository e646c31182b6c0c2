#include "verify.h"

#include <inttypes.h>
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/infile.h"
#include "bundle/mend.h"
#include "bundle/proof.h"
#include "bundle/request.h"
#include "bundle/survey.h"
#include "bundle/unpack.h"
#include "frame.h"
#include "jsontext.h"
#include "scribe.h"
#include "base/io.h"
#include "base/sandbox.h"
#include "base/say.h"
#include "site/signer.h"

/* Of each volume that was looked at: what says where a neighbour of it ends. */
struct volume {
	uint8_t bundle[RECORD_ID];
	uint64_t before;
};

struct verifying {
	const struct verify_options *o;
	uint8_t (*keys)[RECORD_KEY]; /* of all sites that may have signed */
	unsigned nkeys;
	struct infile *fix;
	struct mend *mend;
	unsigned nvolumes;
	struct volume volumes[VERIFY_FILES];
	/* Of the damaged bundle that is asked for: */
	int is_damaged, has_header;
	struct header header; /* its own, where that is known */
	uint8_t bundle[RECORD_ID];
	struct ranges bad;
	unsigned nopen;
	uint64_t open[VERIFY_FILES]; /* segments from which on it is not known how many there were */
	json_t *report;              /* of all files; or NULL */
	struct member member;
	struct scribe *scribe; /* NULL: no file lies on a medium */
	int is_named;          /* the file that was read last says it is a volume of this bundle: */
	uint8_t named[RECORD_ID];
};

/* --- a report ----------------------------------------------------------------------------------------- */

static int
add_report(struct verifying *v, json_t *file)
{
	if (v->report != NULL && json_array_append_new(v->report, file) != 0)
		return (say_failed("out of memory"));
	return (0);
}

static json_t *
item_json(const struct survey *V, const struct survey_item *item)
{
	json_t *o = json_pack(
	    "{s:s,s:s,s:I}", "part", item->part, "why", item->why, "position", (json_int_t)item->position);
	int bad = 0;

	if (item->number != 0) {
		bad |= json_object_set_new(o, "first", json_integer((json_int_t)item->number));
		bad |= json_object_set_new(o, "last", json_integer((json_int_t)item->last));
	}
	if (item->is_covered) {
		if (V->has_header && item->disk < V->header.ndisks)
			bad |= json_object_set_new(o, "disk", json_string(V->header.disks[item->disk].id));
		bad |= json_object_set_new(o, "offset", json_integer((json_int_t)item->offset));
		bad |= json_object_set_new(o, "length", json_integer((json_int_t)item->span));
	}
	return (jsontext_whole(o, bad));
}

static int
report_bad(struct verifying *v, const char *name, const struct survey *V)
{
	json_t *o, *items = json_array();
	int bad = 0;

	v->is_named = V->has_bundle;
	memcpy(v->named, V->bundle, RECORD_ID);
	if (v->report == NULL) {
		json_decref(items);
		return (0);
	}
	for (size_t i = 0; i < V->n; i++)
		bad |= json_array_append_new(items, item_json(V, &V->items[i]));
	o = json_pack("{s:s,s:b,s:I,s:i,s:I}", "file", name, "good", 0, "segments_good", (json_int_t)V->good,
	    "volume", (int)V->volume, "not_named", (json_int_t)V->more);
	if (V->has_bundle)
		bad |= jsontext_set_bytes(o, "bundle", V->bundle, RECORD_ID);
	bad |= json_object_set_new(o, "damaged", items);
	return (add_report(v, jsontext_whole(o, bad)));
}

static int
report_good(struct verifying *v, const char *name, const struct unpack *U)
{
	const struct chain_volume *c = reader_volume(U->reader);
	json_t *o = json_pack("{s:s,s:b,s:s,s:s,s:I,s:i,s:I}", "file", name, "good", 1, "type",
	    header_type_text(U->header->type), "vm", U->header->vm, "point", (json_int_t)U->header->to.seq,
	    "volume", (int)c->number, "segments", (json_int_t)(c->after - c->before));
	int bad = jsontext_set_bytes(o, "bundle", U->header->id, RECORD_ID);

	v->is_named = 1;
	memcpy(v->named, U->header->id, RECORD_ID);

	if (v->report != NULL)
		return (add_report(v, jsontext_whole(o, bad)));
	json_decref(o);
	return (0);
}

/* --- damage ------------------------------------------------------------------------------------------- */

static void
name_item(const char *name, const struct survey *V, const struct survey_item *item)
{
	const char *disk = V->has_header && item->is_covered && item->disk < V->header.ndisks
	                       ? V->header.disks[item->disk].id
	                       : "?";

	if (strcmp(item->part, "segment") == 0 && item->last > item->number)
		say_note("%s: segments %" PRIu64 " to %" PRIu64 ": at byte %" PRIu64 " of the file: %s", name,
		    item->number, item->last, item->position, item->why);
	else if (item->number != 0 && item->is_covered)
		say_note("%s: %s %" PRIu64 ": disk %s, bytes %" PRIu64 " to %" PRIu64 "; at byte %" PRIu64
		         " of the file: %s",
		    name, strcmp(item->part, "segment") == 0 ? "segment" : "framing of segment", item->number,
		    disk, item->offset, item->offset + item->span - 1, item->position, item->why);
	else if (item->number != 0)
		say_note("%s: segment %" PRIu64 ": at byte %" PRIu64 " of the file: %s", name, item->number,
		    item->position, item->why);
	else
		say_note("%s: the %s: at byte %" PRIu64 " of the file: %s", name, item->part, item->position,
		    item->why);
}

/* Put what is damaged into the request. */
static int
want(struct verifying *v, const char *name, const struct survey *V)
{
	if (v->o->request == NULL || !V->has_bundle)
		return (0);
	if (v->is_damaged && memcmp(v->bundle, V->bundle, RECORD_ID) != 0)
		return (say_refused("%s: is of another bundle; ask for the parts of one at a time", name));
	v->is_damaged = 1;
	memcpy(v->bundle, V->bundle, RECORD_ID);
	if (V->has_header && !v->has_header) {
		v->header = V->header;
		v->has_header = 1;
	}
	if (V->open != 0)
		v->open[v->nopen++] = V->open;
	return (ranges_join(&v->bad, &V->bad));
}

static void
remember_volume(struct verifying *v, const uint8_t bundle[RECORD_ID], uint64_t before)
{
	struct volume *one = &v->volumes[v->nvolumes++];

	memcpy(one->bundle, bundle, RECORD_ID);
	one->before = before;
}

/* Is it whole in front, and from somebody else?  1, 0, or -1. */
static int
is_foreign(const struct resync *r)
{
	uint8_t head[FRAME_HEAD];
	const uint8_t *raw = frame_record(head);
	struct record R;
	int is_bad;

	if (resync_read(r, head, sizeof head, 0, &is_bad) != 0)
		return (-1);
	for (unsigned i = 0; i < r->nkeys; i++)
		if (memcmp(r->keys[i], record_claimed_key(raw), RECORD_KEY) == 0)
			return (0);
	return (record_unpack(&R, raw, record_claimed_key(raw)) == NULL);
}

/* It was refused, and why was said: name all that is damaged.  Returns 1, or -1. */
static int
look_for_damage(struct verifying *v, struct infile *F)
{
	struct resync r = { .fd = infile_fd(F),
		.name = infile_name(F),
		.size = infile_size(F),
		.keys = (const uint8_t(*)[RECORD_KEY])v->keys,
		.nkeys = v->nkeys };
	struct survey *V = calloc(1, sizeof *V);
	int rc = 1, is_blind = !io_can_seek(r.fd);

	if (V == NULL)
		return (say_failed("out of memory"));
	if (!is_blind && (is_blind = is_foreign(&r)) < 0)
		rc = -1;
	if (rc == 1 && !is_blind && survey_run(V, &r) != 0)
		rc = -1;
	for (size_t i = 0; i < V->n; i++)
		name_item(infile_name(F), V, &V->items[i]);
	if (V->more > 0)
		say_note("%s: and %zu more", infile_name(F), V->more);
	if (V->open != 0)
		say_note("%s: segments from %" PRIu64 " on: they are missing, and how many is not known",
		    infile_name(F), V->open);
	if (V->has_bundle && V->volume != 0)
		remember_volume(v, V->bundle, V->before);
	if (rc == 1 && (want(v, infile_name(F), V) < 0 || report_bad(v, infile_name(F), V) != 0))
		rc = -1;
	survey_free(V);
	free(V);
	return (rc);
}

/* --- a request ---------------------------------------------------------------------------------------- */

/* Of a volume whose rest is lost, the next one says how many segments there were. */
static uint64_t
end_of(const struct verifying *v, uint64_t from)
{
	uint64_t end = LIMIT_SEGMENTS;

	for (unsigned i = 0; i < v->nvolumes; i++)
		if (memcmp(v->volumes[i].bundle, v->bundle, RECORD_ID) == 0 && v->volumes[i].before >= from &&
		    v->volumes[i].before < end)
			end = v->volumes[i].before;
	return (end);
}

static int
write_request(struct verifying *v)
{
	struct header *H = calloc(1, sizeof *H);
	const char *me = site_card(v->o->site)->name;
	char tmp[PATH_MAX];
	int rc = 0;

	if (H == NULL)
		return (say_failed("out of memory"));
	for (unsigned i = 0; rc == 0 && i < v->nopen; i++)
		if (end_of(v, v->open[i]) >= v->open[i])
			rc = ranges_add(&v->bad, v->open[i], end_of(v, v->open[i]) - v->open[i] + 1);
	ranges_sort(&v->bad);
	if (v->has_header)
		request_describe(H, BUNDLE_REQUEST, &v->header, me);
	else
		request_describe_unknown(H, v->bundle, me);
	if (rc == 0 && (rc = io_path(tmp, "%s/tmp", site_home(v->o->site))) == 0)
		rc = request_write(v->o->request, tmp, site_secret(v->o->site), H, &v->bad);
	if (rc == 0 && v->has_header)
		say_note("%s: a repair request for '%s'; answer it there with 'vmferry export '%s' --repair "
		         "FILE -o FIX'",
		    v->o->request, v->header.signer, v->header.vm);
	else if (rc == 0)
		say_note("%s: a repair request; its bundle's header is lost, so answer it with the name of "
		         "the VM: 'vmferry export VM --repair FILE -o FIX'",
		    v->o->request);
	free(H);
	return (rc);
}

/* --- one file ----------------------------------------------------------------------------------------- */

/* The header, if it is signed with the key of the card, or by a site that counts: 0, and its card; 1 or -1, said. */
static int
open_header(struct verifying *v, struct reader *R, const struct header **H, const struct card **by)
{
	const struct trust_entry *e;
	uint8_t key[RECORD_KEY];
	int rc;

	if ((rc = reader_start(R, key)) != 0)
		return (rc);
	if ((*by = v->o->by) != NULL) {
		if (memcmp(key, (*by)->sign, RECORD_KEY) == 0)
			return (reader_header(R, &v->member, H));
		reader_refuse(R, NULL, "it is not a bundle, or signed with another key than the card's");
		return (1);
	}
	if ((rc = signer_header(v->o->trust, R, &v->member, H, &e)) == SIGNER_UNKNOWN) {
		reader_refuse(R, NULL, "it is not a bundle, or signed with a key that is not known here");
		return (1);
	}
	if (rc == 0)
		*by = &e->card;
	return (rc);
}

static void
say_good(const char *name, const struct unpack *U, const struct card *by)
{
	const struct chain_volume *c = reader_volume(U->reader);
	char time[POINT_TIME];

	point_time_text(time, U->header->to.time);
	if (c->number == 1 && c->is_last)
		say_note("%s: good: %s of '%s' to point %" PRIu64 " (%s), %" PRIu64
		         " segments, signed by '%s'",
		    name, header_type_text(U->header->type), U->header->vm, U->header->to.seq, time, c->after,
		    by->name);
	else
		say_note("%s: good: volume %u%s of a %s of '%s' to point %" PRIu64 " (%s), segments %" PRIu64
		         " to %" PRIu64 ", signed by '%s'",
		    name, c->number, c->is_last ? ", the last" : "", header_type_text(U->header->type),
		    U->header->vm, U->header->to.seq, time, c->before + 1, c->after, by->name);
}

/* A combined delta leads where its proof says that the VM's primary signed, or it is worth nothing. */
struct proving {
	const struct verifying *v;
	const struct reader *reader;
	struct proof proof;
	int is_checked, is_refused;
};

static const char *
check_proof(struct proving *p)
{
	const struct trust *T = p->v->o->trust;

	p->is_checked = 1;
	if (p->proof.n != PROOF_BLOBS)
		return ("a combined delta comes without its proof");
	if (T != NULL && trust_by_key(T, proof_key(&p->proof)) == NULL)
		return ("the proof of a combined delta is signed with a key that is not known here");
	return (proof_check(&p->proof, proof_key(&p->proof), reader_get_header(p->reader)));
}

static int
take_proof(void *context, const struct unpacked *u)
{
	struct proving *p = context;
	const struct record *R = &u->member.record;
	const char *why = NULL;

	/* Of several volumes, the first has it. */
	if (reader_volume(p->reader)->number != 1)
		return (0);
	if (R->type == RECORD_BLOB)
		why = proof_take(&p->proof, R, u->member.payload);
	else if (R->type != RECORD_VOLUME && !p->is_checked)
		why = check_proof(p);
	if (why == NULL && R->type == RECORD_END)
		why = proof_check_end(&p->proof, reader_trailer(p->reader));
	if (why == NULL)
		return (0);
	p->is_refused = 1;
	return (reader_refuse(p->reader, NULL, why));
}

/* Read it to its end.  2: what it says is not so, though nothing of it is damaged. */
static int
run(const struct verifying *v, struct unpack *U)
{
	struct proving *p;
	int rc;

	if (U->header->nparts == 0)
		return (unpack_run(U));
	if ((p = calloc(1, sizeof *p)) == NULL)
		return (say_failed("out of memory"));
	p->v = v;
	p->reader = U->reader;
	U->context = p;
	U->take = take_proof;
	rc = unpack_run(U);
	if (rc == 1 && p->is_refused)
		rc = 2;
	free(p);
	return (rc);
}

static int
verify_open(struct verifying *v, struct infile *F)
{
	const struct card *by;
	struct unpack U;
	int rc;

	memset(&U, 0, sizeof U);
	U.reader = infile_reader(F);
	U.total = infile_size(F);
	U.what = "verify";
	if (io_can_seek(infile_fd(F)))
		reader_allow_worn(U.reader);
	if (v->mend != NULL)
		reader_use_mend(U.reader, v->mend);
	if ((rc = open_header(v, U.reader, &U.header, &by)) == 0)
		rc = run(v, &U);
	if (rc == 2)
		return (1);
	if (rc == 1)
		return (look_for_damage(v, F));
	if (rc != 0)
		return (rc);
	say_good(infile_name(F), &U, by);
	remember_volume(v, U.header->id, reader_volume(U.reader)->before);
	return (report_good(v, infile_name(F), &U));
}

/* --- all of them -------------------------------------------------------------------------------------- */

/* Open all of them while that is still allowed. */
static int
open_all(const struct verify_options *o, struct infile *files[VERIFY_FILES], unsigned n)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < n; i++)
		rc = infile_open(&files[i], o->n == 0 ? NULL : o->paths[i]);
	return (rc);
}

/* Every key that a signer may have, for the case that a bundle does not say. */
static int
gather_keys(struct verifying *v)
{
	const struct trust *T = v->o->trust;
	size_t n = 1;

	for (size_t i = 0; v->o->by == NULL && i < T->n; i++)
		n += 1 + T->entries[i].nearlier;
	if ((v->keys = calloc(n, RECORD_KEY)) == NULL)
		return (say_failed("out of memory"));
	if (v->o->by != NULL)
		memcpy(v->keys[v->nkeys++], v->o->by->sign, RECORD_KEY);
	for (size_t i = 0; v->o->by == NULL && i < T->n; i++) {
		const struct trust_entry *e = &T->entries[i];

		memcpy(v->keys[v->nkeys++], e->card.sign, RECORD_KEY);
		for (unsigned k = 0; k < e->nearlier; k++)
			memcpy(v->keys[v->nkeys++], e->earlier[k].sign, RECORD_KEY);
	}
	return (0);
}

static int
open_mend(struct verifying *v)
{
	const struct header *H;
	const struct card *by;
	int rc;

	if (v->fix == NULL)
		return (0);
	if ((rc = open_header(v, infile_reader(v->fix), &H, &by)) == 0)
		rc = mend_open(&v->mend, v->fix, H);
	return (rc);
}

static int
verify_all(struct verifying *v, struct infile *files[VERIFY_FILES], unsigned n)
{
	int rc;

	if ((v->member.payload = malloc(LIMIT_JSON)) == NULL)
		return (say_failed("out of memory"));
	if (v->o->json && (v->report = json_array()) == NULL)
		return (say_failed("out of memory"));
	if ((rc = gather_keys(v)) != 0 || (rc = open_mend(v)) != 0)
		return (rc);
	for (unsigned i = 0; i < n; i++) {
		int one;

		v->is_named = 0;
		one = verify_open(v, files[i]);
		if (v->is_named)
			scribe_note(v->scribe, i, v->named, "verify", one);
		if (one < 0 || rc == 0)
			rc = one;
	}
	if (rc == 1 && v->is_damaged && write_request(v) < 0)
		rc = -1;
	if (v->report != NULL && (json_dumpf(v->report, stdout, JSON_INDENT(2)) != 0 || puts("") == EOF))
		rc = say_failed("standard output: cannot write");
	return (rc);
}

/* Nothing but what is open is read; a request is made in a folder, by way of the home. */
static int
confine(const struct verify_options *o)
{
	struct sandbox *B = calloc(1, sizeof *B);
	char dir[PATH_MAX];
	int rc = 0;

	if (B == NULL)
		return (say_failed("out of memory"));
	B->work = o->request == NULL ? SANDBOX_READ : SANDBOX_STORE;
	B->insist = o->insist;
	if (o->request != NULL) {
		rc = sandbox_add(B, site_home(o->site));
		if (rc == 0 && strcmp(o->request, "-") != 0 && (rc = io_path(dir, "%s", o->request)) == 0)
			rc = sandbox_add(B, dirname(dir));
	}
	if (rc == 0)
		rc = sandbox_enter(B);
	sandbox_free(B);
	free(B);
	return (rc);
}

int
verify(const struct verify_options *o)
{
	struct infile *files[VERIFY_FILES] = { NULL };
	struct verifying *v = calloc(1, sizeof *v);
	unsigned n = o->n == 0 ? 1 : o->n;
	int rc;

	if (v == NULL)
		return (say_failed("out of memory"));
	v->o = o;
	if (n > VERIFY_FILES)
		rc = say_refused("no more than %u bundles can be checked at once", VERIFY_FILES);
	else if ((rc = open_all(o, files, n)) == 0 && o->repair != NULL)
		rc = infile_open(&v->fix, o->repair);
	if (rc == 0)
		rc = scribe_start(&v->scribe, o->site, o->paths, o->n);
	if (rc == 0 && (rc = confine(o)) == 0)
		rc = verify_all(v, files, n);
	scribe_end(v->scribe);
	for (unsigned i = 0; i < n && i < VERIFY_FILES; i++)
		infile_close(files[i]);
	mend_close(v->mend);
	infile_close(v->fix);
	ranges_free(&v->bad);
	json_decref(v->report);
	free(v->member.payload);
	free(v->keys);
	free(v);
	return (rc);
}
