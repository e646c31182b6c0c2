#include "replica/comparison.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/say.h"
#include "bounds.h"
#include "bundle/digests.h"
#include "bundle/outfile.h"
#include "disk/leaves.h"
#include "disk/scan.h"
#include "disk/source.h"

#define BATCH 512u

/* A comparison on its way out. */
struct comparing {
	struct comparison *C;
	struct outfile *out;
	struct writer *writer;
	struct digests *digests;
	struct groups groups;
	uint32_t disk;
};

static int
take_groups(void *context, uint64_t first, size_t n, const uint64_t *digests)
{
	struct comparing *c = context;

	(void)first;
	return (digests_write(c->digests, c->writer, c->disk, n, digests));
}

static int
take_leaves(void *context, uint64_t start, size_t n, const uint64_t *leaves)
{
	struct comparing *c = context;

	return (groups_add(&c->groups, start, n, leaves));
}

/* What the leaves say: no disk is read. */
static int
from_leaves(struct comparing *c)
{
	struct leaves *L = leaves_open(c->C->leaves[c->disk], 0);
	uint64_t start = 0, count, leaf[BATCH];
	int rc = -1;

	if (L == NULL)
		return (-1);
	while ((rc = leaves_next(L, &start, c->groups.blocks, &count)) == 0) {
		size_t n = count < BATCH ? (size_t)count : BATCH;

		if (leaves_read(L, start, n, leaf) != 0 || take_leaves(c, start, n, leaf) != 0)
			break;
		start += n;
	}
	leaves_free(L);
	return (rc == 1 ? 0 : -1);
}

/* What is on the disk. */
static int
from_disk(struct comparing *c)
{
	struct leaf_sum sum;
	struct source *S;
	struct scan_job job = {
		.secret = c->C->secret, .what = "comparing", .sum = &sum, .take = take_leaves, .context = c
	};
	int rc = source_open_own(&S, c->C->disks[c->disk], c->C->header.disks[c->disk].size);

	if (rc != 0)
		return (rc);
	job.source = S;
	if (source_size(S) != c->C->header.disks[c->disk].size)
		rc = say_refused("%s: has %" PRIu64 " bytes, and should have %" PRIu64, source_name(S),
		    source_size(S), c->C->header.disks[c->disk].size);
	else
		rc = scan_run(&job);
	source_close(S);
	return (rc);
}

static int
write_disks(struct comparing *c)
{
	const struct header *H = &c->C->header;
	int rc = 0;

	c->groups = (struct groups){ .secret = c->C->secret, .take = take_groups, .context = c };
	for (c->disk = 0; rc == 0 && c->disk < H->ndisks; c->disk++) {
		if ((rc = groups_start(&c->groups, H->disks[c->disk].size)) != 0)
			break;
		rc = c->C->leaves[c->disk][0] != '\0' ? from_leaves(c) : from_disk(c);
		if (rc == 0)
			rc = groups_end(&c->groups);
	}
	return (rc);
}

/* The rest of the header, and the keys. */
static void
make_header(struct comparison *C, struct segment_crypt *K)
{
	struct header *H = &C->header;

	H->type = BUNDLE_COMPARE;
	strcpy(H->signer, site_card(C->S)->name);
	H->created = (int64_t)time(NULL);
	H->cipher = K->cipher = RECORD_XCHACHA20POLY1305;
	if (H->keep == 0)
		H->keep = 1;
	memcpy(K->bundle, H->id, RECORD_ID);
	randombytes_buf(K->key, sizeof K->key);
	H->ntargets = 1;
	memcpy(H->targets[0].key, C->to->card.sign, RECORD_KEY);
	site_seal(&C->to->card, K->key, C->leaf_seed, H->targets[0].seal);
}

static int
run(struct comparing *c)
{
	struct trailer T = { .ndisks = 0 };
	struct segment_crypt K = { .cipher = RECORD_CLEAR };
	char tmp[PATH_MAX];
	int rc;

	make_header(c->C, &K);
	c->digests = digests_new(&K);
	sodium_memzero(&K, sizeof K);
	if (c->digests == NULL || io_path(tmp, "%s/tmp", site_home(c->C->S)) != 0)
		return (-1);
	if ((rc = outfile_open(&c->out, c->C->output)) != 0)
		return (rc);
	if ((c->writer = writer_new(c->out, tmp, site_secret(c->C->S))) == NULL)
		return (-1);
	if ((rc = writer_header(c->writer, &c->C->header)) != 0 || (rc = write_disks(c)) != 0)
		return (rc);
	if (writer_finish(c->writer, &c->C->header, &T) != 0 || outfile_commit(c->out) != 0)
		return (-1);
	say_note("%s: %s, %u disks, compared in %" PRIu64 " bytes: for 'vmferry export --against' at '%s'",
	    c->C->header.vm, c->C->what, c->C->header.ndisks, writer_position(c->writer),
	    c->C->to->card.name);
	return (0);
}

int
comparison_write(struct comparison *C)
{
	struct comparing c = { .C = C };
	int rc;

	if (C->to->is_revoked)
		return (say_refused("%s: the keys of this site were revoked here: nothing is sealed to them",
		    C->to->card.name));
	rc = run(&c);
	groups_free(&c.groups);
	digests_free(c.digests);
	writer_free(c.writer);
	outfile_free(c.out);
	return (rc);
}
