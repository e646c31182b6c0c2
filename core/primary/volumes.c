#include "primary/volumes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "bounds.h"
#include "medium/manifest.h"
#include "primary/waybill.h"

#define RESERVE \
	(UINT64_C(512) << 10) /* of a medium: for manifests, logs, receipts, and what its file system adds */
#define LARGE (UINT64_C(64) << 20) /* from here on a pipe's export is worth a record beforehand */

int
volumes_open_medium(struct ship *s)
{
	int rc = 0;

	if (s->cut->o->media != NULL &&
	    (rc = medium_open(&s->medium, s->cut->o->media, MEDIUM_WRITE, NULL)) == 0)
		rc = medium_free_bytes(s->medium, &s->room);
	return (rc);
}

int
volumes_path(const struct ship *s, unsigned number, char out[PATH_MAX])
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
volumes_done(struct ship *s, const struct chain_volume *v, uint64_t bytes)
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
	return (volumes_done(s, v, writer_position(s->writer)));
}

int
volumes_end(struct ship *s)
{
	return (ended(s, writer_volume(s->writer)));
}

int
volumes_is_noted(const struct ship *s)
{
	return (s->pending->way != PENDING_PIPE || s->header.most >= LARGE);
}

static int
begin(void *context, struct writer *W)
{
	(void)W;
	return (volumes_begin(context));
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
volumes_make_writer(struct ship *s)
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

int
volumes_say_full(struct ship *s)
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
volumes_go_on(struct ship *s)
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
		return (volumes_say_full(s));
	return (outfile_create(&s->out, path) != 0 ? -1 : be_careful(s));
}

/* The record that it has begun, in front of the first byte that can be found again. */
static int
note_beginning(const struct ship *s)
{
	const struct pending *p = s->pending;

	return (p->volume.number > 0 || !volumes_is_noted(s) ? 0 : pending_write(p, s->cut->P));
}

static int
begin_file(struct ship *s)
{
	struct pending *p = s->pending;
	int rc = outfile_open(&s->out, s->cut->o->output);

	if (rc != 0)
		return (rc);
	p->way = outfile_is_new(s->out) ? PENDING_FILE : PENDING_PIPE;
	if (p->way == PENDING_FILE && waybill_output(s->cut->o->output, p->output) != 0)
		return (-1);
	return (note_beginning(s));
}

/* Its name is not the same when it is begun anew, so that it is begun is noted before it is there. */
static int
begin_volume(struct ship *s)
{
	char path[PATH_MAX];

	s->pending->way = PENDING_MEDIA;
	if (volumes_path(s, s->pending->volume.number + 1, path) != 0 || note_beginning(s) != 0)
		return (-1);
	return (open_volume(s, path));
}

int
volumes_begin(struct ship *s)
{
	int rc = s->medium != NULL ? begin_volume(s) : begin_file(s);

	return (rc == 0 ? writer_begin_volume(s->writer, s->out) : rc);
}
