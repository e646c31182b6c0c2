#include "replica/seeding.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "replica/adopted.h"
#include "replica/arrival.h"
#include "replica/definitions.h"
#include "replica/disks.h"
#include "replica/intake.h"
#include "replica/staging.h"

#define CHECKPOINT \
	(UINT64_C(512) << 20) /* bytes of disk after which what came through a pipe is made durable */

struct seeding {
	struct replica *R;
	struct receiving *c;
	struct replica_staged *s;
	struct disks disks;
	struct leaf_sum sums[LIMIT_DISKS]; /* of this volume */
	struct chain_place at;             /* it covers all bytes up to here */
	int begun;                         /* there was a segment */
	uint64_t since;                    /* bytes of disk since the last checkpoint */
	int log;             /* the records of this volume, if it comes through a pipe; else -1 */
	uint64_t records;    /* in the log */
	char path[PATH_MAX]; /* of the log */
};

/* --- what comes ----------------------------------------------------------------------------------------- */

/* Inside a volume a seed leaves nothing out, but for what adopted disks have. */
static const char *
cover(struct seeding *s, const struct unpacked *u)
{
	static const char gap[] = "the seed leaves a part of a disk out";
	const struct record *r = &u->member.record;

	if (adopted_is_meant(s->c->U->header))
		return (NULL);
	if (!s->begun) {
		s->begun = 1;
		s->at = (struct chain_place){ 0, r->disk, r->offset };
	}
	while (s->at.disk < r->disk) {
		if (s->at.offset != s->c->U->header->disks[s->at.disk].size)
			return (gap);
		s->at = (struct chain_place){ 0, s->at.disk + 1, 0 };
	}
	for (uint32_t i = 0; i < r->extents; i++) {
		if (u->extents[i].offset != s->at.offset)
			return (gap);
		s->at.offset += u->extents[i].length;
	}
	return (NULL);
}

/* Make durable what came so far, so that it need not come again. */
static int
checkpoint(struct seeding *s)
{
	struct intake_progress p = {
		.records = s->records, .data = s->c->U->data, .zero = s->c->U->zero, .sums = s->sums
	};

	if (disks_sync(&s->disks, s->R) != 0 || io_sync(s->log, s->path) != 0)
		return (-1);
	intake_cut_seed(s->R, s->s, s->c->volume, &p);
	s->since = 0;
	return (replica_save(s->R));
}

static int
log_record(struct seeding *s, const struct member *m)
{
	if (s->log < 0)
		return (0);
	s->records++;
	if (io_write(s->log, s->path, m->raw, RECORD_SIZE) != 0)
		return (-1);
	return (m->record.type == RECORD_HEADER
	            ? io_write(s->log, s->path, m->payload, (size_t)m->record.stored)
	            : 0);
}

static int
take(void *context, const struct unpacked *u)
{
	struct seeding *s = context;
	const struct record *r = &u->member.record;
	const char *why;

	if (r->type == RECORD_VOLUME)
		return (log_record(s, &u->member));
	if (r->type != RECORD_SEGMENT)
		return (0);
	if ((why = cover(s, u)) != NULL)
		return (reader_refuse(s->c->U->reader, r, why));
	disks_sum_new(&s->R->secret, u, &s->sums[r->disk]);
	if (disks_apply(&s->disks, u) != 0 || log_record(s, &u->member) != 0)
		return (-1);
	s->since += u->length;
	return (s->log >= 0 && s->since >= CHECKPOINT ? checkpoint(s) : 0);
}

/* --- when all has come ---------------------------------------------------------------------------------- */

