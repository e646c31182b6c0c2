#include "bundle/cover.h"

#define BATCH 512u /* extents of a higher segment at a time */

/* Where it ends, rounded up: a block at the end of a disk counts whole. */
static uint64_t
end_of(uint64_t offset, uint64_t length)
{
	return ((offset + length + LIMIT_BLOCK - 1) / LIMIT_BLOCK * LIMIT_BLOCK);
}

/* Does a end before s begins; does it begin behind the end of s? */
static int
is_before(const struct note *a, const struct note *s)
{
	return (a->disk < s->disk || (a->disk == s->disk && end_of(a->offset, a->span) <= s->offset));
}

static int
is_behind(const struct note *a, const struct note *s)
{
	return (a->disk > s->disk || (a->disk == s->disk && a->offset >= end_of(s->offset, s->span)));
}

void
cover_begin(struct cover *C)
{
	for (unsigned q = 0; q < C->n; q++) {
		C->layers[q].at = 0;
		C->layers[q].page.n = 0;
	}
}

/* Note i of a layer, or NULL, said. */
static const struct note *
get(struct cover *C, unsigned q, uint64_t i)
{
	return (foldmap_get(C->catalog, &C->layers[q].page, C->layers[q].first + i));
}

/* Step to the first segment of a layer that does not end before s.  1 if it overlaps s, 0; -1. */
static int
advance(struct cover *C, unsigned q, const struct note *s)
{
	struct cover_layer *L = &C->layers[q];
	const struct note *a;

	for (; L->at < L->n; L->at++) {
		if ((a = get(C, q, L->at)) == NULL)
			return (-1);
		if (!is_before(a, s))
			return (!is_behind(a, s));
	}
	return (0);
}

static int
is_touched(struct cover *C, unsigned layer, const struct note *s, unsigned from)
{
	int rc = 0;

	for (unsigned q = from; rc == 0 && q < C->n; q++)
		if (q != layer)
			rc = advance(C, q, s);
	return (rc);
}

int
cover_is_below(struct cover *C, unsigned layer, const struct note *s)
{
	return (is_touched(C, layer, s, layer + 1));
}

int
cover_is_touched(struct cover *C, unsigned layer, const struct note *s)
{
	return (is_touched(C, layer, s, 0));
}

/* Move *done on over the segments of layer q that begin at or before it, stepping *i over them: 1 if it moved. */
static int
extend(struct cover *C, unsigned q, const struct note *s, uint64_t *i, uint64_t *done)
{
	int moved = 0;

	for (; *i < C->layers[q].n; ++*i) {
		const struct note *a = get(C, q, *i);

		if (a == NULL)
			return (-1);
		if (a->disk != s->disk || a->offset > *done)
			break;
		if (a->extents == 1 && end_of(a->offset, a->span) > *done) {
			*done = end_of(a->offset, a->span);
			moved = 1;
		}
	}
	return (moved);
}

int
cover_hides(struct cover *C, unsigned layer, const struct note *s)
{
	uint64_t at[LIMIT_PARTS], done = s->offset, end = end_of(s->offset, s->span);
	int moved = 1, rc;

	for (unsigned q = layer + 1; q < C->n; q++) {
		if (advance(C, q, s) < 0)
			return (-1);
		at[q] = C->layers[q].at;
	}
	while (moved && done < end) {
		moved = 0;
		for (unsigned q = layer + 1; q < C->n; q++) {
			if ((rc = extend(C, q, s, &at[q], &done)) < 0)
				return (-1);
			moved |= rc;
		}
	}
	return (done >= end);
}

void
cover_count(struct cover_units *u)
{
	u->n = u->nhidden = 0;
	for (uint32_t i = 0; i < u->nextents; i++) {
		const struct extent *e = &u->extents[i];
		uint64_t n =
		    e->kind == EXTENT_DATA ? (end_of(e->offset, e->length) - e->offset) / LIMIT_BLOCK : 1;

		u->first[i] = u->n;
		for (uint64_t k = 0; k < n; k++)
			u->is_hidden[u->n++] = 0;
	}
}

int
cover_extents(const struct cover *C, const struct note *s, struct cover_units *u)
{
	u->nextents = s->extents;
	if (s->extents == 1) {
		u->extents[0] =
		    (struct extent){ s->offset, s->span, s->data > 0 ? EXTENT_DATA : EXTENT_ZERO };
	} else if (s->table == 0) {
		return (0);
	} else if (foldmap_extents(C->catalog, s, 0, s->extents, u->extents) < 0) {
		return (-1);
	}
	cover_count(u);
	return (1);
}

static void
hide_unit(struct cover_units *u, uint64_t i)
{
	u->nhidden += !u->is_hidden[i];
	u->is_hidden[i] = 1;
}

/* Hide what lies between two offsets. */
static void
hide(struct cover_units *u, uint64_t from, uint64_t to)
{
	uint32_t low = 0, high = u->nextents;

	/* The first extent that ends behind from. */
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (u->extents[mid].offset + u->extents[mid].length <= from)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < u->nextents && u->extents[low].offset < to; low++) {
		const struct extent *e = &u->extents[low];
		uint64_t end = end_of(e->offset, e->length);
		uint64_t a = from > e->offset ? from : e->offset, b = to < end ? to : end;

		if (e->kind != EXTENT_DATA) {
			if (a == e->offset && b == end)
				hide_unit(u, u->first[low]);
			continue;
		}
		for (; a < b; a += LIMIT_BLOCK)
			hide_unit(u, u->first[low] + (a - e->offset) / LIMIT_BLOCK);
	}
}

/* Hide what lies below the segment a. */
static int
hide_below(const struct cover *C, const struct note *a, struct cover_units *u)
{
	struct extent e[BATCH];

	if (a->extents == 1) {
		hide(u, a->offset, end_of(a->offset, a->span));
		return (0);
	}
	for (uint32_t done = 0; a->table != 0 && done < a->extents;) {
		int n = foldmap_extents(C->catalog, a, done, BATCH, e);

		if (n < 0)
			return (-1);
		for (int i = 0; i < n; i++)
			hide(u, e[i].offset, end_of(e[i].offset, e[i].length));
		done += (uint32_t)n;
	}
	return (0);
}

int
cover_hide(struct cover *C, unsigned layer, const struct note *s, struct cover_units *u)
{
	for (unsigned q = layer + 1; q < C->n; q++) {
		if (advance(C, q, s) < 0)
			return (-1);
		for (uint64_t i = C->layers[q].at; i < C->layers[q].n && u->nhidden < u->n; i++) {
			const struct note *a = get(C, q, i);

			if (a == NULL)
				return (-1);
			if (is_behind(a, s))
				break;
			if (hide_below(C, a, u) != 0)
				return (-1);
		}
	}
	return (0);
}
