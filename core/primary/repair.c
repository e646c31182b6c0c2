#include "primary/repair.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/infile.h"
#include "bundle/outfile.h"
#include "bundle/request.h"
#include "bundle/segment.h"
#include "bundle/writer.h"
#include "disk/source.h"
#include "base/io.h"
#include "base/say.h"
#include "medium/medium.h"
#include "primary/primary.h"
#include "primary/shiplog.h"
#include "site/signer.h"

#define MOST (LIMIT_BLOBS / 4) /* segments in one answer: as many blobs again, and room for the rest */
#define NAMED 100u             /* segments that are refused by name; of more, only how many */

struct repairing {
	const struct site *S;
	const struct repair_options *o;
	struct primary *P;
	struct shipped *log;
	const struct header *H; /* of the damaged bundle */
	struct ranges wanted;
	struct source *sources[LIMIT_DISKS]; /* by the header's disks; NULL: not replicated any more */
	struct segment_coder *coder;
	uint8_t *plain, *stored;
	struct medium *medium; /* or NULL */
	struct outfile *out;
	struct writer *writer;
	struct header header; /* of the repair */
	struct trailer trailer;
	uint64_t last; /* segment in the log */
	uint64_t made, refused;
};

/* --- the request -------------------------------------------------------------------------------------- */

/* Only a site that the bundle was for, if it was for any, may ask. */
static int
check_asker(const struct header *H, const struct trust_entry *e, const char *name)
{
	for (unsigned i = 0; i < H->ntargets; i++)
		if (trust_has_key(e, H->targets[i].key))
			return (0);
	return (H->ntargets == 0
	            ? 0
	            : say_refused("%s: site '%s' asks, and the bundle was not for it", name, e->card.name));
}

/* Open the VM's folder and the log of the bundle that the request is about. */
static int
open_log(struct repairing *p, const struct header *request, const char *name)
{
	const char *vm = p->o->vm != NULL ? p->o->vm : request->uuid;
	char id[2 * RECORD_ID + 1];
	int rc;

	if (p->o->vm == NULL && request_is_unknown(request))
		return (say_refused(
		    "%s: the bundle's header is lost, so it does not say which VM it is about: name it",
		    name));
	if ((rc = primary_open(&p->P, p->S, vm)) != 0)
		return (rc);
	if (!request_is_unknown(request) && strcmp(request->uuid, p->P->uuid) != 0)
		return (say_refused("%s: is about a bundle of '%s'", name, request->vm));
	sodium_bin2hex(id, sizeof id, request->of, RECORD_ID);
	if ((rc = shipped_open(&p->log, p->P, request->of)) == 1)
		return (
		    say_refused("%s: nothing is known of the bundle %s any more, or it was never made here: "
		                "it cannot be made again; export a new one",
		        p->P->vm, id));
	if (rc == 0)
		p->H = shipped_header(p->log);
	return (rc);
}

static int
read_request(struct repairing *p, struct infile *F, struct member *m)
{
	struct reader *R = infile_reader(F);
	const struct header *request;
	const struct trust_entry *e;
	uint8_t key[RECORD_KEY];
	int rc;

	if ((rc = reader_start(R, key)) != 0)
		return (rc);
	if ((rc = signer_header(site_trust(p->S), R, m, &request, &e)) == SIGNER_UNKNOWN)
		return (
		    reader_refuse(R, NULL, "it is no request, or signed with a key that is not known here"));
	if (rc != 0)
		return (rc);
	if (request->type != BUNDLE_REQUEST)
		return (say_refused("%s: is no repair request", infile_name(F)));
	if ((rc = open_log(p, request, infile_name(F))) != 0 ||
	    (rc = check_asker(p->H, e, infile_name(F))) != 0)
		return (rc);
	return (request_read(R, &p->wanted));
}

/* --- a segment ---------------------------------------------------------------------------------------- */

/* Why it cannot be made: said for each of the first ones. */
static int
refuse_segment(struct repairing *p, uint64_t number, const char *why)
{
	char how[64] = "--seed";

	if (p->H->from.seq != 0)
		snprintf(how, sizeof how, "--since %" PRIu64, p->H->from.seq);
	if (p->refused++ < NAMED)
		say_note("segment %" PRIu64 " cannot be made again: %s %" PRIu64
		         "; export a new bundle with %s",
		    number, why, p->H->to.seq, how);
	return (1);
}

