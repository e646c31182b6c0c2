#include "hyper/reflink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/io.h"
#include "base/say.h"

#define WINDOW 256u      /* extents looked at in one go */
#define LEFTOVERS 65536u /* files that may lie in a disk's folder */

/* --- clones --------------------------------------------------------------------------------------------------- */

/* Where disk lies, and what its clones' names start with: "/srv", ".vm.raw." */
static int
split(const char *disk, char dir[PATH_MAX], char start[PATH_MAX])
{
	const char *name = strrchr(disk, '/');

	if (name == NULL)
		return (say_failed("%s: is no absolute path", disk));
	if (io_path(dir, "%.*s", name == disk ? 1 : (int)(name - disk), disk) != 0)
		return (-1);
	return (io_path(start, ".%s.", name + 1));
}

static int
name_clone(char clone[PATH_MAX], char list[PATH_MAX], const char *disk, const char *token)
{
	char dir[PATH_MAX], start[PATH_MAX];

	if (split(disk, dir, start) != 0 || io_path(clone, "%s/%s%s", dir, start, token) != 0)
		return (-1);
	return (io_path(list, "%s.list", clone));
}

void
reflink_close(struct reflink *R)
{
	io_close(R->from);
	io_close(R->to);
	R->from = R->to = -1;
}

int
reflink_prepare(struct reflink *R, const char *disk, const char *token)
{
	int rc = -1;

	*R = REFLINK_NONE;
	if (io_path(R->disk, "%s", disk) != 0 || name_clone(R->clone, R->list, disk, token) != 0 ||
	    (R->from = io_open_read(disk)) < 0)
		return (-1);
	if (!io_is_regular(R->from)) {
		reflink_close(R);
		return (2);
	}
	if (io_remove(R->clone) != 0 || (R->to = io_create(R->clone)) < 0)
		goto failed;
	/*
	 * What is dirty goes to the medium now, while the VM runs; little is left for when it stands still.  A clone
	 * would write it too, and hold the guest's writes up meanwhile.
	 */
	if (io_sync(R->from, R->disk) != 0)
		goto failed;
	if (io_clone(R->to, R->from) == 1)
		return (0);
	rc = 2;
failed:
	reflink_close(R);
	io_remove(R->clone);
	return (rc);
}

int
reflink_take(struct reflink *R)
{
	return (io_clone(R->to, R->from) == 1 ? 0 : say_failed("%s: cannot be cloned any more", R->disk));
}

int
reflink_settle(struct reflink *R)
{
	char dir[PATH_MAX], start[PATH_MAX];
	int rc = io_sync(R->to, R->clone);

	reflink_close(R);
	if (rc != 0 || split(R->disk, dir, start) != 0)
		return (-1);
	return (io_sync_dir(dir));
}

int
reflink_remove(const char *disk, const char *token)
{
	char clone[PATH_MAX], list[PATH_MAX];

	if (token[0] == '\0')
		return (0);
	if (name_clone(clone, list, disk, token) != 0 || io_remove(list) != 0)
		return (-1);
	return (io_remove(clone));
}

/* Behind its start, is this name that of a clone, or its list, with that prefix and no token that is wanted? */
static int
is_redundant(const char *name, const char *prefix, const char *keep1, const char *keep2)
{
	size_t n = strcspn(name, ".");

	if (strncmp(name, prefix, strlen(prefix)) != 0 || (name[n] != '\0' && strcmp(name + n, ".list") != 0))
		return (0);
	return ((strlen(keep1) != n || memcmp(name, keep1, n) != 0) &&
	        (strlen(keep2) != n || memcmp(name, keep2, n) != 0));
}

