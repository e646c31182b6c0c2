#include "disk/scan.h"

#include <stdlib.h>

#include "bounds.h"
#include "base/pipeline.h"
#include "base/say.h"

#define BLOCKS 256u /* in one piece of work */

struct scan {
	const struct scan_job *job;
	uint64_t at, size; /* bytes */
	uint64_t data_end; /* up to here the source said that there is data */
	struct progress progress;
};

struct piece {
	uint64_t start; /* block */
	unsigned count;
	int is_hole;
	size_t bytes;
	struct leaf_sum sum;
	unsigned char changed[BLOCKS];
	uint64_t old[BLOCKS], now[BLOCKS];
	uint8_t *data;
};

/* Step over a hole, or stop at the first of its blocks that has a leaf: 0; 1 at the hole's end; -1. */
static int
next_leaf_in_hole(struct scan *s, uint64_t end, struct piece *p)
{
	uint64_t start = s->at / LIMIT_BLOCK, count;
	int rc;

	if (s->job->leaves == NULL)
		rc = 1;
	else
		rc = leaves_next(s->job->leaves, &start, (end + LIMIT_BLOCK - 1) / LIMIT_BLOCK, &count);
	if (rc != 0) {
		s->at = end;
		return (rc);
	}
	p->start = start;
	p->count = count < BLOCKS ? (unsigned)count : BLOCKS;
	p->is_hole = 1;
	p->bytes = 0;
	s->at = (start + p->count) * LIMIT_BLOCK;
	return (0);
}

static int
fill(void *context, void *slot)
{
	struct scan *s = context;
	struct piece *p = slot;
	uint64_t length;
	int is_hole, rc;

	while (s->at < s->size) {
		if (s->at >= s->data_end) {
			if (source_stretch(s->job->source, s->at, s->size, &length, &is_hole) != 0)
				return (-1);
			if (is_hole && s->at + length < s->size)
				length -= (s->at + length) % LIMIT_BLOCK;
			if (is_hole && length > 0) {
				if ((rc = next_leaf_in_hole(s, s->at + length, p)) <= 0)
					return (rc);
				continue;
			}
			s->data_end = s->at + (length < LIMIT_BLOCK ? LIMIT_BLOCK : length);
		}
		p->start = s->at / LIMIT_BLOCK;
		p->is_hole = 0;
		length = s->data_end - s->at < s->size - s->at ? s->data_end - s->at : s->size - s->at;
		p->bytes = length < BLOCKS * LIMIT_BLOCK ? (size_t)length : BLOCKS * LIMIT_BLOCK;
		if (s->at + p->bytes < s->size)
			p->bytes = (p->bytes + LIMIT_BLOCK - 1) / LIMIT_BLOCK * LIMIT_BLOCK;
		if (p->bytes > s->size - s->at)
			p->bytes = (size_t)(s->size - s->at);
		p->count = (unsigned)((p->bytes + LIMIT_BLOCK - 1) / LIMIT_BLOCK);
		s->at += p->bytes;
		return (0);
	}
	return (1);
}

static int
work(void *context, void *slot)
{
	struct scan *s = context;
	struct piece *p = slot;

	p->sum = (struct leaf_sum){ 0, 0 };
	if (!p->is_hole && source_read(s->job->source, p->data, p->bytes, p->start * LIMIT_BLOCK) != 0)
		return (-1);
	if (s->job->leaves != NULL && leaves_read(s->job->leaves, p->start, p->count, p->old) != 0)
		return (-1);
	for (unsigned i = 0; i < p->count; i++) {
		size_t at = (size_t)i * LIMIT_BLOCK,
		       n = p->bytes - at < LIMIT_BLOCK ? p->bytes - at : LIMIT_BLOCK;

		p->now[i] = p->is_hole ? 0 : leaf_of(s->job->secret, p->data + at, n);
		p->changed[i] = s->job->leaves != NULL && p->now[i] != p->old[i];
		leaf_add(s->job->secret, &p->sum, p->start + i, p->now[i]);
	}
	return (0);
}

static int
drain(void *context, void *slot)
{
	struct scan *s = context;
	const struct piece *p = slot;

	leaf_join(s->job->sum, &p->sum);
	for (unsigned i = 0; s->job->leaves != NULL && i < p->count; i++)
		if (p->changed[i] && ranges_add(s->job->differ, p->start + i, 1) != 0)
			return (-1);
	progress_add(&s->progress, p->bytes);
	return (s->job->take == NULL ? 0 : s->job->take(s->job->context, p->start, p->count, p->now));
}

static void
drop(void *slot)
{
	struct piece *p = slot;

	if (p == NULL)
		return;
	free(p->data);
	free(p);
}

static int
make(void *context, void **slot)
{
	struct piece *p = calloc(1, sizeof *p);

	(void)context;
	if (p == NULL || (p->data = malloc(BLOCKS * LIMIT_BLOCK)) == NULL) {
		drop(p);
		return (say_failed("out of memory"));
	}
	*slot = p;
	return (0);
}

/* Up to that size. */
static int
run(const struct scan_job *job, uint64_t size)
{
	struct scan s = { .job = job, .size = size };
	struct pipeline P = { &s, fill, work, drain, make, drop };
	int rc;

	*job->sum = (struct leaf_sum){ 0, 0 };
	progress_start(&s.progress, job->what, s.size);
	rc = pipeline_run(&P);
	progress_end(&s.progress);
	if (job->differ != NULL)
		ranges_sort(job->differ);
	return (rc);
}

int
scan_run(const struct scan_job *job)
{
	return (run(job, source_size(job->source)));
}

int
scan_disk(const struct source *S, const struct leaf_secret *secret, const struct leaves *leaves,
    const char *what, struct leaf_sum *sum, struct ranges *differ)
{
	struct scan_job job = {
		.source = S, .secret = secret, .leaves = leaves, .what = what, .sum = sum, .differ = differ
	};

	return (scan_run(&job) == 0 ? 0 : -1);
}

int
scan_start(const struct source *S, const struct leaf_secret *secret, uint64_t end, const char *what,
    struct leaf_sum *sum)
{
	struct scan_job job = { .source = S, .secret = secret, .what = what, .sum = sum };

	return (run(&job, end) == 0 ? 0 : -1);
}
