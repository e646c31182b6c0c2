#include "primary/against.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "bundle/digests.h"
#include "bundle/infile.h"
#include "disk/scan.h"
#include "primary/acknowledge.h"
#include "site/signer.h"

struct against {
	struct infile *in;
	struct member member; /* its payload: LIMIT_JSON bytes, the header's */
	const struct header *header;
	const struct trust_entry *site;
	struct digests *digests;
	struct leaf_secret secret;
	int is_ours; /* the secret is that of our lineage */
	/* One disk at a time: */
	uint32_t disk;   /* in the bundle */
	uint64_t groups; /* it has so many */
	struct groups own;
	struct ranges *must;
	uint64_t *theirs; /* GROUPS_BATCH of them */
};

/* --- whose is it? ------------------------------------------------------------------------------------- */

/* The header, signed by a site that we know. */
static int
read_header(struct against *A, const struct site *S)
{
	struct reader *R = infile_reader(A->in);
	uint8_t key[RECORD_KEY];
	int rc;

	if ((rc = reader_start(R, key)) != 0)
		return (rc);
	rc = signer_header(site_trust(S), R, &A->member, &A->header, &A->site);
	return (rc != SIGNER_UNKNOWN
	            ? rc
	            : say_refused("%s: it is signed with a key that this site does not know, or is not a "
	                          "bundle at all",
	                  infile_name(A->in)));
}

/* Does the replica that was compared have all disks but those that were not there yet at its point? */
static int
knows_all(const struct header *H, const struct primary *P)
{
	const struct primary_point *p = primary_point(P, H->to.seq);

	if (p == NULL && P->npoints > 0 && H->to.seq < P->points[0].point.seq)
		p = &P->points[0];
	for (unsigned i = H->ndisks; i < P->nreplicated; i++)
		if (p == NULL || p->size[i] != 0)
			return (0);
	return (1);
}

/* Is it a comparison with disks of this very VM? */
static int
check_header(const struct against *A, const struct site *S, struct primary *P)
{
	const struct header *H = A->header;
	const struct primary_point *last = primary_last(P);
	const char *name = infile_name(A->in);
	unsigned known = 0;

	if (H->type != BUNDLE_COMPARE)
		return (say_refused(
		    "%s: is a %s, not what 'vmferry compare' writes", name, header_type_text(H->type)));
	if (H->to.seq == 0 && strcmp(H->vm, P->vm) != 0)
		return (say_refused("%s: compares disks of VM '%s', not of '%s'", name, H->vm, P->vm));
	if (H->to.seq != 0 && strcmp(H->uuid, P->uuid) != 0)
		return (say_refused("%s: compares another VM: '%s', %s", name, H->vm, H->uuid));
	if (H->to.seq != 0 && memcmp(H->lineage, P->lineage, RECORD_ID) != 0)
		return (say_refused("%s: compares a replica of another lineage of this VM: adopt its disks "
		                    "there (see 'vmferry adopt')",
		    name));
	/* The next number is above that of the point that was compared. */
	if (last != NULL && H->to.seq > last->point.seq + ROLE_LEAP)
		return (say_refused("%s: compares a replica at point %" PRIu64
		                    ", which nobody can have come to: nothing of it is believed",
		    name, H->to.seq));
	/* One that has parted, or was left behind, is brought back by this very comparison. */
	if (H->to.seq != 0 && history_epoch(&H->history) > primary_epoch(P))
		return (acknowledge_epoch(S, P, A->site, H));
	if (H->to.seq != 0 && H->to.epoch > primary_epoch(P))
		return (say_refused("%s: compares a replica of epoch %" PRIu64 ", and here it is %" PRIu64,
		    name, H->to.epoch, primary_epoch(P)));
	for (unsigned i = 0; i < P->nreplicated; i++)
		for (unsigned k = 0; k < H->ndisks; k++)
			known += strcmp(P->disks[i].id, H->disks[k].id) == 0;
	if (known == 0)
		return (say_refused("%s: compares none of the VM's disks", name));
	if (H->to.seq != 0 && (known != H->ndisks || !knows_all(H, P)))
		return (say_refused("%s: compares other disks than the VM has", name));
	return (0);
}

static int
take_keys(struct against *A, const struct site *S, const struct primary *P)
{
	struct segment_crypt K = { .cipher = A->header->cipher };
	uint8_t leaf_seed[LEAF_SEED];
	const char *why = site_unseal(S, A->header, K.key, leaf_seed);
	int rc = 0;

	if (why != NULL)
		return (reader_refuse(infile_reader(A->in), NULL, why));
	memcpy(K.bundle, A->header->id, RECORD_ID);
	leaf_secret_make(&A->secret, leaf_seed);
	A->is_ours = memcmp(leaf_seed, P->leaf_seed, LEAF_SEED) == 0;
	sodium_memzero(leaf_seed, sizeof leaf_seed);
	if (A->header->to.seq != 0 && !A->is_ours)
		rc = reader_refuse(
		    infile_reader(A->in), NULL, "it was made with another leaf seed than its lineage has");
	else if ((A->digests = digests_new(&K)) == NULL)
		rc = -1;
	sodium_memzero(&K, sizeof K);
	return (rc);
}

static int
open_bundle(struct against *A, const struct site *S, struct primary *P, const char *path)
{
	int rc;

	if ((A->member.payload = malloc(LIMIT_JSON)) == NULL ||
	    (A->theirs = malloc(GROUPS_BATCH * sizeof *A->theirs)) == NULL)
		return (say_failed("out of memory"));
	if ((rc = infile_open(&A->in, path)) != 0 || (rc = read_header(A, S)) != 0 ||
	    (rc = check_header(A, S, P)) != 0)
		return (rc);
	return (take_keys(A, S, P));
}

