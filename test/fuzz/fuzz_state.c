/*
 * The text of a record; its sum is made right here.  It is shown to both sides' decoders, and a replica that is
 * taken is written and read to the same again.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "base/io.h"
#include "base/state.h"
#include "check.h"
#include "input.h"
#include "primary/primary.h"
#include "replica/replica_record.h"

static const char uuid[] = "0c5d9a34-7a1f-4a55-9d3c-3f6a2b1e0d77";
static char home[PATH_MAX];
static struct site *S;
static struct input I;

static void
leave(void)
{
	site_close(S);
	io_remove_tree(home);
}

/* A site whose primary's record is the input. */
static void
settle(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[PATH_MAX];

	CHECK(io_path(home, "%s/fuzz_state.XXXXXX", tmp == NULL ? "/tmp" : tmp) == 0);
	CHECK(mkdtemp(home) != NULL && atexit(leave) == 0);
	CHECK(io_path(path, "%s/site", home) == 0 && site_init(path, "a") == 0);
	CHECK((S = site_open(path)) != NULL);
	CHECK(io_path(path, "%s/site/primaries/%s", home, uuid) == 0 && mkdir(path, 0700) == 0);
	I = input_new();
	CHECK(io_path(path, "%s/site/primaries/%s/state", home, uuid) == 0 && symlink(I.path, path) == 0);
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

static void
check_again(const struct replica *R)
{
	struct replica *A;
	char path[PATH_MAX];

	CHECK(io_path(path, "%s/again", home) == 0 && replica_record_write(path, R) == 0);
	CHECK((A = replica(path)) != NULL);
	CHECK(strcmp(A->vm, R->vm) == 0 && strcmp(A->primary, R->primary) == 0 && A->state == R->state);
	CHECK(A->keep == R->keep && A->merging == R->merging && A->merging_undo == R->merging_undo);
	CHECK(memcmp(&A->secret, &R->secret, sizeof A->secret) == 0);
	CHECK(A->ndisks == R->ndisks && memcmp(A->merged, R->merged, sizeof A->merged) == 0);
	CHECK(A->npoints == R->npoints && A->nstaged == R->nstaged);
	CHECK(R->npoints == 0 || memcmp(A->points, R->points, R->npoints * sizeof *R->points) == 0);
	CHECK(R->nstaged == 0 || memcmp(A->staged, R->staged, R->nstaged * sizeof *R->staged) == 0);
	replica_close(A);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char sum[32];
	struct primary *P;
	struct replica *R;

	if (S == NULL)
		settle();
	input_set(&I, data, size);
	snprintf(sum, sizeof sum, "xxh3 %016" PRIx64 "\n", (uint64_t)XXH3_64bits(data, size));
	input_add(&I, sum, strlen(sum));
	if ((R = replica(I.path)) != NULL)
		check_again(R);
	replica_close(R);
	if (primary_look(&P, S, uuid) == 0) {
		CHECK(P->nreplicated > 0 && P->nreplicated <= P->ndisks);
		primary_close(P);
	}
	return (0);
}