static int
tidy_in(int fd, const char *dir, const char *start, const char *const words[3])
{
	char **names = io_names(fd, dir, "", LEFTOVERS), path[PATH_MAX];
	int rc = names == NULL ? -1 : 0;

	for (size_t i = 0; rc == 0 && names[i] != NULL; i++)
		if (strncmp(names[i], start, strlen(start)) == 0 &&
		    is_redundant(names[i] + strlen(start), words[0], words[1], words[2]) &&
		    (io_path(path, "%s/%s", dir, names[i]) != 0 || io_remove(path) != 0))
			rc = -1;
	io_names_free(names);
	return (rc);
}

int
reflink_tidy(const char *disk, const char *prefix, const char *keep1, const char *keep2)
{
	const char *const words[3] = { prefix, keep1, keep2 };
	char dir[PATH_MAX], start[PATH_MAX];
	int fd, rc;

	if (prefix[0] == '\0')
		return (0);
	if (split(disk, dir, start) != 0 || (fd = io_open_dir(dir)) < 0)
		return (-1);
	rc = tidy_in(fd, dir, start, words);
	io_close(fd);
	return (rc);
}

/* --- what changed ----------------------------------------------------------------------------------------------- */

/* The extents of a file, walked in their order. */
struct walk {
	const char *path;
	int fd;
	uint64_t size;
	uint64_t next; /* where the next window starts */
	unsigned n, at;
	struct io_extent window[WINDOW];
	uint64_t sum; /* over all extents met so far */
};

static void
add_up(struct walk *W)
{
	for (unsigned i = 0; i < W->n; i++) {
		const struct io_extent *e = &W->window[i];
		uint64_t words[6] = { W->sum, e->offset, e->place, e->length,
			(uint64_t)(e->is_zero + 2 * e->is_packed + 4 * e->is_vague), 0 };

		W->sum = XXH3_64bits(words, sizeof words);
	}
}

/**
 * Step to the first extent that ends behind pos; where there is none, W->at is W->n.  0; -2, unsaid, where the file
 * system cannot tell; -1.
 */
static int
walk_to(struct walk *W, uint64_t pos)
{
	for (;;) {
		int got;

		while (W->at < W->n && W->window[W->at].offset + W->window[W->at].length <= pos)
			W->at++;
		if (W->at < W->n || W->next == UINT64_MAX)
			return (0);
		if ((got = io_extents(W->fd, W->path, W->next, W->window, WINDOW)) < 0)
			return (got);
		W->n = (unsigned)got;
		W->at = 0;
		W->next = got == 0 ? UINT64_MAX : W->window[W->n - 1].offset + W->window[W->n - 1].length;
		add_up(W);
	}
}

/* From the start to the end, for its sum alone. */
static int
walk_all(struct walk *W)
{
	W->next = 0;
	W->n = W->at = 0;
	W->sum = 0;
	return (walk_to(W, UINT64_MAX));
}

/* The extent that pos is in, or NULL; *end becomes no more than where that ends, or the hole. */
static const struct io_extent *
extent_at(const struct walk *W, uint64_t pos, uint64_t *end)
{
	const struct io_extent *e = W->at < W->n ? &W->window[W->at] : NULL;
	uint64_t stop;

	if (e == NULL)
		return (NULL);
	stop = e->offset <= pos ? e->offset + e->length : e->offset;
	if (stop < *end)
		*end = stop;
	return (e->offset <= pos ? e : NULL);
}

/* Is it certain that both read the same at pos? */
static int
is_same(const struct io_extent *a, const struct io_extent *b, uint64_t pos)
{
	if ((a != NULL && a->is_vague) || (b != NULL && b->is_vague))
		return (0);
	if (a == NULL || a->is_zero)
		return (b == NULL || b->is_zero);
	if (b == NULL || b->is_zero)
		return (0);
	if (a->is_packed || b->is_packed)
		return (a->is_packed && b->is_packed && a->place == b->place && a->offset == b->offset);
	return (a->place + (pos - a->offset) == b->place + (pos - b->offset));
}

/* The list as it is written: a run is put off until the next one does not touch it. */
struct list {
	FILE *f;
	uint64_t start, length;
};

