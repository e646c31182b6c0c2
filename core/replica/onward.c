#include "replica/onward.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "base/stop.h"
#include "bundle/infile.h"
#include "bundle/outfile.h"
#include "filename.h"
#include "medium/logbook.h"
#include "medium/manifest.h"
#include "medium/medium.h"
#include "replica/forward.h"
#include "replica/outbox.h"

#define CHUNK (UINT32_C(1) << 20)
#define RESERVE (UINT64_C(512) << 10) /* of a medium: for manifests, logs, and what its file system adds */

struct going {
	const struct site *S;
	const struct onward_options *o;
	struct replica *R;
	struct replica_forward *f;
	struct replica_out *b; /* the bundle at hand */
	struct replica_out_volume *v;
	char path[PATH_MAX]; /* of its file in the outbox */
	uint8_t *chunk;
	struct medium *M;
	unsigned n;     /* volumes that went */
	uint64_t bytes; /* in them */
};

/* --- one volume --------------------------------------------------------------------------------------- */

/* The file as it is, byte for byte: 0; 2 as outfile_write; -1. */
static int
copy(struct going *g, struct outfile *F)
{
	int fd = io_open_read(g->path), rc = fd < 0 ? -1 : 0;
	uint64_t done = 0;
	ssize_t n;

	while (rc == 0 && done < g->v->file) {
		uint64_t want = g->v->file - done < CHUNK ? g->v->file - done : CHUNK;
		struct io_part part = { g->chunk, (size_t)want };

		if (stop_check() != 0 || (n = io_read(fd, g->path, g->chunk, (size_t)want)) < 0)
			rc = -1;
		else if ((uint64_t)n < want)
			rc = say_failed("%s: is shorter than it was", g->path);
		else
			rc = outfile_write(F, &part, 1);
		done += want;
	}
	io_close(fd);
	return (rc);
}

/* It went: the record says so. */
static int
note_sent(struct going *g)
{
	g->v->sent |= outbox_bit(g->R, g->f);
	g->n++;
	g->bytes += g->v->file;
	return (replica_save(g->R));
}

/* The next volume, whose file is there: 1; 0: none; -1. */
static int
next(struct going *g)
{
	int there;

	while (outbox_next(g->R, g->f, &g->b, &g->v)) {
		if (replica_outbox_path(g->R, g->b->id, g->v->number, g->path) != 0 ||
		    (there = io_exists(g->path)) < 0)
			return (-1);
		if (there)
			return (1);
		say_note("%s: is gone, so the bundle to point %" PRIu64
		         " cannot be forwarded; '%s' must send it",
		    g->path, g->b->to.seq, g->R->primary);
		outbox_forget(g->R, g->b->id);
		if (replica_save(g->R) != 0)
			return (-1);
	}
	return (0);
}

/* --- to a file or pipe -------------------------------------------------------------------------------- */

static int
to_file(struct going *g)
{
	struct outfile *F;
	int rc = outfile_open(&F, g->o->output);

	if (rc != 0)
		return (rc);
	if ((rc = copy(g, F)) == 0)
		rc = outfile_commit(F);
	outfile_free(F);
	return (rc == 0 ? note_sent(g) : -1);
}

/* --- to a medium -------------------------------------------------------------------------------------- */

/* The names of the bundle's files. */
static int
find_stem(const struct going *g, char stem[FILENAME_STEM])
{
	struct member m = { .payload = malloc(LIMIT_JSON) };
	const struct header *H;
	uint8_t key[RECORD_KEY];
	struct infile *F;
	int rc;

	if (m.payload == NULL)
		return (say_failed("out of memory"));
	if ((rc = infile_open(&F, g->path)) == 0 && (rc = reader_start(infile_reader(F), key)) == 0 &&
	    (rc = reader_header(infile_reader(F), &m, &H)) == 0)
		filename_stem(stem, H);
	infile_close(F);
	free(m.payload);
	return (rc);
}

static int
say_full(const struct going *g)
{
	return (
	    say_failed("medium '%s' is full.  %u volumes for '%s' are on it; run the same command with the "
	               "next --media",
	        medium_identity(g->M)->label, g->n, g->f->name));
}

static int
write_volume(struct going *g, const char *name, uint8_t digest[RECORD_DIGEST])
{
	struct outfile *F = NULL;
	char path[PATH_MAX];
	int rc = -1;

	if (medium_path(g->M, name, path) == 0 && outfile_create(&F, path) == 0 && outfile_check(F) == 0) {
		outfile_may_fill(F);
		if ((rc = copy(g, F)) == 0)
			rc = outfile_commit(F);
	}
	if (rc == 0)
		outfile_digest(F, digest);
	outfile_free(F);
	return (rc == 2 ? say_full(g) : rc);
}

static int
volume_to_medium(struct going *g)
{
	char stem[FILENAME_STEM], name[FILENAME_SIZE];
	uint8_t digest[RECORD_DIGEST];
	uint64_t room;
	int rc;

	if (medium_free_bytes(g->M, &room) != 0)
		return (-1);
	if (room < g->v->file + RESERVE)
		return (say_full(g));
	if ((rc = find_stem(g, stem)) != 0)
		return (rc);
	filename_volume(name, stem, g->v->number);
	if (write_volume(g, name, digest) != 0 ||
	    manifest_add(g->M, stem, name, digest, site_secret(g->S)) != 0 ||
	    logbook_add(g->M, g->S, stem, g->b->id, "forward", "ok") != 0)
		return (-1);
	return (note_sent(g));
}

static int
to_medium(struct going *g)
{
	int rc = 0, more = 1;

	while (rc == 0 && (more = next(g)) > 0)
		rc = volume_to_medium(g);
	return (more < 0 ? -1 : rc);
}

/* --- */

static int
say_nothing(const struct going *g)
{
	if (outbox_tally(g->R, g->f).volumes > 0)
		return (say_refused(
		    "%s: all that waits for '%s' was sent, and no receipt has come for it; --anew "
		    "sends it again",
		    g->R->vm, g->f->name));
	return (say_refused("%s: nothing waits for '%s'", g->R->vm, g->f->name));
}

static int
go(struct going *g)
{
	int rc;

	if ((g->f = forward_find(g->R, g->S, g->o->to)) == NULL)
		return (1);
	if (g->o->anew)
		outbox_anew(g->R, g->f);
	if ((rc = next(g)) <= 0)
		return (rc < 0 ? -1 : say_nothing(g));
	if (g->o->media == NULL)
		rc = to_file(g);
	else if ((rc = medium_open(&g->M, g->o->media, MEDIUM_WRITE, NULL)) == 0)
		rc = to_medium(g);
	if (rc == 0)
		say_note("%s: %u volumes for '%s', %" PRIu64 " bytes, up to point %" PRIu64, g->R->vm, g->n,
		    g->f->name, g->bytes, g->b->to.seq);
	return (rc);
}

int
onward(const struct site *S, const struct onward_options *o)
{
	struct going g = { .S = S, .o = o, .chunk = malloc(CHUNK) };
	int rc;

	if (g.chunk == NULL)
		return (say_failed("out of memory"));
	if ((rc = replica_open(&g.R, S, o->vm)) == 0)
		rc = go(&g);
	medium_close(g.M);
	replica_close(g.R);
	free(g.chunk);
	return (rc);
}
