#include "bundle/request.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bundle/outfile.h"
#include "bundle/segment.h"
#include "bundle/writer.h"
#include "base/say.h"
#include "wire.h"

#define ENTRY 16u
#define ENTRIES 65536u /* in a blob, at most: far less than one may hold */

static const char nil_uuid[] = "00000000-0000-0000-0000-000000000000";

void
request_describe(struct header *H, enum bundle_type type, const struct header *about, const char *signer)
{
	memset(H, 0, sizeof *H);
	H->type = type;
	randombytes_buf(H->id, sizeof H->id);
	memcpy(H->lineage, about->lineage, RECORD_ID);
	strcpy(H->uuid, about->uuid);
	strcpy(H->vm, about->vm);
	strcpy(H->signer, signer);
	H->created = (int64_t)time(NULL);
	H->from = about->from;
	H->to = about->to;
	H->keep = about->keep;
	H->has_of = 1;
	memcpy(H->of, about->id, RECORD_ID);
	H->ndisks = about->ndisks;
	memcpy(H->disks, about->disks, sizeof H->disks);
}

void
request_describe_unknown(struct header *H, const uint8_t of[RECORD_ID], const char *signer)
{
	struct header *about = calloc(1, sizeof *about);

	memset(H, 0, sizeof *H);
	if (about == NULL)
		return;
	memcpy(about->id, of, RECORD_ID);
	strcpy(about->uuid, nil_uuid);
	strcpy(about->vm, "unknown");
	about->to = (struct point){ 1, 1, 0, POINT_STANDARD };
	about->keep = 1;
	about->ndisks = 1;
	strcpy(about->disks[0].id, "unknown");
	about->disks[0].size = LIMIT_SECTOR;
	request_describe(H, BUNDLE_REQUEST, about, signer);
	free(about);
}

int
request_is_unknown(const struct header *H)
{
	return (strcmp(H->uuid, nil_uuid) == 0);
}

/* A blob of the n runs from there on. */
static int
put_blob(struct writer *W, const struct ranges *segments, size_t from, size_t n, uint8_t *entries)
{
	struct record B = { .type = RECORD_BLOB };

	for (size_t i = 0; i < n; i++) {
		uint64_t start = segments->runs[from + i].start;

		wire_put64(entries + i * ENTRY, start);
		wire_put64(entries + i * ENTRY + 8, start + segments->runs[from + i].count - 1);
	}
	B.plain = B.stored = n * ENTRY;
	crypto_generichash(B.digest, RECORD_DIGEST, entries, B.stored, NULL, 0);
	return (writer_blob(W, &B, entries));
}

static int
put_runs(struct writer *W, const struct ranges *segments)
{
	uint8_t *entries = malloc((size_t)ENTRIES * ENTRY);
	int rc = 0;

	if (entries == NULL)
		return (say_failed("out of memory"));
	for (size_t from = 0; rc == 0 && from < segments->n; from += ENTRIES)
		rc = put_blob(
		    W, segments, from, segments->n - from < ENTRIES ? segments->n - from : ENTRIES, entries);
	free(entries);
	return (rc);
}

int
request_write(const char *path, const char *tmpdir, const uint8_t *secret, const struct header *H,
    const struct ranges *segments)
{
	struct trailer T = { .ndisks = 0 };
	struct writer *W = NULL;
	struct outfile *F;
	int rc;

	if ((rc = outfile_open(&F, path)) != 0)
		return (rc);
	if ((W = writer_new(F, tmpdir, secret)) == NULL || writer_header(W, H) != 0 ||
	    put_runs(W, segments) != 0 || writer_finish(W, H, &T) != 0 || outfile_commit(F) != 0)
		rc = -1;
	writer_free(W);
	outfile_free(F);
	return (rc);
}

/* The runs of one blob; none may start before *next. */
static int
take_runs(const struct reader *R, const struct member *m, struct ranges *segments, uint64_t *next)
{
	const char *why = segment_check(&m->record, m->payload);

	if (why != NULL || m->record.codec != RECORD_RAW || m->record.cipher != RECORD_CLEAR ||
	    m->record.stored % ENTRY != 0)
		return (reader_refuse(R, NULL, "a blob is damaged, or none of a request"));
	for (size_t i = 0; i < m->record.stored; i += ENTRY) {
		uint64_t first = wire_get64(m->payload + i), last = wire_get64(m->payload + i + 8);

		if (first < *next || last < first || last > LIMIT_SEGMENTS)
			return (reader_refuse(
			    R, NULL, "it asks for segments that no bundle has, or out of order"));
		if (ranges_add(segments, first, last - first + 1) != 0)
			return (-1);
		*next = last + 1;
	}
	return (0);
}

int
request_read(struct reader *R, struct ranges *segments)
{
	struct member m = { .payload = malloc(LIMIT_STORED) };
	int rc = m.payload == NULL ? say_failed("out of memory") : 0;
	uint64_t next = 1;

	m.record.type = RECORD_HEADER;
	while (rc == 0 && m.record.type != RECORD_END) {
		if ((rc = reader_next(R, &m)) != 0)
			break;
		if (m.record.type == RECORD_BLOB)
			rc = take_runs(R, &m, segments, &next);
		else if (m.record.type == RECORD_VOLUME_END)
			rc = reader_refuse(R, NULL, "a request has one volume");
	}
	free(m.payload);
	ranges_sort(segments);
	return (rc);
}
