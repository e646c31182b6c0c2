#include "primary/resume.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "bounds.h"
#include "bundle/unpack.h"
#include "disk/scan.h"
#include "frame.h"
#include "medium/manifest.h"

#define STOP 3 /* what comes now is written again: not an error */

struct adopting {
	struct ship *s;
	int is_part; /* of a file that has not got its name: its tables do not count */
	uint64_t segments;
};

/* --- what is there already ---------------------------------------------------------------------------- */

/* Blocks from start on have these leaves now (NULL: none): as pack would have noted it. */
static int
note_leaves(const struct ship *s, struct pack_disk *d, uint64_t start, uint64_t count, const uint64_t *now)
{
	uint64_t end = start + count, n, old[512];
	int rc = 0;

	while (start < end) {
		if (now == NULL && (rc = leaves_next(d->leaves, &start, end, &n)) != 0)
			break;
		if (now != NULL || n > end - start)
			n = end - start;
		if (n > 512)
			n = 512;
		if (leaves_read(d->leaves, start, (size_t)n, old) != 0)
			return (-1);
		for (uint64_t i = 0; i < n; i++) {
			uint64_t leaf = now == NULL ? 0 : now[i];

			if (leaf == old[i])
				continue;
			leaf_remove(&s->cut->P->secret, &d->sum, start + i, old[i]);
			leaf_add(&s->cut->P->secret, &d->sum, start + i, leaf);
			if (changelog_add(d->log, start + i, 1, leaf == 0 ? NULL : &leaf) != 0)
				return (-1);
		}
		start += n;
		now = now == NULL ? NULL : now + n;
	}
	return (rc < 0 ? -1 : 0);
}

static int
note_segment(struct ship *s, const struct unpacked *u)
{
	struct pack_disk *d = &s->disks[u->member.record.disk];
	const uint64_t *leaf = u->leaves;

	for (uint32_t i = 0; i < u->member.record.extents; i++) {
		const struct extent *e = &u->extents[i];
		uint64_t count = (e->length + LIMIT_BLOCK - 1) / LIMIT_BLOCK;
		int is_data = e->kind == EXTENT_DATA;

		if (note_leaves(s, d, e->offset / LIMIT_BLOCK, count, is_data ? leaf : NULL) != 0)
			return (-1);
		leaf += is_data ? count : 0;
	}
	return (0);
}

static int
adopt_record(void *context, const struct unpacked *u)
{
	struct adopting *a = context;
	const struct record *R = &u->member.record;

	if (a->is_part && R->type != RECORD_VOLUME && R->type != RECORD_SEGMENT)
		return (STOP);
	if (R->type == RECORD_SEGMENT) {
		a->segments++;
		a->s->trailer.data += u->length;
		a->s->trailer.zero += u->zero;
		if (!a->s->pending->is_cut && note_segment(a->s, u) != 0)
			return (-1);
		if (shiplog_extents(a->s->shiplog, u->extents, R->extents) != 0)
			return (-1);
	}
	if (shiplog_record(a->s->shiplog, R, u->member.raw, u->member.payload) != 0)
		return (-1);
	return (writer_adopt(a->s->writer, R, u->member.raw));
}

/* Does the file that R reads begin with the header of our bundle?  0; 2 if not; -1. */
static int
adopt_header(struct ship *s, struct reader *R, struct member *m)
{
	const struct header *H;
	uint8_t key[RECORD_KEY];
	int rc;

	reader_set_quiet(R);
	if ((rc = reader_start(R, key)) == 0)
		rc = reader_header(R, m, &H);
	if (rc != 0)
		return (rc < 0 ? -1 : 2);
	if (memcmp(m->raw, s->member.raw, RECORD_SIZE) != 0)
		return (2);
	if (shiplog_record(s->shiplog, &m->record, m->raw, m->payload) != 0)
		return (-1);
	return (writer_adopt(s->writer, &m->record, m->raw));
}

