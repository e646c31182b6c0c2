#include "replica/receive.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "jsontext.h"
#include "base/io.h"
#include "base/say.h"
#include "bundle/vmtext.h"
#include "replica/adopted.h"
#include "replica/compare.h"
#include "replica/combined.h"
#include "replica/forward.h"
#include "replica/intake.h"
#include "replica/meeting.h"
#include "replica/outbox.h"
#include "replica/seeding.h"
#include "replica/staging.h"

/* --- may it come in? ---------------------------------------------------------------------------------- */

static int
check_size(const struct trust_entry *e, const struct header *H)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < H->ndisks; i++)
		size += H->disks[i].size;
	if (e->max_size != 0 && size > e->max_size)
		return (say_refused("%s: its disks have %" PRIu64 " bytes, more than the %" PRIu64
		                    " that site '%s' may store "
		                    "here; see 'vmferry trust add --max-size'",
		    H->vm, size, e->max_size, e->card.name));
	return (0);
}

/* Is the bundle one of this very lineage of this very VM? */
static int
check_identity(const struct replica *R, const struct header *H)
{
	const struct replica_point *last = replica_last(R);

	if (memcmp(R->lineage, H->lineage, RECORD_ID) != 0)
		return (say_refused(
		    "%s: the bundle is of another lineage than the replica: the VM was enabled anew at '%s'; "
		    "histories are not mixed without a person's word",
		    H->vm, R->primary));
	for (unsigned i = 0; i < H->ndisks && i < R->ndisks; i++)
		if (strcmp(R->disks[i], H->disks[i].id) != 0)
			return (say_refused("%s: the bundle has a disk '%s' where the replica has '%s'",
			    H->vm, H->disks[i].id, R->disks[i]));
	/* Disks are added behind the others, and stay; so only what leads to an older point may have fewer. */
	if (H->ndisks < R->ndisks && last != NULL && H->to.seq > last->point.seq)
		return (
		    say_refused("%s: the bundle has %u disks, the replica %u", H->vm, H->ndisks, R->ndisks));
	return (0);
}

/* Where we hold the point that a delta starts from, our roots there must be the primary's. */
static int
check_base(const struct replica *R, const struct header *H)
{
	int i = intake_parted(R, H);

	if (i < 0)
		return (0);
	return (
	    say_refused("%s: at point %" PRIu64 ", disk %s is not here what it was at '%s': the histories "
	                "have parted; ask for a seed",
	        H->vm, H->from.seq, H->disks[i].id, R->primary));
}

/* What was made against disks as they were compared fits those disks, in that state, and no others. */
static int
check_against(const struct replica *R, const struct header *H)
{
	const struct replica_point *last = replica_last(R);

	if (!H->has_against)
		return (0);
	if (H->type == BUNDLE_SEED)
		return (last == NULL
		            ? 0
		            : say_refused("%s: the seed is against adopted disks, and the replica is "
		                          "at point %" PRIu64 " already; compare it, and export "
		                          "against that",
		                  H->vm, last->point.seq));
	if (last == NULL || !compare_is_fit(R, H))
		return (
		    say_refused("%s: the delta is against a comparison that was not made of this replica at "
		                "point %" PRIu64 "; compare it again",
		        H->vm, H->from.seq));
	return (0);
}

static int
check_space(const struct replica *R, const struct header *H, uint64_t file)
{
	uint64_t bytes, need = file != 0 && file < H->most ? file : H->most;

	/* A delta goes to the inbox, and what it replaces into an undo. */
	if (replica_last(R) != NULL && H->keep > 1)
		need *= 2;
	if (io_free(R->dir, &bytes) != 0)
		return (-1);
	if (bytes < need)
		return (say_failed("%s: %" PRIu64 " bytes are free, and up to %" PRIu64
		                   " may be needed; free some space and "
		                   "run the command again",
		    R->dir, bytes, need));
	return (0);
}

/* Bundles that wait for others may take so much room and no more. */
static int
check_waiting(const struct replica *R, const struct receiving *c)
{
	uint64_t waiting = intake_waiting(R), more = c->U->total != 0 ? c->U->total : c->U->header->most,
	         most = c->e->inbox != 0 ? c->e->inbox : REPLICA_WAITING_MAX;

	if (waiting + more <= most)
		return (0);
	return (say_refused(
	    "%s: the bundle from point %" PRIu64 " would have to wait for others, and with it %" PRIu64
	    " bytes would wait, more than the %" PRIu64 " of 'vmferry trust add --inbox'; keep it, and "
	    "bring first what leads from point %" PRIu64 " to point %" PRIu64,
	    R->vm, c->U->header->from.seq, waiting + more, most, intake_held(R).seq, c->U->header->from.seq));
}

