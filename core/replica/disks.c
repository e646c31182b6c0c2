#include "replica/disks.h"

#include <string.h>

#include "bounds.h"
#include "base/io.h"
#include "base/say.h"

#define BATCH 512u

int
disks_create(struct disks *D, const struct replica *R, const struct header *H)
{
	char disk[PATH_MAX], leaves[PATH_MAX];

	memset(D, 0, sizeof *D);
	for (D->n = 0; D->n < R->ndisks; D->n++) {
		if (replica_disk_path(R, D->n, disk) != 0 || replica_leaves_path(R, D->n, leaves) != 0 ||
		    io_remove(disk) != 0 || io_remove(leaves) != 0 ||
		    (D->images[D->n] = image_create(disk, H->disks[D->n].size)) == NULL ||
		    (D->leaves[D->n] = leaves_open(leaves, 1)) == NULL) {
			D->n++;
			disks_close(D);
			return (-1);
		}
	}
	return (0);
}

int
disks_open(struct disks *D, const struct replica *R)
{
	char disk[PATH_MAX], leaves[PATH_MAX];

	memset(D, 0, sizeof *D);
	for (D->n = 0; D->n < R->ndisks; D->n++) {
		if (replica_disk_path(R, D->n, disk) != 0 || replica_leaves_path(R, D->n, leaves) != 0 ||
		    (D->images[D->n] = image_open(disk)) == NULL ||
		    (D->leaves[D->n] = leaves_open(leaves, 0)) == NULL) {
			D->n++;
			disks_close(D);
			return (-1);
		}
	}
	return (0);
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

/* Replace the leaves of n <= BATCH blocks in the sum; now NULL: all 0. */
static int
replace(const struct leaves *before, const struct leaf_secret *secret, uint64_t start, size_t n,
    const uint64_t *now, struct leaf_sum *sum, struct ranges *differ)
{
	uint64_t old[BATCH];

	if (leaves_read(before, start, n, old) != 0)
		return (-1);
	for (size_t i = 0; i < n; i++) {
		uint64_t new = now == NULL ? 0 : now[i];

		if (new == old[i])
			continue;
		leaf_remove(secret, sum, start + i, old[i]);
		leaf_add(secret, sum, start + i, new);
		if (differ != NULL && ranges_add(differ, start + i, 1) != 0)
			return (-1);
	}
	return (0);
}

static int
clear(const struct leaves *before, const struct leaf_secret *secret, uint64_t start, uint64_t end,
    struct leaf_sum *sum, struct ranges *differ)
{
	uint64_t count;
	int rc;

	while ((rc = leaves_next(before, &start, end, &count)) == 0) {
		size_t n = count < BATCH ? (size_t)count : BATCH;

		if (replace(before, secret, start, n, NULL, sum, differ) != 0)
			return (-1);
		start += n;
	}
	return (rc < 0 ? -1 : 0);
}

int
disks_sum(const struct leaves *before, const struct leaf_secret *secret, const struct unpacked *u,
    struct leaf_sum *sum, struct ranges *differ)
{
	const uint64_t *leaf = u->leaves;

	for (uint32_t i = 0; i < u->member.record.extents; i++) {
		const struct extent *e = &u->extents[i];
		uint64_t start = e->offset / LIMIT_BLOCK, end = start + blocks(e->length);

		if (e->kind != EXTENT_DATA) {
			if (clear(before, secret, start, end, sum, differ) != 0)
				return (-1);
			continue;
		}
		while (start < end) {
			size_t n = end - start < BATCH ? (size_t)(end - start) : BATCH;

			if (replace(before, secret, start, n, leaf, sum, differ) != 0)
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
disks_sum_cut(const struct leaves *before, const struct leaf_secret *secret, uint64_t size, uint64_t old_size,
    struct leaf_sum *sum, struct ranges *differ)
{
	return (size >= old_size ? 0 : clear(before, secret, blocks(size), blocks(old_size), sum, differ));
}
