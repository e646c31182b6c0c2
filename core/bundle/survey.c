#include "bundle/survey.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/segment.h"
#include "chain.h"
#include "frame.h"
#include "base/say.h"

#define PIECE (1u << 20)

static const char why_content[] = "the content is damaged", why_frame[] = "the framing around it is damaged",
                  why_record[] = "the record is damaged", why_cut[] = "it is cut short here",
                  why_worn[] = "the medium cannot give it back", why_gone[] = "it is missing";

struct walk {
	struct survey *V;
	struct resync *r;
	uint64_t at;       /* where the next record must stand */
	uint64_t expected; /* the next segment */
	int is_expected;   /* known */
	int has_volume, has_index, has_manifest, is_ended;
	uint64_t hole;       /* where a damage began that was stepped over, plus one; or 0 */
	uint64_t last_hole;  /* the same of the last one */
	uint64_t first_hole; /* and of the first one */
	uint8_t *payload;
};

void
survey_free(struct survey *V)
{
	ranges_free(&V->bad);
	free(V->items);
	memset(V, 0, sizeof *V);
}

static int
note(struct survey *V, const struct survey_item *item)
{
	size_t room = V->room == 0 ? 64 : V->room * 2;
	struct survey_item *new;

	if (V->n == SURVEY_ITEMS) {
		V->more++;
		return (0);
	}
	if (V->n == V->room) {
		if ((new = realloc(V->items, room * sizeof *new)) == NULL)
			return (say_failed("out of memory"));
		V->items = new;
		V->room = room;
	}
	V->items[V->n++] = *item;
	return (0);
}

static int
note_part(struct walk *w, const char *part, uint64_t at, const char *why)
{
	const struct survey_item item = { .part = part, .position = at, .why = why };

	return (note(w->V, &item));
}

/* Segments from expected up to last are gone; the damage began where the walk stood. */
static int
note_missing(struct walk *w, uint64_t last)
{
	struct survey_item item = { .part = "segment",
		.position = w->hole != 0 ? w->hole - 1 : w->at,
		.why = w->hole != 0 ? why_record : why_gone };

	if (!w->is_expected || last < w->expected)
		return (0);
	if (ranges_add(&w->V->bad, w->expected, last - w->expected + 1) != 0)
		return (-1);
	item.number = w->expected;
	item.last = last;
	w->expected = last + 1;
	return (note(w->V, &item));
}

static const char *
why_bad(const struct walk *w, const struct record *R, int is_unread)
{
	if (w->at + frame_size(R->stored) > w->r->size)
		return (why_cut);
	return (is_unread ? why_worn : why_content);
}

/* Is all around the payload of R as it must be?  1, 0, or -1. */
static int
frame_is_good(struct walk *w, const struct record *R)
{
	uint64_t at = w->at + FRAME_HEAD;
	size_t pad = frame_padding(R->stored);
	uint8_t head[FRAME_HEAD];
	int is_bad;

	if (resync_read(w->r, head, FRAME_HEAD, w->at, &is_bad) != 0)
		return (-1);
	if (frame_check_head(head, R) != NULL)
		return (0);
	if (R->stored == 0)
		return (1);
	if (resync_read(w->r, head, FRAME_TAR, at, &is_bad) != 0)
		return (-1);
	if (frame_check_payload(head, R) != NULL)
		return (0);
	if (resync_read(w->r, head, pad, at + FRAME_TAR + R->stored, &is_bad) != 0)
		return (-1);
	return (!is_bad && sodium_is_zero(head, pad));
}

/* Read the payload of R, of bounded length: why it is bad, or NULL; -1 in *rc. */
static const char *
take_payload(struct walk *w, const struct record *R, int *rc)
{
	int is_bad;

	*rc = resync_read(w->r, w->payload, (size_t)R->stored, w->at + FRAME_HEAD + FRAME_TAR, &is_bad);
	if (*rc != 0)
		return (NULL);
	return (is_bad || segment_check(R, w->payload) != NULL ? why_bad(w, R, is_bad) : NULL);
}