/* The bundle is here already: it is read to its end all the same, since only a whole one gets a good answer. */
static int
receive_again(struct replica *R, struct receiving *c, int is_twin)
{
	struct unpack *U = c->U;
	int rc;

	U->take = NULL;
	U->what = "verify";
	if ((rc = unpack_run(U)) != 0)
		return (rc);
	/* An end is written only once the point is cut; before that an export may have been given up, and its number used. */
	if (reader_volume(U->reader)->is_last &&
	    (is_twin || !intake_has_roots(R, &U->header->to, reader_trailer(U->reader))))
		return (meeting_twin(R, c->e, U->header));
	if (is_twin)
		say_note(
		    "%s: it is of an export that was given up: no point came of it, and nothing is needed "
		    "of it",
		    R->vm);
	else
		say_note("%s: already have it: %s to point %" PRIu64, R->vm,
		    header_type_text(U->header->type), U->header->to.seq);
	return (0);
}

/* A volume that comes afresh takes the place of its beginning that is here, of which the record is to know no more. */
static int
forget_cut(struct replica *R, struct receiving *c)
{
	struct replica_staged *s = intake_find(R, c->U->header->id);

	if (s == NULL || s->cut != c->volume)
		return (0);
	s->cut = 0;
	return (replica_save(R));
}

/* Take it, now that it is known to be of use. */
static int
take(struct replica *R, struct receiving *c)
{
	const struct header *H = c->U->header;
	struct replica_staged *s;
	int rc;

	if (R->nstaged >= REPLICA_STAGED)
		return (say_refused("%s: the inbox is full; run 'vmferry merge'", R->vm));
	if ((rc = check_space(R, H, c->U->total)) != 0 || (rc = forget_cut(R, c)) != 0)
		return (rc);
	if (replica_last(R) == NULL && H->type == BUNDLE_SEED)
		forward_note_seed(R);
	rc = replica_last(R) == NULL && H->type == BUNDLE_SEED ? seeding_take(R, c) : staging_take(R, c);
	/* A bundle of which nothing was taken is nothing to the record, but where it has taken adopted disks. */
	s = intake_find(R, H->id);
	if (rc > 0 && s != NULL && !(adopted_is_meant(H) && s->on_disks) && s->nvolumes == 0 && s->cut == 0) {
		replica_drop_staged(R, (unsigned)(s - R->staged));
		if (replica_save(R) != 0)
			return (-1);
	}
	return (rc);
}

/* Where a part of a bundle of that id is here, this must be a volume of that very bundle. */
static int
check_same(const struct replica *R, const struct receiving *c)
{
	const struct replica_staged *s = intake_find(R, c->U->header->id);
	uint8_t hash[RECORD_DIGEST];

	if (s == NULL)
		return (0);
	record_hash(hash, c->header->raw);
	if (memcmp(s->key, c->header->record.link, RECORD_KEY) == 0 &&
	    (s->nvolumes == 0 || memcmp(s->volumes[0].chain.header, hash, RECORD_DIGEST) == 0))
		return (0);
	return (say_refused("%s: it has the id of another bundle, of which a part is here", R->vm));
}

/* A paused or disabled replica takes nothing in. */
static int
check_role(const struct replica *R)
{
	char words[ROLE_WORDS];
	const char *why = role_objection(&R->role, ROLE_RECEIVE, words);

	return (why == NULL ? 0 : say_refused("%s: %s", R->vm, why));
}

