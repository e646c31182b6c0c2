#include "bundle/fold.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/pipeline.h"
#include "base/say.h"
#include "frame.h"

#define FRONT (FRAME_HEAD + FRAME_TAR) /* in front of a payload */

enum fate { FATE_COPY, FATE_RENEW, FATE_HIDE };

struct slot {
	struct note note;
	unsigned part;
	uint64_t index; /* in the catalog */
	enum fate fate;
	uint8_t *in; /* FRONT bytes and the payload */
	uint8_t *plain, *again, *out;
	struct cover_units *units;
	struct extent *renewed;
	struct segment_coder *coder;
	struct record record;
	const uint8_t *payload; /* what is written */
	uint64_t zero;          /* bytes of zeroes that it has no more (modulo 2^64: it may have more) */
	const char *why;        /* why it is refused, or NULL */
};

/* A walk over all segments, part by part. */
struct folding {
	struct fold *F;
	unsigned part;
	uint64_t i; /* in the part */
	struct foldmap_page page;
	struct progress progress;
};

static uint64_t
size_of(const struct fold *F, const struct note *s)
{
	return (F->header->disks[s->disk].size);
}

/* The next segment: 0, 1: none, -1. */
static int
next(struct folding *k, struct slot *s)
{
	struct cover *C = &k->F->cover;
	const struct note *n;

	while (k->part < C->n && k->i == C->layers[k->part].n) {
		k->part++;
		k->i = 0;
		cover_begin(C);
	}
	if (k->part == C->n)
		return (1);
	s->part = k->part;
	s->index = C->layers[k->part].first + k->i++;
	if ((n = foldmap_get(C->catalog, &k->page, s->index)) == NULL)
		return (-1);
	s->note = *n;
	return (0);
}

static uint64_t
zero_of(const struct extent *e, uint32_t n)
{
	uint64_t zero = 0;

	for (uint32_t i = 0; i < n; i++)
		zero += e[i].kind == EXTENT_DATA ? 0 : e[i].length;
	return (zero);
}

/* --- what is done with a segment ---------------------------------------------------------------------- */

/* Can it stand in the result as it is: on the disk, and made of whole blocks there? */
static int
fits(const struct fold *F, const struct note *s)
{
	uint64_t end = s->offset + s->span, size = size_of(F, s);

	return (end <= size && (end % LIMIT_BLOCK == 0 || end == size));
}

/* Bytes of zeroes in a segment: are they known?  1, 0; -1. */
static int
zero_in(const struct fold *F, struct slot *s, uint64_t *zero)
{
	struct cover_units *u = s->units;
	int rc;

	*zero = 0;
	if (s->note.extents > 1 && !F->parts[s->part].is_readable)
		return (!F->parts[s->part].is_mixed);
	if ((rc = cover_extents(&F->cover, &s->note, u)) > 0)
		*zero = zero_of(u->extents, u->nextents);
	u->n = u->nhidden = 0;
	return (rc);
}

/* Is nothing of it to be seen, and are its zeroes known, which the end must not count?  1, 0; -1. */
static int
is_gone(struct fold *F, struct slot *s, uint64_t *zero)
{
	struct note seen = s->note;
	uint64_t size = size_of(F, &seen);
	int rc = 1;

	*zero = 0;
	if (seen.offset < size) {
		if (seen.span > size - seen.offset)
			seen.span = size - seen.offset;
		rc = cover_hides(&F->cover, s->part, &seen);
	}
	return (rc == 1 ? zero_in(F, s, zero) : rc);
}