/* The same of a table, which may be long. */
static const char *
take_table(struct walk *w, const struct record *R, int *rc)
{
	uint64_t at = w->at + FRAME_HEAD + FRAME_TAR, left = R->stored;
	uint8_t digest[RECORD_DIGEST];
	crypto_generichash_state h;
	int is_bad = 0, any_bad = 0;

	crypto_generichash_init(&h, NULL, 0, RECORD_DIGEST);
	for (*rc = 0; left > 0 && *rc == 0;) {
		size_t n = left < PIECE ? (size_t)left : PIECE;

		*rc = resync_read(w->r, w->payload, n, at, &is_bad);
		any_bad |= is_bad;
		crypto_generichash_update(&h, w->payload, n);
		at += n;
		left -= n;
		/* A length that lies is no work. */
		if (at > w->r->size)
			break;
	}
	crypto_generichash_final(&h, digest, RECORD_DIGEST);
	return (any_bad || memcmp(digest, R->digest, RECORD_DIGEST) != 0 ? why_bad(w, R, any_bad) : NULL);
}

/* --- the records -------------------------------------------------------------------------------------- */

static int
take_segment(struct walk *w, const struct record *R)
{
	struct survey_item item = { .part = "segment",
		.number = R->number,
		.last = R->number,
		.is_covered = 1,
		.disk = R->disk,
		.offset = R->offset,
		.span = R->span,
		.position = w->at };
	int rc = 0, is_good;

	if (R->number < w->expected)
		return (note_part(w, "segment", w->at, "one that does not belong here"));
	if (note_missing(w, R->number - 1) != 0)
		return (-1);
	w->expected = R->number + 1;
	item.why = take_payload(w, R, &rc);
	if (rc != 0)
		return (-1);
	if (item.why != NULL)
		return (ranges_add(&w->V->bad, R->number, 1) != 0 ? -1 : note(w->V, &item));
	w->V->good++;
	if ((is_good = frame_is_good(w, R)) != 0)
		return (is_good < 0 ? -1 : 0);
	item.part = "framing";
	item.why = why_frame;
	return (note(w->V, &item));
}

static int
take_table_record(struct walk *w, const struct record *R)
{
	const char *part = R->type == RECORD_INDEX ? "index" : "manifest", *why;
	int rc, is_good;

	if (R->type == RECORD_INDEX) {
		w->has_index = 1;
		if (note_missing(w, w->V->before + R->stored / CHAIN_ENTRY) != 0)
			return (-1);
	} else {
		w->has_manifest = 1;
	}
	why = take_table(w, R, &rc);
	if (rc != 0)
		return (-1);
	if (why != NULL)
		return (note_part(w, part, w->at, why));
	if (R->type == RECORD_INDEX) {
		w->V->index = *R;
		w->V->index_at = w->at + FRAME_HEAD + FRAME_TAR;
	}
	if ((is_good = frame_is_good(w, R)) < 0)
		return (-1);
	return (is_good ? 0 : note_part(w, part, w->at, why_frame));
}

/* The zeroes behind the last record, and that nothing follows. */
static int
take_trailer(struct walk *w, const struct record *R)
{
	uint64_t at = w->at + frame_size(R->stored);
	uint8_t zeroes[FRAME_TRAILER];
	int is_bad;

	if (resync_read(w->r, zeroes, sizeof zeroes, at, &is_bad) != 0)
		return (-1);
	if (is_bad || !sodium_is_zero(zeroes, sizeof zeroes))
		return (note_part(w, "end", at, "the zeroes that close the archive are damaged"));
	return (w->r->size == at + FRAME_TRAILER
	            ? 0
	            : note_part(w, "end", at + FRAME_TRAILER, "something stands behind the bundle"));
}

static int
take_end(struct walk *w, const struct record *R)
{
	struct trailer *T = calloc(1, sizeof *T);
	const char *why = NULL;
	int rc = 0, is_good;

	if (T == NULL)
		return (say_failed("out of memory"));
	w->is_ended = 1;
	if (R->type == RECORD_VOLUME_END)
		rc = note_missing(w, R->offset);
	else if ((why = take_payload(w, R, &rc)) == NULL && rc == 0 && w->V->has_header &&
	         trailer_decode(T, &w->V->header, (const char *)w->payload, (size_t)R->stored) == NULL)
		rc = note_missing(w, T->segments);
	free(T);
	if (rc != 0)
		return (-1);
	if (why != NULL)
		return (note_part(w, "end", w->at, why));
	if ((is_good = frame_is_good(w, R)) < 0 || (!is_good && note_part(w, "end", w->at, why_frame) != 0))
		return (-1);
	return (take_trailer(w, R));
}