/* Read the volume at path, which is open, into the writer: 0: all of it; 1: what was good of it; 2: it is none; -1. */
static int
adopt_file(struct adopting *a, int fd, const char *path, struct chain_volume *v)
{
	struct ship *s = a->s;
	struct reader *R = reader_new(fd, path);
	struct member m = { .payload = malloc(LIMIT_STORED) };
	struct unpack U = { .reader = R,
		.header = &s->header,
		.crypt = s->pack.crypt,
		.decode = 1,
		.secret = &s->cut->P->secret,
		.context = a,
		.take = adopt_record,
		.what = "reading" };
	int rc = -1;

	if (R == NULL || m.payload == NULL)
		say_failed("out of memory");
	else if (io_size(fd, path, &U.total) == 0 && io_forget(fd, path, 0, U.total) == 0)
		rc = adopt_header(s, R, &m);
	if (rc == 0)
		rc = unpack_run(&U);
	if (rc == 0)
		*v = *reader_volume(R);
	reader_free(R);
	free(m.payload);
	return (rc);
}

/* Open the file at path, which may be on a medium from anywhere: the fd; -2 if there is none; -1. */
static int
open_there(const struct ship *s, const char *path)
{
	const char *slash = strrchr(path, '/');
	int rc;

	if (s->medium != NULL)
		return (medium_file(s->medium, slash == NULL ? path : slash + 1));
	if ((rc = io_exists(path)) <= 0)
		return (rc < 0 ? -1 : -2);
	return (io_open_read(path));
}

static int
digest_file(int fd, const char *path, uint8_t out[RECORD_DIGEST])
{
	enum { PIECE = 1 << 20 };
	crypto_generichash_state h;
	uint8_t *buf = malloc(PIECE);
	uint64_t at = 0;
	ssize_t n = -1;

	if (buf == NULL)
		return (say_failed("out of memory"));
	crypto_generichash_init(&h, NULL, 0, RECORD_DIGEST);
	while ((n = io_pread(fd, path, buf, PIECE, at)) > 0) {
		crypto_generichash_update(&h, buf, (size_t)n);
		at += (uint64_t)n;
	}
	crypto_generichash_final(&h, out, RECORD_DIGEST);
	free(buf);
	return (n < 0 ? -1 : 0);
}

/* The volume has its name already, but the record does not know that yet. */
static int
take_whole(struct ship *s, int fd, const char *path, const struct chain_volume *v)
{
	uint8_t digest[RECORD_DIGEST];
	uint64_t size;

	if (io_size(fd, path, &size) != 0)
		return (-1);
	if (s->medium != NULL &&
	    (digest_file(fd, path, digest) != 0 || manifest_add(s->medium, s->stem, strrchr(path, '/') + 1,
	                                               digest, site_secret(s->cut->S)) != 0))
		return (-1);
	if (ship_volume_done(s, v, size) != 0)
		return (-1);
	return (v->is_last ? 0 : ship_make_writer(s));
}

/* The next volume where it has its name: 0; 2: it is not there; 1 or -1, said. */
static int
adopt_whole(struct ship *s, const char *path)
{
	struct adopting a = { .s = s };
	struct chain_volume v;
	int fd = open_there(s, path), rc;

	if (fd < 0)
		return (fd == -2 ? 2 : -1);
	if ((rc = adopt_file(&a, fd, path, &v)) == 0)
		rc = take_whole(s, fd, path, &v);
	else if (rc == 1)
		say_refused("%s: is damaged; remove it, and run the same command again", path);
	io_close(fd);
	return (rc);
}