static int
receive_into(struct replica *R, struct receiving *c)
{
	const struct header *H = c->U->header;
	int rc;

	if ((rc = check_identity(R, H)) != 0 || (rc = meeting(R, c->e, H)) != 0 ||
	    (rc = check_role(R)) != 0 || (rc = check_same(R, c)) != 0)
		return (rc);
	switch (intake_judge(R, H, c->volume)) {
	case INTAKE_HAVE:
		return (receive_again(R, c, 0));
	case INTAKE_OLDER:
		return (say_refused("%s: volumes of a newer seed than that to point %" PRIu64
		                    " are here already; bring the others, or export another one",
		    H->vm, H->to.seq));
	case INTAKE_TWIN:
		return (receive_again(R, c, 1));
	case INTAKE_PARTED:
		return (say_refused("%s: the bundle is of epoch %" PRIu64 ", and point %" PRIu64
		                    " of epoch %" PRIu64 " is not on its way",
		    H->vm, H->to.epoch, replica_last(R)->point.seq, replica_last(R)->point.epoch));
	case INTAKE_PAST:
		return (say_refused("%s: the delta was made for the disks as they were at point %" PRIu64
		                    ", and they are at point %" PRIu64 " now; compare them again",
		    H->vm, H->from.seq, replica_last(R)->point.seq));
	case INTAKE_EARLY:
		if ((rc = check_against(R, H)) != 0 || (rc = check_waiting(R, c)) != 0)
			return (rc);
		break;
	case INTAKE_FITS:
		if ((rc = check_against(R, H)) != 0 ||
		    (H->type == BUNDLE_DELTA && (rc = check_base(R, H)) != 0))
			return (rc);
	}
	return (take(R, c));
}

/* A placeholder that waits for a seed takes that of another lineage of its primary's: what came before is of none. */
static int
receive_next(struct replica *R, struct receiving *c, const uint8_t leaf_seed[LEAF_SEED])
{
	const struct header *H = c->U->header;

	if (replica_last(R) == NULL && H->type == BUNDLE_SEED && trust_has_key(c->e, R->key) &&
	    memcmp(R->lineage, H->lineage, RECORD_ID) != 0) {
		while (R->nstaged > 0)
			replica_drop_staged(R, R->nstaged - 1);
		while (R->nouts > 0)
			outbox_drop(R, R->nouts - 1);
		replica_describe(R, c->e, H, leaf_seed);
		if (replica_save(R) != 0)
			return (-1);
	}
	return (receive_into(R, c));
}

/* The first bundle of a VM: a placeholder is made for it, and goes again if the bundle is none. */
static int
receive_first(struct replica **R, struct receiving *c, const uint8_t leaf_seed[LEAF_SEED])
{
	int rc;

	if (adopted_is_meant(c->U->header) && (rc = adopted_check(c->S, c->e, c->U->header)) != 0)
		return (rc);
	/* The VM is bound to whoever signs its first bundle, and here that may be somebody else. */
	if (c->U->header->nparts > 0)
		return (say_refused("%s: there is no replica of this VM here, and this is a combined delta; "
		                    "bring its seed first",
		    c->U->header->vm));
	if ((rc = replica_create(R, c->S, c->e, c->U->header, leaf_seed)) != 0)
		return (rc);
	rc = receive_into(*R, c);
	if (rc != 0 && (*R)->nstaged == 0) {
		replica_remove(*R, c->S);
		*R = NULL;
	}
	return (rc);
}

/* The key to its segments, and the seed of the lineage's leaves. */
static int
unseal(struct receiving *c, uint8_t leaf_seed[LEAF_SEED])
{
	const struct header *H = c->U->header;
	char *text = NULL;
	const char *why = site_unseal(c->S, H, c->U->crypt.key, leaf_seed);

	if (why != NULL)
		return (say_refused("%s: %s", H->vm, why));
	c->U->crypt.cipher = H->cipher;
	memcpy(c->U->crypt.bundle, H->id, RECORD_ID);
	c->U->decode = 1;
	if ((why = combined_unseal(c->S, H, c->parts, c->U)) != NULL)
		return (say_refused("%s: a part of it: %s", H->vm, why));
	if (H->definition.size > 0 &&
	    (why = vmtext_open(&text, H, &c->U->crypt, c->parts, leaf_seed)) != NULL)
		return (say_refused("%s: %s", H->vm, why));
	free(text);
	return (0);
}

static int
check_allowed(const struct trust_entry *e, const struct header *H)
{
	if (!trust_allows(e, H->vm))
		return (say_refused(
		    "%s: site '%s' may not replicate this VM to here; see 'vmferry trust add --vm'", H->vm,
		    e->card.name));
	return (check_size(e, H));
}

/* Of adopted disks nothing is left once there is a replica. */
static int
receive_done(const struct replica *R, const struct receiving *c)
{
	if (R == NULL || replica_last(R) == NULL || !adopted_is_meant(c->U->header))
		return (0);
	return (adopted_done(c->S, c->U->header));
}