static void
list_flush(struct list *L)
{
	if (L->length > 0)
		fprintf(L->f, "%" PRIu64 " %" PRIu64 "\n", L->start, L->length);
	L->length = 0;
}

static void
list_add(struct list *L, uint64_t start, uint64_t length)
{
	if (L->length > 0 && L->start + L->length == start) {
		L->length += length;
		return;
	}
	list_flush(L);
	L->start = start;
	L->length = length;
}

static int
compare(struct walk *A, struct walk *B, struct list *L)
{
	uint64_t both = A->size < B->size ? A->size : B->size;
	int rc;

	A->next = B->next = A->sum = B->sum = 0;
	A->n = A->at = B->n = B->at = 0;
	for (uint64_t pos = 0, end; pos < both; pos = end) {
		const struct io_extent *a, *b;

		if ((rc = walk_to(A, pos)) != 0 || (rc = walk_to(B, pos)) != 0)
			return (rc);
		end = both;
		a = extent_at(A, pos, &end);
		b = extent_at(B, pos, &end);
		if (!is_same(a, b, pos))
			list_add(L, pos, end - pos);
	}
	if (B->size > both)
		list_add(L, both, B->size - both);
	list_flush(L);
	return (walk_to(A, UINT64_MAX));
}

/**
 * Places can be compared only while nobody moves data about (balancing, defragmenting): the older file must lie where
 * it lay before the comparison, during it, and behind it.
 */
static int
compare_still(struct walk *A, struct walk *B, struct list *L, char why[HOST_WHY])
{
	uint64_t before, during;
	int rc;

	if ((rc = walk_all(A)) == 0) {
		before = A->sum;
		if ((rc = compare(A, B, L)) == 0) {
			during = A->sum;
			if ((rc = walk_all(A)) == 0 && before == during && during == A->sum)
				return (0);
		}
	}
	if (rc == -1)
		return (-1);
	snprintf(why, HOST_WHY, "%s",
	    rc == -2 ? "the file system does not tell where data lies" : "the file system moves data about");
	return (2);
}

static int
open_walk(struct walk *W, const char *path)
{
	W->path = path;
	return ((W->fd = io_open_read(path)) < 0 ? -1 : io_size(W->fd, path, &W->size));
}

static int
write_list(struct walk *A, struct walk *B, const char *path, char why[HOST_WHY])
{
	struct list L = { NULL, 0, 0 };
	int fd, rc;

	if (io_remove(path) != 0 || (fd = io_create(path)) < 0)
		return (-1);
	if ((L.f = fdopen(fd, "w")) == NULL) {
		io_close(fd);
		return (say_failed("%s: out of memory", path));
	}
	rc = compare_still(A, B, &L, why);
	if ((ferror(L.f) | fclose(L.f)) != 0 && rc == 0)
		rc = say_failed("%s: cannot be written: free some space", path);
	if (rc != 0)
		io_remove(path);
	return (rc);
}

int
reflink_compare(const char *older, const char *newer, const char *list, char why[HOST_WHY])
{
	struct walk *W = calloc(2, sizeof *W);
	int rc = -1;

	if (W == NULL)
		return (say_failed("out of memory"));
	W[0].fd = W[1].fd = -1;
	if (open_walk(&W[0], older) == 0 && open_walk(&W[1], newer) == 0)
		rc = write_list(&W[0], &W[1], list, why);
	io_close(W[0].fd);
	io_close(W[1].fd);
	free(W);
	return (rc);
}

int
reflink_changes(struct reflink *R, const char *since, char why[HOST_WHY])
{
	char older[PATH_MAX], unused[PATH_MAX];
	int rc;

	if (name_clone(older, unused, R->disk, since) != 0 || (rc = io_exists(older)) < 0)
		return (-1);
	if (rc == 1)
		return (reflink_compare(older, R->clone, R->list, why));
	snprintf(why, HOST_WHY, "the clone of the point before is not there");
	return (2);
}
