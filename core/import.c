#include "import.h"

#include <inttypes.h>
#include <libgen.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle/infile.h"
#include "bundle/mend.h"
#include "bundle/unpack.h"
#include "base/io.h"
#include "base/program.h"
#include "disk/relay.h"
#include "follow.h"
#include "primary/acknowledge.h"
#include "replica/adoption.h"
#include "replica/branch.h"
#include "replica/forward.h"
#include "replica/meeting.h"
#include "replica/merge.h"
#include "replica/missing.h"
#include "replica/receipt.h"
#include "replica/receive.h"
#include "base/sandbox.h"
#include "base/say.h"
#include "side.h"
#include "site/signer.h"

/* The header, if a site that we know signed it: 0, and its entry; 1, said; -1. */
static int
read_header(const struct site *S, struct infile *F, struct member *m, const struct header **H,
    const struct trust_entry **e)
{
	struct reader *R = infile_reader(F);
	char print[CARD_FINGERPRINT];
	int rc = signer_header(site_trust(S), R, m, H, e);

	if (rc != SIGNER_UNKNOWN)
		return (rc);
	if (site_is_own_key(S, reader_key(R)))
		return (say_refused("%s: it was made at this very site", infile_name(F)));
	sodium_bin2hex(print, sizeof print, reader_key(R), 16);
	return (say_refused(
	    "%s: it is signed with a key that this site does not know (%s...), or is not a bundle at all; "
	    "add the sender's card with 'vmferry trust add', or, if it has new keys, its list of them with "
	    "'vmferry "
	    "key import'",
	    infile_name(F), print));
}

static int
take_nothing(void *context, const struct unpacked *u)
{
	const struct unpack *U = context;

	return (u->member.record.type == RECORD_SEGMENT
	            ? reader_refuse(U->reader, &u->member.record, "a receipt with segments")
	            : 0);
}

/*
 * Where the ways have parted, or another site says that it is the primary, that site is to know what is here: the receipt
 * is written, if one was asked for.  Of what was refused the answer stays rc.
 */
static int
answer(const struct site *S, const struct import_options *o, const struct replica *R, int rc)
{
	if (rc < 0 || o->receipt == NULL || replica_last(R) == NULL)
		return (rc);
	return (receipt_write(R, S, o->receipt) < 0 ? -1 : rc);
}

/* A replica is told who the primary is now. */
static int
hear(
    const struct site *S, const struct import_options *o, const struct trust_entry *e, const struct header *H)
{
	struct replica *R;
	int rc = replica_open(&R, S, H->uuid);

	if (rc == 0 && ((rc = meeting_heard(R, e, H)) == 0 || branch_claim(&R->role, e) != NULL))
		rc = answer(S, o, R, rc);
	replica_close(R);
	return (rc);
}

/* A receipt is for whom its site gets its bundles from; of what was kept before this site took over, for both. */
static int
take_word(const struct site *S, const struct trust_entry *e, const struct header *H)
{
	int rc = side_is_replica(S, H->uuid);

	if (rc != 0)
		return (rc < 0 ? -1 : forward_acknowledge(S, e, H));
	if ((rc = acknowledge(S, e, H)) != 0 || (rc = forward_is_news(S, e, H->uuid, &H->to)) <= 0)
		return (rc);
	return (forward_acknowledge(S, e, H));
}

static int
import_receipt(
    const struct site *S, const struct import_options *o, const struct trust_entry *e, struct unpack *U)
{
	char uuid[HEADER_UUID];
	int rc;

	U->context = U;
	U->take = take_nothing;
	U->what = "receipt";
	if ((rc = unpack_run(U)) != 0)
		return (rc);
	/* Somebody else may say to be the primary now. */
	if (U->header->is_primary && (rc = follow(S, e, U->header)) != FOLLOW_NOT)
		return (rc == FOLLOW_DONE ? 0 : rc);
	if (U->header->is_primary && (rc = replica_find(S, U->header->uuid, uuid)) != 0)
		return (rc < 0 ? -1 : hear(S, o, e, U->header));
	return (take_word(S, e, U->header));
}

