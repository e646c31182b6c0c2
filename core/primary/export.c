#include "primary/export.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bundle/outfile.h"
#include "bundle/pack.h"
#include "disk/changelist.h"
#include "disk/scan.h"
#include "base/io.h"
#include "primary/primary.h"
#include "base/say.h"

/* One export under way, with all it holds. */
struct cut {
	const struct site *S;
	const struct export_options *o;
	struct primary *P;
	unsigned ntargets;
	struct primary_target *targets[LIMIT_TARGETS];
	uint64_t base; /* the point that the bundle starts from; 0: a seed */
	struct source *sources[LIMIT_DISKS];
	struct leaves *leaves[LIMIT_DISKS];
	struct changelog *logs[LIMIT_DISKS];
	struct ranges must[LIMIT_DISKS], maybe[LIMIT_DISKS];
	struct pack_disk disks[LIMIT_DISKS];
	struct header header;
	struct trailer trailer;
	struct pack pack;
	struct outfile *out;
	struct writer *writer;
	struct primary_point point;
};

/* --- for whom, and from where ------------------------------------------------------------------------- */

static int
adopt_target(struct cut *c, const struct trust_entry *e)
{
	struct primary_target *t = primary_target_of(c->P, e);

	if (t == NULL && c->P->ntargets == LIMIT_TARGETS)
		return (say_refused("%s: a VM is replicated to at most %u sites", c->P->vm, LIMIT_TARGETS));
	if (t == NULL) {
		t = &c->P->targets[c->P->ntargets++];
		memset(t, 0, sizeof *t);
		strcpy(t->name, e->card.name);
		memcpy(t->key, e->card.sign, RECORD_KEY);
	}
	c->targets[c->ntargets++] = t;
	return (0);
}

/* The sites that the bundle is for: --to, else those of enable, else the only one that is known. */
static int
choose_targets(struct cut *c)
{
	const struct trust *T = site_trust(c->S);
	const struct trust_entry *e;

	if (c->o->to != NULL) {
		if ((e = trust_by_name(T, c->o->to)) == NULL)
			return (say_refused(
			    "%s: no site of that name is known; add its card with 'vmferry trust add'",
			    c->o->to));
		return (adopt_target(c, e));
	}
	for (unsigned i = 0; i < c->P->ntargets; i++)
		c->targets[c->ntargets++] = &c->P->targets[i];
	if (c->ntargets > 0)
		return (0);
	if (T->n == 1)
		return (adopt_target(c, &T->entries[0]));
	if (T->n > 1)
		return (say_refused("%s: several sites are known; say --to SITE", c->P->vm));
	if (!c->o->plain)
		return (say_refused(
		    "%s: no site's card is known, so there is nobody to encrypt to; add one with 'vmferry "
		    "trust add', or say --plain",
		    c->P->vm));
	say_note("%s: the bundle is for no site in particular: whoever has it can read it and its leaf seed",
	    c->P->vm);
	return (0);
}

/* The lowest point that every target can start from; 0 where one of them needs a seed. */
static uint64_t
common_base(const struct cut *c)
{
	const struct primary_point *first = c->P->npoints > 0 ? &c->P->points[0] : NULL;
	uint64_t low = 0;

	if (c->ntargets == 0)
		return (first == NULL ? 0 : first->point.seq);
	for (unsigned i = 0; i < c->ntargets; i++) {
		const struct primary_target *t = c->targets[i];
		uint64_t base = c->o->since == EXPORT_SINCE_SENT && t->sent != 0 ? t->sent : primary_base(t);

		if (base == 0)
			return (0);
		if (low == 0 || base < low)
			low = base;
	}
	return (low);
}

static int
choose_base(struct cut *c)
{
	if (c->o->seed)
		return (0);
	c->base = c->o->since == EXPORT_SINCE_SEQ ? c->o->since_seq : common_base(c);
	if (c->base == 0 && (!c->o->delta || c->o->since == EXPORT_SINCE_SEQ))
		return (0);
	if (c->base == 0)
		return (say_refused(
		    "%s: nothing was sent yet that a delta could start from; export --seed first", c->P->vm));
	if (primary_point(c->P, c->base) == NULL)
		return (say_refused("%s: the changes since point %" PRIu64
		                    " are not kept any more; choose another --since, "
		                    "or export --seed",
		    c->P->vm, c->base));
	for (unsigned i = 0; c->o->since == EXPORT_SINCE_ACKED && i < c->ntargets; i++)
		if (c->targets[i]->acked == 0)
			say_note("%s: no receipt of site '%s' has come yet, so the delta starts at its seed "
			         "(point %" PRIu64 "); give the receipt of 'import --receipt' to 'vmferry "
			         "import' here, or say --since sent",
			    c->P->vm, c->targets[i]->name, c->base);
	return (0);
}

