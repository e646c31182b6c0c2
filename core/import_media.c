#include "import_media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "base/stop.h"
#include "gather.h"
#include "medium/holdings.h"
#include "medium/logbook.h"
#include "primary/primary.h"
#include "replica/intake.h"
#include "replica/receipt.h"
#include "replica/replica.h"

struct taking {
	struct site *S;
	struct import_options o;
	struct medium *M;
	struct holdings C;
	unsigned char *is_done; /* by bundle of the holdings */
	unsigned taken, here, refused;
	int rc; /* the worst answer */
};

/* --- which ones --------------------------------------------------------------------------------------- */

/* The replica of a bundle's VM, to look at; NULL if there is none. */
static struct replica *
replica_of(const struct site *S, const struct holdings_bundle *b)
{
	char uuid[HEADER_UUID];
	struct replica *R;

	return (replica_find(S, b->uuid, uuid) == 1 && replica_look(&R, S, uuid) == 0 ? R : NULL);
}

/* Is it a seed or delta of a site that we know, for us? */
static int
is_ours(struct taking *k, const struct holdings_bundle *b)
{
	if (!header_leads(b->type) || b->type == BUNDLE_UNDO || site_is_own_key(k->S, b->key) ||
	    !holdings_is_for(b, k->S))
		return (0);
	if (trust_by_key(site_trust(k->S), b->key) != NULL)
		return (1);
	say_note("%s/%s: is passed over: it is signed with a key that this site does not know",
	    medium_folder(k->M), b->volumes[0].name);
	return (0);
}

/* Is this volume here, staged or merged with its bundle, so that it need not be read? */
static int
is_here(const struct site *S, const struct holdings_bundle *b, uint32_t number)
{
	struct replica *R = replica_of(S, b);
	const struct replica_staged *s;
	struct point held;
	int here = 0;

	if (R == NULL)
		return (0);
	held = intake_held(R);
	if (memcmp(R->lineage, b->lineage, RECORD_ID) == 0) {
		here = held.epoch == b->to.epoch && held.seq >= b->to.seq;
		if ((s = intake_find(R, b->id)) != NULL)
			for (unsigned i = 0; i < s->nvolumes; i++)
				here |= s->volumes[i].chain.number == number;
	}
	replica_close(R);
	return (here);
}

/* Nothing can be built on while there is no whole point of the VM here. */
static int
waits_for_seed(const struct site *S, const struct holdings_bundle *b)
{
	struct replica *R = replica_of(S, b);
	int waits = R == NULL || replica_last(R) == NULL;
	char uuid[HEADER_UUID];

	/* A primary may become a replica by the bundle of whom it has handed the VM over to. */
	if (R == NULL && primary_find(S, b->uuid, uuid) == 1)
		waits = 0;
	replica_close(R);
	return (waits);
}

/* --- take --------------------------------------------------------------------------------------------- */

static int
open_volume(struct taking *k, const char *name, struct infile **F)
{
	char path[PATH_MAX];
	int fd;

	*F = NULL;
	if (medium_path(k->M, name, path) != 0)
		return (-1);
	if ((fd = medium_file(k->M, name)) < 0)
		return (fd == -2 ? say_failed("%s: is gone", path) : -1);
	return (infile_take(F, fd, path));
}

/* The newest repair of b on the medium, by the same signer; NULL if there is none. */
static const struct holdings_bundle *
repair_of(const struct taking *k, const struct holdings_bundle *b)
{
	const struct holdings_bundle *fix = NULL;

	for (size_t i = 0; i < k->C.n; i++) {
		const struct holdings_bundle *x = &k->C.bundles[i];

		if (x->type == BUNDLE_REPAIR && memcmp(x->of, b->id, RECORD_ID) == 0 &&
		    memcmp(x->key, b->key, RECORD_KEY) == 0 && (fix == NULL || x->created >= fix->created))
			fix = x;
	}
	return (fix);
}