/*
 * The plain payload of a segment from its extents in the log and what the disk holds now: its length; 0 if the disk
 * has no longer what that takes; -1 in *rc.
 */
static size_t
gather(struct repairing *p, const struct shipped_entry *e, int *rc)
{
	const struct record *R = &e->record;
	struct source *source = R->disk < p->H->ndisks ? p->sources[R->disk] : NULL;
	struct extent *x = calloc(R->extents, sizeof *x);
	uint8_t *to = p->plain + (size_t)R->extents * EXTENT_SIZE;

	*rc = x == NULL ? say_failed("out of memory") : 0;
	memcpy(p->plain, e->rest, (size_t)R->extents * EXTENT_SIZE);
	if (*rc != 0 || source == NULL ||
	    extent_table(x, R->extents, p->plain, (size_t)R->plain, p->H->disks[R->disk].size) != NULL)
		to = p->plain;
	for (uint32_t i = 0; *rc == 0 && to > p->plain && i < R->extents; i++) {
		if (x[i].kind != EXTENT_DATA)
			continue;
		if (x[i].offset + x[i].length > source_size(source)) {
			to = p->plain;
			break;
		}
		*rc = source_read(source, to, (size_t)x[i].length, x[i].offset);
		to += x[i].length;
	}
	free(x);
	return ((size_t)(to - p->plain));
}

static int
put_blob(struct repairing *p, const uint8_t *data, size_t n)
{
	struct record B = { .type = RECORD_BLOB, .plain = n, .stored = n };

	crypto_generichash(B.digest, RECORD_DIGEST, data, n, NULL, 0);
	return (writer_blob(p->writer, &B, data));
}

static int
make_segment(struct repairing *p, const struct shipped_entry *e)
{
	struct record R;
	size_t n;
	int rc;

	if (record_unpack(&R, e->raw, shipped_key(p->log)) != NULL)
		return (
		    refuse_segment(p, e->record.number, "what was kept of it is damaged; it led to point"));
	n = gather(p, e, &rc);
	if (rc == 0)
		rc = n == 0
		         ? 1
		         : segment_encode_again(p->coder, shipped_crypt(p->log), p->plain, n, p->stored, &R);
	if (rc == 1)
		return (refuse_segment(p, R.number, "the disk has changed there since point"));
	if (rc != 0)
		return (-1);
	p->made++;
	return (
	    put_blob(p, e->raw, RECORD_SIZE) != 0 || put_blob(p, p->stored, (size_t)R.stored) != 0 ? -1 : 0);
}

/* --- the answer --------------------------------------------------------------------------------------- */

static int
is_wanted(const struct repairing *p, uint64_t number)
{
	size_t i = ranges_find(&p->wanted, number);

	return (i < p->wanted.n && p->wanted.runs[i].start <= number);
}

/* One record of the log: all that are no segments are part of every answer. */
static int
take(struct repairing *p, const struct shipped_entry *e)
{
	if (e->record.type != RECORD_SEGMENT) {
		if (put_blob(p, e->raw, RECORD_SIZE) != 0)
			return (-1);
		return (e->rest == NULL ? 0 : put_blob(p, e->rest, (size_t)e->record.stored));
	}
	p->last = e->record.number;
	if (!is_wanted(p, e->record.number))
		return (0);
	if (p->made == MOST)
		return (refuse_segment(p, e->record.number, "the answer is full; the bundle led to point"));
	return (make_segment(p, e));
}

static int
write_all(struct repairing *p)
{
	struct shipped_entry e;
	int rc;

	if (writer_header(p->writer, &p->header) != 0)
		return (-1);
	while ((rc = shipped_next(p->log, &e)) == 0)
		if (take(p, &e) < 0)
			return (-1);
	if (rc < 0 || writer_finish(p->writer, &p->header, &p->trailer) != 0)
		return (-1);
	return (0);
}