int
receive(struct replica **R, struct receiving *c)
{
	const struct header *H = c->U->header;
	uint8_t leaf_seed[LEAF_SEED];
	char uuid[HEADER_UUID];
	int rc;

	*R = NULL;
	if ((rc = check_allowed(c->e, H)) != 0 || (rc = unseal(c, leaf_seed)) != 0 ||
	    (rc = reader_peek_volume(c->U->reader, &c->volume)) != 0)
		return (rc);
	if ((rc = replica_find(c->S, H->uuid, uuid)) == 0)
		rc = receive_first(R, c, leaf_seed);
	else if (rc > 0 && (rc = replica_open(R, c->S, H->uuid)) == 0)
		rc = receive_next(*R, c, leaf_seed);
	sodium_memzero(leaf_seed, sizeof leaf_seed);
	return (rc == 0 ? receive_done(*R, c) : rc);
}

/* --- the rest of a volume that was cut short --------------------------------------------------------------- */

struct search {
	const struct site *S;
	const char *vm;        /* of that name or UUID, or any */
	const uint8_t *bundle; /* that one, or any */
	char uuid[HEADER_UUID];
	uint8_t id[RECORD_ID];
	unsigned found;
};

static int
look_for_cut(void *context, const char *uuid)
{
	struct search *s = context;
	struct replica *R;

	if (replica_look(&R, s->S, uuid) != 0)
		return (0); /* said; it is not in the way of the others */
	for (unsigned i = 0; i < R->nstaged; i++) {
		if (R->staged[i].cut == 0 ||
		    (s->bundle != NULL && memcmp(R->staged[i].id, s->bundle, RECORD_ID) != 0) ||
		    (s->vm != NULL && strcmp(s->vm, R->vm) != 0 && strcmp(s->vm, uuid) != 0))
			continue;
		s->found++;
		strcpy(s->uuid, uuid);
		memcpy(s->id, R->staged[i].id, RECORD_ID);
	}
	replica_close(R);
	return (0);
}

static int
look_at_one(struct search *s, const char *vm)
{
	char uuid[HEADER_UUID];
	int rc = replica_find(s->S, vm, uuid);

	return (rc <= 0 ? rc : look_for_cut(s, uuid));
}

/* Open the replica of what was found, and find its entry again under the lock. */
static int
open_cut(struct replica **R, struct search *s, struct replica_staged **staged)
{
	int rc = replica_open(R, s->S, s->uuid);

	if (rc == 0 && ((*staged = intake_find(*R, s->id)) == NULL || (*staged)->cut == 0))
		rc = say_refused("%s: it is not cut short any more", (*R)->vm);
	return (rc);
}

/* What was allowed when the beginning came may not be so any more. */
static int
admit_rest(struct receiving *c, uint8_t leaf_seed[LEAF_SEED])
{
	const struct header *H = c->U->header;
	char words[TRUST_WORDS];
	const char *why = trust_objection(c->e, c->header->record.link, H->created, words);
	int rc;

	if (why != NULL)
		return (say_refused("%s: %s", H->vm, why));
	return ((rc = check_allowed(c->e, H)) == 0 ? unseal(c, leaf_seed) : rc);
}

static int
continue_staged(struct replica *R, struct receiving *c, struct replica_staged *s)
{
	uint8_t leaf_seed[LEAF_SEED];
	struct receiving rest = *c;
	struct staging_part p;
	int rc = staging_part_open(&p, R, c->S, s);

	rest.header = &p.header;
	if (rc == 0)
		rc =
		    reader_continue(c->U->reader, &p.header, writer_chain(p.writer), writer_stored(p.writer));
	if (rc == 0 && (rc = admit_rest(&rest, leaf_seed)) == 0)
		rc = staging_take_rest(R, &rest, &p);
	staging_part_free(&p);
	sodium_memzero(leaf_seed, sizeof leaf_seed);
	return (rc);
}

static int
continue_seed(struct replica *R, struct receiving *c, struct replica_staged *s)
{
	uint8_t leaf_seed[LEAF_SEED];
	struct receiving rest = *c;
	struct seeding_part p;
	int rc = seeding_part_open(&p, R, s);

	rest.header = &p.header;
	if (rc == 0)
		rc = reader_continue(c->U->reader, &p.header, &p.chain, p.stored);
	if (rc == 0 && (rc = admit_rest(&rest, leaf_seed)) == 0)
		rc = seeding_take_rest(R, &rest);
	seeding_part_free(&p);
	sodium_memzero(leaf_seed, sizeof leaf_seed);
	return (rc);
}

