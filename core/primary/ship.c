#include "primary/ship.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "primary/against.h"
#include "base/io.h"
#include "base/say.h"
#include "primary/ledger.h"

/* Where a delta starts: at a point of ours, or at that of the comparison, which we need not know. */
static void
start_from(struct ship *s)
{
	const struct primary_point *base = primary_point(s->cut->P, s->cut->base);
	const struct header *A = s->cut->against == NULL ? NULL : against_header(s->cut->against);
	struct header *H = &s->header;

	if (base != NULL)
		H->from = base->point;
	for (unsigned i = 0; base != NULL && i < H->ndisks; i++) {
		H->disks[i].before_size = base->size[i];
		memcpy(H->disks[i].before, base->root[i], LEAF_ROOT);
	}
	if (A == NULL)
		return;
	H->has_against = 1;
	memcpy(H->against, A->id, RECORD_ID);
	H->from = A->from;
	/* A number is never used twice, even where our record is older than what the replica has. */
	if (H->to.seq <= A->from.seq)
		H->to.seq = A->from.seq + 1;
	for (unsigned i = 0; A->from.seq != 0 && i < H->ndisks; i++)
		for (unsigned k = 0; k < A->ndisks; k++)
			if (strcmp(A->disks[k].id, H->disks[i].id) == 0) {
				H->disks[i].before_size = A->disks[k].before_size;
				memcpy(H->disks[i].before, A->disks[k].before, LEAF_ROOT);
			}
}

static void
make_header(struct ship *s)
{
	struct header *H = &s->header;
	const struct primary_point *last = primary_last(s->cut->P);

	H->type = cut_is_seed(s->cut) ? BUNDLE_SEED : BUNDLE_DELTA;
	randombytes_buf(H->id, sizeof H->id);
	memcpy(H->lineage, s->cut->P->lineage, sizeof H->lineage);
	strcpy(H->uuid, s->cut->P->uuid);
	strcpy(H->vm, s->cut->P->vm);
	strcpy(H->signer, site_card(s->cut->S)->name);
	H->created = (int64_t)time(NULL);
	H->to = (struct point){ s->cut->P->epoch, last == NULL ? 1 : last->point.seq + 1, H->created,
		POINT_STANDARD };
	H->keep = s->cut->P->keep;
	H->most = s->pack.most;
	H->cipher = s->cut->o->plain ? RECORD_CLEAR : RECORD_XCHACHA20POLY1305;
	for (unsigned i = 0; i < s->cut->P->ndisks; i++) {
		const struct primary_disk *d = &s->cut->P->disks[i];

		if (d->is_excluded) {
			strcpy(H->excluded[H->nexcluded].id, d->id);
			H->excluded[H->nexcluded++].size = d->size;
			continue;
		}
		strcpy(H->disks[H->ndisks].id, d->id);
		H->disks[H->ndisks++].size = source_size(s->cut->sources[i]);
	}
	start_from(s);
}

static int
seal(struct ship *s)
{
	struct header *H = &s->header;

	randombytes_buf(s->pack.crypt.key, sizeof s->pack.crypt.key);
	s->pack.crypt.cipher = H->cipher;
	memcpy(s->pack.crypt.bundle, H->id, RECORD_ID);
	for (unsigned i = 0; i < s->cut->ntargets; i++) {
		const struct trust_entry *e = trust_by_key(site_trust(s->cut->S), s->cut->targets[i]->key);

		if (e == NULL)
			return (say_refused("%s: its card is not known any more; add it with 'vmferry trust "
			                    "add', or say --to",
			    s->cut->targets[i]->name));
		if (e->is_revoked)
			return (say_refused(
			    "%s: the keys of this site were revoked here: nothing is sealed to them",
			    e->card.name));
		memcpy(H->targets[H->ntargets].key, e->card.sign, RECORD_KEY);
		site_seal(&e->card, s->pack.crypt.key, s->cut->P->leaf_seed, H->targets[H->ntargets++].seal);
	}
	if (s->cut->ntargets == 0) {
		H->has_leaf_seed = 1;
		memcpy(H->leaf_seed, s->cut->P->leaf_seed, LEAF_SEED);
	}
	return (0);
}