/* 0 or -1. */
static int
decide(struct folding *k, struct slot *s)
{
	struct cover *C = &k->F->cover;
	struct cover_units *u = s->units;
	uint64_t zero;
	int rc;

	s->fate = FATE_HIDE;
	u->nextents = u->n = u->nhidden = 0;
	if ((rc = is_gone(k->F, s, &zero)) != 0) {
		k->F->zero_filled += zero;
		return (rc < 0 ? -1 : 0);
	}
	s->fate = fits(k->F, &s->note) ? FATE_COPY : FATE_RENEW;
	if (!k->F->parts[s->part].is_readable)
		return (0);
	if ((rc = cover_is_below(C, s->part, &s->note)) <= 0 || (rc = cover_extents(C, &s->note, u)) <= 0)
		return (rc);
	if (cover_hide(C, s->part, &s->note, u) != 0)
		return (-1);
	if (u->nhidden > 0)
		s->fate = u->nhidden == u->n ? FATE_HIDE : FATE_RENEW;
	if (s->fate == FATE_HIDE)
		k->F->zero_filled += zero_of(u->extents, u->nextents);
	return (0);
}

static int
fill(void *context, void *slot)
{
	struct folding *k = context;
	struct slot *s = slot;
	int rc;

	while ((rc = next(k, s)) == 0) {
		if (decide(k, s) != 0)
			return (-1);
		if (s->fate != FATE_HIDE)
			break;
	}
	return (rc);
}

/* --- read, and make it once more ---------------------------------------------------------------------- */

/* The record and payload of a segment, which must be what was verified when the file was first read. */
static int
load(const struct fold *F, struct slot *s)
{
	const struct fold_file *f = &F->files[s->note.file];
	size_t n = FRONT + s->note.stored;
	ssize_t got = io_pread(f->fd, f->name, s->in, n, s->note.position);
	const uint8_t *rec = frame_record(s->in);
	uint8_t hash[RECORD_DIGEST];

	if (got < 0)
		return (-1);
	record_hash(hash, rec);
	if ((size_t)got < n || memcmp(hash, s->note.hash, RECORD_DIGEST) != 0 ||
	    record_unpack(&s->record, rec, f->key) != NULL)
		s->why = "the file was changed while it was read";
	s->payload = s->in + FRONT;
	return (0);
}

/* Load and decode; the units are set, none hidden. */
static int
decode(const struct fold *F, struct slot *s)
{
	const struct fold_part *p = &F->parts[s->part];

	if (load(F, s) != 0)
		return (-1);
	if (s->why == NULL)
		s->why = segment_decode(s->coder, &p->crypt, &s->record, s->payload, s->plain,
		    s->units->extents, p->of->disks[s->record.disk].size);
	return (0);
}

/* What is still to be seen of a segment. */
struct renewal {
	uint64_t disk; /* bytes of it */
	uint8_t *data;
	uint64_t size;    /* of the data so far */
	uint32_t n;       /* extents so far */
	struct extent *e; /* room for COVER_UNITS */
};

static void
append(struct renewal *w, uint64_t offset, uint64_t length, enum extent_kind kind)
{
	struct extent *last = w->n > 0 ? &w->e[w->n - 1] : NULL;

	if (last != NULL && last->kind == EXTENT_DATA && kind == EXTENT_DATA &&
	    last->offset + last->length == offset)
		last->length += length;
	else
		w->e[w->n++] = (struct extent){ offset, length, kind };
}

/* The bytes from offset to the end of the last block of length that are on the disk. */
static uint64_t
on_disk(const struct renewal *w, uint64_t offset, uint64_t length)
{
	uint64_t end = (offset + length + LIMIT_BLOCK - 1) / LIMIT_BLOCK * LIMIT_BLOCK;

	if (end > w->disk)
		end = w->disk;
	return (end > offset ? end - offset : 0);
}

/* One extent with its data.  A block that ended with its disk is filled up with zeroes where that has grown. */
static void
renew_extent(struct renewal *w, const struct extent *e, const uint8_t *data, const uint8_t *is_hidden)
{
	uint64_t n;

	if (e->kind != EXTENT_DATA) {
		if (!*is_hidden && (n = on_disk(w, e->offset, e->length)) > 0)
			append(w, e->offset, n, e->kind);
		return;
	}
	for (uint64_t done = 0; done < e->length; done += LIMIT_BLOCK, is_hidden++) {
		uint64_t had = e->length - done < LIMIT_BLOCK ? e->length - done : LIMIT_BLOCK;

		n = on_disk(w, e->offset + done, had);
		if (*is_hidden || n == 0)
			continue;
		memset(w->data + w->size, 0, (size_t)n);
		memcpy(w->data + w->size, data + done, (size_t)(had < n ? had : n));
		append(w, e->offset + done, n, EXTENT_DATA);
		w->size += n;
	}
}

