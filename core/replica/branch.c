#include "replica/branch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/leaves.h"
#include "disk/scan.h"

/* --- reading ------------------------------------------------------------------------------------------ */

static int
take_leaves(void *context, uint64_t start, size_t n, const uint64_t *leaves)
{
	return (leaves_write(context, start, n, leaves));
}

int
branch_read(
    const struct leaf_secret *secret, const char *where, const char *leaves, struct replica_disk_point *d)
{
	struct scan_job job = { .secret = secret, .what = "reading", .sum = &d->sum, .take = take_leaves };
	struct source *S;
	struct leaves *L;
	int rc = source_open(&S, where, SOURCE_QUIET, NULL);

	if (rc != 0)
		return (rc);
	if (io_remove(leaves) != 0 || (L = leaves_open(leaves, 1)) == NULL) {
		source_close(S);
		return (-1);
	}
	job.source = S;
	job.context = L;
	d->size = source_size(S);
	if ((rc = scan_run(&job)) == 0 && (rc = leaves_sync(L)) == 0)
		rc = source_check(S);
	leaf_root(d->root, secret, &d->sum, d->size);
	leaves_free(L);
	source_close(S);
	return (rc);
}

uint64_t
branch_seq(const struct point *newest, const struct role_claim *c)
{
	uint64_t seq = newest->seq;

	if (c != NULL && c->newest.seq > seq)
		seq = c->newest.seq;
	if (c != NULL && c->history.n > 0 && c->history.turns[c->history.n - 1].seq > seq)
		seq = c->history.turns[c->history.n - 1].seq;
	return (seq + 1);
}

const struct role_claim *
branch_claim(const struct role *r, const struct trust_entry *e)
{
	const struct role_claim *last = NULL;

	/* One of the time before it had its present key may be there too. */
	for (unsigned i = 0; i < r->nclaims; i++)
		if (trust_has_key(e, r->claims[i].site) &&
		    (last == NULL || r->claims[i].heard >= last->heard))
			last = &r->claims[i];
	return (last);
}

/* --- a replica's own ---------------------------------------------------------------------------------- */

static int
leaves_path(const struct replica *R, unsigned i, char out[PATH_MAX])
{
	return (io_path(out, "%s/leaves.new/%s", R->dir, R->disks[i]));
}

static int
read_disks(const struct replica *R, struct replica_point *p)
{
	char dir[PATH_MAX], disk[PATH_MAX], leaves[PATH_MAX];
	int rc = 0;

	if (io_path(dir, "%s/leaves.new", R->dir) != 0 || io_remove_tree(dir) != 0 ||
	    io_mkdir(dir, 0700) != 0)
		return (-1);
	for (unsigned i = 0; rc == 0 && i < R->ndisks; i++) {
		p->disks[i] = replica_last(R)->disks[i];
		if (p->disks[i].size == 0)
			continue;
		if (replica_disk_path(R, i, disk) != 0 || leaves_path(R, i, leaves) != 0)
			return (-1);
		rc = branch_read(&R->secret, disk, leaves, &p->disks[i]);
	}
	return (rc == 0 ? io_sync_dir(dir) : rc);
}

static int
is_same(const struct replica *R, const struct replica_point *a, const struct replica_point *b)
{
	for (unsigned i = 0; i < R->ndisks; i++)
		if (a->disks[i].size != b->disks[i].size ||
		    memcmp(a->disks[i].root, b->disks[i].root, LEAF_ROOT) != 0)
			return (0);
	return (1);
}

int
branch_make(struct replica *R, const struct role_claim *c)
{
	struct replica_point *last = replica_last(R), p;
	int rc;

	memset(&p, 0, sizeof p);
	if ((rc = read_disks(R, &p)) != 0)
		return (rc);
	if (is_same(R, last, &p)) {
		last->is_pinned = last->is_branch = 1;
		return (0);
	}
	p.point = (struct point){ history_epoch(&R->role.history), branch_seq(&last->point, c),
		(int64_t)time(NULL), POINT_STANDARD };
	p.is_pinned = p.is_branch = 1;
	p.has_definition = last->has_definition;
	memcpy(p.definition, last->definition, HEADER_DIGEST);
	if (R->npoints > 1)
		say_note("%s: the disks were written to since point %" PRIu64
		         ": there is no way back to the points before",
		    R->vm, last->point.seq);
	R->npoints = 0;
	return (replica_add_point(R, &p));
}

int
branch_settle(const struct replica *R)
{
	char new[PATH_MAX], dir[PATH_MAX], from[PATH_MAX], to[PATH_MAX];
	int there;

	if (io_path(new, "%s/leaves.new", R->dir) != 0 || io_path(dir, "%s/leaves", R->dir) != 0)
		return (-1);
	for (unsigned i = 0; i < R->ndisks; i++) {
		if (leaves_path(R, i, from) != 0 || replica_leaves_path(R, i, to) != 0 ||
		    (there = io_exists(from)) < 0 || (there && io_move(from, new, to, dir) != 0))
			return (-1);
	}
	return (io_remove_tree(new));
}

/* --- what is kept, and for how long ------------------------------------------------------------------- */

unsigned
branch_beyond(const struct replica *R)
{
	return (R->npoints > R->keep ? R->npoints - R->keep : 0);
}

int
branch_print(const struct replica *R)
{
	char time[POINT_TIME];
	unsigned n = 0;

	for (unsigned i = 0; i < R->npoints; i++) {
		if (!R->points[i].is_branch)
			continue;
		if (n++ == 0)
			printf("%8s %6s  %-20s  %s\n", "SEQ", "EPOCH", "TIME", "KEEPS");
		point_time_text(time, R->points[i].point.time);
		printf("%8" PRIu64 " %6" PRIu64 "  %-20s  %u points beyond the limit of %u\n",
		    R->points[i].point.seq, R->points[i].point.epoch, time, branch_beyond(R), R->keep);
	}
	if (n == 0)
		say_note("%s: there is no branch here", R->vm);
	return (0);
}

int
branch_drop(struct replica *R)
{
	unsigned last = R->npoints;

	for (unsigned i = 0; i < R->npoints; i++)
		if (R->points[i].is_branch)
			last = i;
	if (last == R->npoints)
		return (say_refused("%s: there is no branch here", R->vm));
	if (last + 1 == R->npoints)
		return (say_refused("%s: point %" PRIu64
		                    " is the branch, and the disks are still there: import what is exported "
		                    "--against it first",
		    R->vm, R->points[last].point.seq));
	/* The branch, and all that leads to it alone. */
	memmove(R->points, R->points + last + 1, (R->npoints - last - 1) * sizeof *R->points);
	R->npoints -= last + 1;
	return (replica_save(R) != 0 ? -1 : replica_tidy(R));
}