static int
take_header(struct walk *w, const struct record *R)
{
	const char *why;
	int rc, is_good;

	if (w->at != 0)
		return (note_part(w, "header", w->at, "one that does not belong here"));
	why = take_payload(w, R, &rc);
	if (rc != 0)
		return (-1);
	if (why == NULL && header_decode(&w->V->header, (const char *)w->payload, (size_t)R->stored) != NULL)
		why = why_content;
	w->V->has_header = why == NULL;
	if (why == NULL) {
		if ((is_good = frame_is_good(w, R)) < 0)
			return (-1);
		why = is_good ? NULL : why_frame;
	}
	return (why == NULL ? 0 : note_part(w, "header", w->at, why));
}

static int
take_volume(struct walk *w, const struct record *R)
{
	int is_good = frame_is_good(w, R);

	w->has_volume = 1;
	w->V->volume = (uint32_t)R->number;
	w->V->before = R->offset;
	w->expected = R->offset + 1;
	w->is_expected = 1;
	if (is_good < 0)
		return (-1);
	return (is_good ? 0 : note_part(w, "volume record", w->at, why_frame));
}

static int
take_blob(struct walk *w, const struct record *R)
{
	const char *why;
	int rc;

	why = take_payload(w, R, &rc);
	if (rc != 0)
		return (-1);
	return (why == NULL ? 0 : note_part(w, "blob", w->at, why));
}

/*
 * The volume record is gone, and R stands behind it: how many segments are in front of the volume?  So many as up to
 * its end, less those that its index has; 0 where that is not known.  0 or -1.
 */
static int
guess_before(struct walk *w, const struct record *R)
{
	struct resync r = *w->r;
	uint64_t from = w->at, last = 0, after = 0, count = UINT64_MAX;
	int rc;

	while ((rc = resync_find(&r, from)) == 0 && r.record.type != RECORD_END) {
		if (r.record.type == RECORD_SEGMENT)
			last = r.record.number;
		if (r.record.type == RECORD_INDEX) {
			count = r.record.stored / CHAIN_ENTRY;
			after = r.at == from ? last : 0;
		}
		if (r.record.type == RECORD_VOLUME_END)
			after = r.record.offset;
		if (count != UINT64_MAX && after != 0)
			break;
		from = r.at + frame_size(r.record.stored);
	}
	if (rc < 0)
		return (-1);
	w->V->before = after > count ? after - count : 0;
	/* If nothing but that record is missing, R is the first segment. */
	if (w->V->before == 0 && R->type == RECORD_SEGMENT && w->hole != 0 &&
	    w->at == w->hole - 1 + FRAME_HEAD)
		w->V->before = R->number - 1;
	w->expected = w->V->before + 1;
	w->is_expected = 1;
	return (0);
}

static int
take_record(struct walk *w, const struct record *R)
{
	if (!w->is_expected && R->type != RECORD_HEADER && R->type != RECORD_VOLUME &&
	    guess_before(w, R) != 0)
		return (-1);
	switch (R->type) {
	case RECORD_HEADER:
		return (take_header(w, R));
	case RECORD_VOLUME:
		return (take_volume(w, R));
	case RECORD_SEGMENT:
		return (take_segment(w, R));
	case RECORD_INDEX:
	case RECORD_MANIFEST:
		return (take_table_record(w, R));
	case RECORD_END:
	case RECORD_VOLUME_END:
		return (take_end(w, R));
	case RECORD_BLOB:
		return (take_blob(w, R));
	}
	return (0);
}

/* --- the walk ----------------------------------------------------------------------------------------- */

/* Where the walk is, no record is: step to the next one.  0; 1 if there is none; -1. */
static int
step_over(struct walk *w)
{
	int rc;

	if (w->hole == 0)
		w->hole = w->last_hole = w->at + 1;
	if (w->first_hole == 0)
		w->first_hole = w->hole;
	if (w->at == 0 && note_part(w, "header", 0, why_record) != 0)
		return (-1);
	rc = resync_find(w->r, w->at + FRAME_TAR);
	if (rc == 0)
		w->at = w->r->at;
	return (rc);
}

