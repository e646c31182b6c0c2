#include "turn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/image.h"
#include "disk/leaves.h"
#include "disk/source.h"
#include "primary/definition.h"
#include "primary/live.h"
#include "replica/definitions.h"

/* --- replica to primary ------------------------------------------------------------------------------- */

/* A path without links, so that the record of the primary needs no folder of the replica. */
static int
real_path(const char *path, char out[PATH_MAX])
{
	char *real = realpath(path, NULL);
	int rc = real == NULL ? say_failed("%s: cannot find: %s", path, strerror(errno))
	                      : io_path(out, "%s", real);

	free(real);
	return (rc);
}

static int
take_path(const char *path, char out[PATH_MAX])
{
	return (source_is_plain(path) ? real_path(path, out) : io_path(out, "%s", path));
}

static int
take_disk(struct primary *P, const struct replica *R, unsigned i)
{
	const struct replica_disk_point *at = &replica_last(R)->disks[i];
	struct primary_disk *d = &P->disks[P->ndisks++];
	char path[PATH_MAX];

	P->nreplicated++;
	strcpy(d->id, R->disks[i]);
	d->size = at->size;
	d->sum = at->sum;
	d->is_gone = at->size == 0;
	P->points[0].size[i] = at->size;
	memcpy(P->points[0].root[i], at->root, LEAF_ROOT);
	if (d->is_gone)
		return (0);
	if (replica_disk_path(R, i, path) != 0)
		return (-1);
	return (take_path(path, d->where));
}

/* For the VM it is an empty disk in the folder of the replica. */
static int
take_excluded(struct primary *P, const struct replica *R, unsigned i)
{
	struct primary_disk *d = &P->disks[P->ndisks++];
	char path[PATH_MAX];
	int there;

	strcpy(d->id, R->excluded[i].id);
	d->size = R->excluded[i].size;
	d->is_excluded = 1;
	if (replica_excluded_path(R, i, path) != 0 || (there = io_exists(source_path(path))) < 0)
		return (-1);
	return (there ? take_path(path, d->where) : 0);
}

static int
describe_primary(struct primary *P, const struct replica *R)
{
	const struct replica_point *last = replica_last(R);

	strcpy(P->vm, R->vm);
	strcpy(P->uuid, R->uuid);
	memcpy(P->lineage, R->lineage, RECORD_ID);
	role_turn_primary(&P->role, &R->role);
	P->reminders = R->reminders;
	reminders_turned(&P->reminders, (int64_t)time(NULL));
	strcpy(P->host, R->host);
	P->told = R->told;
	memcpy(P->leaf_seed, R->leaf_seed, LEAF_SEED);
	P->secret = R->secret;
	P->has_definition = last->has_definition;
	memcpy(P->definition, last->definition, HEADER_DIGEST);
	P->definition_seq = last->has_definition ? last->point.seq : 0;
	if ((P->points = calloc(2, sizeof *P->points)) == NULL)
		return (say_failed("out of memory"));
	P->npoints = 1;
	P->points[0].point = last->point;
	P->leaves_at = last->point.seq;
	for (unsigned i = 0; i < R->ndisks; i++)
		if (take_disk(P, R, i) != 0)
			return (-1);
	for (unsigned i = 0; i < R->nexcluded; i++)
		if (take_excluded(P, R, i) != 0)
			return (-1);
	return (0);
}

/* The leaves are those of the first point, so that what changed since is found out. */
static int
share_leaves(const struct primary *P, const struct replica *R)
{
	char from[PATH_MAX], to[PATH_MAX], dir[PATH_MAX];

	for (unsigned i = 0; i < R->ndisks; i++)
		if (!P->disks[i].is_gone &&
		    (replica_leaves_path(R, i, from) != 0 || primary_leaves_path(P, R->disks[i], to) != 0 ||
		        leaves_share(from, to) != 0))
			return (-1);
	return (io_path(dir, "%s/leaves", P->dir) != 0 ? -1 : io_sync_dir(dir));
}

/* What the VM is beside its disks, until the host tells it anew. */
static int
share_definition(const struct primary *P, const struct replica *R)
{
	char *text;
	int rc = definitions_read(R, replica_last(R), &text);

	if (rc == 0 && text != NULL)
		rc = definition_write(P->dir, text);
	free(text);
	return (rc);
}