static void
say_missing(void *context, const char *text)
{
	const struct replica *R = context;

	say_note("%s: %s", R->vm, text);
}

/* What was received is here for good: merge what can be, say how things are, write the receipt. */
static int
conclude(struct replica *R, const struct site *S, const struct import_options *o)
{
	int rc = o->stage_only ? 0 : merge_all(R, S);
	char words[ROLE_WORDS];
	const char *why;

	if (rc != 0)
		return (rc);
	if (R->nstaged > 0 && (why = merge_waits(R, words)) != NULL)
		say_note("%s: merges wait: %s", R->vm, why);
	if (replica_last(R) != NULL)
		say_note(
		    "%s: at point %" PRIu64 ", %u staged", R->vm, replica_last(R)->point.seq, R->nstaged);
	missing_each(R, say_missing, R);
	return (o->receipt == NULL || replica_last(R) == NULL ? 0 : receipt_write(R, S, o->receipt));
}

int
import_conclude(const struct site *S, const struct import_options *o, const char *vm)
{
	struct replica *R;
	int rc = replica_open(&R, S, vm);

	if (rc == 0) {
		teller_note(o->teller, R->uuid);
		rc = conclude(R, S, o);
	}
	replica_close(R);
	return (rc);
}

static int
import_data(const struct site *S, const struct import_options *o, struct receiving *c)
{
	struct replica *R = NULL;
	int rc = follow(S, c->e, c->U->header);

	if (rc == FOLLOW_NOT || rc == FOLLOW_DONE)
		rc = receive(&R, c);
	if (rc == 0 && R != NULL)
		rc = conclude(R, S, o);
	else if (rc == 1 && R != NULL && branch_claim(&R->role, c->e) != NULL)
		rc = answer(S, o, R, rc);
	replica_close(R);
	return (rc);
}

static int
import_rest(const struct site *S, const struct import_options *o, struct receiving *c,
    const uint8_t bundle[RECORD_ID])
{
	struct replica *R = NULL;
	int rc = receive_rest(&R, c, bundle);

	if (R != NULL)
		teller_note(o->teller, R->uuid);
	if (rc == 0 && R != NULL)
		rc = conclude(R, S, o);
	replica_close(R);
	return (rc);
}

static int
import_from(const struct site *S, const struct import_options *o, struct infile *F, struct member *m)
{
	uint8_t key[RECORD_KEY], bundle[RECORD_ID];
	struct unpack U;
	struct receiving c = { .S = S, .U = &U, .header = m, .keep = infile_is_pipe(F), .only = o->only };
	int rc;

	memset(&U, 0, sizeof U);
	U.reader = infile_reader(F);
	U.total = infile_size(F);
	if ((rc = reader_start(U.reader, key)) != 0)
		return (rc);
	if (reader_is_rest(U.reader, bundle))
		return (import_rest(S, o, &c, bundle));
	if ((rc = read_header(S, F, m, &U.header, &c.e)) != 0)
		return (rc);
	if (o->only != NULL && strcmp(o->only, U.header->uuid) != 0)
		return (say_refused("%s: it is of another VM than was said", U.header->vm));
	teller_note(o->teller, U.header->uuid);
	switch (U.header->type) {
	case BUNDLE_SEED:
	case BUNDLE_DELTA:
		return (import_data(S, o, &c));
	case BUNDLE_RECEIPT:
		return (import_receipt(S, o, c.e, &U));
	case BUNDLE_UNDO:
		return (say_refused("%s: an undo is a replica's own; see 'vmferry restore'", infile_name(F)));
	case BUNDLE_REQUEST:
		return (say_refused(
		    "%s: is a repair request; answer it with 'vmferry export --repair'", infile_name(F)));
	case BUNDLE_REPAIR:
		return (
		    say_refused("%s: is a repair; import the damaged bundle with --repair", infile_name(F)));
	case BUNDLE_COMPARE:
		return (say_refused(
		    "%s: says what disks hold; use it with 'vmferry export --against'", infile_name(F)));
	}
	return (-1);
}