int
receive_rest(struct replica **R, struct receiving *c, const uint8_t bundle[RECORD_ID])
{
	struct search s = { .S = c->S, .bundle = bundle };
	struct replica_staged *staged;
	int rc;

	*R = NULL;
	if (c->only != NULL ? look_at_one(&s, c->only) != 0 : replica_each(c->S, look_for_cut, &s) != 0)
		return (-1);
	if (s.found == 0)
		return (say_refused(
		    "it is the rest of a bundle whose beginning is not here, or none at all; export it "
		    "from its beginning"));
	if ((rc = open_cut(R, &s, &staged)) != 0 || (rc = check_role(*R)) != 0)
		return (rc);
	if ((c->e = trust_by_key(site_trust(c->S), staged->key)) == NULL)
		return (say_refused("%s: site '%s' is not known any more", (*R)->vm, (*R)->primary));
	c->U->header = reader_get_header(c->U->reader);
	c->volume = staged->cut;
	rc = staged->on_disks ? continue_seed(*R, c, staged) : continue_staged(*R, c, staged);
	return (rc == 0 ? receive_done(*R, c) : rc);
}

static int
last_record(
    const struct replica *R, const struct site *S, const struct replica_staged *s, uint8_t rec[RECORD_SIZE])
{
	struct seeding_part d;
	struct staging_part p;
	int rc;

	if (s->on_disks) {
		rc = seeding_part_open(&d, R, s);
		memcpy(rec, d.last, RECORD_SIZE);
		seeding_part_free(&d);
		return (rc);
	}
	rc = staging_part_open(&p, R, S, s);
	memcpy(rec, p.last, RECORD_SIZE);
	if (rc == 0 && outfile_keep(p.file) != 0)
		rc = -1;
	staging_part_free(&p);
	return (rc);
}

/* NULL, said: no memory. */
static json_t *
position(const struct replica *R, const struct replica_staged *s, const uint8_t rec[RECORD_SIZE])
{
	json_t *o = json_pack(
	    "{s:s,s:I,s:I}", "vm", R->vm, "to", (json_int_t)s->to.seq, "volume", (json_int_t)s->cut);
	int bad = 0;

	bad |= jsontext_set_bytes(o, "bundle", s->id, RECORD_ID);
	bad |= jsontext_set_bytes(o, "record", rec, RECORD_SIZE);
	if ((o = jsontext_whole(o, bad)) == NULL)
		say_failed("out of memory");
	return (o);
}

static int
print_position(const struct replica *R, const struct replica_staged *s, const uint8_t rec[RECORD_SIZE])
{
	json_t *o = position(R, s, rec);
	int rc = o != NULL && json_dumpf(o, stdout, JSON_INDENT(1)) == 0 && putchar('\n') != EOF ? 0 : -1;

	json_decref(o);
	return (rc);
}

int
receive_position_of(const struct replica *R, const struct site *S, char out[RECEIVE_POSITION])
{
	const struct replica_staged *s = NULL;
	uint8_t rec[RECORD_SIZE];
	json_t *o;
	size_t n;

	for (unsigned i = 0; i < R->nstaged; i++)
		if (R->staged[i].cut != 0 && (s == NULL || R->staged[i].to.seq >= s->to.seq))
			s = &R->staged[i];
	if (s == NULL)
		return (1);
	if (last_record(R, S, s, rec) != 0 || (o = position(R, s, rec)) == NULL)
		return (-1);
	n = json_dumpb(o, out, RECEIVE_POSITION - 1, JSON_COMPACT);
	json_decref(o);
	if (n == 0 || n >= RECEIVE_POSITION)
		return (say_failed("%s: the position is too long", R->vm));
	out[n] = '\0';
	return (0);
}

int
receive_position(const struct site *S, const char *vm)
{
	struct search s = { .S = S, .vm = vm };
	struct replica *R = NULL;
	struct replica_staged *staged;
	uint8_t rec[RECORD_SIZE];
	int rc;

	if (replica_each(S, look_for_cut, &s) != 0)
		return (-1);
	if (s.found != 1)
		return (
		    say_refused(s.found == 0 ? "no bundle is here that was cut short"
		                             : "several bundles are here that were cut short; name the VM"));
	if ((rc = open_cut(&R, &s, &staged)) == 0 && (rc = last_record(R, S, staged, rec)) == 0)
		rc = print_position(R, staged, rec);
	replica_close(R);
	return (rc);
}
