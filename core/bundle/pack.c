#include "bundle/pack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "extent.h"
#include "base/pipeline.h"

#define UNIT (SEGMENT_UNIT / LIMIT_BLOCK) /* blocks of data in one item */
#define HOLES 256u                        /* holes in one item at most */
#define PIECES (UNIT + HOLES)
#define TABLE (PIECES * 2 * EXTENT_SIZE)

struct piece {
	uint64_t start, count; /* blocks */
	int must, is_hole;
};

/* Walks over a disk's blocks that are to be looked at, in order. */
struct walk {
	unsigned disk;
	uint64_t at;        /* block */
	size_t must, maybe; /* the runs that end after it */
	uint64_t known;     /* up to this block it is known whether there is a hole */
	int is_hole;
};

struct item {
	uint64_t number; /* from 0 */
	unsigned disk;
	unsigned npieces;
	struct piece pieces[PIECES];
	uint64_t old[UNIT], now[UNIT]; /* leaves of the data pieces' blocks, one after the other */
	struct leaf_sum sum;           /* what the blocks that changed add, all told */
	uint64_t data, zero;           /* bytes carried */
	uint64_t seen;                 /* bytes of data read */
	struct extent extents[2 * PIECES];
	uint32_t nextents;
	uint64_t damaged; /* a block that is not what its leaf says, plus one; or 0 */
	struct record record;
	struct segment_coder *coder;
	uint8_t *plain; /* TABLE bytes, then SEGMENT_UNIT bytes of data */
	uint8_t *out;
};

struct packing {
	struct pack *P;
	struct walk walk;
	uint64_t items;
	struct progress progress;
};

static uint64_t
blocks(uint64_t size)
{
	return ((size + LIMIT_BLOCK - 1) / LIMIT_BLOCK);
}

/* --- the walk ----------------------------------------------------------------------------------------- */

/* The run of A in which or before which the walk is, stepping *i to it; NULL if there is none. */
static const struct range *
run_at(const struct ranges *A, size_t *i, uint64_t at)
{
	if (A == NULL)
		return (NULL);
	while (*i < A->n && A->runs[*i].start + A->runs[*i].count <= at)
		++*i;
	return (*i < A->n ? &A->runs[*i] : NULL);
}

/* The next piece of the sets of d from w on: 0, or 1 if there is none.  Whether it is a hole is not yet said. */
static int
next_wanted(const struct pack_disk *d, struct walk *w, struct piece *p)
{
	uint64_t total = blocks(d->size), end;
	const struct range *must = run_at(d->must, &w->must, w->at),
	                   *maybe = run_at(d->maybe, &w->maybe, w->at);

	if (must == NULL && maybe == NULL)
		return (1);
	if ((must == NULL || must->start > w->at) && (maybe == NULL || maybe->start > w->at)) {
		w->at = must == NULL || (maybe != NULL && maybe->start < must->start) ? maybe->start
		                                                                      : must->start;
		must = run_at(d->must, &w->must, w->at);
		maybe = run_at(d->maybe, &w->maybe, w->at);
	}
	if (w->at >= total)
		return (1);
	p->start = w->at;
	p->must = must != NULL && must->start <= w->at;
	if (p->must) {
		end = must->start + must->count;
	} else {
		end = maybe->start + maybe->count;
		if (must != NULL && must->start < end)
			end = must->start;
	}
	p->count = (end < total ? end : total) - p->start;
	return (0);
}

/* Say whether p starts in a hole, and cut it where that ends.  A block partly in a hole counts as data. */
static int
find_hole(const struct pack_disk *d, struct walk *w, struct piece *p)
{
	uint64_t length, from = p->start * LIMIT_BLOCK;

	if (p->start >= w->known) {
		if (source_stretch(d->source, from, d->size, &length, &w->is_hole) != 0)
			return (-1);
		w->known = from + length >= d->size ? blocks(d->size)
		           : w->is_hole             ? (from + length) / LIMIT_BLOCK
		                                    : blocks(from + length);
		if (w->known <= p->start) {
			w->is_hole = 0;
			w->known = p->start + 1;
		}
	}
	p->is_hole = w->is_hole;
	if (p->count > w->known - p->start)
		p->count = w->known - p->start;
	return (0);
}