/* The next volume as it was left: go on behind its last good segment.  0; 2: begin it anew; -1. */
static int
adopt_part(struct ship *s, const char *path)
{
	struct adopting a = { .s = s, .is_part = 1 };
	char part[PATH_MAX];
	struct chain_volume v;
	int fd, rc;

	if (io_path(part, "%s.part", path) != 0)
		return (-1);
	if ((fd = open_there(s, part)) < 0)
		return (fd == -2 ? 2 : -1);
	rc = adopt_file(&a, fd, part, &v);
	io_close(fd);
	if (rc < 0)
		return (-1);
	if (a.segments == 0)
		return (ship_make_writer(s) != 0 ? -1 : 2);
	say_note("%s: going on with %s, behind segment %" PRIu64, s->cut->P->vm, part,
	    writer_chain(s->writer)->segments);
	return (outfile_resume(&s->out, path, writer_position(s->writer)) == 0 ? ship_go_on(s) : -1);
}

static int
adopt(struct ship *s)
{
	char path[PATH_MAX];
	int rc;

	if (ship_volume_path(s, s->pending->volume.number + 1, path) != 0)
		return (-1);
	if ((rc = adopt_whole(s, path)) == 0 && !s->pending->volume.is_last)
		return (adopt(s));
	return (rc == 2 ? adopt_part(s, path) : rc);
}

/* --- the same content? -------------------------------------------------------------------------------- */

static int
changed(const struct ship *s, unsigned i)
{
	say_note("%s: disk %s has changed since the export began, so what was written of it cannot be gone "
	         "on with",
	    s->cut->P->vm, s->cut->P->disks[i].id);
	return (RESUME_ANEW);
}

/* The disks as they are, of the sizes that they had; which of them have their stamp still goes to same. */
static int
open_disks(struct ship *s, int same[LIMIT_DISKS])
{
	int rc = cut_open_disks(s->cut);

	for (unsigned i = 0; rc == 0 && i < s->cut->P->nreplicated; i++) {
		const struct pending_disk *d = &s->pending->disks[i];
		struct source_stamp now;

		if (source_size(s->cut->sources[i]) != s->header.disks[i].size)
			return (changed(s, i));
		if ((rc = source_stamp(s->cut->sources[i], &now)) < 0)
			return (-1);
		same[i] = d->has_stamp && rc == 0 && memcmp(&now, &d->stamp, sizeof now) == 0;
		rc = 0;
	}
	return (rc);
}

/* The sum over the leaves that the disk had at the point before, from block start on. */
static int
old_sum(const struct ship *s, unsigned i, uint64_t start, struct leaf_sum *sum)
{
	uint64_t end = LIMIT_DISK_SIZE / LIMIT_BLOCK, count, old[512];
	int rc;

	while ((rc = leaves_next(s->cut->leaves[i], &start, end, &count)) == 0) {
		size_t n = count < 512 ? (size_t)count : 512;

		if (leaves_read(s->cut->leaves[i], start, n, old) != 0)
			return (-1);
		for (size_t k = 0; k < n; k++)
			leaf_add(&s->cut->P->secret, sum, start + k, old[k]);
		start += n;
	}
	return (rc < 0 ? -1 : 0);
}

/*
 * Read again what was read of disk i, up to byte end: with what was there before behind that, it must sum up to what was
 * noted.  Once the point is cut, all of the disk must be what it was then.
 */
static int
prove(struct ship *s, unsigned i, uint64_t end)
{
	struct leaf_sum sum, rest = { 0, 0 };
	const struct leaf_sum *want = &s->disks[i].sum;

	if (s->pending->is_cut) {
		end = s->header.disks[i].size;
		want = &s->cut->P->disks[i].sum;
	}
	if (end == 0)
		return (0);
	if (scan_start(s->cut->sources[i], &s->cut->P->secret, end, "proving", &sum) != 0)
		return (-1);
	if (!s->pending->is_cut && old_sum(s, i, (end + LIMIT_BLOCK - 1) / LIMIT_BLOCK, &rest) != 0)
		return (-1);
	leaf_join(&sum, &rest);
	return (sum.low == want->low && sum.high == want->high ? 0 : changed(s, i));
}