/* The volume of that name, with what is damaged from the repair x, unless that is NULL. */
static int
import_with(struct taking *k, const char *name, const struct holdings_bundle *x)
{
	struct infile *F = NULL, *fix = NULL;
	int rc = open_volume(k, name, &F);

	if (rc == 0 && x != NULL)
		rc = open_volume(k, x->volumes[0].name, &fix);
	if (rc == 0)
		rc = import_file(k->S, &k->o, F, fix);
	infile_close(fix);
	infile_close(F);
	return (rc);
}

static int
import_volume(struct taking *k, const struct holdings_bundle *b, const char *name)
{
	const struct holdings_bundle *x = repair_of(k, b);
	int rc = import_with(k, name, NULL);

	if (rc != 1 || x == NULL)
		return (rc);
	say_note("%s/%s: once more, with the repair %s", medium_folder(k->M), name, x->volumes[0].name);
	return (import_with(k, name, x));
}

static int
log_answer(struct taking *k, const struct holdings_bundle *b, const char *name, int rc)
{
	char stem[FILENAME_STEM], result[CUSTODY_RESULT], why[SAY_LAST];

	if (filename_split(stem, name) == 0)
		return (0);
	say_last(why);
	if (rc == 0)
		snprintf(result, sizeof result, "ok");
	else
		snprintf(result, sizeof result, "%s: %.180s", rc == 1 ? "refused" : "failed", why);
	return (logbook_add(k->M, k->S, stem, b->id, "import", result));
}

static int
take_volume(struct taking *k, const struct holdings_bundle *b, const struct holdings_volume *v)
{
	int rc;

	if (stop_check() != 0)
		return (-1);
	if (is_here(k->S, b, v->number)) {
		k->here++;
		return (0);
	}
	rc = import_volume(k, b, v->name);
	if (rc == 0)
		k->taken++;
	else
		k->refused++;
	if (rc < 0 || k->rc == 0)
		k->rc = rc;
	return (log_answer(k, b, v->name, rc));
}

/* Take the bundles in the order of the holdings: those that seeds say of, or all that are left.  0; -1: stop. */
static int
take_bundles(struct taking *k, int only_first_seeds)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < k->C.n; i++) {
		const struct holdings_bundle *b = &k->C.bundles[i];

		if (k->is_done[i] ||
		    (only_first_seeds && (b->type != BUNDLE_SEED || !waits_for_seed(k->S, b))))
			continue;
		k->is_done[i] = 1;
		if (!is_ours(k, b))
			continue;
		for (unsigned j = 0; rc == 0 && j < b->nvolumes; j++)
			rc = take_volume(k, b, &b->volumes[j]);
	}
	return (rc);
}

/* --- leave -------------------------------------------------------------------------------------------- */

/* Our receipt for the VM of b that says what R would say now, or NULL. */
static const struct holdings_bundle *
same_receipt(const struct taking *k, const struct replica *R)
{
	const struct replica_point *last = replica_last(R);
	struct point held = intake_held(R);

	for (size_t i = 0; i < k->C.n; i++) {
		const struct holdings_bundle *b = &k->C.bundles[i];

		if (b->type == BUNDLE_RECEIPT && memcmp(b->key, site_card(k->S)->sign, RECORD_KEY) == 0 &&
		    strcmp(b->uuid, R->uuid) == 0 && memcmp(b->lineage, R->lineage, RECORD_ID) == 0 &&
		    b->to.epoch == held.epoch && b->to.seq == held.seq && b->from.seq == last->point.seq)
			return (b);
	}
	return (NULL);
}

/* The receipts that this site has left for R before, but one. */
static int
remove_older(const struct taking *k, const struct replica *R, const struct holdings_bundle *but)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < k->C.n; i++) {
		const struct holdings_bundle *b = &k->C.bundles[i];

		if (b == but || b->type != BUNDLE_RECEIPT || !site_is_own_key(k->S, b->key) ||
		    strcmp(b->uuid, R->uuid) != 0)
			continue;
		for (unsigned j = 0; rc == 0 && j < b->nvolumes; j++)
			rc = medium_remove(k->M, b->volumes[j].name);
	}
	return (rc);
}

