#include "combine.h"

#include <inttypes.h>
#include <libgen.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bundle/fold.h"
#include "bundle/outfile.h"
#include "bundle/proof.h"
#include "lineup.h"
#include "base/io.h"
#include "base/sandbox.h"
#include "base/say.h"
#include "scribe.h"

struct combining {
	const struct site *S;
	const struct combine_options *o;
	struct lineup lineup;
	struct scribe *scribe;     /* NULL: no input lies on a medium */
	const struct header *last; /* of the newest bundle */
	struct proof proof;        /* that of the bundle just read, in the end of the newest */
	uint64_t zero;             /* bytes in the segments of that bundle that are one extent of zeroes */
	uint8_t primary[RECORD_KEY];
	struct header header;
	struct trailer trailer;
	struct fold fold;
	struct member m;
};

/* --- what the bundles hold ---------------------------------------------------------------------------- */

/* Keep note of a segment of file i that belongs to the part layer. */
static int
take_segment(struct combining *c, unsigned i, unsigned layer, uint64_t position)
{
	const struct record *R = &c->m.record;
	struct note n = { .number = R->number,
		.position = position,
		.offset = R->offset,
		.span = R->span,
		.file = i,
		.disk = R->disk,
		.extents = R->extents,
		.data = (uint32_t)(R->plain - (uint64_t)R->extents * EXTENT_SIZE),
		.stored = (uint32_t)R->stored };

	if (R->extents == 1 && n.data != 0 && n.data != R->span)
		return (reader_refuse(c->lineup.files[i].reader, R, "its record contradicts itself"));
	if (R->extents == 1 && n.data == 0)
		c->zero += R->span;
	record_hash(n.hash, c->m.raw);
	c->fold.cover.layers[layer].n++;
	return (foldmap_add(c->fold.catalog, &n));
}

/* Take what is not a segment. */
static int
take_other(struct combining *c, const struct lineup_file *f)
{
	const struct record *R = &c->m.record;
	const char *why = NULL;

	if (R->type == RECORD_BLOB && (why = segment_check(R, c->m.payload)) == NULL)
		why = proof_take(&c->proof, R, c->m.payload);
	if (R->type == RECORD_END && f->header->nparts == 0)
		proof_set_end(&c->proof, &c->m);
	if (R->type == RECORD_END && (why = proof_check(&c->proof, proof_key(&c->proof), f->header)) == NULL)
		why = proof_check_end(&c->proof, reader_trailer(f->reader));
	return (why == NULL ? 0 : reader_refuse(f->reader, R, why));
}

static int
read_volume(struct combining *c, unsigned i, unsigned layer)
{
	struct lineup_file *f = &c->lineup.files[i];
	int rc;

	do {
		uint64_t position = reader_good(f->reader);

		if ((rc = reader_skip(f->reader, &c->m)) != 0)
			return (rc);
		rc = c->m.record.type == RECORD_SEGMENT
		         ? take_segment(c, i, layer + c->m.record.part, position)
		         : take_other(c, f);
	} while (rc == 0 && c->m.record.type != RECORD_END && c->m.record.type != RECORD_VOLUME_END);
	return (rc);
}

/* Is the volume in file i the last of its bundle, or does the next one follow it? */
static int
check_volumes(const struct combining *c, unsigned i, int is_last)
{
	const struct lineup_file *f = &c->lineup.files[i];
	const struct chain_volume *v = reader_volume(f->reader);
	const char *why = NULL;

	if (is_last && !v->is_last)
		return (say_refused(
		    "%s: more volumes of its bundle follow, and were not named", infile_name(f->F)));
	if (!is_last)
		why = chain_follows(v, reader_volume(f[1].reader));
	return (why == NULL ? 0 : say_refused("%s: %s", infile_name(f[1].F), why));
}

/* All bundles must be the word of one primary. */
static int
check_primary(struct combining *c, const struct lineup_bundle *b)
{
	const uint8_t *key = proof_key(&c->proof);

	if (b == c->lineup.bundles)
		memcpy(c->primary, key, RECORD_KEY);
	if (lineup_is_one_site(c->S, c->primary, key))
		return (0);
	return (say_refused("%s: was made by another primary than the one before it",
	    infile_name(c->lineup.files[b->first].F)));
}

static uint64_t
add(uint64_t a, uint64_t b)
{
	return (a > INT64_MAX - b ? INT64_MAX : a + b);
}

