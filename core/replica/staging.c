#include "replica/staging.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "replica/arrival.h"
#include "replica/combined.h"
#include "replica/forward.h"
#include "replica/inbox.h"
#include "replica/intake.h"
#include "replica/meeting.h"
#include "replica/outbox.h"

struct replica_staged *
staging_entry(struct replica *R, const struct receiving *c)
{
	return (intake_entry(R, c->U->header, c->header->record.link));
}

int
staging_add_volume(struct replica *R, const struct receiving *c, uint64_t file)
{
	struct replica_staged *s = staging_entry(R, c);
	const struct reader *reader = c->U->reader;
	struct replica_volume v = { .chain = *reader_volume(reader),
		.file = file,
		.stored = reader_stored(reader),
		.data = c->U->data,
		.zero = c->U->zero };
	int rc;

	if (s == NULL || (rc = intake_add(R, s, &v, reader_trailer(reader))) < 0)
		return (-1);
	if (rc == 0)
		return (0);
	return (say_refused("%s: the volumes of the bundle to point %" PRIu64
	                    " contradict one another; it is dropped: export it again",
	    R->vm, c->U->header->to.seq));
}

struct copying {
	struct writer *writer;
	struct reader *reader;
	struct combined *combined;
};

static int
take_copy(void *context, const struct unpacked *u)
{
	struct copying *k = context;
	int rc = combined_take(k->combined, k->reader, u);

	if (rc != 0)
		return (rc);
	return (writer_copy(k->writer, &u->member.record, u->member.raw, u->member.payload));
}

/* It ended too early: what came stays, should the rest come through another pipe. */
static int
keep(struct replica *R, struct receiving *c, struct outfile *F)
{
	struct replica_staged *s = staging_entry(R, c);

	if (s == NULL || outfile_keep(F) != 0)
		return (-1);
	s->cut = c->volume;
	if (replica_save(R) != 0)
		return (-1);
	say_note(
	    "%s: what came of it is kept; 'vmferry import --position' here says from where 'vmferry export "
	    "--resume-from' there goes on",
	    R->vm);
	return (1);
}

/* All that is to come from the reader, to the file. */
static int
copy(struct replica *R, struct receiving *c, struct outfile *F, struct writer *W, struct combined *combined)
{
	struct copying k = { W, c->U->reader, combined };
	const struct replica_staged *s;
	int rc;

	c->U->context = &k;
	c->U->take = take_copy;
	c->U->what = "import";
	if ((rc = unpack_run(c->U)) != 0)
		return (c->keep && reader_is_cut(c->U->reader) && writer_volume(W)->number != 0
		            ? keep(R, c, F)
		            : rc);
	if (outfile_commit(F) != 0 || forward_keep(R, c, writer_position(W)) != 0 ||
	    (rc = staging_add_volume(R, c, writer_position(W))) < 0)
		return (-1);
	if (rc == 1)
		outbox_forget(R, c->U->header->id);
	else
		meeting_received(R, c->S, c->U->header);
	if (replica_save(R) != 0)
		return (-1);
	s = intake_find(R, c->U->header->id);
	if (rc == 0 && s != NULL && s->is_whole)
		arrival_taken(R, s);
	return (rc);
}

int
staging_take(struct replica *R, struct receiving *c)
{
	struct combined *combined = combined_new(R, c->S, 1);
	struct outfile *F = NULL;
	struct writer *W = NULL;
	char path[PATH_MAX];
	int rc = -1;

	if (combined != NULL && replica_inbox_path(R, c->U->header->id, c->volume, path) == 0 &&
	    outfile_create(&F, path) == 0 && (W = writer_new(F, R->dir, NULL)) != NULL &&
	    (rc = writer_copy(W, &c->header->record, c->header->raw, c->header->payload)) == 0)
		rc = copy(R, c, F, W, combined);
	combined_free(combined);
	writer_free(W);
	outfile_free(F);
	return (rc);
}

static int
take_again(void *context, const struct unpacked *u)
{
	struct staging_part *p = context;
	enum record_type type = u->member.record.type;
	int rc;

	/* The end is taken again: what comes behind it has no mark of its own. */
	if (type == RECORD_END || type == RECORD_VOLUME_END)
		return (0);
	if ((rc = combined_take(p->combined, p->reader, u)) != 0)
		return (rc);
	memcpy(p->last, u->member.raw, RECORD_SIZE);
	if (u->member.record.type == RECORD_SEGMENT) {
		p->data += u->length;
		p->zero += u->zero;
	}
	return (writer_adopt(p->writer, &u->member.record, u->member.raw));
}

/* Read the part with a reader that has no words for where it ends. */
static int
read_part(struct staging_part *p, struct inbox *b)
{
	int rc;

	p->reader = b->reader;
	reader_set_quiet(b->reader);
	b->U.context = p;
	b->U.take = take_again;
	b->U.what = "verify";
	if ((rc = writer_resume(p->writer, &b->member, NULL, 0)) != 0 ||
	    (rc = writer_adopt(p->writer, &b->member.record, b->member.raw)) != 0)
		return (rc);
	memcpy(p->last, b->member.raw, RECORD_SIZE);
	return (unpack_run(&b->U) < 0 ? -1 : 0);
}

int
staging_part_open(
    struct staging_part *p, const struct replica *R, const struct site *S, const struct replica_staged *s)
{
	char path[PATH_MAX];
	struct inbox b;
	int rc = inbox_open_part(&b, R, S, s);

	memset(p, 0, sizeof *p);
	if (rc == 0 && ((p->writer = writer_new(NULL, R->dir, NULL)) == NULL ||
	                   (p->combined = combined_new(R, S, 1)) == NULL))
		rc = -1;
	if (rc == 0)
		rc = read_part(p, &b);
	if (rc == 0 && (rc = replica_inbox_path(R, s->id, s->cut, path)) == 0)
		rc = outfile_resume(&p->file, path, writer_position(p->writer));
	if (rc == 0)
		writer_use_file(p->writer, p->file);
	p->header = b.member;
	b.member.payload = NULL;
	inbox_close(&b);
	return (rc);
}

void
staging_part_free(struct staging_part *p)
{
	combined_free(p->combined);
	writer_free(p->writer);
	/* What was here before stays, whatever became of the rest. */
	if (p->file != NULL)
		outfile_keep(p->file);
	outfile_free(p->file);
	free(p->header.payload);
}

int
staging_take_rest(struct replica *R, struct receiving *c, struct staging_part *p)
{
	c->U->data = p->data;
	c->U->zero = p->zero;
	return (copy(R, c, p->file, p->writer, p->combined));
}