/* Encode the extents and data of w, with the table right in front of the data. */
static int
encode(const struct fold *F, struct slot *s, const struct renewal *w)
{
	const struct extent *last = &w->e[w->n - 1];
	uint8_t *start = w->data - (size_t)w->n * EXTENT_SIZE;
	struct record *R = &s->record;

	for (uint32_t i = 0; i < w->n; i++)
		extent_pack(start + (size_t)i * EXTENT_SIZE, &w->e[i]);
	R->disk = s->note.disk;
	R->extents = w->n;
	R->offset = w->e[0].offset;
	R->span = last->offset + last->length - R->offset;
	s->payload = s->out;
	return (segment_encode(s->coder, &F->parts[s->part].crypt, start,
	    (size_t)w->n * EXTENT_SIZE + (size_t)w->size, s->out, R));
}

static int
renew(const struct fold *F, struct slot *s)
{
	struct cover_units *u = s->units;
	const uint8_t *data = s->plain + (size_t)s->note.extents * EXTENT_SIZE;
	struct renewal w = {
		.disk = size_of(F, &s->note), .data = s->again + LIMIT_EXTENTS * EXTENT_SIZE, .e = s->renewed
	};

	if (decode(F, s) != 0 || s->why != NULL)
		return (s->why == NULL ? -1 : 0);
	/* Units that were not asked about are all to be seen. */
	u->nextents = s->record.extents;
	if (u->n == 0)
		cover_count(u);
	s->zero = zero_of(u->extents, u->nextents);
	for (uint32_t i = 0; i < u->nextents; i++) {
		renew_extent(&w, &u->extents[i], data, u->is_hidden + u->first[i]);
		data += u->extents[i].kind == EXTENT_DATA ? u->extents[i].length : 0;
	}
	s->zero -= zero_of(w.e, w.n);
	if (w.n > 0 && w.n <= LIMIT_EXTENTS && w.size <= LIMIT_DATA)
		return (encode(F, s, &w));
	s->fate = FATE_HIDE;
	if (w.n == 0)
		return (0);
	if (!fits(F, &s->note))
		s->why = "what is left of it does not fit a segment";
	s->fate = FATE_COPY;
	s->zero = 0;
	return (0);
}

/* Zeroes where a disk had ended. */
static int
make_zeroes(const struct fold *F, struct slot *s)
{
	struct renewal w = { .data = s->again + LIMIT_EXTENTS * EXTENT_SIZE, .n = 1, .e = s->renewed };

	w.e[0] = (struct extent){ s->note.offset, s->note.span, EXTENT_ZERO };
	memset(&s->record, 0, sizeof s->record);
	return (encode(F, s, &w));
}

static int
work(void *context, void *slot)
{
	const struct fold *F = ((struct folding *)context)->F;
	struct slot *s = slot;

	s->why = NULL;
	s->zero = 0;
	if (s->note.file == FOLDMAP_NO_FILE)
		return (make_zeroes(F, s));
	if (s->fate == FATE_RENEW)
		return (renew(F, s));
	if (load(F, s) != 0)
		return (-1);
	if (s->why == NULL)
		s->why = segment_check(&s->record, s->payload);
	return (0);
}

static int
refuse(const struct fold *F, const struct slot *s, const char *why)
{
	return (say_refused("%s: segment %" PRIu64 " (disk %u, byte %" PRIu64 "): %s",
	    F->files[s->note.file].name, s->note.number, s->note.disk, s->note.offset, why));
}

static int
drain(void *context, void *slot)
{
	struct folding *k = context;
	struct fold *F = k->F;
	struct slot *s = slot;

	if (s->why != NULL)
		return (refuse(F, s, s->why));
	progress_add(&k->progress, s->note.stored);
	F->zero_drained += s->zero;
	if (s->fate == FATE_HIDE)
		return (0);
	*(s->fate == FATE_COPY ? &F->copied : &F->renewed) += 1;
	F->trailer->data += s->record.plain - (uint64_t)s->record.extents * EXTENT_SIZE;
	s->record.part = s->part;
	return (writer_segment(F->writer, &s->record, s->payload));
}

