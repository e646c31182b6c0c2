#include "bundle/mend.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/resync.h"
#include "bundle/segment.h"
#include "frame.h"
#include "base/io.h"
#include "base/say.h"

/* Where a record and its payload lie in the repair. */
struct piece {
	enum record_type type;
	uint64_t number;
	uint64_t offset; /* of a volume: segments before it */
	uint64_t record, payload;
	uint8_t link[RECORD_DIGEST];
	uint8_t hash[RECORD_DIGEST]; /* of a volume's record */
};

struct mend {
	int fd;
	char name[PATH_MAX];
	uint8_t of[RECORD_ID];
	size_t nsegments, nothers, room_segments, room_others;
	struct {
		uint64_t number, record, payload;
	} * segments;         /* ascending */
	struct piece *others; /* all records that are no segments */
};

const uint8_t *
mend_of(const struct mend *M)
{
	return (M->of);
}

void
mend_close(struct mend *M)
{
	if (M == NULL)
		return;
	free(M->segments);
	free(M->others);
	free(M);
}

/* --- reading it --------------------------------------------------------------------------------------- */

/* Room for one more of that size; their number is bounded by that of the blobs. */
static int
grow(void **all, size_t n, size_t *room, size_t size)
{
	size_t more = *room == 0 ? 64 : *room * 2;
	void *new;

	if (n < *room)
		return (0);
	if ((new = realloc(*all, more * size)) == NULL)
		return (say_failed("out of memory"));
	*all = new;
	*room = more;
	return (0);
}

/* The next blob: 0, and where its payload lies; 2 at the end; 1, said; -1. */
static int
next_blob(struct reader *R, struct member *m, uint64_t *at)
{
	int rc;

	do {
		*at = reader_position(R) + FRAME_HEAD + FRAME_TAR;
		if ((rc = reader_next(R, m)) != 0)
			return (rc);
		if (m->record.type == RECORD_END)
			return (2);
		if (m->record.type == RECORD_VOLUME_END)
			return (reader_refuse(R, NULL, "a repair has one volume"));
	} while (m->record.type != RECORD_BLOB);
	if (m->record.codec != RECORD_RAW || m->record.cipher != RECORD_CLEAR ||
	    m->record.plain != m->record.stored)
		return (reader_refuse(R, NULL, "a repair with a packed blob"));
	if (segment_check(&m->record, m->payload) != NULL)
		return (reader_refuse(R, NULL, "a blob is damaged"));
	return (0);
}

static int
has_payload(const struct record *R)
{
	return (R->type == RECORD_HEADER || R->type == RECORD_SEGMENT || R->type == RECORD_END);
}

/* Note what record R with its blobs is. */
static int
note(struct mend *M, const struct reader *in, const struct record *R, const uint8_t raw[RECORD_SIZE],
    uint64_t record, uint64_t payload)
{
	struct piece *p;

	if (R->type == RECORD_SEGMENT) {
		if (M->nsegments > 0 && R->number <= M->segments[M->nsegments - 1].number)
			return (reader_refuse(in, NULL, "the segments of the repair are out of order"));
		if (grow((void **)&M->segments, M->nsegments, &M->room_segments, sizeof *M->segments) != 0)
			return (-1);
		M->segments[M->nsegments].number = R->number;
		M->segments[M->nsegments].record = record;
		M->segments[M->nsegments++].payload = payload;
		return (0);
	}
	if (grow((void **)&M->others, M->nothers, &M->room_others, sizeof *M->others) != 0)
		return (-1);
	p = &M->others[M->nothers++];
	*p = (struct piece){ R->type, R->number, R->offset, record, payload, { 0 }, { 0 } };
	memcpy(p->link, R->link, RECORD_DIGEST);
	record_hash(p->hash, raw);
	return (0);
}

