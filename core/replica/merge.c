#include "replica/merge.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bundle/pack.h"
#include "bundle/unpack.h"
#include "bundle/writer.h"
#include "disk/source.h"
#include "base/clock.h"
#include "base/io.h"
#include "replica/arrival.h"
#include "replica/combined.h"
#include "replica/definitions.h"
#include "replica/disks.h"
#include "replica/inbox.h"
#include "replica/intake.h"
#include "replica/meeting.h"
#include "replica/outbox.h"
#include "base/say.h"

/* One bundle on its way from the inbox to the disks. */
struct merging {
	struct replica *R;
	const struct site *S;
	struct disks disks;
	unsigned known;                             /* disks that the replica had before the bundle */
	struct replica_disk_point now[LIMIT_DISKS]; /* where the bundle leads */
	int want_undo;
	int damaged; /* the disks were not what they should be where the bundle replaces them */
	struct ranges differ[LIMIT_DISKS]; /* what it replaces */
	/* Where parts of it may come over one another: */
	struct leaves *over[LIMIT_DISKS];
	struct combined *combined;
	const struct inbox *inbox;
	struct header header; /* of the bundle that is applied */
	int64_t begun;        /* by clock_ms */
};

/* --- plan: where does it lead, and what does it replace? ---------------------------------------------- */

static struct disks_tally
tally(struct merging *m, uint32_t i)
{
	return ((struct disks_tally){ .before = m->disks.leaves[i],
	    .over = m->over[i],
	    .secret = &m->R->secret,
	    .sum = &m->now[i].sum,
	    .differ = m->want_undo ? &m->differ[i] : NULL });
}

static int
plan(void *context, const struct unpacked *u)
{
	struct merging *m = context;
	struct disks_tally t;
	int rc = combined_take(m->combined, m->inbox->reader, u);

	if (rc != 0 || u->member.record.type != RECORD_SEGMENT)
		return (rc);
	t = tally(m, u->member.record.disk);
	return (disks_sum(&t, u));
}

static int
plan_sizes(struct merging *m, const struct header *H)
{
	const struct replica_point *last = replica_last(m->R);

	for (unsigned i = 0; i < m->R->ndisks; i++) {
		struct disks_tally t = tally(m, i);
		struct ranges *differ = t.differ;

		m->now[i].size = H->disks[i].size;
		if (disks_sum_cut(&t, m->now[i].size, last->disks[i].size) != 0)
			return (-1);
		leaf_root(m->now[i].root, &m->R->secret, &m->now[i].sum, m->now[i].size);
		/* A cut inside a block may take bytes of it that no segment speaks of. */
		if (differ != NULL && m->now[i].size < last->disks[i].size &&
		    ranges_add_bytes(differ, m->now[i].size, last->disks[i].size - m->now[i].size) != 0)
			return (-1);
		if (differ != NULL)
			ranges_sort(differ);
	}
	return (0);
}

/* The disks that the bundle would have added are not there. */
static void
forget_new_disks(struct merging *m)
{
	m->R->ndisks = m->known;
}

/* The bundle does not lead where its primary signed: it leaves the inbox, and the replica stays as it is. */
static int
reject(struct merging *m, unsigned disk)
{
	struct replica *R = m->R;

	role_step(&R->role, ROLE_PART);
	forget_new_disks(m);
	snprintf(R->role.cause, sizeof R->role.cause,
	    "the bundle to point %" PRIu64 " does not give disk %s its signed root", R->staged[0].to.seq,
	    R->disks[disk]);
	outbox_forget(R, R->staged[0].id);
	replica_drop_staged(R, 0);
	if (replica_save(R) != 0 || replica_tidy(R) != 0)
		return (-1);
	return (say_refused("%s: %s; the replica stays at point %" PRIu64
	                    "; run scrub here, and export a seed or a delta with "
	                    "--since %" PRIu64 " there",
	    R->vm, R->role.cause, replica_last(R)->point.seq, replica_last(R)->point.seq));
}

static int
make_plan(struct merging *m, struct inbox *b)
{
	const struct trailer *T = &b->end;
	int rc;

	for (unsigned i = 0; i < m->R->ndisks; i++)
		m->now[i].sum = replica_last(m->R)->disks[i].sum;
	for (unsigned i = 0; b->header->nparts > 0 && i < m->R->ndisks; i++)
		if ((m->over[i] = leaves_temporary(m->R->dir)) == NULL)
			return (-1);
	if ((m->combined = combined_new(m->R, m->S, 0)) == NULL)
		return (-1);
	m->inbox = b;
	if ((rc = inbox_run(b, m, plan, "check")) != 0 || (rc = plan_sizes(m, b->header)) != 0)
		return (rc);
	for (unsigned i = 0; i < m->R->ndisks; i++)
		if (memcmp(m->now[i].root, T->root[i], LEAF_ROOT) != 0)
			return (reject(m, i));
	return (0);
}

/* --- undo: the way back ------------------------------------------------------------------------------- */

/* The whole way back in one bundle of our own: what is on the disks now, where it will be replaced. */
struct undo {
	struct header header;
	struct trailer trailer;
	struct pack pack;
	struct pack_disk disks[LIMIT_DISKS];
	struct source *sources[LIMIT_DISKS];
};