/* A record of a primary from before the site became a replica is of no meaning any more. */
static int
remove_leftover(const struct site *S, const char *uuid)
{
	char found[HEADER_UUID];
	struct primary *P;
	int rc = primary_find(S, uuid, found);

	if (rc <= 0)
		return (rc);
	if ((rc = primary_open(&P, S, uuid)) != 0)
		return (rc);
	return (primary_remove(P, S));
}

static int
make_primary(const struct site *S, struct replica *R, struct primary *P)
{
	int rc = 0;

	if (R->role.state != ROLE_TURNED) {
		if ((rc = remove_leftover(S, R->uuid)) != 0)
			return (rc);
		if (role_step(&R->role, ROLE_REVERSE) != 0)
			return (say_failed("%s: it cannot be reversed", R->vm));
		if (replica_save(R) != 0)
			return (-1);
	}
	if (primary_make(S, P) != 0 || share_leaves(P, R) != 0 || share_definition(P, R) != 0)
		return (-1);
	return (primary_publish(S, P));
}

int
turn_to_primary(const struct site *S, struct replica *R, struct primary *P)
{
	int lock, rc;

	if ((lock = primary_lock_all(S)) < 0)
		return (lock == -2 ? 1 : -1);
	if ((rc = describe_primary(P, R)) == 0)
		rc = make_primary(S, R, P);
	io_close(lock);
	return (rc);
}

/* --- primary to replica ------------------------------------------------------------------------------- */

/* A replica's disk is written to: an export that cannot take it, or an image that is only read, is no place for one. */
static int
check_place(const struct primary *P, const struct primary_disk *d)
{
	int is_uri = source_is_uri(d->where), rc;
	struct image *I;

	if (d->is_gone || (image_takes(d->where) && !is_uri))
		return (0);
	if (is_uri && (rc = image_try(&I, d->where)) <= 0) {
		image_free(I);
		return (rc);
	}
	return (
	    say_refused("%s: disk %s is at %s, where no replica can have it; bring it to %s, and say so with "
	                "'vmferry enable %s --remove %s --disk %s=%s'",
	        P->vm, d->id, d->where,
	        is_uri ? "a raw file or device" : "a qcow2 image or a raw file ('qemu-img convert')", P->vm,
	        d->id, d->id, is_uri ? "PATH" : "qcow2:PATH"));
}

int
turn_check(const struct primary *P, const struct trust_entry *e)
{
	int rc = 0;

	if (e->is_revoked)
		return (say_refused(
		    "%s: site '%s' says that it is its primary now, and its keys were revoked here", P->vm,
		    e->card.name));
	if (!trust_allows(e, P->vm))
		return (say_refused(
		    "%s: site '%s' is its primary now, but may not replicate this VM to here; see "
		    "'vmferry trust add --vm'",
		    P->vm, e->card.name));
	for (unsigned i = 0; rc == 0 && i < P->nreplicated; i++)
		rc = check_place(P, &P->disks[i]);
	return (rc);
}

/* Where disk i is: in the replica's own folder under its own name, or elsewhere. */
static int
place_disk(struct replica *R, const struct primary_disk *d, unsigned i)
{
	char own[PATH_MAX], *real;
	int is_own;

	R->where[i][0] = '\0';
	if (d->is_gone)
		return (0);
	if (replica_disk_path(R, i, own) != 0)
		return (-1);
	real = realpath(own, NULL);
	is_own = real != NULL && strcmp(real, d->where) == 0;
	free(real);
	return (is_own ? 0 : io_path(R->where[i], "%s", d->where));
}

static int
describe_disks(struct replica *R, const struct primary *P)
{
	R->ndisks = R->nexcluded = R->nplaces = 0;
	for (unsigned i = 0; i < P->ndisks; i++) {
		const struct primary_disk *d = &P->disks[i];

		if (d->is_excluded) {
			strcpy(R->excluded[R->nexcluded].id, d->id);
			R->excluded[R->nexcluded++].size = d->size;
			if (image_takes(d->where) && !source_is_uri(d->where) && d->where[0] != '\0') {
				strcpy(R->places[R->nplaces].id, d->id);
				strcpy(R->places[R->nplaces++].where, d->where);
			}
			continue;
		}
		strcpy(R->disks[R->ndisks], d->id);
		if (place_disk(R, d, R->ndisks++) != 0)
			return (-1);
	}
	return (0);
}

/* Whoever follows later is told who the heirs are; until then they are the sites that this one has sent to. */
static void
describe_heirs(struct replica *R, const struct primary *P)
{
	R->nheirs = 0;
	for (unsigned i = 0; i < P->ntargets; i++)
		memcpy(R->heirs[R->nheirs++], P->targets[i].key, RECORD_KEY);
}