static int
prove_all(struct ship *s, const int same[LIMIT_DISKS])
{
	const struct chain *C = writer_chain(s->writer);
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < s->cut->P->nreplicated; i++)
		if (!same[i])
			rc = prove(s, i,
			    !C->is_placed || i > C->place.disk ? 0
			    : i < C->place.disk                ? s->header.disks[i].size
			                                       : C->place.offset);
	return (rc);
}

/* --- what is left ------------------------------------------------------------------------------------- */

/* What may have changed: as the list said it, where the disks are the same; else by comparing. */
static int
find_rest(struct ship *s, const int same[LIMIT_DISKS])
{
	int is_same = 1;

	for (unsigned i = 0; i < s->cut->P->nreplicated; i++)
		is_same = is_same && same[i];
	if (s->pending->is_cut)
		return (cut_find_known(s->cut));
	if (s->cut->o->changes == NULL || !is_same)
		return (cut_find_by_comparing(s->cut));
	return (cut_find_known(s->cut) != 0 ? -1 : pending_get_sets(s->cut->P, s->cut->maybe));
}

/* Where the point is cut the maps of its changes may be gone: its receipt came, from elsewhere. */
static int
can_find(const struct ship *s)
{
	return (s->pending->base == 0 || primary_point(s->cut->P, s->pending->base) != NULL);
}

static int
rest(struct ship *s)
{
	const struct chain *C = writer_chain(s->writer);
	int same[LIMIT_DISKS] = { 0 }, rc;

	if (!can_find(s)) {
		say_note("%s: the changes since point %" PRIu64 " are not kept any more", s->cut->P->vm,
		    s->pending->base);
		return (RESUME_ANEW);
	}
	if ((rc = open_disks(s, same)) != 0)
		return (rc);
	ship_fill(s);
	if ((rc = prove_all(s, same)) != 0 || (rc = find_rest(s, same)) != 0)
		return (rc);
	if (C->is_placed)
		s->pack.from = C->place;
	if (pack_most(&s->pack, &s->pack.most) != 0)
		return (-1);
	if (s->trailer.data + s->pack.most > s->header.most) {
		say_note("%s: more has changed by now than the bundle promised", s->cut->P->vm);
		return (RESUME_ANEW);
	}
	if (s->out == NULL && (rc = ship_begin(s)) != 0)
		return (rc);
	if ((rc = ship_segments(s)) != 0)
		return (rc);
	return (s->pending->is_cut ? 0 : ship_commit_point(s));
}

/* --- taking it up ------------------------------------------------------------------------------------- */

static int
load_header(struct ship *s)
{
	const struct pending *p = s->pending;
	const struct primary_point *last = primary_last(s->cut->P);
	uint64_t seq = last == NULL ? 0 : last->point.seq;
	uint8_t pk[RECORD_KEY];
	const char *why;

	crypto_sign_ed25519_sk_to_pk(pk, site_secret(s->cut->S));
	if ((why = record_unpack(&s->member.record, p->raw, pk)) != NULL ||
	    (why = header_decode(&s->header, p->text, p->text_size)) != NULL) {
		say_note("%s: the export that was begun cannot be gone on with: %s", s->cut->P->vm, why);
		return (RESUME_ANEW);
	}
	if (s->header.to.epoch != s->cut->P->epoch || p->ndisks != s->cut->P->nreplicated ||
	    s->header.to.seq != (p->is_cut && seq == s->header.to.seq ? seq : seq + 1)) {
		say_note("%s: the export that was begun is not one of the next point", s->cut->P->vm);
		return (RESUME_ANEW);
	}
	if (s->member.record.stored != p->text_size || (s->member.payload = malloc(p->text_size)) == NULL)
		return (say_failed("out of memory"));
	memcpy(s->member.payload, p->text, p->text_size);
	memcpy(s->member.raw, p->raw, RECORD_SIZE);
	s->pack.crypt.cipher = s->header.cipher;
	memcpy(s->pack.crypt.bundle, s->header.id, RECORD_ID);
	memcpy(s->pack.crypt.key, p->key, sizeof p->key);
	s->cut->base = p->base;
	filename_stem(s->stem, &s->header);
	return (0);
}