static int
leave_receipt(struct taking *k, const struct holdings_bundle *b)
{
	struct replica *R = replica_of(k->S, b);
	const struct holdings_bundle *same;
	char name[FILENAME_SIZE];
	int rc = 0;

	if (R == NULL || replica_last(R) == NULL || memcmp(R->lineage, b->lineage, RECORD_ID) != 0)
		goto done;
	if ((same = same_receipt(k, R)) == NULL && (rc = receipt_leave(R, k->S, k->M, name)) == 0)
		say_note("%s/%s: receipt left for site '%s'", medium_folder(k->M), name, R->primary);
	if (rc == 0)
		rc = remove_older(k, R, same);
done:
	replica_close(R);
	return (rc < 0 ? -1 : 0);
}

/* --- */

/* What was here before may have been cut off in front of its merge. */
static int
merge_here(struct taking *k, const struct holdings_bundle *b)
{
	struct replica *R = replica_of(k->S, b);
	int waits = R != NULL && (R->nstaged > 0 || R->merging), rc = 0;

	replica_close(R);
	if (waits && k->here > 0 && !k->o.stage_only)
		rc = import_conclude(k->S, &k->o, b->uuid);
	if (rc < 0 || k->rc == 0)
		k->rc = rc;
	return (stop_check());
}

/* For each VM of which there is something for us: 0; -1: stop. */
static int
each_vm(struct taking *k, int (*what)(struct taking *k, const struct holdings_bundle *b))
{
	const struct holdings_bundle *before = NULL;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < k->C.n; i++) {
		const struct holdings_bundle *b = &k->C.bundles[i];

		if (!header_leads(b->type) || !holdings_is_for(b, k->S) ||
		    trust_by_key(site_trust(k->S), b->key) == NULL ||
		    (before != NULL && strcmp(before->uuid, b->uuid) == 0 &&
		        memcmp(before->lineage, b->lineage, RECORD_ID) == 0))
			continue;
		before = b;
		rc = what(k, b);
	}
	return (rc);
}

/* A receipt for each VM, be its bundle here already: the receipt may have been lost; and our keys. */
static int
leave(struct taking *k)
{
	int rc;

	if (!medium_can_write(k->M))
		return (0);
	if ((rc = each_vm(k, leave_receipt)) == 0)
		rc = gather_leave_keys(k->S, k->M);
	return (rc == 0 ? io_sync_dir(medium_folder(k->M)) : rc);
}

static int
take_all(struct taking *k)
{
	int rc;

	if ((k->is_done = calloc(k->C.n + 1, 1)) == NULL)
		return (say_failed("out of memory"));
	if ((rc = gather(k->S, k->M, &k->C)) == 0 && (rc = take_bundles(k, 1)) == 0 &&
	    (rc = take_bundles(k, 0)) == 0 && (rc = each_vm(k, merge_here)) == 0)
		rc = leave(k);
	if (rc == 0)
		say_note("%s: %u volumes taken, %u were here, %u refused", medium_folder(k->M), k->taken,
		    k->here, k->refused);
	return (rc == 0 ? k->rc : rc);
}

int
import_media(struct site *S, const struct import_options *o, const char *dir)
{
	struct taking k = { .S = S, .o = *o };
	int rc = medium_open(&k.M, dir, MEDIUM_LEAVE, NULL);

	k.o.receipt = NULL;
	if (rc == 0 && (rc = teller_start(&k.o.teller, S)) == 0 &&
	    (rc = import_confine(S, medium_folder(k.M), o->insist)) == 0 &&
	    (rc = holdings_read(&k.C, k.M, 0)) == 0)
		rc = take_all(&k);
	teller_end(k.o.teller);
	holdings_free(&k.C);
	free(k.is_done);
	medium_close(k.M);
	return (rc);
}