/* Disks are read as they are: what comes of them is compared with what was signed.  What is refused is said. */
static int
open_disks(struct repairing *p)
{
	for (unsigned i = 0; i < p->H->ndisks; i++)
		for (unsigned k = 0; k < p->P->nreplicated; k++)
			if (strcmp(p->P->disks[k].id, p->H->disks[i].id) == 0 &&
			    primary_open_disk(p->P, k, SOURCE_LIVE, NULL, &p->sources[i]) < 0)
				return (-1);
	return (0);
}

/* Where the request goes beyond what there is, and does not only say "to the end". */
static void
note_beyond(struct repairing *p)
{
	const struct range *last = p->wanted.n == 0 ? NULL : &p->wanted.runs[p->wanted.n - 1];

	if (last != NULL && last->start > p->last && last->start + last->count <= LIMIT_SEGMENTS) {
		say_note("the bundle has %" PRIu64 " segments; the request names others", p->last);
		p->refused++;
	}
}

static int
finish(struct repairing *p)
{
	int rc;

	note_beyond(p);
	if (p->made == 0 && p->refused > 0)
		return (say_refused("%s: nothing of what is asked for can be made again", p->P->vm));
	if ((rc = outfile_commit(p->out)) != 0)
		return (rc);
	if (p->medium != NULL)
		say_note("%s: written", outfile_name(p->out));
	say_note("%s: %" PRIu64 " segments of the bundle to point %" PRIu64 " made again, %" PRIu64 " bytes",
	    p->P->vm, p->made, p->H->to.seq, writer_position(p->writer));
	return (p->refused == 0 ? 0
	                        : say_refused("%s: %" PRIu64 " of what is asked for cannot be made again",
	                              p->P->vm, p->refused));
}

static int
open_output(struct repairing *p)
{
	char stem[FILENAME_STEM], name[FILENAME_SIZE], path[PATH_MAX];
	int rc;

	if (p->o->media == NULL)
		return (outfile_open(&p->out, p->o->output));
	if ((rc = medium_open(&p->medium, p->o->media, MEDIUM_WRITE, NULL)) != 0)
		return (rc);
	filename_stem(stem, &p->header);
	filename_volume(name, stem, 1);
	if (medium_path(p->medium, name, path) != 0 || outfile_create(&p->out, path) != 0)
		return (-1);
	return (outfile_check(p->out));
}

static int
answer(struct repairing *p)
{
	char tmp[PATH_MAX];
	int rc;

	request_describe(&p->header, BUNDLE_REPAIR, p->H, site_card(p->S)->name);
	if ((rc = open_disks(p)) != 0 || (rc = open_output(p)) != 0)
		return (rc);
	p->coder = segment_coder_new(shipped_level(p->log));
	p->plain = malloc(LIMIT_PLAIN);
	p->stored = malloc(segment_bound(LIMIT_PLAIN));
	if (p->coder == NULL || p->plain == NULL || p->stored == NULL)
		return (p->coder == NULL ? -1 : say_failed("out of memory"));
	if (io_path(tmp, "%s/tmp", site_home(p->S)) != 0 ||
	    (p->writer = writer_new(p->out, tmp, site_secret(p->S))) == NULL || write_all(p) != 0)
		return (-1);
	return (finish(p));
}

static void
release(struct repairing *p)
{
	for (unsigned i = 0; i < LIMIT_DISKS; i++)
		source_close(p->sources[i]);
	writer_free(p->writer);
	outfile_free(p->out);
	medium_close(p->medium);
	segment_coder_free(p->coder);
	free(p->plain);
	free(p->stored);
	ranges_free(&p->wanted);
	shipped_close(p->log);
	primary_close(p->P);
	free(p);
}

int
repair(const struct site *S, const struct repair_options *o)
{
	struct member m = { .payload = malloc(LIMIT_JSON) };
	struct repairing *p = calloc(1, sizeof *p);
	struct infile *F = NULL;
	int rc;

	if (p == NULL || m.payload == NULL) {
		free(p);
		free(m.payload);
		return (say_failed("out of memory"));
	}
	p->S = S;
	p->o = o;
	if ((rc = infile_open(&F, o->request)) == 0 && (rc = read_request(p, F, &m)) == 0 && p->H != NULL)
		rc = answer(p);
	infile_close(F);
	release(p);
	free(m.payload);
	return (rc);
}