/* What is noted from here on is noted against the leaves of the point before: they must be those. */
static int
check_leaves(const struct ship *s)
{
	struct leaf_sum sum;

	for (unsigned i = 0; i < s->cut->P->nreplicated; i++) {
		const struct primary_disk *d = &s->cut->P->disks[i];

		if (leaves_sum(s->cut->leaves[i], &s->cut->P->secret, &sum) != 0)
			return (-1);
		if (sum.low != d->sum.low || sum.high != d->sum.high) {
			say_note(
			    "%s: the leaves of disk %s are damaged, so what was begun cannot be gone on with",
			    s->cut->P->vm, d->id);
			return (RESUME_ANEW);
		}
	}
	return (0);
}

/* Leaves, sums, logs and totals as they were behind the last volume that is whole. */
static int
load_state(struct ship *s)
{
	const struct pending *p = s->pending;
	char path[PATH_MAX];
	int rc;

	s->trailer.data = p->data;
	s->trailer.zero = p->zero;
	s->pack.ndisks = p->ndisks;
	for (unsigned i = 0; i < p->ndisks; i++) {
		s->disks[i].sum = p->disks[i].sum;
		if (p->is_cut)
			continue;
		if (primary_changes_path(s->cut->P, s->header.to.seq, s->cut->P->disks[i].id, path) != 0)
			return (-1);
		if (p->disks[i].log_size == 0)
			rc = (s->logs[i] = changelog_create(path)) == NULL ? -1 : 0;
		else
			rc = changelog_resume(&s->logs[i], path, p->disks[i].log_size, p->disks[i].log_sum);
		if (rc == 2) {
			say_note("%s: has not what it had when the export was interrupted", path);
			return (RESUME_ANEW);
		}
		if (rc != 0)
			return (-1);
		s->disks[i].log = s->logs[i];
	}
	return (cut_open_leaves(s->cut) != 0 ? -1 : p->is_cut ? 0 : check_leaves(s));
}

int
resume(struct ship *s)
{
	int rc;

	s->is_resumed = 1;
	if ((rc = load_header(s)) != 0 || (rc = load_state(s)) != 0)
		return (rc);
	for (unsigned i = 0; i < s->pack.ndisks; i++)
		s->disks[i].leaves = s->cut->leaves[i];
	if (s->pending->is_cut && ship_take_point(s) != 0)
		return (-1);
	if (s->pending->volume.is_last)
		return (0);
	if ((rc = ship_open_medium(s)) != 0 || ship_make_writer(s) != 0)
		return (rc != 0 ? rc : -1);
	if ((rc = adopt(s)) != 0 && rc != 2)
		return (rc);
	if (s->pending->volume.is_last)
		return (0);
	/* Where all segments are there, the disks are not looked at any more. */
	if (!s->pending->is_cut || writer_chain(s->writer)->segments < s->pending->segments) {
		if ((rc = rest(s)) != 0)
			return (rc);
	} else if (s->out == NULL && (rc = ship_begin(s)) != 0) {
		return (rc);
	}
	return (ship_finish(s) != 0 ? -1 : 0);
}

int
resume_give_up(const struct pending *p, const struct primary *P)
{
	char places[512], part[PATH_MAX];
	int rc;

	pending_places(p, places, sizeof places);
	if (places[0] != '\0')
		say_note("%s: given up: %s will never be completed; they can be removed", P->vm, places);
	if (p->way == PENDING_FILE && io_path(part, "%s.part", p->output) == 0 &&
	    (rc = io_exists(part)) == 1 && !io_is_link(part) && io_remove(part) != 0)
		return (-1);
	return (pending_remove(P));
}