static int
make_logs(struct ship *s)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < s->cut->P->nreplicated; i++)
		if (primary_changes_path(s->cut->P, s->header.to.seq, s->cut->P->disks[i].id, path) != 0 ||
		    (s->logs[i] = changelog_create(path)) == NULL)
			return (-1);
	return (0);
}

int
ship_prepare(struct ship *s)
{
	unsigned n = s->cut->P->nreplicated;

	s->pack.secret = &s->cut->P->secret;
	s->pack.level = s->cut->o->level;
	s->pack.disks = s->disks;
	s->pack.ndisks = n;
	s->pack.trailer = &s->trailer;
	s->pack.what = cut_is_seed(s->cut) ? "seed" : "delta";
	for (unsigned i = 0; i < n; i++)
		s->disks[i] = (struct pack_disk){ .source = s->cut->sources[i],
			.leaves = s->cut->leaves[i],
			.must = &s->cut->must[i],
			.maybe = &s->cut->maybe[i],
			.size = source_size(s->cut->sources[i]),
			.only_must = s->cut->against != NULL,
			.sum = s->cut->sums[i] };
	if (pack_most(&s->pack, &s->pack.most) != 0)
		return (-1);
	make_header(s);
	return (seal(s));
}

/* Blocks beyond the new end of a disk that shrank are no more. */
static int
cut_off(struct ship *s, unsigned i)
{
	struct pack_disk *d = &s->disks[i];
	uint64_t start = (d->size + LIMIT_BLOCK - 1) / LIMIT_BLOCK, count, old[512];
	uint64_t end = (s->cut->P->disks[i].size + LIMIT_BLOCK - 1) / LIMIT_BLOCK;
	int rc;

	while ((rc = leaves_next(d->leaves, &start, end, &count)) == 0) {
		size_t n = count < 512 ? (size_t)count : 512;

		if (leaves_read(d->leaves, start, n, old) != 0)
			return (-1);
		for (size_t k = 0; k < n; k++)
			leaf_remove(&s->cut->P->secret, &d->sum, start + k, old[k]);
		if (changelog_add(d->log, start, n, NULL) != 0)
			return (-1);
		start += n;
	}
	return (rc < 0 ? -1 : 0);
}

/* The segments, and the proof that nobody wrote meanwhile. */
int
ship_segments(struct ship *s)
{
	int rc;

	for (unsigned i = 0; i < s->cut->P->nreplicated; i++)
		s->disks[i].log = s->logs[i];
	if ((rc = writer_header(s->writer, &s->header)) != 0)
		return (rc);
	s->pack.writer = s->writer;
	if ((rc = pack_run(&s->pack)) != 0)
		return (rc);
	for (unsigned i = 0; i < s->cut->P->nreplicated; i++)
		if ((rc = source_check(s->cut->sources[i])) != 0 || (rc = cut_off(s, i)) != 0)
			return (rc);
	return (0);
}

/*
 * The point is taken into the record when all its content was read and its changes are durable, and before
 * the end of the bundle is written: a bundle with an end is always that of a point which we know.
 */
int
ship_commit_point(struct ship *s)
{
	struct primary_point *p = &s->point;

	if (shiplog_sync(s->shiplog) != 0)
		return (-1);
	p->point = s->header.to;
	s->trailer.ndisks = s->cut->P->nreplicated;
	for (unsigned i = 0; i < s->cut->P->nreplicated; i++) {
		struct changelog *L = s->logs[i];

		s->logs[i] = NULL;
		if (changelog_commit(L) != 0)
			return (-1);
		p->size[i] = s->disks[i].size;
		leaf_root(p->root[i], &s->cut->P->secret, &s->disks[i].sum, p->size[i]);
		memcpy(s->trailer.root[i], p->root[i], LEAF_ROOT);
		s->cut->P->disks[i].sum = s->disks[i].sum;
		s->cut->P->disks[i].size = p->size[i];
	}
	for (unsigned i = 0; s->cut->base == 0 && i < s->cut->ntargets; i++)
		if (s->cut->targets[i]->seeded == 0)
			s->cut->targets[i]->seeded = p->point.seq;
	return (s->cut->is_lost ? primary_commit_alone(s->cut->P, p) : primary_commit(s->cut->P, p));
}