/* In a hole that is carried only where something was: cut p to the next blocks with a leaf; 1: none in it. */
static int
find_leaf(const struct pack_disk *d, struct piece *p)
{
	uint64_t end = p->start + p->count, count, old[512];
	int rc;

	while ((rc = leaves_next(d->leaves, &p->start, end, &count)) == 0) {
		uint64_t n = count < 512 ? count : 512;
		uint64_t first = 0;

		if (leaves_read(d->leaves, p->start, (size_t)n, old) != 0)
			return (-1);
		while (first < n && old[first] == 0)
			first++;
		while (n > first && old[n - 1] == 0)
			n--;
		if (first < n) {
			p->start += first;
			p->count = n - first;
			return (0);
		}
		p->start += count < 512 ? count : 512;
	}
	return (rc);
}

/* Where the walk over a disk starts, and the size at which it ends; both in bytes. */
static void
begin_walk(const struct pack *P, struct walk *w, unsigned disk)
{
	*w = (struct walk){ .disk = disk, .at = disk == P->from.disk ? blocks(P->from.offset) : 0 };
	if (disk < P->from.disk)
		w->at = blocks(LIMIT_DISK_SIZE);
}

/* Is p behind where P ends, or cut to end there? */
static int
is_behind(const struct pack *P, const struct walk *w, struct piece *p)
{
	uint64_t end = blocks(P->to.offset);

	if (P->to.disk == 0 && P->to.offset == 0)
		return (0);
	if (w->disk > P->to.disk || (w->disk == P->to.disk && p->start >= end))
		return (1);
	if (w->disk == P->to.disk && p->count > end - p->start)
		p->count = end - p->start;
	return (0);
}

/* The next piece of disk w->disk: 0; 1 if there is none; -1. */
static int
next_piece(const struct pack_disk *d, struct walk *w, struct piece *p)
{
	uint64_t end;
	int rc;

	for (;;) {
		if ((rc = next_wanted(d, w, p)) != 0)
			return (rc);
		if (find_hole(d, w, p) != 0)
			return (-1);
		end = p->start + p->count;
		if (!p->is_hole || p->must)
			break;
		if ((rc = find_leaf(d, p)) < 0)
			return (-1);
		if (rc == 0)
			break;
		w->at = end;
	}
	w->at = p->start + p->count;
	return (0);
}

int
pack_most(const struct pack *P, uint64_t *most)
{
	*most = 0;
	for (unsigned i = 0; i < P->ndisks; i++) {
		struct walk w;
		struct piece p;
		int rc;

		begin_walk(P, &w, i);
		while ((rc = next_piece(&P->disks[i], &w, &p)) == 0)
			if (!p.is_hole && (p.must || !P->disks[i].only_must))
				*most += p.count * LIMIT_BLOCK;
		if (rc < 0)
			return (-1);
	}
	return (0);
}

/* --- the steps ---------------------------------------------------------------------------------------- */

/* Put pieces of one disk into an item, up to UNIT blocks of data. */
static int
fill(void *context, void *slot)
{
	struct packing *k = context;
	struct item *it = slot;
	uint64_t room = UNIT;
	unsigned holes = 0;
	int rc = 0;

	it->number = k->items++;
	it->npieces = 0;
	while (k->walk.disk < k->P->ndisks) {
		struct piece *p = &it->pieces[it->npieces];

		if (room == 0 || holes == HOLES)
			return (0);
		if ((rc = next_piece(&k->P->disks[k->walk.disk], &k->walk, p)) < 0)
			return (-1);
		if (rc == 0 && is_behind(k->P, &k->walk, p))
			rc = 1;
		if (rc == 1) {
			it->disk = k->walk.disk;
			begin_walk(k->P, &k->walk, k->walk.disk + 1);
			if (it->npieces > 0)
				return (0);
			continue;
		}
		it->disk = k->walk.disk;
		if (p->is_hole) {
			holes++;
		} else {
			if (p->count > room) {
				p->count = room;
				k->walk.at = p->start + p->count;
			}
			room -= p->count;
		}
		it->npieces++;
	}
	return (1);
}