static int
describe_replica(struct replica *R, struct turning *t)
{
	const struct primary *P = t->P;

	strcpy(R->vm, P->vm);
	strcpy(R->uuid, P->uuid);
	memcpy(R->lineage, P->lineage, RECORD_ID);
	strcpy(R->primary, t->e->card.name);
	memcpy(R->key, t->e->card.sign, RECORD_KEY);
	memcpy(R->leaf_seed, P->leaf_seed, LEAF_SEED);
	R->secret = P->secret;
	role_turn_replica(&R->role, &P->role, t->is_parted);
	describe_heirs(R, P);
	R->wishes = P->wishes;
	R->reminders = P->reminders;
	reminders_turned(&R->reminders, (int64_t)time(NULL));
	strcpy(R->host, P->host);
	R->told = P->told;
	live_prefix(P, R->forget);
	/* The VM at the host is the one that this site was the primary of. */
	if (R->told.whose == TOLD_NOBODY)
		R->told.whose = TOLD_FOUND;
	R->keep = P->keep;
	R->ncompared = 0;
	R->merging = R->merging_undo = 0;
	R->npoints = 0;
	memset(&R->failover, 0, sizeof R->failover);
	while (R->nstaged > 0)
		replica_drop_staged(R, R->nstaged - 1);
	if (t->definition != NULL)
		definitions_name(R, t->definition, &t->point);
	return (describe_disks(R, P) != 0 ? -1 : replica_add_point(R, &t->point));
}

/* The files of it; beside that of the point one by which this site's own is found again. */
static int
fill(void *context, const struct replica *R)
{
	const struct turning *t = context;
	char from[PATH_MAX], to[PATH_MAX], dir[PATH_MAX];

	if (t->definition != NULL && definitions_put_own(R, t->definition) != 0)
		return (-1);

	for (unsigned i = 0; i < R->ndisks; i++)
		if (!t->P->disks[i].is_gone &&
		    (io_path(from, "%s/%s/%s", t->P->dir, t->leaves, R->disks[i]) != 0 ||
		        replica_leaves_path(R, i, to) != 0 || leaves_share(from, to) != 0))
			return (-1);
	return (io_path(dir, "%s/leaves", R->dir) != 0 ? -1 : io_sync_dir(dir));
}

/* The replica that this site was before is so again. */
static int
turn_back(struct replica **R, struct turning *t)
{
	int rc = replica_open(R, t->S, t->P->uuid);

	if (rc == 0 && (rc = describe_replica(*R, t)) == 0 && (rc = fill(t, *R)) == 0 &&
	    (rc = replica_keep_excluded(*R)) == 0)
		rc = replica_save(*R);
	return (rc == 0 ? replica_tidy(*R) : rc);
}

static int
turn_anew(struct replica **R, struct turning *t)
{
	int rc;

	if ((*R = replica_blank()) == NULL)
		return (-1);
	/* Until it has its folder none of its disks can lie there. */
	if (describe_replica(*R, t) != 0)
		return (-1);
	rc = replica_make(*R, t->S, t->e, fill, t);
	return (rc);
}

int
turn_to_replica(struct replica **R, struct turning *t)
{
	char uuid[HEADER_UUID];
	int rc = replica_find(t->S, t->P->uuid, uuid);

	*R = NULL;
	if (rc >= 0 && definition_read(t->P->dir, &t->definition) != 0)
		rc = -1;
	if (rc >= 0)
		rc = rc > 0 ? turn_back(R, t) : turn_anew(R, t);
	free(t->definition);
	t->definition = NULL;
	if (rc != 0) {
		replica_close(*R);
		*R = NULL;
		return (rc);
	}
	rc = primary_remove(t->P, t->S);
	t->P = NULL;
	return (rc);
}

int
turn_settle(const struct site *S, const char *uuid)
{
	char found[HEADER_UUID];
	struct replica *R;
	int rc = replica_find(S, uuid, found);

	if (rc <= 0)
		return (rc);
	if (replica_look(&R, S, found) != 0)
		return (-1);
	rc = R->role.state == ROLE_TURNED;
	replica_close(R);
	if (rc)
		return (0);
	/* Whoever turns it just now holds its lock. */
	if ((rc = replica_open(&R, S, found)) != 0)
		return (rc < 0 ? -1 : 1);
	if (R->role.state == ROLE_TURNED)
		rc = 0;
	else
		rc = remove_leftover(S, found) == 0 ? 1 : -1;
	replica_close(R);
	return (rc);
}
