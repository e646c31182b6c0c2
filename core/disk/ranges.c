#include "disk/ranges.h"

#include <stdlib.h>

#include "bounds.h"
#include "base/say.h"

void
ranges_free(struct ranges *A)
{
	free(A->runs);
	*A = RANGES_EMPTY;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = ((const struct range *)a)->start, y = ((const struct range *)b)->start;

	return (x < y ? -1 : x > y);
}

/* Join sorted runs, of which there are some, with a gap of at most that many blocks between them. */
static void
coalesce(struct ranges *A, uint64_t gap)
{
	struct range *last = A->runs;

	for (size_t i = 1; i < A->n; i++) {
		const struct range *r = &A->runs[i];

		if (r->start > last->start + last->count + gap)
			*++last = *r;
		else if (r->start + r->count > last->start + last->count)
			last->count = r->start + r->count - last->start;
	}
	A->n = (size_t)(last - A->runs) + 1;
}

void
ranges_sort(struct ranges *A)
{
	if (A->sorted || A->runs == NULL)
		return;
	qsort(A->runs, A->n, sizeof *A->runs, compare);
	coalesce(A, 0);
	A->sorted = 1;
}

/* Make room for one more run, by memory up to the limit and then by joining. */
static int
grow(struct ranges *A)
{
	size_t room = A->room == 0 ? 64 : 2 * A->room;
	struct range *runs;

	if (A->room < RANGES_MAX) {
		if ((runs = realloc(A->runs, room * sizeof *runs)) == NULL)
			return (say_failed("out of memory"));
		A->runs = runs;
		A->room = room;
		return (0);
	}
	ranges_sort(A);
	for (uint64_t gap = 1; A->n > RANGES_MAX / 2; gap *= 4)
		coalesce(A, gap);
	return (0);
}

int
ranges_add(struct ranges *A, uint64_t start, uint64_t count)
{
	struct range *last;

	if (count == 0)
		return (0);
	if (A->n == A->room && grow(A) != 0)
		return (-1);
	if (A->n == 0) {
		A->sorted = 1;
	} else {
		last = &A->runs[A->n - 1];
		if (start == last->start + last->count) {
			last->count += count;
			return (0);
		}
		if (start < last->start + last->count)
			A->sorted = 0;
	}
	A->runs[A->n++] = (struct range){ start, count };
	return (0);
}

int
ranges_add_bytes(struct ranges *A, uint64_t offset, uint64_t length)
{
	uint64_t first = offset / LIMIT_BLOCK, last = (offset + length + LIMIT_BLOCK - 1) / LIMIT_BLOCK;

	return (length == 0 ? 0 : ranges_add(A, first, last - first));
}

/* Both in one pass, into memory that is enough for them: how many runs that makes. */
static size_t
merge(struct range *out, const struct ranges *A, const struct ranges *B)
{
	size_t a = 0, b = 0, n = 0;

	while (a < A->n || b < B->n) {
		const struct range *r = b == B->n || (a < A->n && A->runs[a].start <= B->runs[b].start)
		                            ? &A->runs[a++]
		                            : &B->runs[b++];
		struct range *last = n == 0 ? NULL : &out[n - 1];

		if (last == NULL || r->start > last->start + last->count)
			out[n++] = *r;
		else if (r->start + r->count > last->start + last->count)
			last->count = r->start + r->count - last->start;
	}
	return (n);
}

int
ranges_join(struct ranges *A, const struct ranges *B)
{
	size_t room = 64;
	struct range *runs;

	while (room < A->n + B->n)
		room *= 2;
	if (A->n > 0 && A->sorted && room <= RANGES_MAX) {
		if ((runs = malloc(room * sizeof *runs)) == NULL)
			return (say_failed("out of memory"));
		A->n = merge(runs, A, B);
		free(A->runs);
		A->runs = runs;
		A->room = room;
		return (0);
	}
	for (size_t i = 0; i < B->n; i++)
		if (ranges_add(A, B->runs[i].start, B->runs[i].count) != 0)
			return (-1);
	return (0);
}

size_t
ranges_find(const struct ranges *A, uint64_t block)
{
	size_t low = 0, high = A->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (A->runs[mid].start + A->runs[mid].count <= block)
			low = mid + 1;
		else
			high = mid;
	}
	return (low);
}

uint64_t
ranges_count(const struct ranges *A)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < A->n; i++)
		sum += A->runs[i].count;
	return (sum);
}
