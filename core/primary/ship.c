#include "primary/ship.h"

#include <inttypes.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "primary/against.h"
#include "base/io.h"
#include "base/say.h"
#include "bounds.h"
#include "medium/logbook.h"
#include "medium/manifest.h"
#include "primary/ledger.h"

#define RESERVE \
	(UINT64_C(512) << 10) /* of a medium: for manifests, logs, receipts, and what its file system adds */
#define LARGE (UINT64_C(64) << 20) /* from here on a pipe's export is worth a record beforehand */

/* --- what it is to be --------------------------------------------------------------------------------- */

static const char *
level_text(enum segment_level level)
{
	return (level == SEGMENT_NONE   ? "none"
	        : level == SEGMENT_FAST ? "fast"
	        : level == SEGMENT_BEST ? "best"
	                                : "default");
}

/* The file at path from anywhere: its folder, which is there, without links and dots. */
static int
absolute(const char *path, char out[PATH_MAX])
{
	char dir[PATH_MAX], base[PATH_MAX], *real;
	int rc;

	if (io_path(dir, "%s", path) != 0 || io_path(base, "%s", path) != 0)
		return (-1);
	if ((real = realpath(dirname(dir), NULL)) == NULL)
		return (io_path(out, "%s", path)); /* to open it will say why */
	rc = io_path(out, "%s/%s", real, basename(base));
	free(real);
	return (rc);
}

int
ship_wish(const struct export_options *o, char out[PENDING_WISH])
{
	char seq[32] = "", path[PATH_MAX] = "", against[PATH_MAX] = "";
	int n;

	if (o->since != EXPORT_SINCE_ACKED)
		snprintf(seq, sizeof seq, " --since %" PRIu64, o->since_seq);
	if (o->since == EXPORT_SINCE_SENT)
		strcpy(seq, " --since sent");
	if (o->output != NULL && strcmp(o->output, "-") != 0 && absolute(o->output, path) != 0)
		return (-1);
	if (o->against != NULL &&
	    (strcmp(o->against, "-") == 0 ? io_path(against, "-") : absolute(o->against, against)) != 0)
		return (-1);
	n = snprintf(out, PENDING_WISH, "%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s", o->seed ? " --seed" : "",
	    o->delta ? " --delta" : "", seq, against[0] == '\0' ? "" : " --against ", against,
	    o->changes == NULL ? "" : " --changes ", o->changes == NULL ? "" : o->changes,
	    o->to == NULL ? "" : " --to ", o->to == NULL ? "" : o->to, o->plain ? " --plain" : "",
	    o->level == SEGMENT_DEFAULT ? "" : " --compress ",
	    o->level == SEGMENT_DEFAULT ? "" : level_text(o->level), o->live_unsafe ? " --live-unsafe" : "",
	    o->media != NULL  ? " --media"
	    : path[0] == '\0' ? ""
	                      : " -o ",
	    o->media != NULL ? "" : path);
	return (n < 0 || n >= (int)PENDING_WISH ? say_failed("the command line is too long") : 0);
}

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

/* The header's text and its signed record. */
static int
make_member(struct ship *s)
{
	struct record *R = &s->member.record;
	size_t n = 0;

	if ((s->member.payload = (uint8_t *)header_encode(&s->header, &n)) == NULL)
		return (say_failed(
		    "%s: the bundle's description does not fit; too many disks or sites, or no memory",
		    s->cut->P->vm));
	R->type = RECORD_HEADER;
	R->stored = R->plain = n;
	memcpy(R->bundle, s->header.id, RECORD_ID);
	crypto_sign_ed25519_sk_to_pk(R->link, site_secret(s->cut->S));
	crypto_generichash(R->digest, RECORD_DIGEST, s->member.payload, n, NULL, 0);
	record_pack(s->member.raw, R, site_secret(s->cut->S));
	return (0);
}