static void
drop(void *slot)
{
	struct slot *s = slot;

	if (s == NULL)
		return;
	segment_coder_free(s->coder);
	free(s->in);
	free(s->plain);
	free(s->again);
	free(s->out);
	free(s->units);
	free(s->renewed);
	free(s);
}

static int
make(void *context, void **slot)
{
	const struct folding *k = context;
	struct slot *s = calloc(1, sizeof *s);

	if (s == NULL || (s->in = malloc(FRONT + LIMIT_STORED)) == NULL ||
	    (s->plain = malloc(LIMIT_PLAIN)) == NULL ||
	    (s->again = malloc(LIMIT_PLAIN + LIMIT_BLOCK)) == NULL ||
	    (s->out = malloc(segment_bound(LIMIT_PLAIN))) == NULL ||
	    (s->units = malloc(sizeof *s->units)) == NULL ||
	    (s->renewed = malloc(COVER_UNITS * sizeof *s->renewed)) == NULL) {
		drop(s);
		return (say_failed("out of memory"));
	}
	if ((s->coder = segment_coder_new(k->F->level)) == NULL) {
		drop(s);
		return (-1);
	}
	*slot = s;
	return (0);
}

static int
run(struct fold *F, struct pipeline *P, const char *what)
{
	struct folding *k = calloc(1, sizeof *k);
	int rc;

	if (k == NULL)
		return (say_failed("out of memory"));
	k->F = F;
	P->context = k;
	P->make = make;
	P->drop = drop;
	cover_begin(&F->cover);
	progress_start(&k->progress, what, F->total);
	rc = pipeline_run(P);
	progress_end(&k->progress);
	free(k);
	return (rc > 0 ? 1 : rc);
}

int
fold_run(struct fold *F)
{
	struct pipeline P = { .fill = fill, .work = work, .drain = drain };
	int rc = run(F, &P, "combine");

	F->trailer->zero -= F->zero_filled + F->zero_drained;
	F->hidden = foldmap_size(F->catalog) - F->copied - F->renewed;
	return (rc);
}

/* --- what must be known before ------------------------------------------------------------------------ */

/* The next segment whose extents are asked for: it has several, and others lie over or under it. */
static int
fill_asked(void *context, void *slot)
{
	struct folding *k = context;
	struct fold *F = k->F;
	struct slot *s = slot;
	uint64_t zero;
	int rc;

	while ((rc = next(k, s)) == 0) {
		if (!F->parts[s->part].is_readable) {
			if (fits(F, &s->note) || (rc = is_gone(F, s, &zero)) > 0)
				continue;
			if (rc == 0)
				refuse(F, s,
				    "the end of its disk was moved, and it cannot be read here to be cut; "
				    "combine where the bundles are sealed to, or in clear");
			return (rc == 0 ? 2 : -1);
		}
		if (s->note.extents == 1)
			continue;
		if ((rc = cover_is_touched(&F->cover, s->part, &s->note)) < 0)
			return (-1);
		if (rc == 1)
			return (0);
	}
	return (rc);
}

static int
work_asked(void *context, void *slot)
{
	struct slot *s = slot;

	s->why = NULL;
	return (decode(((struct folding *)context)->F, s));
}

static int
drain_asked(void *context, void *slot)
{
	struct folding *k = context;
	struct slot *s = slot;

	if (s->why != NULL)
		return (refuse(k->F, s, s->why));
	progress_add(&k->progress, s->note.stored);
	return (foldmap_keep_extents(k->F->catalog, s->index, s->units->extents, s->record.extents));
}

int
fold_prepare(struct fold *F)
{
	struct pipeline P = { .fill = fill_asked, .work = work_asked, .drain = drain_asked };

	return (run(F, &P, "compare"));
}
