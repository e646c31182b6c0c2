#include "bundle/writer.h"

#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "frame.h"
#include "base/io.h"
#include "base/say.h"

#define NOTE (CHAIN_ENTRY + RECORD_DIGEST) /* what is kept of each segment */
#define NOTES 1024u                        /* so many at a time */

struct writer {
	struct outfile *out;
	int notes;
	char tmpdir[PATH_MAX];
	const uint8_t *secret;
	struct chain chain;
	uint64_t stored;
	struct record header, index; /* for their lines in the manifest */
	uint8_t header_rec[RECORD_SIZE];
	char *header_text; /* header.stored bytes: every volume starts with it */
	struct writer_volumes volumes;
	struct writer_watch watch;
	uint64_t blobs;
	uint8_t kept[NOTES * NOTE]; /* notes not yet written out */
	size_t nkept;
};

/* For the words; between two volumes there may be no file. */
static const char *
name(const struct writer *W)
{
	return (W->out == NULL ? W->tmpdir : outfile_name(W->out));
}

struct writer *
writer_new(struct outfile *out, const char *tmpdir, const uint8_t *secret)
{
	struct writer *W = calloc(1, sizeof *W);

	if (W == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	W->out = out;
	W->secret = secret;
	W->notes = -1;
	chain_init(&W->chain);
	if (io_path(W->tmpdir, "%s", tmpdir) != 0) {
		writer_free(W);
		return (NULL);
	}
	return (W);
}

void
writer_free(struct writer *W)
{
	if (W == NULL)
		return;
	io_close(W->notes);
	free(W->header_text);
	free(W);
}

uint64_t
writer_position(const struct writer *W)
{
	int is_ended = W->chain.last == RECORD_END || W->chain.last == RECORD_VOLUME_END;

	return (W->chain.position + (is_ended ? FRAME_TRAILER : 0));
}

const struct chain_volume *
writer_volume(const struct writer *W)
{
	return (&W->chain.volume);
}

uint64_t
writer_stored(const struct writer *W)
{
	return (W->stored);
}

const struct chain *
writer_chain(const struct writer *W)
{
	return (&W->chain);
}

void
writer_use_volumes(struct writer *W, const struct writer_volumes *v)
{
	W->volumes = *v;
}

void
writer_use_watch(struct writer *W, const struct writer_watch *w)
{
	W->watch = *w;
}

static int
flush_notes(struct writer *W)
{
	if (W->nkept == 0)
		return (0);
	if (W->notes < 0 && (W->notes = io_temporary(W->tmpdir)) < 0)
		return (-1);
	if (io_write(W->notes, W->tmpdir, W->kept, W->nkept * NOTE) != 0)
		return (-1);
	W->nkept = 0;
	return (0);
}

static int
note(struct writer *W, const struct record *R, uint64_t position)
{
	uint8_t *p;

	if (W->nkept == NOTES && flush_notes(W) != 0)
		return (-1);
	p = W->kept + W->nkept++ * NOTE;
	chain_entry(p, R, position);
	memcpy(p + CHAIN_ENTRY, R->digest, RECORD_DIGEST);
	return (0);
}

static int
put_bytes(struct writer *W, const void *p, size_t n)
{
	const struct io_part part = { p, n };

	return (outfile_write(W->out, &part, 1));
}

/* Take rec into the chain, and keep of it what the end of the volume needs. */
static int
take(struct writer *W, const struct record *R, const uint8_t rec[RECORD_SIZE], const uint8_t *payload)
{
	uint64_t position = W->chain.position;
	const char *why = chain_next(&W->chain, R, rec);

	if (why != NULL)
		return (say_failed("%s: cannot write the bundle: %s", name(W), why));
	if ((R->type == RECORD_SEGMENT || R->type == RECORD_BLOB) && note(W, R, position) != 0)
		return (-1);
	W->blobs += R->type == RECORD_BLOB;
	if (R->type == RECORD_INDEX)
		W->index = *R;
	if (R->type != RECORD_HEADER || W->header_text != NULL || payload == NULL)
		return (0);
	W->header = *R;
	memcpy(W->header_rec, rec, RECORD_SIZE);
	if ((W->header_text = malloc((size_t)R->stored)) == NULL)
		return (say_failed("out of memory"));
	memcpy(W->header_text, payload, (size_t)R->stored);
	return (0);
}

/* Take rec into the chain and write its head; the payload, if any, follows through other calls. */
static int
put_head(struct writer *W, const struct record *R, const uint8_t rec[RECORD_SIZE], const uint8_t *payload)
{
	static const uint8_t zeroes[FRAME_TAR];
	uint8_t head[FRAME_HEAD + FRAME_TAR];
	struct io_part parts[3] = { { head, FRAME_HEAD } };

	if (take(W, R, rec, payload) != 0 ||
	    (W->watch.record != NULL && W->watch.record(W->watch.context, R, rec, payload) != 0))
		return (-1);
	frame_head(head, R, rec);
	if (R->stored > 0) {
		frame_payload(head + FRAME_HEAD, R);
		parts[0].size += FRAME_TAR;
	}
	if (payload == NULL)
		return (outfile_write(W->out, parts, 1));
	parts[1] = (struct io_part){ payload, (size_t)R->stored };
	parts[2] = (struct io_part){ zeroes, frame_padding(R->stored) };
	return (outfile_write(W->out, parts, 3));
}

/* Give a record its place in the chain, sign and write it. */
static int
put(struct writer *W, struct record *R, const uint8_t *payload)
{
	uint8_t rec[RECORD_SIZE];

	chain_link(&W->chain, R);
	record_pack(rec, R, W->secret);
	return (put_head(W, R, rec, payload));
}

/* Write the entries of n notes to the index, or their lines to the manifest; first is the place of the first. */
static int
put_notes(struct writer *W, const uint8_t *notes, size_t n, enum record_type table, uint64_t first)
{
	char *out = malloc(NOTES * CHAIN_LINE);
	size_t size = 0;
	int rc;

	if (out == NULL)
		return (say_failed("out of memory"));
	for (size_t i = 0; i < n; i++) {
		/* The blobs are in front. */
		int is_blob = first + i < W->blobs;
		struct record R = { .type = is_blob ? RECORD_BLOB : RECORD_SEGMENT,
			.number =
			    is_blob ? first + i + 1 : W->chain.volume.before + first + i + 1 - W->blobs };

		if (table == RECORD_INDEX && is_blob)
			continue;
		if (table == RECORD_INDEX) {
			memcpy(out + size, notes + i * NOTE, CHAIN_ENTRY);
			size += CHAIN_ENTRY;
			continue;
		}
		memcpy(R.digest, notes + i * NOTE + CHAIN_ENTRY, RECORD_DIGEST);
		size += chain_line(out + size, &R);
	}
	rc = put_bytes(W, out, size);
	free(out);
	return (rc);
}

static int
put_all_notes(struct writer *W, enum record_type table)
{
	uint8_t *notes;
	uint64_t from = 0, written = W->chain.segments - W->chain.volume.before + W->blobs - W->nkept;
	int rc = 0;

	if ((notes = malloc(NOTES * NOTE)) == NULL)
		return (say_failed("out of memory"));
	while (rc == 0 && from < written) {
		size_t n = written - from < NOTES ? (size_t)(written - from) : NOTES;

		if (io_pread(W->notes, W->tmpdir, notes, n * NOTE, from * NOTE) != (ssize_t)(n * NOTE))
			rc = say_failed("%s: the file of notes on the bundle cannot be read back", W->tmpdir);
		else
			rc = put_notes(W, notes, n, table, from);
		from += n;
	}
	if (rc == 0)
		rc = put_notes(W, W->kept, W->nkept, table, written);
	free(notes);
	return (rc);
}

static int
put_line(struct writer *W, const struct record *R)
{
	char line[CHAIN_LINE];
	size_t n = chain_line(line, R);

	return (put_bytes(W, line, n));
}

/* The payload of the index or the manifest, whose head is written. */
static int
put_table(struct writer *W, const struct record *R)
{
	static const uint8_t zeroes[FRAME_TAR];

	if (R->type == RECORD_MANIFEST && put_line(W, &W->header) != 0)
		return (-1);
	if (put_all_notes(W, R->type) != 0)
		return (-1);
	if (R->type == RECORD_MANIFEST && W->index.stored > 0 && put_line(W, &W->index) != 0)
		return (-1);
	return (put_bytes(W, zeroes, frame_padding(R->stored)));
}

static int
put_trailer(struct writer *W)
{
	static const uint8_t zeroes[FRAME_TRAILER];

	return (put_bytes(W, zeroes, sizeof zeroes));
}

static int
put_text(struct writer *W, struct record *R, char *text, size_t n)
{
	int rc;

	if (text == NULL)
		return (say_failed(
		    "%s: the bundle's description does not fit; too many disks or sites, or no memory",
		    name(W)));
	R->stored = R->plain = n;
	crypto_generichash(R->digest, RECORD_DIGEST, (const uint8_t *)text, n, NULL, 0);
	rc = put(W, R, (const uint8_t *)text);
	free(text);
	return (rc);
}

static int
put_volume(struct writer *W)
{
	struct record V = { .type = RECORD_VOLUME };

	crypto_generichash(V.digest, RECORD_DIGEST, NULL, 0, NULL, 0);
	return (put(W, &V, NULL));
}

int
writer_header(struct writer *W, const struct header *H)
{
	struct record R = { .type = RECORD_HEADER };
	size_t n = 0;
	char *text = header_encode(H, &n);

	memcpy(R.bundle, H->id, RECORD_ID);
	crypto_sign_ed25519_sk_to_pk(R.link, W->secret);
	return (put_text(W, &R, text, n) != 0 ? -1 : put_volume(W));
}

int
writer_resume(struct writer *W, const struct member *header, const struct chain_volume *v, uint64_t stored)
{
	W->header = header->record;
	memcpy(W->header_rec, header->raw, RECORD_SIZE);
	if ((W->header_text = malloc((size_t)W->header.stored)) == NULL)
		return (say_failed("out of memory"));
	memcpy(W->header_text, header->payload, (size_t)W->header.stored);
	W->stored = stored;
	if (v != NULL)
		chain_resume(&W->chain, W->header.bundle, v);
	return (0);
}

void
writer_use_file(struct writer *W, struct outfile *out)
{
	W->out = out;
}

int
writer_adopt(struct writer *W, const struct record *R, const uint8_t rec[RECORD_SIZE])
{
	if (R->type == RECORD_SEGMENT)
		W->stored += R->stored;
	return (take(W, R, rec, NULL));
}

void
writer_go_on(struct writer *W, struct outfile *out)
{
	W->out = out;
}

int
writer_begin_volume(struct writer *W, struct outfile *out)
{
	W->out = out;
	if (put_head(W, &W->header, W->header_rec, (const uint8_t *)W->header_text) != 0)
		return (-1);
	return (put_volume(W));
}

/* The tables, after which the end of the bundle or of its volume comes. */
static int
put_tables(struct writer *W)
{
	struct record R = { .type = RECORD_INDEX };

	for (enum record_type t = RECORD_INDEX; t <= RECORD_MANIFEST; t++) {
		R.type = t;
		chain_expect(&W->chain, &R);
		if (put(W, &R, NULL) != 0 || put_table(W, &R) != 0)
			return (-1);
	}
	return (0);
}

/* Nothing is kept of the volume that ended. */
static int
forget_notes(struct writer *W)
{
	io_close(W->notes);
	W->notes = -1;
	W->nkept = 0;
	W->blobs = 0;
	return (0);
}

static int
end_volume(struct writer *W)
{
	struct record E = { .type = RECORD_VOLUME_END };

	crypto_generichash(E.digest, RECORD_DIGEST, NULL, 0, NULL, 0);
	if (put_tables(W) != 0 || put(W, &E, NULL) != 0 || put_trailer(W) != 0)
		return (-1);
	return (forget_notes(W));
}

/* End this volume and go on with the next one, as the caller of writer_use_volumes has it. */
static int
next_volume(struct writer *W)
{
	int rc;

	if (W->chain.volume.number == LIMIT_VOLUMES)
		return (say_failed("%s: the bundle would need more than %u volumes; let them be larger",
		    name(W), LIMIT_VOLUMES));
	if (end_volume(W) != 0)
		return (-1);
	if ((rc = W->volumes.ended(W->volumes.context, &W->chain.volume)) != 0)
		return (rc);
	chain_turn(&W->chain);
	return (W->volumes.begin(W->volumes.context, W));
}

int
writer_segment(struct writer *W, struct record *R, const uint8_t *payload)
{
	int rc;

	R->type = RECORD_SEGMENT;
	if (W->volumes.begin != NULL && W->chain.segments > W->chain.volume.before &&
	    chain_size_with(&W->chain, R) > W->volumes.limit(W->volumes.context) &&
	    (rc = next_volume(W)) != 0)
		return (rc);
	W->stored += R->stored;
	return (put(W, R, payload));
}

int
writer_blob(struct writer *W, struct record *R, const uint8_t *payload)
{
	R->type = RECORD_BLOB;
	return (put(W, R, payload));
}

int
writer_finish(struct writer *W, const struct header *H, struct trailer *T)
{
	struct record E = { .type = RECORD_END };
	size_t n = 0;
	char *text;

	if (put_tables(W) != 0)
		return (-1);
	T->segments = W->chain.segments;
	T->stored = W->stored;
	T->volumes = W->chain.volume.number;
	text = trailer_encode(T, H, &n);
	if (put_text(W, &E, text, n) != 0)
		return (-1);
	return (put_trailer(W));
}

int
writer_copy(struct writer *W, const struct record *R, const uint8_t rec[RECORD_SIZE], const uint8_t *payload)
{
	int is_table = R->type == RECORD_INDEX || R->type == RECORD_MANIFEST;

	if (put_head(W, R, rec, is_table || R->stored == 0 ? NULL : payload) != 0)
		return (-1);
	if (is_table)
		return (put_table(W, R));
	return (R->type == RECORD_END || R->type == RECORD_VOLUME_END ? put_trailer(W) : 0);
}
