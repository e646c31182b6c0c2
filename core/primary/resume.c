#include "primary/resume.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "bounds.h"
#include "primary/takeup.h"
#include "primary/volumes.h"
#include "primary/against.h"
#include "disk/scan.h"

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

static int
are_same(const struct ship *s, const int same[LIMIT_DISKS])
{
	for (unsigned i = 0; i < s->cut->P->nreplicated; i++)
		if (!same[i])
			return (0);
	return (1);
}

/* What may have changed: as the list said it, where the disks are the same; else by comparing. */
static int
find_rest(struct ship *s, const int same[LIMIT_DISKS])
{
	if (s->cut->against != NULL)
		return (cut_find_changes(s->cut));
	if (s->pending->is_cut)
		return (cut_find_known(s->cut));
	if (s->cut->o->changes == NULL || !are_same(s, same))
		return (cut_find_by_comparing(s->cut));
	return (cut_find_known(s->cut) != 0 ? -1 : pending_get_sets(s->cut->P, s->cut->maybe));
}

/* Are the changes in what was taken over to be found by reading the disks again? */
static int
must_read_again(const struct ship *s)
{
	return (!s->pending->is_cut && (s->cut->o->resume != NULL || s->cut->against != NULL));
}

/* Note what changed up to where the segments that are there end: the disks are the same as then. */
static int
read_again(struct ship *s)
{
	const struct chain *C = writer_chain(s->writer);
	struct trailer counted = s->trailer;
	int rc;

	for (unsigned i = 0; i < s->pack.ndisks; i++)
		s->disks[i].log = s->logs[i];
	if (s->pending->volume.number > 0)
		s->pack.from = s->pending->volume.last;
	s->pack.to = C->place;
	s->pack.is_dry = 1;
	rc = C->is_placed ? pack_run(&s->pack) : 0;
	s->pack.is_dry = 0;
	s->pack.to = (struct chain_place){ 0, 0, 0 };
	s->trailer = counted;
	return (rc);
}

/* To read again proves nothing by itself. */
static int
cannot_prove(const struct ship *s)
{
	if (s->cut->o->resume != NULL)
		return (
		    say_refused("%s: that the disks are still what was sent of them cannot be proved; export "
		                "without --resume-from",
		        s->cut->P->vm));
	say_note("%s: that the disks are still what was written of them cannot be proved", s->cut->P->vm);
	return (RESUME_ANEW);
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
	if (must_read_again(s) && !are_same(s, same))
		return (cannot_prove(s));
	if ((!must_read_again(s) && (rc = prove_all(s, same)) != 0) || (rc = find_rest(s, same)) != 0 ||
	    (must_read_again(s) && (rc = read_again(s)) != 0))
		return (rc);
	if (C->is_placed)
		s->pack.from = C->place;
	if (pack_most(&s->pack, &s->pack.most) != 0)
		return (-1);
	if (s->trailer.data + s->pack.most > s->header.most) {
		say_note("%s: more has changed by now than the bundle promised", s->cut->P->vm);
		return (RESUME_ANEW);
	}
	if (s->out == NULL && (rc = volumes_begin(s)) != 0)
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
	if (s->header.to.epoch != primary_epoch(s->cut->P) || p->ndisks != s->cut->P->nreplicated ||
	    s->header.to.seq != (p->is_cut && seq == s->header.to.seq ? seq : seq + 1)) {
		say_note("%s: the export that was begun is not one of the next point", s->cut->P->vm);
		return (RESUME_ANEW);
	}
	if (s->header.has_against != (s->cut->against != NULL) ||
	    (s->header.has_against &&
	        memcmp(s->header.against, against_header(s->cut->against)->id, RECORD_ID) != 0)) {
		say_note("%s: the export that was begun is against another comparison", s->cut->P->vm);
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
	cut_only_named(s->cut, &s->header);
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

/* The disks as they were then were only there as long as the export ran. */
static int
view_is_gone(const struct ship *s)
{
	say_note("%s: the VM ran when the export was begun, and what was frozen of its disks is gone",
	    s->cut->P->vm);
	return (RESUME_ANEW);
}

static int
go_on(struct ship *s)
{
	int rc;

	if (s->pending->is_live && !s->pending->is_cut)
		return (view_is_gone(s));
	if ((rc = load_header(s)) != 0 || (rc = load_state(s)) != 0)
		return (rc);
	for (unsigned i = 0; i < s->pack.ndisks; i++)
		s->disks[i].leaves = s->cut->leaves[i];
	if (s->pending->is_cut && ship_take_point(s) != 0)
		return (-1);
	if (s->pending->volume.is_last)
		return (0);
	if ((rc = volumes_open_medium(s)) != 0 || volumes_make_writer(s) != 0)
		return (rc != 0 ? rc : -1);
	if ((rc = s->cut->o->resume != NULL ? takeup_received(s) : takeup_volumes(s)) != 0)
		return (rc);
	if (s->pending->volume.is_last)
		return (0);
	/* Where all segments are there, the disks are not looked at any more. */
	if (!s->pending->is_cut || writer_chain(s->writer)->segments < s->pending->segments) {
		if (s->pending->is_live)
			return (view_is_gone(s));
		if ((rc = rest(s)) != 0)
			return (rc);
	} else if (s->out == NULL && (rc = volumes_begin(s)) != 0) {
		return (rc);
	}
	return (ship_finish(s) != 0 ? -1 : 0);
}

int
resume(struct ship *s)
{
	int rc;

	s->is_resumed = 1;
	rc = go_on(s);
	/* To a pipe nothing else can be sent: the receiver waits for just this. */
	if (rc == RESUME_ANEW && s->cut->o->resume != NULL)
		return (say_refused("%s: export without --resume-from", s->cut->P->vm));
	return (rc);
}

int
resume_give_up(const struct pending *p, const struct primary *P)
{
	char places[512], part[PATH_MAX];

	pending_places(p, places, sizeof places);
	if (places[0] != '\0')
		say_note("%s: given up: %s will never be completed; they can be removed", P->vm, places);
	if (p->way == PENDING_FILE && io_path(part, "%s.part", p->output) == 0 && io_exists(part) == 1 &&
	    !io_is_link(part) && io_remove(part) != 0)
		return (-1);
	return (pending_remove(P));
}