static int
make_pending(struct ship *s)
{
	const struct export_options *o = s->cut->o;
	struct pending *p = s->pending = calloc(1, sizeof *p);
	int rc;

	if (p == NULL || (p->text = malloc((size_t)s->member.record.stored)) == NULL)
		return (say_failed("out of memory"));
	if (ship_wish(o, p->wish) != 0)
		return (-1);
	p->started = (int64_t)time(NULL);
	p->base = s->cut->base;
	p->is_lost = s->cut->is_lost;
	p->level = o->level;
	memcpy(p->key, s->pack.crypt.key, sizeof p->key);
	memcpy(p->raw, s->member.raw, RECORD_SIZE);
	p->text_size = (size_t)s->member.record.stored;
	memcpy(p->text, s->member.payload, p->text_size);
	p->ndisks = s->cut->P->nreplicated;
	for (unsigned i = 0; i < p->ndisks; i++) {
		p->disks[i].sum = s->disks[i].sum;
		if ((rc = source_stamp(s->cut->sources[i], &p->disks[i].stamp)) < 0)
			return (-1);
		p->disks[i].has_stamp = rc == 0;
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

void
ship_fill(struct ship *s)
{
	s->pack.secret = &s->cut->P->secret;
	s->pack.level = s->cut->o->level;
	s->pack.disks = s->disks;
	s->pack.ndisks = s->cut->P->nreplicated;
	s->pack.trailer = &s->trailer;
	s->pack.what = cut_is_seed(s->cut) ? "seed" : "delta";
	for (unsigned i = 0; i < s->pack.ndisks; i++) {
		struct pack_disk *d = &s->disks[i];

		d->source = s->cut->sources[i];
		d->leaves = s->cut->leaves[i];
		d->must = &s->cut->must[i];
		d->maybe = &s->cut->maybe[i];
		d->size = source_size(d->source);
		d->only_must = s->cut->against != NULL;
	}
}

int
ship_prepare(struct ship *s)
{
	int rc;

	ship_fill(s);
	for (unsigned i = 0; i < s->pack.ndisks; i++)
		s->disks[i].sum = s->cut->sums[i];
	if (pack_most(&s->pack, &s->pack.most) != 0)
		return (-1);
	make_header(s);
	if ((rc = seal(s)) != 0)
		return (rc);
	filename_stem(s->stem, &s->header);
	if (make_member(s) != 0 || make_pending(s) != 0 || make_logs(s) != 0)
		return (-1);
	return (s->cut->base != 0 && s->cut->o->changes != NULL ? pending_keep_sets(s->cut->P, s->cut->maybe)
	                                                        : 0);
}

/* --- volumes ------------------------------------------------------------------------------------------ */

int
ship_open_medium(struct ship *s)
{
	int rc = 0;

	if (s->cut->o->media != NULL &&
	    (rc = medium_open(&s->medium, s->cut->o->media, MEDIUM_WRITE, NULL)) == 0)
		rc = medium_free_bytes(s->medium, &s->room);
	return (rc);
}

int
ship_volume_path(const struct ship *s, unsigned number, char out[PATH_MAX])
{
	char name[FILENAME_SIZE];

	if (s->medium == NULL)
		return (io_path(out, "%s", s->cut->o->output));
	filename_volume(name, s->stem, number);
	return (medium_path(s->medium, name, out));
}

static uint64_t
limit(void *context)
{
	return (((struct ship *)context)->limit);
}

static int
note_sums(struct ship *s)
{
	for (unsigned i = 0; i < s->pack.ndisks; i++) {
		struct pending_disk *d = &s->pending->disks[i];

		d->sum = s->disks[i].sum;
		if (changelog_flush(s->logs[i], &d->log_size, &d->log_sum) != 0)
			return (-1);
	}
	return (0);
}

int
ship_volume_done(struct ship *s, const struct chain_volume *v, uint64_t bytes)
{
	struct pending *p = s->pending;

	p->volume = *v;
	p->stored = writer_stored(s->writer);
	p->data = s->trailer.data;
	p->zero = s->trailer.zero;
	p->bytes += bytes;
	if (s->medium == NULL)
		return (0);
	pending_note_place(p, medium_identity(s->medium)->label, v->number);
	if (shiplog_sync(s->shiplog) != 0 || (!p->is_cut && note_sums(s) != 0))
		return (-1);
	return (pending_write(p, s->cut->P));
}

/* The volume is written, all of it: make it durable, and have it checked. */
static int
ended(void *context, const struct chain_volume *v)
{
	struct ship *s = context;
	uint8_t digest[RECORD_DIGEST];
	char name[FILENAME_SIZE];

	if (outfile_commit(s->out) != 0)
		return (-1);
	if (s->medium != NULL) {
		filename_volume(name, s->stem, v->number);
		outfile_digest(s->out, digest);
		if (manifest_add(s->medium, s->stem, name, digest, site_secret(s->cut->S)) != 0)
			return (-1);
	}
	outfile_free(s->out);
	s->out = NULL;
	return (ship_volume_done(s, v, writer_position(s->writer)));
}

static int
begin(void *context, struct writer *W)
{
	(void)W;
	return (ship_begin(context));
}

/* Write down what it takes to make any segment again. */
static int
log_shipment(struct ship *s)
{
	struct writer_watch watch = { .record = shiplog_record };

	if (s->shiplog == NULL)
		s->shiplog = shiplog_open(
		    s->cut->P, &s->header, &s->pack.crypt, (enum segment_level)s->pending->level);
	if (s->shiplog == NULL)
		return (-1);
	watch.context = s->pack.context = s->shiplog;
	s->pack.extents = shiplog_extents;
	writer_use_watch(s->writer, &watch);
	return (0);
}

int
ship_make_writer(struct ship *s)
{
	struct writer_volumes v = { s, limit, ended, begin };
	const struct chain_volume *last = s->pending->volume.number == 0 ? NULL : &s->pending->volume;
	char tmp[PATH_MAX];

	writer_free(s->writer);
	s->writer = NULL;
	if (io_path(tmp, "%s/tmp", site_home(s->cut->S)) != 0 ||
	    (s->writer = writer_new(s->out, tmp, site_secret(s->cut->S))) == NULL)
		return (-1);
	if (s->medium != NULL)
		writer_use_volumes(s->writer, &v);
	s->pack.writer = s->writer;
	if (log_shipment(s) != 0)
		return (-1);
	return (writer_resume(s->writer, &s->member, last, s->pending->stored));
}

/* Bytes that are still to be stored, as far as can be told from what was. */
static uint64_t
rest_of(const struct ship *s)
{
	uint64_t left = s->header.most > s->trailer.data ? s->header.most - s->trailer.data : 0;
	uint64_t stored = writer_stored(s->writer), data = s->trailer.data;

	/* In units that cannot overflow. */
	return (data < SEGMENT_UNIT ? left : left / (data >> 10) * (stored >> 10) + SEGMENT_UNIT);
}

static int
say_full(struct ship *s)
{
	uint64_t rest = rest_of(s), room = s->room > RESERVE ? s->room - RESERVE : 0;
	char places[512];

	pending_places(s->pending, places, sizeof places);
	if (room < EXPORT_VOLUME_LEAST)
		room = 0;
	say_failed("medium '%s' is full.  %s%sSome %" PRIu64
	           " MiB are left to write%s; run the same command with the next --media",
	    medium_identity(s->medium)->label, places, places[0] == '\0' ? "" : ".  ", (rest >> 20) + 1, "");
	if (room > 0)
		say_note("%s: about %" PRIu64 " more media with as much room as this one had", s->cut->P->vm,
		    (rest + room - 1) / room);
	return (-1);
}

/* Bytes that the medium has for the file of a volume that holds so many already. */
static int
find_room(struct ship *s, uint64_t have, uint64_t *room)
{
	if (medium_free_bytes(s->medium, room) != 0)
		return (-1);
	*room = have + (*room < RESERVE ? 0 : *room - RESERVE);
	s->limit = s->cut->o->volume_size == 0 ? EXPORT_VOLUME : s->cut->o->volume_size;
	if (s->limit > *room)
		s->limit = *room;
	return (0);
}

/* Read it back, and let it be full. */
static int
be_careful(struct ship *s)
{
	if (outfile_check(s->out) != 0)
		return (-1);
	outfile_may_fill(s->out);
	return (0);
}

int
ship_go_on(struct ship *s)
{
	uint64_t room;

	if (s->medium != NULL && (find_room(s, outfile_size(s->out), &room) != 0 || be_careful(s) != 0))
		return (-1);
	writer_go_on(s->writer, s->out);
	return (0);
}

/* Open the file of the next volume on the medium, if there is room. */
static int
open_volume(struct ship *s, const char *path)
{
	uint64_t room, need = rest_of(s) + (UINT64_C(256) << 10);

	if (find_room(s, 0, &room) != 0)
		return (-1);
	if (room < (need < EXPORT_VOLUME_LEAST ? need : EXPORT_VOLUME_LEAST))
		return (say_full(s));
	return (outfile_create(&s->out, path) != 0 ? -1 : be_careful(s));
}

/* The record that it has begun, in front of the first byte that can be found again. */
static int
note_beginning(const struct ship *s)
{
	const struct pending *p = s->pending;

	return (p->volume.number > 0 || (p->way == PENDING_PIPE && s->header.most < LARGE)
	            ? 0
	            : pending_write(p, s->cut->P));
}

static int
begin_file(struct ship *s)
{
	struct pending *p = s->pending;
	int rc = outfile_open(&s->out, s->cut->o->output);

	if (rc != 0)
		return (rc);
	p->way = outfile_is_new(s->out) ? PENDING_FILE : PENDING_PIPE;
	if (p->way == PENDING_FILE && absolute(s->cut->o->output, p->output) != 0)
		return (-1);
	return (note_beginning(s));
}

/* Its name is not the same when it is begun anew, so that it is begun is noted before it is there. */
static int
begin_volume(struct ship *s)
{
	char path[PATH_MAX];

	s->pending->way = PENDING_MEDIA;
	if (ship_volume_path(s, s->pending->volume.number + 1, path) != 0 || note_beginning(s) != 0)
		return (-1);
	return (open_volume(s, path));
}

int
ship_begin(struct ship *s)
{
	int rc = s->medium != NULL ? begin_volume(s) : begin_file(s);

	return (rc == 0 ? writer_begin_volume(s->writer, s->out) : rc);
}

/* --- segments and point ------------------------------------------------------------------------------- */

/* Blocks beyond the new end of a disk that shrank are no more. */
static int
cut_off(struct ship *s, unsigned i)
{
	struct pack_disk *d = &s->disks[i];
	uint64_t start = (d->size + LIMIT_BLOCK - 1) / LIMIT_BLOCK, count, old[512];
	uint64_t end = (s->cut->P->disks[i].size + LIMIT_BLOCK - 1) / LIMIT_BLOCK;
	int rc;

	if (d->log == NULL)
		return (0);
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

int
ship_segments(struct ship *s)
{
	int rc;

	for (unsigned i = 0; i < s->pack.ndisks; i++)
		s->disks[i].log = s->logs[i];
	if ((rc = pack_run(&s->pack)) != 0)
		return (rc);
	for (unsigned i = 0; i < s->pack.ndisks; i++)
		if ((rc = source_check(s->cut->sources[i])) != 0 || (rc = cut_off(s, i)) != 0)
			return (rc);
	return (0);
}

int
ship_take_point(struct ship *s)
{
	struct primary *P = s->cut->P;
	struct primary_point *have = primary_point(P, s->header.to.seq), p = { .point = s->header.to };

	s->trailer.ndisks = P->nreplicated;
	for (unsigned i = 0; i < P->nreplicated; i++) {
		p.size[i] = s->header.disks[i].size;
		leaf_root(p.root[i], &P->secret, &s->pending->disks[i].sum, p.size[i]);
		memcpy(s->trailer.root[i], p.root[i], LEAF_ROOT);
	}
	if (have != NULL)
		return (0);
	for (unsigned i = 0; i < P->nreplicated; i++) {
		P->disks[i].sum = s->pending->disks[i].sum;
		P->disks[i].size = p.size[i];
	}
	for (unsigned i = 0; s->cut->base == 0 && i < s->cut->ntargets; i++)
		if (s->cut->targets[i]->seeded == 0)
			s->cut->targets[i]->seeded = p.point.seq;
	return (s->pending->is_lost ? primary_commit_alone(P, &p) : primary_commit(P, &p));
}

int
ship_commit_point(struct ship *s)
{
	struct pending *p = s->pending;

	if (shiplog_sync(s->shiplog) != 0)
		return (-1);
	for (unsigned i = 0; i < s->pack.ndisks; i++) {
		struct changelog *L = s->logs[i];

		s->logs[i] = NULL;
		if (changelog_commit(L) != 0)
			return (-1);
		p->disks[i].sum = s->disks[i].sum;
	}
	p->is_cut = 1;
	p->segments = writer_chain(s->writer)->segments;
	if ((p->way != PENDING_PIPE || s->header.most >= LARGE) && pending_write(p, s->cut->P) != 0)
		return (-1);
	return (ship_take_point(s));
}

/* --- the end ------------------------------------------------------------------------------------------ */

/* Text for the record, and for a line of status. */
static void
name_place(const struct ship *s, char out[PRIMARY_WHERE])
{
	const struct pending *p = s->pending;
	const char *slash = strrchr(p->output, '/');
	size_t used = 0;

	out[0] = '\0';
	if (p->way == PENDING_FILE)
		snprintf(out, PRIMARY_WHERE, "%.100s", slash == NULL ? p->output : slash + 1);
	for (unsigned i = 0; i < p->nplaces && used < PRIMARY_WHERE; i++)
		used += (size_t)snprintf(
		    out + used, PRIMARY_WHERE - used, "%s%s", i == 0 ? "medium " : ", ", p->places[i].label);
	for (char *c = out; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static int
enter_ledger(const struct ship *s)
{
	struct primary *P = s->cut->P;
	struct primary_shipment n = { .type = s->header.type,
		.from = s->header.from.seq,
		.to = s->header.to.seq,
		.at = (int64_t)time(NULL),
		.volumes = s->pending->volume.number,
		.bytes = s->pending->bytes,
		.cipher = s->header.cipher,
		.level = s->pending->level };

	if (ledger_find(P, s->header.id) != NULL)
		return (0);
	for (unsigned i = 0; i < s->cut->ntargets; i++)
		n.targets |= UINT32_C(1) << (s->cut->targets[i] - P->targets);
	memcpy(n.id, s->header.id, RECORD_ID);
	memcpy(n.key, s->pending->key, sizeof n.key);
	name_place(s, n.where);
	ledger_sent(P, &n);
	sodium_memzero(n.key, sizeof n.key);
	return (primary_save(P));
}

int
ship_finish(struct ship *s)
{
	if (writer_finish(s->writer, &s->header, &s->trailer) != 0 || shiplog_sync(s->shiplog) != 0)
		return (-1);
	return (ended(s, writer_volume(s->writer)));
}

int
ship_done(struct ship *s)
{
	const struct pending *p = s->pending;
	char places[512];

	if (s->medium != NULL &&
	    logbook_add(s->medium, s->cut->S, s->stem, s->header.id, "export", "ok") != 0)
		return (-1);
	if (enter_ledger(s) != 0 || pending_remove(s->cut->P) != 0)
		return (-1);
	say_note("%s: %s to point %" PRIu64 ", %" PRIu64 " bytes (%" PRIu64 " of data)", s->cut->P->vm,
	    s->header.type == BUNDLE_SEED ? "seed" : "delta", s->header.to.seq, p->bytes, p->data);
	pending_places(p, places, sizeof places);
	if (places[0] != '\0')
		say_note("%s: %s", s->cut->P->vm, places);
	return (0);
}

/* Is what the record says of media true of this one? */
static int
is_on_medium(const struct ship *s)
{
	const struct pending *p = s->pending;

	return (s->medium != NULL && p->nplaces > 0 &&
	        strncmp(p->places[p->nplaces - 1].label, medium_identity(s->medium)->label,
	            PRIMARY_WHERE - 1) == 0);
}

int
ship_stop(struct ship *s, int rc)
{
	struct pending *p = s->pending;

	/* Nothing was begun, or it is another's. */
	if (p == NULL || s->writer == NULL)
		return (rc);
	if (!p->is_cut && !s->is_resumed && p->volume.number == 0 &&
	    (rc == 1 || writer_chain(s->writer)->segments == 0)) {
		pending_remove(s->cut->P);
		return (rc == 1 ? 1 : -1);
	}
	if (s->out != NULL && s->medium != NULL && outfile_is_full(s->out))
		say_full(s);
	if (is_on_medium(s))
		logbook_add(s->medium, s->cut->S, s->stem, s->header.id, "export", "ok");
	if (s->out != NULL && p->way == PENDING_PIPE)
		pending_write(p, s->cut->P);
	else if (s->out != NULL)
		outfile_keep(s->out);
	if (p->is_cut)
		say_note(
		    "%s: point %" PRIu64
		    " was cut, but its bundle was not delivered; the same command again goes on with it, "
		    "else the next delta carries what it held",
		    s->cut->P->vm, s->header.to.seq);
	return (rc == 1 ? 1 : -1);
}

void
ship_free(struct ship *s)
{
	writer_free(s->writer);
	shiplog_free(s->shiplog);
	outfile_free(s->out);
	medium_close(s->medium);
	free(s->member.payload);
	pending_free(s->pending);
	for (unsigned i = 0; i < LIMIT_DISKS; i++)
		changelog_free(s->logs[i]);
	sodium_memzero(&s->pack.crypt, sizeof s->pack.crypt);
}
