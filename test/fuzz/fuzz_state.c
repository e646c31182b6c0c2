/*
 * The text of a record; its sum is made right here.  It is shown to both sides' decoders, and what one
 * takes is written and read to the same again.
 */
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#include "base/io.h"
#include "check.h"
#include "input.h"
#include "primary/primary_record.h"
#include "replica/replica_record.h"

static char dir[PATH_MAX];

static void
leave(void)
{
	io_remove_tree(dir);
}

/* Where records are written to be read again. */
static void
settle(void)
{
	const char *tmp = getenv("TMPDIR");

	CHECK(io_path(dir, "%s/fuzz_state.XXXXXX", tmp == NULL ? "/tmp" : tmp) == 0);
	CHECK(mkdtemp(dir) != NULL && atexit(leave) == 0);
}

static struct replica *
replica(const char *path)
{
	struct replica *R = calloc(1, sizeof *R);

	CHECK(R != NULL);
	R->lock = -1;
	if (replica_record_read(path, R) == 0)
		return (R);
	replica_close(R);
	return (NULL);
}

static struct primary *
primary(const char *path)
{
	struct primary *P = calloc(1, sizeof *P);

	CHECK(P != NULL);
	P->lock = -1;
	if (primary_record_read(path, P) == 0)
		return (P);
	primary_close(P);
	return (NULL);
}

static void
check_replica(const struct replica *R)
{
	struct replica *A;
	char path[PATH_MAX];

	CHECK(io_path(path, "%s/replica", dir) == 0 && replica_record_write(path, R) == 0);
	CHECK((A = replica(path)) != NULL);
	CHECK(strcmp(A->vm, R->vm) == 0 && strcmp(A->primary, R->primary) == 0 &&
	      A->role.state == R->role.state);
	CHECK(A->keep == R->keep && A->merging == R->merging && A->merging_undo == R->merging_undo);
	CHECK(memcmp(&A->secret, &R->secret, sizeof A->secret) == 0);
	for (unsigned i = 0; i < R->ndisks; i++)
		CHECK(strlen(R->disks[i]) <= LIMIT_DISK_ID && strcmp(A->disks[i], R->disks[i]) == 0);
	for (unsigned i = 0; i < R->nexcluded; i++)
		CHECK(strcmp(A->excluded[i].id, R->excluded[i].id) == 0);
	CHECK(A->nexcluded == R->nexcluded && strcmp(A->role.cause, R->role.cause) == 0);
	CHECK(A->ndisks == R->ndisks && memcmp(A->merged, R->merged, sizeof A->merged) == 0);
	CHECK(A->npoints == R->npoints && A->nstaged == R->nstaged);
	CHECK(R->npoints == 0 || memcmp(A->points, R->points, R->npoints * sizeof *R->points) == 0);
	CHECK(R->nstaged == 0 || memcmp(A->staged, R->staged, R->nstaged * sizeof *R->staged) == 0);
	replica_close(A);
}

static void
check_primary(const struct primary *P)
{
	struct primary *A;
	char path[PATH_MAX];

	CHECK(P->nreplicated > 0 && P->nreplicated <= P->ndisks && P->ndisks <= 2 * LIMIT_DISKS);
	CHECK(io_path(path, "%s/primary", dir) == 0 && primary_record_write(path, P) == 0);
	CHECK((A = primary(path)) != NULL);
	CHECK(strcmp(A->vm, P->vm) == 0 && primary_epoch(A) == primary_epoch(P) &&
	      A->leaves_at == P->leaves_at);
	CHECK(A->keep == P->keep && A->ntargets == P->ntargets && A->npoints == P->npoints);
	for (unsigned i = 0; i < P->ndisks; i++)
		CHECK(strcmp(A->disks[i].where, P->disks[i].where) == 0);
	for (unsigned i = 0; i < P->ntargets; i++)
		CHECK(A->targets[i].acked == P->targets[i].acked);
	CHECK(memcmp(A->points, P->points, P->npoints * sizeof *P->points) == 0);
	primary_close(A);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct input I = { .fd = -1 };
	char sum[32];
	struct primary *P;
	struct replica *R;

	if (I.fd < 0) {
		settle();
		I = input_new();
	}
	input_set(&I, data, size);
	snprintf(sum, sizeof sum, "xxh3 %016" PRIx64 "\n", (uint64_t)XXH3_64bits(data, size));
	input_add(&I, sum, strlen(sum));
	if ((R = replica(I.path)) != NULL)
		check_replica(R);
	if ((P = primary(I.path)) != NULL)
		check_primary(P);
	replica_close(R);
	primary_close(P);
	return (0);
}