/* One more part of the result; its segments are those that follow in the catalog. */
static int
add_part(struct combining *c, const struct header *of, const struct header_part *p)
{
	struct fold_part *to = &c->fold.parts[c->header.nparts];
	struct cover_layer *L = &c->fold.cover.layers[c->fold.cover.n];

	if (c->header.nparts == LIMIT_PARTS)
		return (
		    say_refused("%s: no more than %u deltas go into one; combine fewer, or export one delta "
		                "with --since %" PRIu64 " at the primary",
		        c->last->vm, LIMIT_PARTS, c->lineup.bundles[0].header->from.seq));
	c->header.parts[c->header.nparts++] = *p;
	memset(L, 0, sizeof *L);
	L->first = foldmap_size(c->fold.catalog);
	c->fold.cover.n++;
	to->of = of;
	to->crypt.cipher = p->cipher;
	memcpy(to->crypt.bundle, p->id, RECORD_ID);
	to->is_readable = site_unseal_part(c->S, p, to->crypt.key) == NULL;
	return (0);
}

/* A bundle's own parts, or the one that all of it is. */
static int
add_parts(struct combining *c, const struct header *H)
{
	struct header_part *p;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < H->nparts; i++)
		rc = add_part(c, H, &H->parts[i]);
	if (H->nparts > 0)
		return (rc);
	if ((p = calloc(1, sizeof *p)) == NULL)
		return (say_failed("out of memory"));
	memcpy(p->id, H->id, RECORD_ID);
	p->cipher = H->cipher;
	p->ntargets = H->ntargets;
	memcpy(p->targets, H->targets, sizeof p->targets);
	rc = add_part(c, H, p);
	free(p);
	return (rc);
}

/* Parts get their segments volume by volume; where each of a combined bundle's begins follows from their numbers. */
static void
place_layers(struct combining *c, unsigned layer)
{
	for (unsigned i = layer + 1; i < c->fold.cover.n; i++)
		c->fold.cover.layers[i].first =
		    c->fold.cover.layers[i - 1].first + c->fold.cover.layers[i - 1].n;
}

/* The newest one that is carried counts; it stays under the key of its part, which need not be known here. */
static void
take_definition(struct combining *c, const struct header *H, unsigned layer)
{
	if (H->definition.size == 0)
		return;
	c->header.definition = H->definition;
	c->header.definition.part += layer;
}

static int
read_bundle(struct combining *c, const struct lineup_bundle *b)
{
	unsigned layer = c->fold.cover.n;
	const struct trailer *T;
	int rc = add_parts(c, b->header);

	take_definition(c, b->header, layer);

	memset(&c->proof, 0, sizeof c->proof);
	c->zero = 0;
	if (rc == 0 && b->header->nparts == 0)
		proof_set_header(&c->proof, &c->lineup.files[b->first].m);
	for (unsigned i = b->first; rc == 0 && i < b->first + b->n; i++)
		rc = read_volume(c, i, layer);
	for (unsigned i = b->first; rc == 0 && i < b->first + b->n; i++)
		rc = check_volumes(c, i, i + 1 == b->first + b->n);
	if (rc != 0 || (rc = check_primary(c, b)) != 0)
		return (rc);
	place_layers(c, layer);
	T = reader_trailer(c->lineup.files[b->first + b->n - 1].reader);
	for (unsigned i = layer; i < c->fold.cover.n; i++)
		c->fold.parts[i].is_mixed = c->zero != T->zero;
	c->header.most = add(c->header.most, T->data);
	c->trailer.zero = add(c->trailer.zero, T->zero);
	c->fold.total = add(c->fold.total, T->stored);
	c->trailer.ndisks = T->ndisks;
	memcpy(c->trailer.root, T->root, sizeof T->root);
	return (0);
}

static uint64_t
whole_blocks(uint64_t size)
{
	return ((size + LIMIT_BLOCK - 1) / LIMIT_BLOCK * LIMIT_BLOCK);
}

/*
 * Where a disk grew again from one bundle to the next, what lay behind its end is zero: a replica that is at a
 * point in between may have other things there, which no segment speaks of.
 */
static int
add_zeroes(struct combining *c, const struct header *a, const struct header *b)
{
	struct header_part *p = NULL;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < a->ndisks; i++) {
		uint64_t size = c->last->disks[i].size;
		uint64_t from = whole_blocks(a->disks[i].size), to = whole_blocks(b->disks[i].size);
		struct note n = { .offset = from, .file = FOLDMAP_NO_FILE, .disk = i, .extents = 1 };

		if (to > size)
			to = size;
		if (from >= to)
			continue;
		if (p == NULL) {
			if ((p = calloc(1, sizeof *p)) == NULL)
				return (say_failed("out of memory"));
			memcpy(p->id, c->header.id, RECORD_ID);
			rc = add_part(c, c->last, p);
		}
		n.span = to - from;
		c->trailer.zero = add(c->trailer.zero, n.span);
		if (rc == 0)
			rc = foldmap_add(c->fold.catalog, &n);
		if (rc == 0)
			c->fold.cover.layers[c->fold.cover.n - 1].n++;
	}
	free(p);
	return (rc);
}