/* The folders that an import may touch: the home, the stores, and the one of the receipt. */
static int
allow_store(void *context, const char *dir)
{
	return (sandbox_add(context, dir));
}

/* What runs here, whom it trusts and what it starts is in the home, and not for the confined; its folders are. */
static int
allow_home(const struct site *S, struct sandbox *B)
{
	static const char *const folders[] = { "primaries", "replicas", "adopted", "tmp" };
	char dir[PATH_MAX];
	int rc = sandbox_add_look(B, site_home(S));

	for (size_t i = 0; rc == 0 && i < sizeof folders / sizeof *folders; i++)
		if ((rc = io_path(dir, "%s/%s", site_home(S), folders[i])) == 0 && (rc = io_exists(dir)) > 0)
			rc = sandbox_add(B, dir);
	return (rc);
}

/* Confined to what an import of that VM, or of any (NULL), may touch, and one folder more.  Key lists go to the trust file. */
static int
confine_to(const struct site *S, const char *only, const char *folder, int takes_keys, int insist)
{
	struct sandbox *B = calloc(1, sizeof *B);
	struct relay_list N = { 0 };
	int rc = -1;

	if (B == NULL)
		return (say_failed("out of memory"));
	B->work = SANDBOX_STORE;
	B->insist = insist;
	rc = only == NULL ? replica_each_store(S, allow_store, B)
	                  : replica_its_stores(S, only, allow_store, B);
	if (rc == 0 && (rc = follow_allow(S, B, &N, only)) == 0 &&
	    (rc = adoption_each_folder(S, allow_store, B)) == 0)
		rc = takes_keys ? sandbox_add(B, site_home(S)) : allow_home(S, B);
	if (rc == 0 && folder != NULL)
		rc = sandbox_add(B, folder);
	program_keep_none();
	if (rc == 0 && (rc = relay_start(&N)) == 0)
		rc = sandbox_enter(B);
	relay_free(&N);
	sandbox_free(B);
	free(B);
	return (rc);
}

int
import_confine(const struct site *S, const char *folder, int insist)
{
	return (confine_to(S, NULL, folder, 1, insist));
}

/* Read the repair in F, which a site that we know must have signed: 0; 1, said; -1. */
static int
open_mend(const struct site *S, struct infile *F, struct member *m, struct mend **M)
{
	uint8_t key[RECORD_KEY];
	const struct trust_entry *e;
	const struct header *H;
	int rc;

	if ((rc = reader_start(infile_reader(F), key)) != 0 || (rc = read_header(S, F, m, &H, &e)) != 0)
		return (rc);
	return (mend_open(M, F, H));
}

static int
confine(const struct site *S, const struct import_options *o)
{
	char dir[PATH_MAX];

	if (o->receipt == NULL || strcmp(o->receipt, "-") == 0)
		return (confine_to(S, o->only, NULL, 0, o->insist));
	if (io_path(dir, "%s", o->receipt) != 0)
		return (-1);
	return (confine_to(S, o->only, dirname(dir), 0, o->insist));
}

int
import_file(const struct site *S, const struct import_options *o, struct infile *F, struct infile *fix)
{
	struct member m = { .payload = malloc(LIMIT_JSON) };
	struct mend *M = NULL;
	int rc = 0;

	if (m.payload == NULL)
		return (say_failed("out of memory"));
	if (fix != NULL && (rc = open_mend(S, fix, &m, &M)) == 0)
		reader_use_mend(infile_reader(F), M);
	if (rc == 0)
		rc = import_from(S, o, F, &m);
	mend_close(M);
	free(m.payload);
	return (rc);
}

int
import(const struct site *S, const struct import_options *options)
{
	struct import_options o = *options;
	struct infile *F, *fix = NULL;
	int rc;

	if ((rc = infile_open(&F, o.input)) != 0)
		return (rc);
	if (o.repair != NULL)
		rc = infile_open(&fix, o.repair);
	if (rc == 0 && (rc = teller_start(&o.teller, S)) == 0 && (rc = confine(S, &o)) == 0)
		rc = import_file(S, &o, F, fix);
	teller_end(o.teller);
	infile_close(fix);
	infile_close(F);
	return (rc);
}