int
against_open(struct against **out, const struct site *S, struct primary *P, const char *path)
{
	struct against *A = calloc(1, sizeof *A);
	int rc;

	*out = NULL;
	if (A == NULL)
		return (say_failed("out of memory"));
	if ((rc = open_bundle(A, S, P, path)) != 0)
		against_close(A);
	else
		*out = A;
	return (rc);
}

void
against_close(struct against *A)
{
	if (A == NULL)
		return;
	digests_free(A->digests);
	groups_free(&A->own);
	infile_close(A->in);
	free(A->member.payload);
	free(A->theirs);
	sodium_memzero(&A->secret, sizeof A->secret);
	free(A);
}

const struct header *
against_header(const struct against *A)
{
	return (A->header);
}

const struct trust_entry *
against_site(const struct against *A)
{
	return (A->site);
}

/* --- what differs? ------------------------------------------------------------------------------------ */

/* The digests from group first on, as many as a batch has; behind the disk's end all is zero. */
static int
read_theirs(struct against *A, uint64_t first)
{
	uint64_t n = first >= A->groups ? 0 : A->groups - first;

	if (n > GROUPS_BATCH)
		n = GROUPS_BATCH;
	memset(A->theirs + n, 0, (size_t)(GROUPS_BATCH - n) * sizeof *A->theirs);
	return (n == 0 ? 0 : digests_read(A->digests, infile_reader(A->in), A->disk, (size_t)n, A->theirs));
}

static int
take_groups(void *context, uint64_t first, size_t n, const uint64_t *digests)
{
	struct against *A = context;
	int rc = read_theirs(A, first);

	for (size_t i = 0; rc == 0 && i < n; i++)
		if (digests[i] != A->theirs[i])
			rc = ranges_add(A->must, (first + i) * LEAF_GROUP, LEAF_GROUP);
	return (rc);
}

static int
take_leaves(void *context, uint64_t start, size_t n, const uint64_t *leaves)
{
	struct against *A = context;

	return (groups_add(&A->own, start, n, leaves));
}

/* Read disk i of the cut, which is disk A->disk of the bundle. */
static int
compare_disk(struct against *A, struct cut *c, unsigned i)
{
	struct leaf_sum sum;
	struct scan_job job = { .source = c->sources[i],
		.secret = &A->secret,
		.leaves = A->is_ours ? c->leaves[i] : NULL,
		.what = "comparing",
		.sum = &sum,
		.differ = A->is_ours ? &c->maybe[i] : NULL,
		.take = take_leaves,
		.context = A };
	int rc;

	A->must = &c->must[i];
	A->own.secret = &A->secret;
	A->own.take = take_groups;
	A->own.context = A;
	if (groups_start(&A->own, source_size(c->sources[i])) != 0)
		return (-1);
	if ((rc = scan_run(&job)) != 0 || (rc = groups_end(&A->own)) != 0)
		return (rc);
	if (!A->is_ours)
		rc = ranges_add_bytes(&c->maybe[i], 0, source_size(c->sources[i]));
	ranges_sort(&c->must[i]);
	ranges_sort(&c->maybe[i]);
	return (rc);
}

/* Step over what the bundle has of its disk from group first on. */
static int
skip_theirs(struct against *A, uint64_t first)
{
	int rc = 0;

	while (rc == 0 && first < A->groups) {
		rc = read_theirs(A, first);
		first += GROUPS_BATCH;
	}
	return (rc);
}

static int
replicated(const struct primary *P, const char *id)
{
	for (unsigned i = 0; i < P->nreplicated; i++)
		if (strcmp(P->disks[i].id, id) == 0)
			return ((int)i);
	return (-1);
}

/* A disk of the VM that was not compared is carried whole. */
static int
carry_others(const struct against *A, struct cut *c)
{
	for (unsigned i = 0; i < c->P->nreplicated; i++) {
		unsigned k = 0;

		while (k < A->header->ndisks && strcmp(A->header->disks[k].id, c->P->disks[i].id) != 0)
			k++;
		if (k < A->header->ndisks || source_size(c->sources[i]) == 0)
			continue;
		say_note("%s: disk %s was not compared, so it is carried whole", c->P->vm, c->P->disks[i].id);
		if (ranges_add_bytes(&c->must[i], 0, source_size(c->sources[i])) != 0)
			return (-1);
		ranges_sort(&c->must[i]);
	}
	return (0);
}

int
against_find_changes(struct against *A, struct cut *c)
{
	int i, rc = 0;

	for (A->disk = 0; rc == 0 && A->disk < A->header->ndisks; A->disk++) {
		const struct header_disk *d = &A->header->disks[A->disk];
		uint64_t done = 0;

		A->groups = groups_of(d->size);
		if ((i = replicated(c->P, d->id)) < 0) {
			say_note("%s: disk %s was compared, but is not replicated", c->P->vm, d->id);
		} else {
			rc = compare_disk(A, c, (unsigned)i);
			done = groups_of(source_size(c->sources[i]));
			done = (done + GROUPS_BATCH - 1) / GROUPS_BATCH * GROUPS_BATCH;
		}
		if (rc == 0)
			rc = skip_theirs(A, done);
	}
	if (rc == 0)
		rc = digests_end(A->digests, infile_reader(A->in));
	return (rc == 0 ? carry_others(A, c) : rc);
}