/* --- the disks and what changed on them --------------------------------------------------------------- */

/* The bitmap that --changes names, or NULL. */
static const char *
wanted_bitmap(const struct export_options *o)
{
	return (o->changes != NULL && strncmp(o->changes, "bitmap:", 7) == 0 ? o->changes + 7 : NULL);
}

static int
open_disks(struct cut *c)
{
	enum source_use use = c->o->live_unsafe ? SOURCE_LIVE : SOURCE_QUIET;
	const char *bitmap = wanted_bitmap(c->o);
	char path[PATH_MAX];
	int rc;

	for (unsigned i = 0; i < c->P->nreplicated; i++) {
		const struct primary_disk *d = &c->P->disks[i];

		if ((rc = source_open(&c->sources[i], d->where, use, bitmap)) != 0)
			return (rc);
		if (primary_leaves_path(c->P, d->id, path) != 0 ||
		    (c->leaves[i] = leaves_open(path, 1)) == NULL)
			return (-1);
	}
	return (0);
}

/* The changes from the base to the newest point that are on record. */
static int
known_changes(struct cut *c, unsigned i)
{
	char path[PATH_MAX];

	for (unsigned k = 0; k < c->P->npoints; k++) {
		uint64_t seq = c->P->points[k].point.seq;

		if (seq <= c->base)
			continue;
		if (primary_changes_path(c->P, seq, c->P->disks[i].id, path) != 0 ||
		    changelog_ranges(path, &c->must[i]) != 0)
			return (-1);
	}
	ranges_sort(&c->must[i]);
	return (0);
}

/* A disk that was resized: what was added, and the block in which the end lay or lies, may have changed. */
static int
resized(struct cut *c, unsigned i)
{
	uint64_t before = c->P->disks[i].size, now = source_size(c->sources[i]);
	uint64_t low = before < now ? before : now, from = low / LIMIT_BLOCK * LIMIT_BLOCK;

	if (before == now || c->P->npoints == 0)
		return (0);
	if (ranges_add_bytes(&c->maybe[i], from, now - from) != 0)
		return (-1);
	ranges_sort(&c->maybe[i]);
	return (0);
}

/* Find by comparison what changed on disk i since the newest point. */
static int
compare(struct cut *c, unsigned i)
{
	struct leaf_sum sum;

	return (scan_disk(c->sources[i], &c->P->secret, c->leaves[i], "comparing", &sum, &c->maybe[i]));
}

static int
tracked_changes(struct cut *c)
{
	const char *ids[LIMIT_DISKS] = { NULL };
	uint64_t sizes[LIMIT_DISKS];
	int rc = 0;

	for (unsigned i = 0; i < c->P->nreplicated; i++) {
		ids[i] = c->P->disks[i].id;
		sizes[i] = source_size(c->sources[i]);
	}
	if (wanted_bitmap(c->o) == NULL)
		return (changelist_read(c->o->changes, ids, sizes, c->P->nreplicated, c->maybe));
	for (unsigned i = 0; rc >= 0 && i < c->P->nreplicated; i++) {
		rc = source_dirty(c->sources[i], &c->maybe[i]);
		if (rc != 1)
			continue;
		say_note("%s: disk %s: there is no dirty bitmap '%s' to ask (qemu-nbd serves one with -B); "
		         "the disk is compared "
		         "instead",
		    c->P->vm, ids[i], wanted_bitmap(c->o));
		ranges_free(&c->maybe[i]);
		rc = compare(c, i);
	}
	return (rc);
}

static int
find_changes(struct cut *c)
{
	unsigned n = c->P->nreplicated;
	int rc = 0;

	if (c->base == 0) {
		for (unsigned i = 0; rc == 0 && i < n; i++)
			rc = ranges_add_bytes(&c->must[i], 0, source_size(c->sources[i]));
		return (rc);
	}
	for (unsigned i = 0; rc == 0 && i < n; i++)
		rc = known_changes(c, i);
	if (rc == 0 && c->o->changes != NULL)
		rc = tracked_changes(c);
	for (unsigned i = 0; rc == 0 && c->o->changes == NULL && i < n; i++)
		rc = compare(c, i);
	for (unsigned i = 0; rc == 0 && i < n; i++)
		rc = resized(c, i);
	return (rc);
}

/* --- the bundle --------------------------------------------------------------------------------------- */

