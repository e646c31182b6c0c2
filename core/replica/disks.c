#include "replica/disks.h"

#include <string.h>

#include "bounds.h"
#include "base/io.h"
#include "base/say.h"

#define BATCH 512u

/* A new one in place of what is there; where it lies elsewhere, that is written over. */
static int
create_image(struct image **I, const struct replica *R, unsigned i, const char *path, uint64_t size)
{
	int rc;

	*I = NULL;
	if (!replica_disk_is_elsewhere(R, i))
		return (io_remove(path) != 0 || (*I = image_create(path, size)) == NULL ? -1 : 0);
	if ((rc = image_try(I, path)) != 0)
		return (rc);
	if (image_fits(*I, size) != 0 || image_resize(*I, LIMIT_DISK_SIZE, 0) != 0)
		return (-1);
	return (image_resize(*I, 0, size));
}

int
disks_create(struct disks *D, const struct replica *R, const struct header *H)
{
	char disk[PATH_MAX], leaves[PATH_MAX];
	int rc = 0;

	memset(D, 0, sizeof *D);
	for (; rc == 0 && D->n < R->ndisks; D->n++) {
		unsigned i = D->n;

		if (replica_disk_path(R, i, disk) != 0 || replica_leaves_path(R, i, leaves) != 0 ||
		    io_remove(leaves) != 0)
			rc = -1;
		else
			rc = create_image(&D->images[i], R, i, disk, H->disks[i].size);
		if (rc == 0 && (D->leaves[i] = leaves_open(leaves, 1)) == NULL)
			rc = -1;
	}
	if (rc != 0)
		disks_close(D);
	return (rc);
}

/* One that was of no size so far may have to be made: its entry was not durable, or it is about to be added. */
static int
is_new(const struct replica *R, unsigned i)
{
	return (replica_last(R) != NULL && replica_last(R)->disks[i].size == 0);
}

static int
open_image(struct image **I, const struct replica *R, unsigned i, const char *path)
{
	int there = is_new(R, i) && source_is_plain(path) ? io_exists(path) : 1;

	if (there > 0)
		return (image_try(I, path));
	return (there < 0 || (*I = image_create(path, 0)) == NULL ? -1 : 0);
}

int
disks_open(struct disks *D, const struct replica *R)
{
	char disk[PATH_MAX], leaves[PATH_MAX];
	int rc = 0;

	memset(D, 0, sizeof *D);
	for (; rc == 0 && D->n < R->ndisks; D->n++) {
		unsigned i = D->n;

		if (replica_disk_path(R, i, disk) != 0 || replica_leaves_path(R, i, leaves) != 0)
			rc = -1;
		else
			rc = open_image(&D->images[i], R, i, disk);
		if (rc == 0 && (D->leaves[i] = leaves_open(leaves, is_new(R, i))) == NULL)
			rc = -1;
	}
	if (rc != 0)
		disks_close(D);
	return (rc);
}

void
disks_close(struct disks *D)
{
	for (unsigned i = 0; i < D->n; i++) {
		image_free(D->images[i]);
		leaves_free(D->leaves[i]);
	}
	D->n = 0;
}

static uint64_t
blocks(uint64_t bytes)
{
	return ((bytes + LIMIT_BLOCK - 1) / LIMIT_BLOCK);
}

int
disks_apply(struct disks *D, const struct unpacked *u)
{
	const struct record *r = &u->member.record;
	struct leaves *L = D->leaves[r->disk];
	const uint64_t *leaf = u->leaves;

	if (image_apply(D->images[r->disk], u->extents, r->extents, u->data) != 0)
		return (-1);
	for (uint32_t i = 0; i < r->extents; i++) {
		const struct extent *e = &u->extents[i];
		uint64_t start = e->offset / LIMIT_BLOCK, n = blocks(e->length);

		if (e->kind != EXTENT_DATA) {
			if (leaves_clear(L, start, n) != 0)
				return (-1);
			continue;
		}
		if (leaves_write(L, start, (size_t)n, leaf) != 0)
			return (-1);
		leaf += n;
	}
	return (0);
}