static void
add_extent(struct item *it, uint64_t offset, uint64_t length, enum extent_kind kind)
{
	struct extent *last = it->nextents > 0 ? &it->extents[it->nextents - 1] : NULL;

	if (kind == EXTENT_DATA)
		it->data += length;
	else
		it->zero += length;
	if (last != NULL && last->kind == kind && last->offset + last->length == offset)
		last->length += length;
	else
		it->extents[it->nextents++] = (struct extent){ offset, length, kind };
}

static uint64_t
piece_bytes(const struct pack_disk *d, const struct piece *p)
{
	uint64_t end = (p->start + p->count) * LIMIT_BLOCK;

	return ((end < d->size ? end : d->size) - p->start * LIMIT_BLOCK);
}

/*
 * Read the piece at data, hash its blocks and keep the ones to be carried, moved down to *keep.  The leaves
 * go to old and now.
 */
static int
work_data(const struct pack *P, struct item *it, const struct piece *p, uint8_t *data, uint8_t **keep,
    uint64_t *old, uint64_t *now)
{
	const struct pack_disk *d = &P->disks[it->disk];
	uint64_t length = piece_bytes(d, p), at = p->start * LIMIT_BLOCK;

	if (source_read(d->source, data, (size_t)length, at) != 0 ||
	    leaves_read(d->leaves, p->start, (size_t)p->count, old) != 0)
		return (-1);
	it->seen += length;
	for (uint64_t i = 0; i < p->count; i++) {
		size_t n =
		    length - i * LIMIT_BLOCK < LIMIT_BLOCK ? (size_t)(length - i * LIMIT_BLOCK) : LIMIT_BLOCK;
		uint8_t *block = data + i * LIMIT_BLOCK;

		now[i] = leaf_of(P->secret, block, n);
		if (now[i] != old[i]) {
			leaf_remove(P->secret, &it->sum, p->start + i, old[i]);
			leaf_add(P->secret, &it->sum, p->start + i, now[i]);
			if (d->is_own && it->damaged == 0)
				it->damaged = p->start + i + 1;
		}
		if (!p->must && (now[i] == old[i] || d->only_must))
			continue;
		add_extent(it, at + i * LIMIT_BLOCK, n, now[i] == 0 ? EXTENT_ZERO : EXTENT_DATA);
		if (now[i] == 0)
			continue;
		if (*keep != block)
			memmove(*keep, block, n);
		*keep += n;
	}
	return (0);
}

/* Put the extent table right in front of the data, and encode. */
static int
encode(const struct pack *P, struct item *it)
{
	struct record *R = &it->record;
	const struct extent *last = &it->extents[it->nextents - 1];
	uint8_t *start = it->plain + TABLE - it->nextents * EXTENT_SIZE;

	for (uint32_t i = 0; i < it->nextents; i++)
		extent_pack(start + i * EXTENT_SIZE, &it->extents[i]);
	R->disk = it->disk;
	R->extents = it->nextents;
	R->offset = it->extents[0].offset;
	R->span = last->offset + last->length - R->offset;
	return (segment_encode(
	    it->coder, &P->crypt, start, it->nextents * EXTENT_SIZE + (size_t)it->data, it->out, R));
}

static int
work(void *context, void *slot)
{
	const struct packing *k = context;
	struct item *it = slot;
	uint8_t *data = it->plain + TABLE, *keep = data;
	uint64_t done = 0;

	it->nextents = 0;
	it->data = it->zero = it->seen = it->damaged = 0;
	it->sum = (struct leaf_sum){ 0, 0 };
	for (unsigned i = 0; i < it->npieces; i++) {
		const struct piece *p = &it->pieces[i];

		if (p->is_hole) {
			if (p->must || !k->P->disks[it->disk].only_must)
				add_extent(it, p->start * LIMIT_BLOCK, piece_bytes(&k->P->disks[it->disk], p),
				    EXTENT_DISCARD);
			continue;
		}
		if (work_data(
		        k->P, it, p, data + done * LIMIT_BLOCK, &keep, it->old + done, it->now + done) != 0)
			return (-1);
		done += p->count;
	}
	return (it->nextents == 0 || (k->P->is_dry && k->P->sample == 0) ? 0 : encode(k->P, it));
}

/* A block of our own disk is not what its leaf says: the first is named, all are counted. */
static void
note_damage(struct pack *P, const struct pack_disk *d, uint64_t block)
{
	if (P->damaged++ == 0)
		say_note("%s: at byte %" PRIu64 ": the disk is not what it was when it was last merged",
		    source_name(d->source), block * LIMIT_BLOCK);
}