/* All of the seed is durable on the disks: if it is the one that was signed, the placeholder is a replica. */
static int
conclude(struct replica *R, const struct replica_staged *s, const struct unpack *U)
{
	const struct header *H = U->header;
	struct replica_point p;

	if (!adopted_is_meant(H) && !intake_is_covered(s, H))
		return (say_refused("%s: the seed leaves a part of a disk out", R->vm));
	memset(&p, 0, sizeof p);
	p.point = s->to;
	for (unsigned i = 0; i < R->ndisks; i++) {
		p.disks[i].size = H->disks[i].size;
		p.disks[i].sum = R->seed.sums[i];
		leaf_root(p.disks[i].root, &R->secret, &p.disks[i].sum, p.disks[i].size);
		if (memcmp(p.disks[i].root, s->end.root[i], LEAF_ROOT) != 0)
			return (say_refused("%s: disk %s does not come out as its primary signed it; %s",
			    R->vm, R->disks[i],
			    adopted_is_meant(H)
			        ? "its adopted copy has changed since it was compared: forget "
			          "it with 'vmferry adopt --drop', and adopt again"
			        : "export the seed again"));
	}
	if (definitions_keep(R, H, &U->crypt, NULL) != 0)
		return (-1);
	definitions_mark(R, H, &p);
	R->role.history = s->history;
	/* The entry is gone then. */
	arrival_taken(R, s);
	if (intake_moved(R, &p) != 0)
		return (-1);
	R->keep = H->keep;
	replica_follow(R, NULL, H);
	memset(&R->seed, 0, sizeof R->seed);
	return (0);
}

/* The volume is in: the record says so, and makes a replica of it where it was the last one that was missing. */
static int
finish(struct seeding *s)
{
	struct replica *R = s->R;
	struct replica_staged *e;
	int rc;

	if (disks_sync(&s->disks, R) != 0)
		return (-1);
	intake_add_seed(R, s->s, s->c->volume, s->sums);
	rc = staging_add_volume(R, s->c, 0);
	e = intake_find(R, s->c->U->header->id);
	if (rc == 0 && e->is_whole && adopted_is_meant(s->c->U->header) &&
	    adopted_read(&s->disks, R, s->c->U->header, R->seed.sums) != 0)
		return (-1);
	if (rc == 0 && e->is_whole)
		rc = conclude(R, e, s->c->U);
	if (rc > 0 && (e = intake_find(R, s->c->U->header->id)) != NULL)
		replica_drop_staged(R, (unsigned)(e - R->staged));
	if (rc < 0 || replica_save(R) != 0)
		return (-1);
	return (replica_tidy(R) != 0 ? -1 : rc);
}

/* --- */

/* The record knows of the seed before anything of it is on the disks, which are new unless some of it is there. */
static int
begin(struct seeding *s)
{
	struct replica *R = s->R;
	const struct header *H = s->c->U->header;
	int rc;

	if ((s->s = staging_entry(R, s->c)) == NULL)
		return (-1);
	if (s->s->on_disks)
		return (disks_open(&s->disks, R));
	if (adopted_is_meant(H) && (rc = adopted_check(s->c->S, s->c->e, H)) != 0)
		return (rc);
	s->s = intake_to_disks(R, s->s);
	/* What came early may know of disks that were not there at its point. */
	if (R->ndisks > H->ndisks)
		R->ndisks = H->ndisks;
	replica_add_disks(R, H);
	R->nexcluded = H->nexcluded;
	memcpy(R->excluded, H->excluded, sizeof R->excluded);
	/* Until the disks are there, the record must not say that some of it is on them. */
	rc = adopted_is_meant(H) ? adopted_take(&s->disks, R, s->c->S, H) : disks_create(&s->disks, R, H);
	if (rc != 0)
		return (rc);
	return (disks_sync(&s->disks, R) != 0 ? -1 : replica_save(R));
}

static int
run(struct seeding *s)
{
	int rc;

	s->c->U->context = s;
	s->c->U->take = take;
	s->c->U->secret = &s->R->secret;
	s->c->U->what = "seed";
	rc = unpack_run(s->c->U);
	if (rc == 0)
		return (finish(s));
	if (s->log >= 0 && reader_is_cut(s->c->U->reader) && s->records > 1) {
		if (checkpoint(s) != 0)
			return (-1);
		say_note(
		    "%s: what came of it is kept; 'vmferry import --position' here says from where 'vmferry "
		    "export --resume-from' there goes on",
		    s->R->vm);
	}
	return (rc);
}

static int
open_log(struct seeding *s, int again)
{
	if (replica_part_path(s->R, s->c->U->header->id, s->c->volume, s->path) != 0)
		return (-1);
	if (!again && io_remove(s->path) != 0)
		return (-1);
	s->log = again ? io_open_write(s->path) : io_create(s->path);
	return (s->log < 0 ? -1 : 0);
}