/* One record, or one damage: 0; 1 where nothing more is to be found; -1. */
static int
step(struct walk *w)
{
	struct record R;
	int rc = resync_look(w->r, w->at);

	if (rc == 1)
		return (step_over(w));
	if (rc != 0)
		return (-1);
	R = w->r->record;
	if (!w->V->has_bundle) {
		memcpy(w->V->bundle, R.bundle, RECORD_ID);
		memcpy(w->V->key, w->r->key, RECORD_KEY);
		memcpy(w->r->bundle, R.bundle, RECORD_ID);
		w->V->has_bundle = 1;
		w->r->keys = (const uint8_t(*)[RECORD_KEY])w->V->key;
		w->r->nkeys = 1;
	}
	rc = take_record(w, &R);
	w->hole = 0;
	w->at += frame_size(R.stored);
	return (rc);
}

/* What was to come and did not. */
static int
note_rest(struct walk *w)
{
	uint64_t at = w->last_hole != 0 ? w->last_hole - 1 : w->at;

	if (!w->V->has_bundle)
		return (0);
	if (!w->has_volume &&
	    note_part(w, "volume record", w->first_hole != 0 ? w->first_hole - 1 : w->at, why_record) != 0)
		return (-1);
	if (!w->is_expected || (!w->has_index && !w->is_ended))
		w->V->open = w->is_expected ? w->expected : 1;
	if ((!w->has_index && note_part(w, "index", at, why_gone) != 0) ||
	    (!w->has_manifest && note_part(w, "manifest", at, why_gone) != 0))
		return (-1);
	return (w->is_ended ? 0 : note_part(w, "end", at, why_gone));
}

/* A run of missing segments, each by itself with what the index says of it. */
static int
explain(struct survey *V, const struct resync *r, const struct survey_item *run)
{
	struct survey_item item = *run;
	uint8_t entry[CHAIN_ENTRY];
	struct record R;
	int is_bad = 0, rc = 0;

	for (item.number = run->number; rc == 0 && item.number <= run->last; item.number++) {
		uint64_t i = item.number - V->before - 1;

		if (V->n == SURVEY_ITEMS) {
			V->more += run->last - item.number + 1;
			return (0);
		}
		if (resync_read(r, entry, sizeof entry, V->index_at + i * CHAIN_ENTRY, &is_bad) != 0)
			return (-1);
		item.last = item.number;
		item.position = chain_entry_read(&R, entry);
		item.disk = R.disk;
		item.offset = R.offset;
		item.span = R.span;
		item.is_covered = 1;
		rc = note(V, &item);
	}
	return (rc);
}

/* Say of missing segments what they held, where the index is whole. */
static int
explain_all(struct survey *V, const struct resync *r)
{
	struct survey_item *old = V->items;
	size_t n = V->n;
	int rc = 0;

	V->items = NULL;
	V->n = V->room = 0;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		int is_run = strcmp(old[i].part, "segment") == 0 && old[i].number > V->before &&
		             !old[i].is_covered && V->index_at != 0 &&
		             old[i].last - V->before <= V->index.stored / CHAIN_ENTRY;

		rc = is_run ? explain(V, r, &old[i]) : note(V, &old[i]);
	}
	free(old);
	return (rc);
}

int
survey_run(struct survey *V, struct resync *r)
{
	struct walk w = { .V = V, .r = r, .payload = malloc(LIMIT_STORED) };
	int rc = 0;

	memset(V, 0, sizeof *V);
	r->budget = RESYNC_BUDGET;
	memset(r->bundle, 0, RECORD_ID);
	if (w.payload == NULL)
		return (say_failed("out of memory"));
	while (!w.is_ended && (rc = step(&w)) == 0)
		;
	if (rc >= 0)
		rc = note_rest(&w);
	/* Nothing in it is known: it is not for us to say what is wrong with it. */
	if (!V->has_bundle)
		V->n = V->more = 0;
	if (rc == 0)
		rc = explain_all(V, r);
	ranges_sort(&V->bad);
	free(w.payload);
	if (rc != 0)
		survey_free(V);
	return (rc);
}
