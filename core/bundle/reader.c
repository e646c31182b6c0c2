#include "bundle/reader.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "frame.h"
#include "bundle/mend.h"
#include "bundle/segment.h"
#include "base/io.h"
#include "base/say.h"

#define TABLE_PIECE (1u << 20) /* bytes of a table read at a time */

struct reader {
	int fd;
	char name[PATH_MAX];
	int is_quiet;
	int is_worn_allowed;
	const struct mend *mend;
	int can_seek;             /* where there is a mend: it is read by position */
	int is_bad;               /* and some of what was read last is not there */
	int is_cut;               /* it ended where more had to come */
	int has_head;             /* the next record's head was read into head already */
	uint64_t position;        /* bytes read */
	uint8_t head[FRAME_HEAD]; /* of the first record, between start and header */
	uint8_t key[RECORD_KEY];
	struct chain chain;
	uint64_t stored; /* bytes of payload in the segments so far */
	struct header header;
	struct trailer trailer;
};

struct reader *
reader_new(int fd, const char *name)
{
	struct reader *R = calloc(1, sizeof *R);

	if (R == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	R->fd = fd;
	chain_init(&R->chain);
	if (io_path(R->name, "%s", name) != 0) {
		free(R);
		return (NULL);
	}
	return (R);
}

void
reader_free(struct reader *R)
{
	free(R);
}

uint64_t
reader_position(const struct reader *R)
{
	return (R->position);
}

const struct chain_volume *
reader_volume(const struct reader *R)
{
	return (&R->chain.volume);
}

uint64_t
reader_stored(const struct reader *R)
{
	return (R->stored);
}

uint64_t
reader_good(const struct reader *R)
{
	return (R->chain.position);
}

void
reader_set_quiet(struct reader *R)
{
	R->is_quiet = 1;
}

const struct trailer *
reader_trailer(const struct reader *R)
{
	return (&R->trailer);
}

int
reader_refuse(const struct reader *R, const struct record *m, const char *why)
{
	if (R->is_quiet)
		return (1);
	if (m != NULL && m->type == RECORD_SEGMENT)
		return (say_refused("%s: segment %" PRIu64 " (disk %u, byte %" PRIu64 "): %s", R->name,
		    m->number, m->disk, m->offset, why));
	return (say_refused("%s: before byte %" PRIu64 ": %s", R->name, R->position, why));
}

void
reader_use_mend(struct reader *R, const struct mend *M)
{
	R->mend = M;
	R->can_seek = io_can_seek(R->fd);
}

void
reader_allow_worn(struct reader *R)
{
	R->is_worn_allowed = 1;
}

/* Read n bytes of a bundle that is mended: what is missing is zero, and known to be bad.  0 or -1. */
static int
get_damaged(struct reader *R, void *buf, size_t n)
{
	int is_worn;
	ssize_t got = io_read_worn(R->fd, R->name, buf, n, R->can_seek ? R->position : IO_STREAM, &is_worn);

	if (got < 0)
		return (-1);
	R->position += n;
	if ((size_t)got < n) {
		R->is_bad = 1;
		memset((uint8_t *)buf + got, 0, n - (size_t)got);
	}
	return (0);
}

/* Read exactly n bytes: 0; 1 if the bundle ends before; -1. */
static int
get(struct reader *R, void *buf, size_t n)
{
	int is_worn = 0;
	ssize_t got;

	if (R->mend != NULL)
		return (get_damaged(R, buf, n));
	got = R->is_worn_allowed ? io_read_worn(R->fd, R->name, buf, n, IO_STREAM, &is_worn)
	                         : io_read(R->fd, R->name, buf, n);
	if (got < 0)
		return (-1);
	R->position += (uint64_t)got;
	if (is_worn)
		return (reader_refuse(R, NULL, "the medium cannot give back what is there"));
	if ((size_t)got < n) {
		R->is_cut = 1;
		return (reader_refuse(R, NULL, "the bundle is cut short; get it again"));
	}
	return (0);
}

int
reader_start(struct reader *R, uint8_t key[RECORD_KEY])
{
	int rc = get(R, R->head, FRAME_HEAD);

	if (rc == 0 && R->mend != NULL)
		rc = mend_first(R->mend, R->head);
	if (rc != 0)
		return (rc);
	memcpy(key, record_claimed_key(frame_record(R->head)), RECORD_KEY);
	memcpy(R->key, key, RECORD_KEY);
	return (0);
}

const uint8_t *
reader_key(const struct reader *R)
{
	return (R->key);
}

int
reader_is_rest(const struct reader *R, uint8_t bundle[RECORD_ID])
{
	return (record_claims_rest(frame_record(R->head), bundle));
}

int
reader_continue(struct reader *R, const struct member *header, const struct chain *C, uint64_t stored)
{
	const char *why =
	    header_decode(&R->header, (const char *)header->payload, (size_t)header->record.stored);

	if (why != NULL)
		return (reader_refuse(R, NULL, why));
	memcpy(R->key, header->record.link, RECORD_KEY);
	R->chain = *C;
	R->stored = stored;
	R->has_head = 1;
	return (0);
}

const struct header *
reader_get_header(const struct reader *R)
{
	return (&R->header);
}

int
reader_is_cut(const struct reader *R)
{
	return (R->is_cut);
}

/* The record in a head that was read: its signature, its frame and its place. */
static int
take_record(struct reader *R, const uint8_t head[FRAME_HEAD], struct member *m)
{
	const char *why;

	memcpy(m->raw, frame_record(head), RECORD_SIZE);
	if ((why = record_unpack(&m->record, m->raw, R->key)) != NULL ||
	    (why = frame_check_head(head, &m->record)) != NULL ||
	    (why = chain_next(&R->chain, &m->record, m->raw)) != NULL)
		return (reader_refuse(R, NULL, why));
	return (0);
}

static int
take_padding(struct reader *R, uint64_t n)
{
	uint8_t pad[FRAME_TAR];
	int rc = get(R, pad, frame_padding(n));

	if (rc == 0 && !sodium_is_zero(pad, frame_padding(n)))
		rc = reader_refuse(R, NULL, "the padding behind a payload is not zero");
	return (rc);
}

/* The same where there is a mend: what stands around it does not matter. */
static int
take_damaged_payload(struct reader *R, struct member *m)
{
	uint8_t frame[FRAME_TAR];
	int rc;

	if (get(R, frame, FRAME_TAR) != 0)
		return (-1);
	R->is_bad = 0;
	if (get(R, m->payload, (size_t)m->record.stored) != 0)
		return (-1);
	if (R->is_bad || segment_check(&m->record, m->payload) != NULL) {
		if ((rc = mend_payload(R->mend, &m->record, m->payload)) < 0)
			return (-1);
		if (rc == 1)
			return (reader_refuse(R, &m->record,
			    "it is damaged, and the repair does not have it; ask with 'vmferry verify "
			    "--request'"));
	}
	return (get(R, frame, frame_padding(m->record.stored)));
}

/* The payload of a segment, the header or the end, whole: its length was checked with the record. */
static int
take_payload(struct reader *R, struct member *m)
{
	uint8_t tar[FRAME_TAR];
	const char *why;
	int rc;

	if (m->record.stored == 0)
		return (0);
	if (R->mend != NULL)
		return (take_damaged_payload(R, m));
	if ((rc = get(R, tar, sizeof tar)) != 0)
		return (rc);
	if ((why = frame_check_payload(tar, &m->record)) != NULL)
		return (reader_refuse(R, NULL, why));
	if ((rc = get(R, m->payload, (size_t)m->record.stored)) != 0)
		return (rc);
	return (take_padding(R, m->record.stored));
}

/* A table where there is a mend: it follows from the records, so nobody has to see it. */
static int
pass_table(struct reader *R, struct member *m)
{
	uint64_t left = frame_size(m->record.stored) - FRAME_HEAD;

	if (R->can_seek) {
		R->position += left;
		return (0);
	}
	while (left > 0) {
		size_t n = left < TABLE_PIECE ? (size_t)left : TABLE_PIECE;

		if (get(R, m->payload, n) != 0)
			return (-1);
		left -= n;
	}
	return (0);
}

/* The payload of the index or manifest, piece by piece: the chain knows its length and digest already. */
static int
take_table(struct reader *R, struct member *m)
{
	uint8_t tar[FRAME_TAR], digest[RECORD_DIGEST];
	uint64_t left = m->record.stored;
	crypto_generichash_state h;
	const char *why;
	int rc;

	if (R->mend != NULL)
		return (pass_table(R, m));
	crypto_generichash_init(&h, NULL, 0, RECORD_DIGEST);
	if (left > 0) {
		if ((rc = get(R, tar, sizeof tar)) != 0)
			return (rc);
		if ((why = frame_check_payload(tar, &m->record)) != NULL)
			return (reader_refuse(R, NULL, why));
	}
	while (left > 0) {
		size_t n = left < TABLE_PIECE ? (size_t)left : TABLE_PIECE;

		if ((rc = get(R, m->payload, n)) != 0)
			return (rc);
		crypto_generichash_update(&h, m->payload, n);
		left -= n;
	}
	crypto_generichash_final(&h, digest, RECORD_DIGEST);
	if (memcmp(digest, m->record.digest, RECORD_DIGEST) != 0)
		return (reader_refuse(R, NULL, "the index or the manifest is damaged"));
	return (take_padding(R, m->record.stored));
}

/* The two blocks of zeroes, and then nothing. */
static int
take_trailer(struct reader *R)
{
	uint8_t zeroes[FRAME_TRAILER];
	int rc = get(R, zeroes, sizeof zeroes);
	ssize_t more;

	if (rc != 0 || R->mend != NULL)
		return (rc);
	if (!sodium_is_zero(zeroes, sizeof zeroes))
		return (reader_refuse(R, NULL, "the archive does not end where the bundle does"));
	if ((more = io_read(R->fd, R->name, zeroes, 1)) < 0)
		return (-1);
	return (more == 0 ? 0 : reader_refuse(R, NULL, "something stands behind the bundle"));
}

static const char *
check_text(const struct member *m)
{
	uint8_t digest[RECORD_DIGEST];

	crypto_generichash(digest, RECORD_DIGEST, m->payload, m->record.stored, NULL, 0);
	return (memcmp(digest, m->record.digest, RECORD_DIGEST) == 0 ? NULL : "the text is damaged");
}

int
reader_header(struct reader *R, struct member *m, const struct header **H)
{
	const char *why;
	int rc;

	if ((rc = take_record(R, R->head, m)) != 0 || (rc = take_payload(R, m)) != 0)
		return (rc);
	if ((why = check_text(m)) != NULL ||
	    (why = header_decode(&R->header, (const char *)m->payload, (size_t)m->record.stored)) != NULL)
		return (reader_refuse(R, NULL, why));
	if (memcmp(R->header.id, m->record.bundle, RECORD_ID) != 0)
		return (reader_refuse(R, NULL, "the header is that of another bundle"));
	if (R->mend != NULL && memcmp(R->header.id, mend_of(R->mend), RECORD_ID) != 0)
		return (reader_refuse(R, NULL, "the repair is for another bundle"));
	*H = &R->header;
	return (0);
}

static int
take_end(struct reader *R, struct member *m)
{
	const char *why;

	if ((why = check_text(m)) != NULL ||
	    (why = trailer_decode(
	         &R->trailer, &R->header, (const char *)m->payload, (size_t)m->record.stored)) != NULL)
		return (reader_refuse(R, NULL, why));
	if (R->trailer.segments != R->chain.segments)
		return (reader_refuse(R, NULL, "the end counts other segments than there are"));
	if (R->trailer.volumes != R->chain.volume.number)
		return (reader_refuse(R, NULL, "the end counts other volumes than there are"));
	if (R->trailer.data > R->header.most)
		return (reader_refuse(R, NULL, "it holds more data than its header promised"));
	/* Of several volumes, this one alone is known here. */
	if (R->trailer.volumes == 1 ? R->trailer.stored != R->stored : R->trailer.stored < R->stored)
		return (reader_refuse(R, NULL, "the end counts other bytes than there are"));
	return (take_trailer(R));
}

/* Have the head of the next record at hand. */
static int
need_head(struct reader *R)
{
	struct mend_place at = { R->fd, R->name, 0 };
	int rc = R->has_head ? 0 : get(R, R->head, FRAME_HEAD);

	if (rc == 0 && R->mend != NULL && !R->has_head) {
		at.position = R->position;
		rc = mend_head(R->mend, &R->chain, R->key, &at, R->head);
		if (rc == 1)
			return (reader_refuse(R, NULL,
			    "the record is damaged, and the repair does not have it; ask with 'vmferry "
			    "verify "
			    "--request'"));
	}
	R->has_head = rc == 0;
	return (rc);
}

int
reader_peek_volume(struct reader *R, uint32_t *number)
{
	struct record V;
	const char *why;
	int rc = need_head(R);

	if (rc != 0)
		return (rc);
	if ((why = record_unpack(&V, frame_record(R->head), R->key)) != NULL)
		return (reader_refuse(R, NULL, why));
	if (V.type != RECORD_VOLUME)
		return (reader_refuse(R, NULL, "no volume record follows the header"));
	*number = (uint32_t)V.number;
	return (0);
}

/* The next record, and all but its payload. */
static int
next_record(struct reader *R, struct member *m)
{
	int rc = need_head(R);

	R->has_head = 0;
	if (rc != 0 || (rc = take_record(R, R->head, m)) != 0)
		return (rc);
	if (m->record.type == RECORD_BLOB && !header_has_blobs(&R->header))
		return (reader_refuse(R, NULL, "a blob in a bundle that has none"));
	if (m->record.type != RECORD_SEGMENT)
		return (0);
	if (!header_leads(R->header.type))
		return (reader_refuse(R, NULL, "a segment in a bundle that has none"));
	if (m->record.disk >= R->header.ndisks)
		return (reader_refuse(R, NULL, "a segment of a disk that the header does not name"));
	if (m->record.part > 0 && m->record.part >= R->header.nparts)
		return (reader_refuse(R, NULL, "a segment of a part that the header does not name"));
	R->stored += m->record.stored;
	return (0);
}

/* The payload of any record but a segment's. */
static int
rest_of_record(struct reader *R, struct member *m)
{
	int rc;

	if (m->record.type == RECORD_INDEX || m->record.type == RECORD_MANIFEST)
		return (take_table(R, m));
	rc = take_payload(R, m);
	if (rc == 0 && m->record.type == RECORD_END)
		rc = take_end(R, m);
	if (rc == 0 && m->record.type == RECORD_VOLUME_END)
		rc = take_trailer(R);
	return (rc);
}

int
reader_skip(struct reader *R, struct member *m)
{
	uint64_t n;
	int rc = next_record(R, m);

	if (rc != 0 || m->record.type != RECORD_SEGMENT || R->mend != NULL)
		return (rc == 0 ? rest_of_record(R, m) : rc);
	n = FRAME_TAR + m->record.stored + frame_padding(m->record.stored);
	if (!io_skip(R->fd, n))
		return (take_payload(R, m));
	R->position += n;
	return (0);
}

int
reader_next(struct reader *R, struct member *m)
{
	int rc = next_record(R, m);

	if (rc != 0 || m->record.type != RECORD_SEGMENT)
		return (rc == 0 ? rest_of_record(R, m) : rc);
	return (take_payload(R, m));
}