/* What is not in the record of a volume that was refused or cut goes with the next command. */
static void
end(struct seeding *s)
{
	io_close(s->log);
	disks_close(&s->disks);
	free(s);
}

int
seeding_take(struct replica *R, struct receiving *c)
{
	struct seeding *s = calloc(1, sizeof *s);
	int rc;

	if (s == NULL)
		return (say_failed("out of memory"));
	*s = (struct seeding){ .R = R, .c = c, .log = -1 };
	if ((rc = begin(s)) == 0 && c->keep && (rc = open_log(s, 0)) == 0)
		rc = log_record(s, c->header);
	if (rc == 0)
		rc = run(s);
	end(s);
	return (rc);
}

/* --- the rest of a volume ------------------------------------------------------------------------------- */

static int
read_header(struct seeding_part *p, int fd, const char *path)
{
	const char *why;

	if (io_read(fd, path, p->last, RECORD_SIZE) != RECORD_SIZE)
		return (say_failed("%s: is cut short", path));
	if ((why = record_unpack(&p->header.record, p->last, record_claimed_key(p->last))) != NULL ||
	    (why = chain_next(&p->chain, &p->header.record, p->last)) != NULL)
		return (say_failed("%s: %s", path, why));
	memcpy(p->header.raw, p->last, RECORD_SIZE);
	if ((p->header.payload = malloc(LIMIT_JSON)) == NULL)
		return (say_failed("out of memory"));
	if (io_read(fd, path, p->header.payload, (size_t)p->header.record.stored) !=
	    (ssize_t)p->header.record.stored)
		return (say_failed("%s: is cut short", path));
	return (0);
}

static int
read_records(struct seeding_part *p, const struct replica *R, int fd, const char *path)
{
	struct record r;
	const char *why;

	for (uint64_t i = 1; i < R->seed.records; i++) {
		if (io_read(fd, path, p->last, RECORD_SIZE) != RECORD_SIZE)
			return (say_failed("%s: is cut short", path));
		if ((why = record_unpack(&r, p->last, p->header.record.link)) != NULL ||
		    (why = chain_next(&p->chain, &r, p->last)) != NULL)
			return (say_failed("%s: record %" PRIu64 ": %s", path, i, why));
		if (r.type == RECORD_SEGMENT)
			p->stored += r.stored;
	}
	return (0);
}

int
seeding_part_open(struct seeding_part *p, const struct replica *R, const struct replica_staged *s)
{
	char path[PATH_MAX];
	int fd, rc;

	memset(p, 0, sizeof *p);
	chain_init(&p->chain);
	if (replica_part_path(R, s->id, s->cut, path) != 0 || (fd = io_open_read(path)) < 0)
		return (-1);
	if ((rc = read_header(p, fd, path)) == 0)
		rc = read_records(p, R, fd, path);
	io_close(fd);
	return (rc);
}

void
seeding_part_free(struct seeding_part *p)
{
	free(p->header.payload);
}

/* The log as long as the checkpoint says; what came behind it comes again. */
static int
resume_log(struct seeding *s)
{
	uint64_t size = s->R->seed.records * RECORD_SIZE + s->c->header->record.stored;

	if (open_log(s, 1) != 0 || io_resize(s->log, s->path, size) != 0 || !io_skip(s->log, size))
		return (-1);
	s->records = s->R->seed.records;
	return (0);
}

int
seeding_take_rest(struct replica *R, struct receiving *c)
{
	struct seeding *s = calloc(1, sizeof *s);
	const struct chain_place *at = &reader_volume(c->U->reader)->last;
	int rc;

	if (s == NULL)
		return (say_failed("out of memory"));
	*s = (struct seeding){ .R = R, .c = c, .log = -1 };
	memcpy(s->sums, R->seed.cut, sizeof s->sums);
	c->U->data = R->seed.data;
	c->U->zero = R->seed.zero;
	s->begun = R->seed.records > 2;
	s->at = *at;
	rc = (s->s = staging_entry(R, c)) == NULL ? -1 : disks_open(&s->disks, R);
	if (rc == 0 && (rc = resume_log(s)) == 0)
		rc = run(s);
	end(s);
	return (rc);
}