int
disks_sync(const struct disks *D, const struct replica *R)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < D->n; i++)
		if (image_sync(D->images[i]) != 0 || leaves_sync(D->leaves[i]) != 0)
			return (-1);
	if (io_path(path, "%s/disks", R->dir) != 0 || io_sync_dir(path) != 0)
		return (-1);
	return (io_path(path, "%s/leaves", R->dir) != 0 ? -1 : io_sync_dir(path));
}

/* The leaves of n <= BATCH blocks, with what lies over them.  There, 0 is nothing, and a leaf has its bits turned. */
static int
read_leaves(const struct disks_tally *t, uint64_t start, size_t n, uint64_t *out)
{
	uint64_t over[BATCH];

	if (leaves_read(t->before, start, n, out) != 0)
		return (-1);
	if (t->over == NULL)
		return (0);
	if (leaves_read(t->over, start, n, over) != 0)
		return (-1);
	for (size_t i = 0; i < n; i++)
		if (over[i] != 0)
			out[i] = ~over[i];
	return (0);
}

/* Lay n <= BATCH leaves over those that were before. */
static int
lay_over(const struct disks_tally *t, uint64_t start, size_t n, const uint64_t *now)
{
	uint64_t over[BATCH];

	for (size_t i = 0; i < n; i++)
		over[i] = now == NULL ? ~UINT64_C(0) : ~now[i];
	return (leaves_write(t->over, start, n, over));
}

/* Replace the leaves of n <= BATCH blocks in the sum; now NULL: all 0. */
static int
replace(const struct disks_tally *t, uint64_t start, size_t n, const uint64_t *now)
{
	uint64_t old[BATCH];
	int is_same = 1;

	if (read_leaves(t, start, n, old) != 0)
		return (-1);
	for (size_t i = 0; i < n; i++) {
		uint64_t new = now == NULL ? 0 : now[i];

		if (new == old[i])
			continue;
		is_same = 0;
		leaf_remove(t->secret, t->sum, start + i, old[i]);
		leaf_add(t->secret, t->sum, start + i, new);
		if (t->differ != NULL && ranges_add(t->differ, start + i, 1) != 0)
			return (-1);
	}
	return (is_same || t->over == NULL ? 0 : lay_over(t, start, n, now));
}

/* Clear the leaves where those of L may be other than 0. */
static int
clear_in(const struct disks_tally *t, const struct leaves *L, uint64_t start, uint64_t end)
{
	uint64_t count;
	int rc;

	while ((rc = leaves_next(L, &start, end, &count)) == 0) {
		size_t n = count < BATCH ? (size_t)count : BATCH;

		if (replace(t, start, n, NULL) != 0)
			return (-1);
		start += n;
	}
	return (rc < 0 ? -1 : 0);
}

static int
clear(const struct disks_tally *t, uint64_t start, uint64_t end)
{
	if (clear_in(t, t->before, start, end) != 0)
		return (-1);
	return (t->over == NULL ? 0 : clear_in(t, t->over, start, end));
}

int
disks_sum(const struct disks_tally *t, const struct unpacked *u)
{
	const uint64_t *leaf = u->leaves;

	for (uint32_t i = 0; i < u->member.record.extents; i++) {
		const struct extent *e = &u->extents[i];
		uint64_t start = e->offset / LIMIT_BLOCK, end = start + blocks(e->length);

		if (e->kind != EXTENT_DATA) {
			if (clear(t, start, end) != 0)
				return (-1);
			continue;
		}
		while (start < end) {
			size_t n = end - start < BATCH ? (size_t)(end - start) : BATCH;

			if (replace(t, start, n, leaf) != 0)
				return (-1);
			start += n;
			leaf += n;
		}
	}
	return (0);
}

void
disks_sum_new(const struct leaf_secret *secret, const struct unpacked *u, struct leaf_sum *sum)
{
	const uint64_t *leaf = u->leaves;

	for (uint32_t i = 0; i < u->member.record.extents; i++) {
		const struct extent *e = &u->extents[i];
		uint64_t start = e->offset / LIMIT_BLOCK, n = blocks(e->length);

		for (uint64_t k = 0; e->kind == EXTENT_DATA && k < n; k++)
			leaf_add(secret, sum, start + k, *leaf++);
	}
}

int
disks_sum_cut(const struct disks_tally *t, uint64_t size, uint64_t old_size)
{
	return (size >= old_size ? 0 : clear(t, blocks(size), blocks(old_size)));
}