/* A hole: whatever leaves there were are gone. */
static int
drain_hole(struct pack *P, struct pack_disk *d, const struct piece *p)
{
	uint64_t start = p->start, end = p->start + p->count, count, old[512];
	int rc;

	while ((rc = leaves_next(d->leaves, &start, end, &count)) == 0) {
		size_t n = count < 512 ? (size_t)count : 512;

		if (leaves_read(d->leaves, start, n, old) != 0)
			return (-1);
		for (size_t i = 0; i < n; i++) {
			leaf_remove(P->secret, &d->sum, start + i, old[i]);
			if (old[i] != 0 && d->is_own)
				note_damage(P, d, start + i);
		}
		if (d->log != NULL && changelog_add(d->log, start, n, NULL) != 0)
			return (-1);
		start += n;
	}
	return (rc < 0 ? -1 : 0);
}

/* Log the runs of changed blocks of a data piece. */
static int
drain_data(const struct pack_disk *d, const struct piece *p, const uint64_t *old, const uint64_t *now)
{
	uint64_t i = 0, from;

	while (i < p->count) {
		if (old[i] == now[i]) {
			i++;
			continue;
		}
		for (from = i; i < p->count && old[i] != now[i] && (now[i] == 0) == (now[from] == 0); i++)
			;
		if (changelog_add(d->log, p->start + from, i - from, now[from] == 0 ? NULL : now + from) != 0)
			return (-1);
	}
	return (0);
}

static int
put_out(const struct pack *P, struct item *it)
{
	if (P->extents != NULL && P->extents(P->context, it->extents, it->nextents) != 0)
		return (-1);
	return (writer_segment(P->writer, &it->record, it->out));
}

/* The segment goes out before anything is counted: where it begins a volume, what was before it is one whole. */
static int
drain(void *context, void *slot)
{
	struct packing *k = context;
	struct item *it = slot;
	struct pack_disk *d = &k->P->disks[it->disk];
	uint64_t done = 0;
	int rc;

	if (k->P->sample > 0) {
		k->P->sampled += it->seen;
		k->P->sampled_stored += it->nextents == 0 ? 0 : it->record.stored;
		progress_add(&k->progress, it->seen);
		return (0);
	}
	if (it->nextents > 0 && !k->P->is_dry && (rc = put_out(k->P, it)) != 0)
		return (rc);
	if (it->damaged != 0)
		note_damage(k->P, d, it->damaged - 1);
	for (unsigned i = 0; i < it->npieces; i++) {
		const struct piece *p = &it->pieces[i];

		if (p->is_hole) {
			if ((rc = drain_hole(k->P, d, p)) != 0)
				return (rc);
			continue;
		}
		if (d->log != NULL && drain_data(d, p, it->old + done, it->now + done) != 0)
			return (-1);
		done += p->count;
	}
	leaf_join(&d->sum, &it->sum);
	k->P->trailer->data += it->data;
	k->P->trailer->zero += it->zero;
	progress_add(&k->progress, it->seen);
	return (0);
}

static void
drop(void *slot)
{
	struct item *it = slot;

	if (it == NULL)
		return;
	segment_coder_free(it->coder);
	free(it->plain);
	free(it->out);
	free(it);
}

static int
make(void *context, void **slot)
{
	const struct packing *k = context;
	struct item *it = calloc(1, sizeof *it);

	if (it == NULL || (it->plain = malloc(TABLE + SEGMENT_UNIT)) == NULL ||
	    (it->out = malloc(segment_bound(TABLE + SEGMENT_UNIT))) == NULL) {
		drop(it);
		return (say_failed("out of memory"));
	}
	if ((it->coder = segment_coder_new(k->P->level)) == NULL) {
		drop(it);
		return (-1);
	}
	*slot = it;
	return (0);
}

int
pack_run(struct pack *P)
{
	struct packing k = { .P = P };
	struct pipeline line = { &k, fill, work, drain, make, drop };
	int rc;

	begin_walk(P, &k.walk, P->from.disk);
	progress_start(&k.progress, P->what, P->most);
	rc = pipeline_run(&line);
	progress_end(&k.progress);
	return (rc);
}