static int
read_all(struct combining *c)
{
	int rc;

	for (unsigned i = 0; i < c->lineup.n; i++) {
		const struct lineup_bundle *b = &c->lineup.bundles[i];

		if ((i > 0 && (rc = add_zeroes(c, b[-1].header, b->header)) != 0) ||
		    (rc = read_bundle(c, b)) != 0)
			return (rc);
	}
	return (0);
}

/* --- the result --------------------------------------------------------------------------------------- */

static int
has_target(const struct combining *c, const struct header_part *p, const uint8_t key[RECORD_KEY])
{
	for (unsigned i = 0; i < p->ntargets; i++)
		if (lineup_is_one_site(c->S, p->targets[i].key, key))
			return (1);
	return (p->cipher == RECORD_CLEAR);
}

/* The sites that can read all parts.  They have their keys from the seals of each, the leaf seed from the newest. */
static int
choose_targets(struct combining *c)
{
	struct header *H = &c->header;

	H->has_leaf_seed = c->last->has_leaf_seed;
	memcpy(H->leaf_seed, c->last->leaf_seed, LEAF_SEED);
	H->cipher = c->last->cipher;
	for (unsigned i = 0; i < c->last->ntargets; i++) {
		int is_one = 1;

		for (unsigned k = 0; is_one && k < H->nparts; k++)
			is_one = has_target(c, &H->parts[k], c->last->targets[i].key);
		if (is_one)
			H->targets[H->ntargets++] = c->last->targets[i];
	}
	if (H->ntargets == 0 && !H->has_leaf_seed)
		return (say_refused(
		    "%s: the bundles are for different sites, and none could read the result", H->vm));
	for (unsigned k = 0; k < H->nparts; k++)
		if (H->parts[k].cipher == RECORD_CLEAR)
			H->parts[k].ntargets = 0;
	return (0);
}

/* The VM is what the newest bundle says; what was carried of it before may be another. */
static void
choose_definition(struct combining *c)
{
	const struct header_definition *is = &c->last->definition;
	struct header_definition *d = &c->header.definition;
	size_t n;
	char *text;

	if (!is->is_known || memcmp(d->digest, is->digest, HEADER_DIGEST) != 0)
		d->size = 0;
	d->is_known = is->is_known;
	memcpy(d->digest, is->digest, HEADER_DIGEST);
	if (d->size == 0)
		return;
	if ((text = header_encode(&c->header, &n)) == NULL) {
		d->size = 0;
		say_note("%s: there is no room in the header for the VM's definition: it is left out",
		    c->header.vm);
	}
	free(text);
}

/* The first bundle that has that disk: where it starts, the disk is as it was all the time before. */
static const struct header *
first_with(const struct combining *c, unsigned disk)
{
	unsigned i = 0;

	while (c->lineup.bundles[i].header->ndisks <= disk)
		i++;
	return (c->lineup.bundles[i].header);
}

static int
describe(struct combining *c)
{
	const struct header *first = c->lineup.bundles[0].header, *last = c->last, *of;
	struct header *H = &c->header;
	int rc;

	H->type = BUNDLE_DELTA;
	memcpy(H->lineage, last->lineage, RECORD_ID);
	strcpy(H->uuid, last->uuid);
	strcpy(H->vm, last->vm);
	strcpy(H->signer, site_card(c->S)->name);
	H->created = (int64_t)time(NULL);
	H->from = first->from;
	H->to = last->to;
	H->keep = last->keep;
	if (H->most > LIMIT_DISKS * LIMIT_DISK_SIZE)
		H->most = LIMIT_DISKS * LIMIT_DISK_SIZE;
	H->ndisks = last->ndisks;
	for (unsigned i = 0; i < H->ndisks; i++) {
		H->disks[i] = last->disks[i];
		of = first_with(c, i);
		H->disks[i].before_size = of->disks[i].before_size;
		memcpy(H->disks[i].before, of->disks[i].before, LEAF_ROOT);
	}
	H->nexcluded = last->nexcluded;
	memcpy(H->excluded, last->excluded, sizeof H->excluded);
	if ((rc = choose_targets(c)) == 0)
		choose_definition(c);
	return (rc);
}