static int
describe_undo(struct undo *u, const struct merging *m, const struct header *of)
{
	const struct replica_point *last = replica_last(m->R);
	struct header *H = &u->header;
	char path[PATH_MAX];
	int rc;

	H->type = BUNDLE_UNDO;
	randombytes_buf(H->id, sizeof H->id);
	memcpy(H->lineage, m->R->lineage, RECORD_ID);
	strcpy(H->uuid, m->R->uuid);
	strcpy(H->vm, m->R->vm);
	strcpy(H->signer, site_card(m->S)->name);
	H->created = (int64_t)time(NULL);
	H->from = of->to;
	H->to = last->point;
	H->keep = m->R->keep;
	H->ndisks = u->trailer.ndisks = m->R->ndisks;
	H->has_leaf_seed = 0;
	for (unsigned i = 0; i < H->ndisks; i++) {
		strcpy(H->disks[i].id, m->R->disks[i]);
		H->disks[i].size = last->disks[i].size;
		H->disks[i].before_size = m->now[i].size;
		memcpy(H->disks[i].before, m->now[i].root, LEAF_ROOT);
		memcpy(u->trailer.root[i], last->disks[i].root, LEAF_ROOT);
		if (replica_disk_path(m->R, i, path) != 0)
			return (-1);
		if ((rc = source_open_own(&u->sources[i], path, last->disks[i].size)) != 0)
			return (rc);
		u->disks[i] = (struct pack_disk){ .source = u->sources[i],
			.leaves = m->disks.leaves[i],
			.must = &m->differ[i],
			.is_own = 1,
			.size = last->disks[i].size };
	}
	u->pack = (struct pack){ .secret = &m->R->secret,
		.level = SEGMENT_FAST,
		.disks = u->disks,
		.ndisks = H->ndisks,
		.trailer = &u->trailer,
		.what = "undo" };
	memcpy(u->pack.crypt.bundle, H->id, RECORD_ID);
	rc = pack_most(&u->pack, &u->pack.most);
	H->most = u->pack.most;
	return (rc);
}

static int
pack_undo(struct undo *u, const struct merging *m, int fd, const char *path)
{
	struct outfile *F = outfile_wrap(fd, path);
	struct writer *W = F == NULL ? NULL : writer_new(F, m->R->dir, site_secret(m->S));
	int rc = -1;

	if (W == NULL)
		goto done;
	u->pack.writer = W;
	if ((rc = writer_header(W, &u->header)) == 0 && (rc = pack_run(&u->pack)) == 0)
		rc = writer_finish(W, &u->header, &u->trailer);
	if (rc == 0)
		rc = outfile_commit(F);
done:
	writer_free(W);
	outfile_free(F);
	return (rc);
}

static int
write_undo(struct merging *m, const struct header *of)
{
	struct undo *u = calloc(1, sizeof *u);
	char part[PATH_MAX], path[PATH_MAX], dir[PATH_MAX];
	int fd = -1, rc = -1;

	if (u == NULL)
		return (say_failed("out of memory"));
	if (io_path(dir, "%s/undo", m->R->dir) == 0 && io_path(part, "%s/part", dir) == 0 &&
	    replica_undo_path(m->R, &replica_last(m->R)->point, path) == 0 && io_remove(part) == 0)
		rc = describe_undo(u, m, of);
	if (rc == 0 && (fd = io_create(part)) < 0)
		rc = -1;
	if (rc == 0)
		rc = pack_undo(u, m, fd, part);
	m->damaged = u->pack.damaged > 0;
	if (rc == 0)
		rc = io_publish(part, path, dir);
	else if (fd >= 0)
		io_remove(part);
	io_close(fd);
	for (unsigned i = 0; i < LIMIT_DISKS; i++)
		source_close(u->sources[i]);
	free(u);
	return (rc);
}

/* --- apply -------------------------------------------------------------------------------------------- */

static int
apply(void *context, const struct unpacked *u)
{
	struct merging *m = context;

	return (u->member.record.type == RECORD_SEGMENT ? disks_apply(&m->disks, u) : 0);
}

/* Bring a disk to its new size; leaves beyond it go. */
static int
resize(struct merging *m, unsigned i)
{
	uint64_t end = LIMIT_DISK_SIZE / LIMIT_BLOCK, size = m->R->merged[i].size;
	uint64_t first = (size + LIMIT_BLOCK - 1) / LIMIT_BLOCK, old = replica_last(m->R)->disks[i].size;

	if (image_resize(m->disks.images[i], old, size) != 0)
		return (-1);
	return (size == old ? 0 : leaves_clear(m->disks.leaves[i], first, end - first));
}

/* Who made the bundle is the one to follow from now on; who combined several is not. */
static const struct trust_entry *
maker(const struct merging *m)
{
	return (m->header.nparts > 0 ? NULL : trust_by_key(site_trust(m->S), m->R->staged[0].key));
}

