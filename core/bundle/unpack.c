#include "bundle/unpack.h"

#include <stdlib.h>

#include "base/pipeline.h"
#include "base/say.h"

struct slot {
	struct unpacked u;
	struct segment_coder *coder;
	uint8_t *plain;
	const char *why; /* why the segment is refused, or NULL */
};

struct unpacking {
	struct unpack *U;
	struct progress progress;
	int rc; /* why it ended before its end, said; 0: it did not */
};

static int
is_end(enum record_type type)
{
	return (type == RECORD_END || type == RECORD_VOLUME_END);
}

static int
fill(void *context, void *slot)
{
	struct unpacking *k = context;
	struct slot *s = slot;

	if (k->U->ended || k->rc != 0)
		return (1);
	/* What came before is handed on all the same: so where a volume ends that was cut short is no matter of chance. */
	if ((k->rc = reader_next(k->U->reader, &s->u.member)) != 0)
		return (1);
	k->U->ended = is_end(s->u.member.record.type);
	return (0);
}

/* Bytes by kind, and the leaves of the data. */
static void
measure(const struct unpack *U, struct unpacked *u)
{
	const uint8_t *p = u->data;
	uint64_t *leaf = u->leaves;

	u->length = u->zero = 0;
	for (uint32_t i = 0; i < u->member.record.extents; i++) {
		const struct extent *e = &u->extents[i];

		if (e->kind != EXTENT_DATA) {
			u->zero += e->length;
			continue;
		}
		u->length += e->length;
		for (uint64_t done = 0; U->secret != NULL && done < e->length; done += LIMIT_BLOCK) {
			uint64_t n = e->length - done < LIMIT_BLOCK ? e->length - done : LIMIT_BLOCK;

			*leaf++ = leaf_of(U->secret, p + done, (size_t)n);
		}
		p += e->length;
	}
}

static int
work(void *context, void *slot)
{
	const struct unpack *U = ((struct unpacking *)context)->U;
	struct slot *s = slot;
	const struct record *R = &s->u.member.record;

	s->why = NULL;
	if (R->type == RECORD_BLOB && segment_check(R, s->u.member.payload) != NULL)
		s->why = "a blob's content is damaged";
	if (R->type != RECORD_SEGMENT)
		return (0);
	if (!U->decode) {
		s->why = segment_check(R, s->u.member.payload);
		return (0);
	}
	s->why = segment_decode(s->coder, U->parts == NULL ? &U->crypt : &U->parts[R->part], R,
	    s->u.member.payload, s->plain, s->u.extents, U->header->disks[R->disk].size);
	if (s->why != NULL)
		return (0);
	s->u.data = s->plain + (size_t)R->extents * EXTENT_SIZE;
	measure(U, &s->u);
	return (0);
}

static const char *
check_totals(const struct unpack *U, const struct slot *s)
{
	const struct trailer *T = reader_trailer(U->reader);

	if (!U->decode)
		return (NULL);
	if (s->u.member.record.type == RECORD_SEGMENT && U->data > U->header->most)
		return ("it holds more data than its header promised");
	/* Of several volumes, this one alone is known here. */
	if (s->u.member.record.type == RECORD_END && T->volumes == 1 &&
	    (T->data != U->data || T->zero != U->zero))
		return ("the end counts other bytes than there are");
	return (NULL);
}

static int
drain(void *context, void *slot)
{
	struct unpacking *k = context;
	struct unpack *U = k->U;
	struct slot *s = slot;

	if (s->why == NULL && s->u.member.record.type == RECORD_SEGMENT && U->decode) {
		U->data += s->u.length;
		U->zero += s->u.zero;
	}
	if (s->why == NULL)
		s->why = check_totals(U, s);
	if (s->why != NULL)
		return (reader_refuse(U->reader, &s->u.member.record, s->why));
	progress_add(&k->progress, s->u.member.record.stored);
	return (U->take == NULL ? 0 : U->take(U->context, &s->u));
}

static void
drop(void *slot)
{
	struct slot *s = slot;

	if (s == NULL)
		return;
	segment_coder_free(s->coder);
	free(s->u.member.payload);
	free(s->u.extents);
	free(s->u.leaves);
	free(s->plain);
	free(s);
}

static int
make(void *context, void **slot)
{
	struct slot *s = calloc(1, sizeof *s);

	(void)context;
	if (s == NULL || (s->u.member.payload = malloc(LIMIT_STORED)) == NULL ||
	    (s->plain = malloc(LIMIT_PLAIN)) == NULL ||
	    (s->u.extents = malloc(LIMIT_EXTENTS * sizeof *s->u.extents)) == NULL ||
	    (s->u.leaves = malloc((LIMIT_DATA / LIMIT_BLOCK + LIMIT_EXTENTS) * sizeof *s->u.leaves)) ==
	        NULL) {
		drop(s);
		return (say_failed("out of memory"));
	}
	if ((s->coder = segment_coder_new(SEGMENT_FAST)) == NULL) {
		drop(s);
		return (-1);
	}
	*slot = s;
	return (0);
}

int
unpack_run(struct unpack *U)
{
	struct unpacking k = { .U = U };
	struct pipeline line = { &k, fill, work, drain, make, drop };
	int rc;

	U->ended = 0;
	progress_start(&k.progress, U->what, U->total);
	rc = pipeline_run(&line);
	progress_end(&k.progress);
	return (rc == 0 ? k.rc : rc);
}