static int
make_header(struct cut *c)
{
	struct header *H = &c->header;
	const struct primary_point *last = primary_last(c->P), *base = primary_point(c->P, c->base);

	H->type = c->base == 0 ? BUNDLE_SEED : BUNDLE_DELTA;
	randombytes_buf(H->id, sizeof H->id);
	memcpy(H->lineage, c->P->lineage, sizeof H->lineage);
	strcpy(H->uuid, c->P->uuid);
	strcpy(H->vm, c->P->vm);
	strcpy(H->signer, site_card(c->S)->name);
	H->created = (int64_t)time(NULL);
	H->to =
	    (struct point){ c->P->epoch, last == NULL ? 1 : last->point.seq + 1, H->created, POINT_STANDARD };
	if (base != NULL)
		H->from = base->point;
	H->keep = c->P->keep;
	H->most = c->pack.most;
	H->cipher = c->o->plain ? RECORD_CLEAR : RECORD_XCHACHA20POLY1305;
	for (unsigned i = 0; i < c->P->ndisks; i++) {
		const struct primary_disk *d = &c->P->disks[i];

		if (d->is_excluded) {
			strcpy(H->excluded[H->nexcluded].id, d->id);
			H->excluded[H->nexcluded++].size = d->size;
			continue;
		}
		strcpy(H->disks[H->ndisks].id, d->id);
		H->disks[H->ndisks].size = source_size(c->sources[i]);
		if (base != NULL) {
			H->disks[H->ndisks].before_size = base->size[i];
			memcpy(H->disks[H->ndisks].before, base->root[i], LEAF_ROOT);
		}
		H->ndisks++;
	}
	return (0);
}

static int
seal(struct cut *c)
{
	struct header *H = &c->header;

	randombytes_buf(c->pack.crypt.key, sizeof c->pack.crypt.key);
	c->pack.crypt.cipher = H->cipher;
	memcpy(c->pack.crypt.bundle, H->id, RECORD_ID);
	for (unsigned i = 0; i < c->ntargets; i++) {
		const struct trust_entry *e = trust_by_key(site_trust(c->S), c->targets[i]->key);

		if (e == NULL)
			return (say_refused("%s: its card is not known any more; add it with 'vmferry trust "
			                    "add', or say --to",
			    c->targets[i]->name));
		if (e->is_revoked)
			return (say_refused(
			    "%s: the keys of this site were revoked here: nothing is sealed to them",
			    e->card.name));
		memcpy(H->targets[H->ntargets].key, e->card.sign, RECORD_KEY);
		site_seal(&e->card, c->pack.crypt.key, c->P->leaf_seed, H->targets[H->ntargets++].seal);
	}
	if (c->ntargets == 0) {
		H->has_leaf_seed = 1;
		memcpy(H->leaf_seed, c->P->leaf_seed, LEAF_SEED);
	}
	return (0);
}

static int
make_logs(struct cut *c)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < c->P->nreplicated; i++)
		if (primary_changes_path(c->P, c->header.to.seq, c->P->disks[i].id, path) != 0 ||
		    (c->logs[i] = changelog_create(path)) == NULL)
			return (-1);
	return (0);
}

static int
prepare(struct cut *c)
{
	unsigned n = c->P->nreplicated;

	c->pack.secret = &c->P->secret;
	c->pack.level = c->o->level;
	c->pack.disks = c->disks;
	c->pack.ndisks = n;
	c->pack.trailer = &c->trailer;
	c->pack.what = c->base == 0 ? "seed" : "delta";
	for (unsigned i = 0; i < n; i++)
		c->disks[i] = (struct pack_disk){ .source = c->sources[i],
			.leaves = c->leaves[i],
			.must = &c->must[i],
			.maybe = &c->maybe[i],
			.size = source_size(c->sources[i]),
			.sum = c->P->disks[i].sum };
	if (pack_most(&c->pack, &c->pack.most) != 0)
		return (-1);
	return (make_header(c));
}

/* Blocks beyond the new end of a disk that shrank are no more. */
static int
cut_off(struct cut *c, unsigned i)
{
	struct pack_disk *d = &c->disks[i];
	uint64_t start = (d->size + LIMIT_BLOCK - 1) / LIMIT_BLOCK, count, old[512];
	uint64_t end = (c->P->disks[i].size + LIMIT_BLOCK - 1) / LIMIT_BLOCK;
	int rc;

	while ((rc = leaves_next(d->leaves, &start, end, &count)) == 0) {
		size_t n = count < 512 ? (size_t)count : 512;

		if (leaves_read(d->leaves, start, n, old) != 0)
			return (-1);
		for (size_t k = 0; k < n; k++)
			leaf_remove(&c->P->secret, &d->sum, start + k, old[k]);
		if (changelog_add(d->log, start, n, NULL) != 0)
			return (-1);
		start += n;
	}
	return (rc < 0 ? -1 : 0);
}