/* The record moves on: the disks are at the bundle's point, and its header counts. */
static int
conclude(struct merging *m)
{
	struct replica *R = m->R;
	struct replica_point p;

	memset(&p, 0, sizeof p);
	p.point = R->staged[0].to;
	memcpy(p.disks, R->merged, sizeof p.disks);
	definitions_mark(R, &m->header, &p);
	replica_follow(R, maker(m), &m->header);
	if (intake_moved(R, &p) != 0)
		return (-1);
	meeting_received(R, m->S, &m->header);
	role_settle_claims(&R->role, &p.point);
	R->keep = trust_points(trust_by_key(site_trust(m->S), R->key), m->header.keep);
	R->nexcluded = m->header.nexcluded;
	memcpy(R->excluded, m->header.excluded, sizeof R->excluded);
	if (replica_save(R) != 0)
		return (-1);
	arrival_merged(R, &p.point, clock_ms() - m->begun);
	return (replica_prune(R) != 0 ? -1 : replica_tidy(R));
}

/* Apply the first staged bundle, which the record says to be on its way; may be done again. */
static int
apply_staged(struct merging *m)
{
	struct inbox b;
	int rc = inbox_open(&b, m->R, m->S, &m->R->staged[0]);

	if (rc == 0) {
		m->header = *b.header;
		rc = definitions_keep(m->R, b.header, &b.U.crypt, b.parts);
		for (unsigned i = 0; rc == 0 && i < m->R->ndisks; i++)
			rc = resize(m, i);
		if (rc == 0)
			rc = inbox_run(&b, m, apply, "merge");
	}
	inbox_close(&b);
	if (rc == 0)
		rc = disks_sync(&m->disks, m->R);
	return (rc == 0 ? conclude(m) : rc);
}

/* --- */

/* Open the disks, those too that the bundle adds, and see that they can become as large as they must. */
static int
open_disks(struct merging *m, const struct header *H)
{
	int rc;

	m->known = m->R->ndisks;
	replica_add_disks(m->R, H);
	rc = disks_open(&m->disks, m->R);
	for (unsigned i = 0; rc == 0 && i < H->ndisks && i < m->R->ndisks; i++)
		rc = image_fits(m->disks.images[i], H->disks[i].size);
	return (rc);
}

static int
prepare(struct merging *m)
{
	struct inbox b;
	int rc = inbox_open(&b, m->R, m->S, &m->R->staged[0]);

	if (rc == 0 && (rc = open_disks(m, b.header)) == 0) {
		m->want_undo = b.header->keep > 1 || replica_has_pins(m->R);
		rc = make_plan(m, &b);
	}
	if (rc == 0 && m->want_undo)
		rc = write_undo(m, b.header);
	inbox_close(&b);
	if (rc != 0) {
		forget_new_disks(m);
		return (rc);
	}
	/* The merge itself mends what it replaces; the way back keeps the damage, and the points say so. */
	for (unsigned i = 0; m->damaged && i < m->R->npoints; i++)
		m->R->points[i].is_damaged = 1;
	m->R->merging = 1;
	m->R->merging_undo = m->want_undo;
	memcpy(m->R->merged, m->now, sizeof m->R->merged);
	return (replica_save(m->R));
}

static int
merge_one(struct replica *R, const struct site *S)
{
	struct merging *m = calloc(1, sizeof *m);
	int rc;

	if (m == NULL)
		return (say_failed("out of memory"));
	m->R = R;
	m->S = S;
	m->known = R->ndisks;
	m->begun = clock_ms();
	if ((rc = R->merging ? disks_open(&m->disks, R) : prepare(m)) == 0)
		rc = apply_staged(m);
	disks_close(&m->disks);
	combined_free(m->combined);
	for (unsigned i = 0; i < LIMIT_DISKS; i++) {
		ranges_free(&m->differ[i]);
		leaves_free(m->over[i]);
	}
	free(m);
	return (rc);
}

int
merge_recover(struct replica *R, const struct site *S)
{
	return (R->merging ? merge_one(R, S) : 0);
}

/* The bundle to be merged is the first. */
static void
put_first(struct replica *R, int i)
{
	struct replica_staged s = R->staged[i];

	R->staged[i] = R->staged[0];
	R->staged[0] = s;
}

const char *
merge_waits(const struct replica *R, char words[ROLE_WORDS])
{
	if (R->test.is_on) {
		snprintf(words, ROLE_WORDS,
		    "a test failover from point %" PRIu64
		    " stands; end it with 'vmferry failover --stop-test'",
		    R->test.at.seq);
		return (words);
	}
	/* A placeholder has nothing that could wait. */
	return (replica_last(R) == NULL ? NULL : role_objection(&R->role, ROLE_MERGE, words));
}

int
merge_all(struct replica *R, const struct site *S)
{
	char words[ROLE_WORDS];
	int rc = 0, i;

	if (merge_waits(R, words) != NULL)
		return (0);

	while (rc == 0 && (i = intake_next(R)) >= 0) {
		put_first(R, i);
		rc = merge_one(R, S);
	}
	/* A merge before this one may have been interrupted when only this was left to do. */
	if (rc == 0 && (replica_prune(R) != 0 || replica_tidy(R) != 0))
		return (-1);
	return (rc);
}
