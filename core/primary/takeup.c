#include "primary/takeup.h"

#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "bounds.h"
#include "bundle/unpack.h"
#include "frame.h"
#include "jsontext.h"
#include "medium/manifest.h"
#include "primary/volumes.h"

#define STOP 3 /* what comes now is written again: not an error */

struct adopting {
	struct ship *s;
	int is_part; /* of a file that has not got its name: its tables do not count */
	uint64_t segments;
};

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
		if (!a->s->pending->is_cut && !a->s->header.has_against && note_segment(a->s, u) != 0)
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
	if (volumes_done(s, v, size) != 0)
		return (-1);
	return (v->is_last ? 0 : volumes_make_writer(s));
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
		return (volumes_make_writer(s) != 0 ? -1 : 2);
	say_note("%s: going on with %s, behind segment %" PRIu64, s->cut->P->vm, part,
	    writer_chain(s->writer)->segments);
	return (outfile_resume(&s->out, path, writer_position(s->writer)) == 0 ? volumes_go_on(s) : -1);
}

int
takeup_volumes(struct ship *s)
{
	char path[PATH_MAX];
	int rc;

	if (volumes_path(s, s->pending->volume.number + 1, path) != 0)
		return (-1);
	if ((rc = adopt_whole(s, path)) == 0 && !s->pending->volume.is_last)
		return (takeup_volumes(s));
	if (rc == 2)
		rc = adopt_part(s, path);
	return (rc == 2 ? 0 : rc);
}

/* --- what a receiver has ------------------------------------------------------------------------------ */

/* What the receiver says: the last record that it verified, which is ours.  0; 1, said; -1. */
static int
read_position(const struct ship *s, const char *path, uint8_t raw[RECORD_SIZE], struct record *R)
{
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
	uint8_t pk[RECORD_KEY];
	char *text = malloc(LIMIT_JSON);
	json_t *o;
	ssize_t n;
	int rc;

	if (text == NULL)
		return (say_failed("out of memory"));
	n = io_read_start(path, text, LIMIT_JSON);
	o = n < 0 ? NULL : json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	if (n < 0)
		return (-1);
	rc = o == NULL ? -1 : jsontext_get_bytes(o, "record", raw, RECORD_SIZE);
	json_decref(o);
	crypto_sign_ed25519_sk_to_pk(pk, site_secret(s->cut->S));
	if (rc != 0)
		return (say_refused("%s: is not what 'vmferry import --position' prints", name));
	if (record_unpack(R, raw, pk) != NULL || memcmp(R->bundle, s->header.id, RECORD_ID) != 0)
		return (
		    say_refused("%s: speaks of another bundle than the one that was cut short here", name));
	return (0);
}

static int
count_extents(struct ship *s, const struct record *R, const uint8_t *table)
{
	struct extent *x = malloc(R->extents * sizeof *x);
	const char *why = "it is of another disk";

	if (x == NULL)
		return (say_failed("out of memory"));
	if (R->disk < s->header.ndisks)
		why = extent_table(x, R->extents, table, (size_t)R->plain, s->header.disks[R->disk].size);
	for (uint32_t i = 0; why == NULL && i < R->extents; i++)
		if (x[i].kind == EXTENT_DATA)
			s->trailer.data += x[i].length;
		else
			s->trailer.zero += x[i].length;
	free(x);
	return (
	    why == NULL ? 0 : say_failed("%s: the log of what was sent is damaged: %s", s->cut->P->vm, why));
}

/* Take in what was sent up to the record raw, of which R is what it says: 0; 1, unsaid, if it was not; -1. */
static int
adopt_log(struct ship *s, struct shipped *log, const uint8_t raw[RECORD_SIZE], const struct record *R)
{
	int is_table = R->type == RECORD_INDEX || R->type == RECORD_MANIFEST;
	struct shipped_entry e;
	struct record full;
	uint8_t pk[RECORD_KEY];
	int rc;

	crypto_sign_ed25519_sk_to_pk(pk, site_secret(s->cut->S));
	while ((rc = shipped_next(log, &e)) == 0) {
		if (is_table && e.record.type == RECORD_INDEX)
			return (0);
		if (R->type == RECORD_HEADER)
			return (memcmp(e.raw, raw, RECORD_SIZE) == 0 ? 0 : 1);
		if (record_unpack(&full, e.raw, pk) != NULL)
			return (1);
		if (full.type == RECORD_SEGMENT && count_extents(s, &full, e.rest) != 0)
			return (-1);
		if (writer_adopt(s->writer, &full, e.raw) != 0)
			return (-1);
		if (memcmp(e.raw, raw, RECORD_SIZE) == 0)
			return (0);
	}
	return (rc);
}

/* Bytes of what is written next that the receiver has. */
static uint64_t
bytes_there(const struct ship *s, const struct record *R)
{
	struct record index = { .type = RECORD_INDEX };

	if (R->type == RECORD_VOLUME || R->type == RECORD_SEGMENT)
		return (0);
	if (R->type != RECORD_MANIFEST)
		return (frame_size(R->stored));
	chain_expect(writer_chain(s->writer), &index);
	return (frame_size(index.stored) + frame_size(R->stored));
}

int
takeup_received(struct ship *s)
{
	uint8_t raw[RECORD_SIZE];
	struct shipped *log;
	struct record R;
	int rc;

	if ((rc = read_position(s, s->cut->o->resume, raw, &R)) != 0)
		return (rc);
	if ((rc = shipped_open(&log, s->cut->P, s->header.id)) == 0)
		rc = adopt_log(s, log, raw, &R);
	shipped_close(log);
	if (rc == 1)
		return (say_refused("%s: what the receiver has is not known here any more; export without "
		                    "--resume-from",
		    s->cut->P->vm));
	if (rc != 0 || (rc = outfile_open(&s->out, s->cut->o->output)) != 0)
		return (rc);
	outfile_skip(s->out, bytes_there(s, &R));
	if (R.type == RECORD_HEADER)
		return (writer_begin_volume(s->writer, s->out));
	writer_go_on(s->writer, s->out);
	return (0);
}