/* Text for the record, and for a line of status. */
static void
name_place(char out[PRIMARY_WHERE], const char *path)
{
	const char *slash = path == NULL ? NULL : strrchr(path, '/');

	if (path == NULL || strcmp(path, "-") == 0)
		path = "";
	snprintf(out, PRIMARY_WHERE, "%s", slash == NULL ? path : slash + 1);
	for (char *p = out; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

static int
enter_ledger(const struct ship *s)
{
	struct primary *P = s->cut->P;
	struct primary_shipment n = { .type = s->header.type,
		.from = s->header.from.seq,
		.to = s->header.to.seq,
		.at = (int64_t)time(NULL),
		.volumes = s->trailer.volumes,
		.bytes = writer_position(s->writer),
		.cipher = s->header.cipher,
		.level = s->cut->o->level };

	for (unsigned i = 0; i < s->cut->ntargets; i++)
		n.targets |= UINT32_C(1) << (s->cut->targets[i] - P->targets);
	memcpy(n.id, s->header.id, RECORD_ID);
	memcpy(n.key, s->pack.crypt.key, sizeof n.key);
	name_place(n.where, s->cut->o->output);
	ledger_sent(P, &n);
	sodium_memzero(n.key, sizeof n.key);
	return (primary_save(P));
}

int
ship_finish(struct ship *s)
{
	uint64_t seq = s->header.to.seq;

	if (writer_finish(s->writer, &s->header, &s->trailer) != 0 || shiplog_sync(s->shiplog) != 0 ||
	    outfile_commit(s->out) != 0)
		return (say_failed("%s: point %" PRIu64
		                   " was cut, but its bundle was not delivered; the next delta carries "
		                   "what it held",
		    s->cut->P->vm, seq));
	if (enter_ledger(s) != 0)
		return (-1);
	say_note("%s: %s to point %" PRIu64 ", %" PRIu64 " bytes (%" PRIu64 " of data)", s->cut->P->vm,
	    cut_is_seed(s->cut) ? "seed" : "delta", seq, writer_position(s->writer), s->trailer.data);
	return (0);
}

/* Write down what it takes to make any segment again. */
static int
log_shipment(struct ship *s)
{
	struct writer_watch watch = { .record = shiplog_record };

	s->shiplog = shiplog_open(s->cut->P, &s->header, &s->pack.crypt, s->pack.level);
	if (s->shiplog == NULL)
		return (-1);
	watch.context = s->pack.context = s->shiplog;
	s->pack.extents = shiplog_extents;
	writer_use_watch(s->writer, &watch);
	return (0);
}

int
ship_open(struct ship *s)
{
	char tmp[PATH_MAX];
	int rc;

	if ((rc = outfile_open(&s->out, s->cut->o->output)) != 0)
		return (rc);
	if (io_path(tmp, "%s/tmp", site_home(s->cut->S)) != 0 || make_logs(s) != 0)
		return (-1);
	s->writer = writer_new(s->out, tmp, site_secret(s->cut->S));
	return (s->writer == NULL ? -1 : log_shipment(s));
}

void
ship_free(struct ship *s)
{
	writer_free(s->writer);
	shiplog_free(s->shiplog);
	outfile_free(s->out);
	for (unsigned i = 0; i < LIMIT_DISKS; i++)
		changelog_free(s->logs[i]);
	sodium_memzero(&s->pack.crypt, sizeof s->pack.crypt);
}