static int
write_bundle(struct combining *c, struct outfile *out, const char *tmp)
{
	struct writer *W = writer_new(out, tmp, site_secret(c->S));
	int rc;

	if (W == NULL)
		return (-1);
	c->fold.writer = W;
	if ((rc = writer_header(W, &c->header)) == 0 && (rc = proof_write(&c->proof, W)) == 0 &&
	    (rc = fold_run(&c->fold)) == 0 && (rc = writer_finish(W, &c->header, &c->trailer)) == 0)
		rc = outfile_commit(out);
	if (rc == 0)
		say_note("%s: %u deltas are one from point %" PRIu64 " to point %" PRIu64 ", %" PRIu64
		         " bytes; %" PRIu64 " segments copied, %" PRIu64 " made anew, %" PRIu64 " left out",
		    c->header.vm, c->lineup.n, c->header.from.seq, c->header.to.seq, writer_position(W),
		    c->fold.copied, c->fold.renewed, c->fold.hidden);
	writer_free(W);
	return (rc);
}

/* --- */

/* The folders that are written to: the home, for what is kept aside, and that of the output. */
static int
confine(const struct combining *c)
{
	struct sandbox *B = calloc(1, sizeof *B);
	char dir[PATH_MAX];
	int rc;

	if (B == NULL)
		return (say_failed("out of memory"));
	B->work = SANDBOX_STORE;
	B->insist = c->o->insist;
	rc = sandbox_add(B, site_home(c->S));
	if (rc == 0 && c->o->output != NULL && strcmp(c->o->output, "-") != 0) {
		rc = io_path(dir, "%s", c->o->output);
		if (rc == 0)
			rc = sandbox_add(B, dirname(dir));
	}
	if (rc == 0)
		rc = sandbox_enter(B);
	sandbox_free(B);
	free(B);
	return (rc);
}

/* In the custody log of each input that lies on a medium. */
static void
note_custody(const struct combining *c, int rc)
{
	for (unsigned k = 0; k < c->lineup.nfiles; k++) {
		const struct lineup_file *f = &c->lineup.files[k];

		for (unsigned i = 0; f->header != NULL && i < c->o->n; i++)
			if (strcmp(infile_name(f->F), c->o->paths[i]) == 0)
				scribe_note(c->scribe, i, f->header->id, "combine", rc);
	}
}

static int
run(struct combining *c)
{
	struct outfile *out = NULL;
	char tmp[PATH_MAX];
	int rc;

	if (io_path(tmp, "%s/tmp", site_home(c->S)) != 0)
		return (-1);
	if ((rc = lineup_open(&c->lineup, c->o->paths, c->o->n)) != 0 ||
	    (rc = scribe_start(&c->scribe, c->S, c->o->paths, c->o->n)) != 0 || (rc = confine(c)) != 0 ||
	    (rc = lineup_read(&c->lineup, c->S, c->o->by)) != 0)
		return (rc);
	c->last = c->lineup.bundles[c->lineup.n - 1].header;
	c->fold.nfiles = c->lineup.nfiles;
	for (unsigned i = 0; i < c->lineup.nfiles; i++) {
		struct fold_file *f = &c->fold.files[i];

		f->fd = infile_fd(c->lineup.files[i].F);
		f->name = infile_name(c->lineup.files[i].F);
		memcpy(f->key, c->lineup.files[i].key, RECORD_KEY);
	}
	randombytes_buf(c->header.id, sizeof c->header.id);
	if ((c->m.payload = malloc(LIMIT_STORED)) == NULL)
		return (say_failed("out of memory"));
	if ((c->fold.catalog = foldmap_new(tmp)) == NULL)
		return (-1);
	c->fold.cover.catalog = c->fold.catalog;
	c->fold.header = &c->header;
	c->fold.trailer = &c->trailer;
	c->fold.level = c->o->level;
	if ((rc = read_all(c)) != 0 || (rc = describe(c)) != 0 || (rc = fold_prepare(&c->fold)) != 0 ||
	    (rc = outfile_open(&out, c->o->output)) != 0)
		return (rc);
	rc = write_bundle(c, out, tmp);
	outfile_free(out);
	return (rc);
}

int
combine(const struct site *S, const struct combine_options *o)
{
	struct combining *c = calloc(1, sizeof *c);
	int rc;

	if (c == NULL)
		return (say_failed("out of memory"));
	c->S = S;
	c->o = o;
	rc = run(c);
	note_custody(c, rc);
	scribe_end(c->scribe);
	lineup_close(&c->lineup);
	foldmap_free(c->fold.catalog);
	free(c->m.payload);
	sodium_memzero(c->fold.parts, sizeof c->fold.parts);
	free(c);
	return (rc);
}