static int
read_pieces(struct mend *M, struct reader *in, struct member *m)
{
	uint8_t raw[RECORD_SIZE];
	uint64_t record, payload;
	struct record R;
	int rc;

	while ((rc = next_blob(in, m, &record)) == 0) {
		memcpy(raw, m->payload, m->record.stored < RECORD_SIZE ? m->record.stored : RECORD_SIZE);
		if (m->record.stored != RECORD_SIZE || record_peek(&R, raw) != 0)
			return (reader_refuse(in, NULL, "a repair with something else than records"));
		if (memcmp(R.bundle, M->of, RECORD_ID) != 0)
			return (reader_refuse(in, NULL, "a repair with records of another bundle"));
		payload = 0;
		if (has_payload(&R)) {
			if ((rc = next_blob(in, m, &payload)) == 1 || rc < 0)
				return (rc);
			if (rc == 2 || m->record.stored != R.stored)
				return (reader_refuse(in, NULL, "a record in a repair without its payload"));
		}
		if ((rc = note(M, in, &R, raw, record, payload)) != 0)
			return (rc);
	}
	return (rc == 2 ? 0 : rc);
}

int
mend_open(struct mend **out, struct infile *F, const struct header *H)
{
	struct member m = { .payload = malloc(LIMIT_STORED) };
	struct mend *M = calloc(1, sizeof *M);
	int rc = 0;

	if (M == NULL || m.payload == NULL)
		rc = say_failed("out of memory");
	if (rc == 0 && H->type != BUNDLE_REPAIR)
		rc = say_refused("%s: is no repair", infile_name(F));
	if (rc == 0 && !io_can_seek(infile_fd(F)))
		rc = say_refused("%s: a repair must be a file", infile_name(F));
	if (rc == 0) {
		M->fd = infile_fd(F);
		memcpy(M->of, H->of, RECORD_ID);
		rc = io_path(M->name, "%s", infile_name(F));
	}
	if (rc == 0)
		rc = read_pieces(M, infile_reader(F), &m);
	free(m.payload);
	if (rc != 0) {
		mend_close(M);
		M = NULL;
	}
	*out = M;
	return (rc);
}

/* --- looking something up ----------------------------------------------------------------------------- */

static int
get(const struct mend *M, void *buf, size_t n, uint64_t at)
{
	ssize_t got = io_pread(M->fd, M->name, buf, n, at);

	return (got < 0 ? -1 : got == (ssize_t)n ? 0 : 1);
}