/* The segments, and the proof that nobody wrote meanwhile. */
static int
write_segments(struct cut *c)
{
	int rc;

	for (unsigned i = 0; i < c->P->nreplicated; i++)
		c->disks[i].log = c->logs[i];
	if ((rc = writer_header(c->writer, &c->header)) != 0)
		return (rc);
	c->pack.writer = c->writer;
	if ((rc = pack_run(&c->pack)) != 0)
		return (rc);
	for (unsigned i = 0; i < c->P->nreplicated; i++)
		if ((rc = source_check(c->sources[i])) != 0 || (rc = cut_off(c, i)) != 0)
			return (rc);
	return (0);
}

/*
 * The point is taken into the record when all its content was read and its changes are durable, and before
 * the end of the bundle is written: a bundle with an end is always that of a point which we know.
 */
static int
commit_point(struct cut *c)
{
	struct primary_point *p = &c->point;

	p->point = c->header.to;
	c->trailer.ndisks = c->P->nreplicated;
	for (unsigned i = 0; i < c->P->nreplicated; i++) {
		struct changelog *L = c->logs[i];

		c->logs[i] = NULL;
		if (changelog_commit(L) != 0)
			return (-1);
		p->size[i] = c->disks[i].size;
		leaf_root(p->root[i], &c->P->secret, &c->disks[i].sum, p->size[i]);
		memcpy(c->trailer.root[i], p->root[i], LEAF_ROOT);
		c->P->disks[i].sum = c->disks[i].sum;
		c->P->disks[i].size = p->size[i];
	}
	for (unsigned i = 0; c->base == 0 && i < c->ntargets; i++)
		if (c->targets[i]->seeded == 0)
			c->targets[i]->seeded = p->point.seq;
	return (primary_commit(c->P, p));
}

static int
finish(struct cut *c)
{
	uint64_t seq = c->header.to.seq;

	if (writer_finish(c->writer, &c->header, &c->trailer) != 0 || outfile_commit(c->out) != 0)
		return (say_failed("%s: point %" PRIu64
		                   " was cut, but its bundle was not delivered; the next delta carries "
		                   "what it held",
		    c->P->vm, seq));
	for (unsigned i = 0; i < c->ntargets; i++)
		c->targets[i]->sent = seq;
	if (primary_save(c->P) != 0)
		return (-1);
	say_note("%s: %s to point %" PRIu64 ", %" PRIu64 " bytes (%" PRIu64 " of data)", c->P->vm,
	    c->base == 0 ? "seed" : "delta", seq, writer_position(c->writer), c->trailer.data);
	return (0);
}

static int
run(struct cut *c)
{
	char tmp[PATH_MAX];
	int rc;

	if ((rc = choose_targets(c)) != 0 || (rc = choose_base(c)) != 0 || (rc = open_disks(c)) != 0 ||
	    (rc = find_changes(c)) != 0 || (rc = prepare(c)) != 0 || (rc = seal(c)) != 0)
		return (rc);
	if ((rc = outfile_open(&c->out, c->o->output)) != 0)
		return (rc);
	if (io_path(tmp, "%s/tmp", site_home(c->S)) != 0 || make_logs(c) != 0)
		return (-1);
	c->writer = writer_new(outfile_fd(c->out), outfile_name(c->out), tmp, site_secret(c->S));
	if (c->writer == NULL)
		return (-1);
	if ((rc = write_segments(c)) != 0 || (rc = commit_point(c)) != 0)
		return (rc);
	return (finish(c));
}

static void
release(struct cut *c)
{
	writer_free(c->writer);
	outfile_free(c->out);
	for (unsigned i = 0; i < LIMIT_DISKS; i++) {
		changelog_free(c->logs[i]);
		source_close(c->sources[i]);
		leaves_free(c->leaves[i]);
		ranges_free(&c->must[i]);
		ranges_free(&c->maybe[i]);
	}
	primary_close(c->P);
	sodium_memzero(&c->pack.crypt, sizeof c->pack.crypt);
	free(c);
}

int export(const struct site *S, const struct export_options *o)
{
	struct cut *c = calloc(1, sizeof *c);
	int rc;

	if (c == NULL)
		return (say_failed("out of memory"));
	c->S = S;
	c->o = o;
	if ((rc = primary_open(&c->P, S, o->vm)) == 0)
		rc = run(c);
	release(c);
	return (rc);
}