/* The segment of that number, or nsegments. */
static size_t
find_segment(const struct mend *M, uint64_t number)
{
	size_t low = 0, high = M->nsegments;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (M->segments[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return (low < M->nsegments && M->segments[low].number == number ? low : M->nsegments);
}

/* The header's record: 0; 1 if it is not there; -1. */
static int
header_record(const struct mend *M, uint8_t raw[RECORD_SIZE])
{
	for (size_t i = 0; i < M->nothers; i++)
		if (M->others[i].type == RECORD_HEADER)
			return (get(M, raw, RECORD_SIZE, M->others[i].record));
	return (1);
}

/* The record that follows in the chain C, if that is none of a header or volume: 0; 1; -1. */
static int
next_record(const struct mend *M, const struct chain *C, uint8_t raw[RECORD_SIZE])
{
	size_t i = find_segment(M, C->segments + 1);
	struct record R;
	int rc;

	if (i < M->nsegments) {
		if ((rc = get(M, raw, RECORD_SIZE, M->segments[i].record)) != 0)
			return (rc);
		if (record_peek(&R, raw) == 0 && memcmp(R.link, C->hash, RECORD_DIGEST) == 0)
			return (0);
	}
	for (i = 0; i < M->nothers; i++)
		if (M->others[i].type != RECORD_HEADER && M->others[i].type != RECORD_VOLUME &&
		    memcmp(M->others[i].link, C->hash, RECORD_DIGEST) == 0)
			return (get(M, raw, RECORD_SIZE, M->others[i].record));
	return (1);
}

/* What is known of a volume; zero: not that. */
struct clue {
	const uint8_t *hash; /* the VOLUME's own */
	uint64_t segment;    /* the last volume that starts in front of it */
	uint64_t number;     /* the volume's; UINT64_MAX: the last one */
};

/* The record of the volume that is meant: 0; 1 if there is none, or it is not clear which; -1. */
static int
volume_record(const struct mend *M, const struct clue *c, uint8_t raw[RECORD_SIZE])
{
	const struct piece *found = NULL;
	unsigned n = 0;

	for (size_t i = 0; i < M->nothers; i++) {
		const struct piece *p = &M->others[i];

		if (p->type != RECORD_VOLUME ||
		    (c->hash != NULL && memcmp(p->hash, c->hash, RECORD_DIGEST) != 0) ||
		    (c->segment != 0 && p->offset >= c->segment) ||
		    (c->number != 0 && c->number != UINT64_MAX && p->number != c->number))
			continue;
		n++;
		if (found == NULL || p->number > found->number)
			found = p;
	}
	/* They ascend: of those in front of a segment, and of all, the last one is meant. */
	if (n == 0 || (n > 1 && c->segment == 0 && c->number != UINT64_MAX))
		return (1);
	return (get(M, raw, RECORD_SIZE, found->record));
}

/* Which volume is it, whose record is damaged?  What stands behind it can tell.  0; 1: not known; -1. */
static int
guess_volume(const struct mend *M, const struct chain *C, const uint8_t key[RECORD_KEY],
    const struct mend_place *at, uint8_t raw[RECORD_SIZE])
{
	struct resync r = { .fd = at->fd,
		.name = at->name,
		.keys = (const uint8_t(*)[RECORD_KEY])key,
		.nkeys = 1,
		.budget = RESYNC_BUDGET };
	struct clue c = { .hash = NULL };
	uint64_t from = at->position;
	int rc = volume_record(M, &c, raw);

	if (rc <= 0 || !io_can_seek(at->fd))
		return (rc);
	memcpy(r.bundle, C->bundle, RECORD_ID);
	if (io_size(at->fd, at->name, &r.size) != 0)
		return (-1);
	while ((rc = resync_find(&r, from)) == 0) {
		c.hash = r.at == at->position ? r.record.link : NULL;
		c.segment = r.record.type == RECORD_SEGMENT ? r.record.number : 0;
		c.number = r.record.type == RECORD_VOLUME_END ? r.record.number
		           : r.record.type == RECORD_END      ? UINT64_MAX
		                                              : 0;
		if ((rc = volume_record(M, &c, raw)) <= 0)
			return (rc);
		from = r.at + FRAME_TAR;
	}
	return (rc);
}

/* Is raw a record that key has signed and that follows in C? */
static int
fits(const struct chain *C, const uint8_t key[RECORD_KEY], const uint8_t raw[RECORD_SIZE], struct record *R)
{
	struct chain next = *C;

	return (record_unpack(R, raw, key) == NULL && chain_next(&next, R, raw) == NULL);
}

int
mend_first(const struct mend *M, uint8_t head[FRAME_HEAD])
{
	uint8_t raw[RECORD_SIZE];
	struct record R;
	int rc;

	memcpy(raw, frame_record(head), RECORD_SIZE);
	if (record_unpack(&R, raw, record_claimed_key(raw)) != NULL || R.type != RECORD_HEADER) {
		if ((rc = header_record(M, raw)) < 0)
			return (-1);
		if (rc == 1 || record_unpack(&R, raw, record_claimed_key(raw)) != NULL)
			return (0);
	}
	frame_head(head, &R, raw);
	return (0);
}

int
mend_head(const struct mend *M, const struct chain *C, const uint8_t key[RECORD_KEY],
    const struct mend_place *at, uint8_t head[FRAME_HEAD])
{
	uint8_t raw[RECORD_SIZE];
	struct record R;
	int rc;

	memcpy(raw, frame_record(head), RECORD_SIZE);
	if (!fits(C, key, raw, &R)) {
		rc = C->last == RECORD_HEADER ? guess_volume(M, C, key, at, raw) : next_record(M, C, raw);
		if (rc != 0)
			return (rc);
		if (!fits(C, key, raw, &R))
			return (1);
	}
	frame_head(head, &R, raw);
	return (0);
}

int
mend_payload(const struct mend *M, const struct record *R, uint8_t *payload)
{
	uint64_t at = 0;
	size_t i;
	int rc;

	if (R->type == RECORD_SEGMENT && (i = find_segment(M, R->number)) < M->nsegments)
		at = M->segments[i].payload;
	for (i = 0; R->type != RECORD_SEGMENT && i < M->nothers; i++)
		if (M->others[i].type == R->type)
			at = M->others[i].payload;
	if (at == 0)
		return (1);
	if ((rc = get(M, payload, (size_t)R->stored, at)) != 0)
		return (rc);
	return (segment_check(R, payload) == NULL ? 0 : 1);
}
