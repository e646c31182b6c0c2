#include "replica/adopt.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/image.h"
#include "disk/source.h"
#include "name.h"
#include "replica/comparison.h"
#include "replica/replica.h"

/* --- what is asked for -------------------------------------------------------------------------------- */

static int
add_disk(struct adoption *A, const char *spec)
{
	struct adoption_disk *d = &A->disks[A->ndisks];
	const char *eq = strchr(spec, '='), *why;
	int rc;

	if (eq == NULL || (size_t)(eq - spec) >= sizeof d->id)
		return (say_refused("'%s': a disk is given as ID=PATH, ID=FORMAT:PATH or ID=NBD-URI", spec));
	memcpy(d->id, spec, (size_t)(eq - spec));
	d->id[eq - spec] = '\0';
	if ((why = name_check_disk(d->id)) != NULL)
		return (say_refused("'%s': %s", spec, why));
	if (adoption_disk(A, d->id) != NULL)
		return (say_refused("'%s': two disks have the same id", spec));
	if ((rc = source_absolute(eq + 1, d->from)) != 0)
		return (rc);
	A->ndisks++;
	return (0);
}

/* The disks that are named, and the site that they come from, which must be one that may replicate the VM. */
static int
describe(
    struct adoption *A, const struct site *S, const struct adopt_options *o, const struct trust_entry **e)
{
	const char *why = name_check(o->vm);
	int rc = 0;

	if (why != NULL || name_check_uuid(o->vm) == NULL)
		return (say_refused(
		    "'%s': %s", o->vm, why != NULL ? why : "say the VM's name as its primary has it"));
	if ((*e = trust_by_name(site_trust(S), o->from)) == NULL)
		return (say_refused(
		    "%s: no site of that name is known; add its card with 'vmferry trust add'", o->from));
	if (!trust_allows(*e, o->vm))
		return (say_refused("%s: site '%s' may not replicate this VM to here; see 'vmferry trust add "
		                    "--vm'",
		    o->vm, o->from));
	strcpy(A->vm, o->vm);
	strcpy(A->primary, (*e)->card.name);
	memcpy(A->key, (*e)->card.sign, RECORD_KEY);
	for (unsigned i = 0; rc == 0 && i < o->ndisks; i++)
		rc = add_disk(A, o->disks[i]);
	return (rc);
}

static int
is_same(const struct adoption *A, const struct adoption *B)
{
	if (A->ndisks != B->ndisks || strcmp(A->primary, B->primary) != 0)
		return (0);
	for (unsigned i = 0; i < A->ndisks; i++)
		if (strcmp(A->disks[i].id, B->disks[i].id) != 0 ||
		    strcmp(A->disks[i].from, B->disks[i].from) != 0)
			return (0);
	return (1);
}

/* --- the copies --------------------------------------------------------------------------------------- */

static int
copy_disk(struct adoption *A, struct adoption_disk *d)
{
	char path[PATH_MAX];
	struct source *from;
	struct image *I = NULL;
	int rc;

	if ((rc = source_open(&from, d->from, SOURCE_QUIET, NULL)) != 0)
		return (rc);
	d->size = source_size(from);
	if (adoption_path(A, d->id, path) != 0 || io_remove(path) != 0 ||
	    (I = image_create(path, d->size)) == NULL || image_copy_source(I, from) != 0 ||
	    image_sync(I) != 0)
		rc = -1;
	else
		rc = source_check(from);
	image_free(I);
	source_close(from);
	return (rc);
}

static int
check_size(const struct adoption *A, const struct trust_entry *e)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < A->ndisks; i++)
		size += A->disks[i].size;
	if (e->max_size != 0 && size > e->max_size)
		return (say_refused("%s: the disks have %" PRIu64 " bytes, more than the %" PRIu64
		                    " that site '%s' may store here; see 'vmferry trust add --max-size'",
		    A->vm, size, e->max_size, e->card.name));
	return (0);
}

/* All copies, from the start; then the record says that they are there. */
static int
copy_disks(struct adoption *A, const struct trust_entry *e)
{
	int rc;

	if (A->is_copied)
		return (0);
	if (io_mkdir_all(A->folder, 0700) != 0)
		return (-1);
	for (unsigned i = 0; i < A->ndisks; i++)
		if ((rc = copy_disk(A, &A->disks[i])) != 0)
			return (rc);
	if ((rc = check_size(A, e)) != 0)
		return (rc);
	if (io_sync_dir(A->folder) != 0)
		return (-1);
	A->is_copied = 1;
	return (adoption_save(A));
}

/* --- the compare bundle ------------------------------------------------------------------------------- */

static int
issue(struct adoption *A, const struct site *S, const char *output)
{
	struct comparison *C = calloc(1, sizeof *C);
	struct header *H;
	int rc = -1;

	if (C == NULL)
		return (say_failed("out of memory"));
	H = &C->header;
	*C = (struct comparison){
		.S = S, .leaf_seed = A->leaf_seed, .secret = &A->secret, .what = "adopted", .output = output
	};
	if ((C->to = trust_by_key(site_trust(S), A->key)) == NULL) {
		rc = say_refused("%s: the card of '%s' is not known any more; add it with 'vmferry trust "
		                 "add'",
		    A->vm, A->primary);
		goto done;
	}
	/* Which VM and lineage it will be, the primary knows: these are not used. */
	strcpy(H->uuid, "00000000-0000-0000-0000-000000000000");
	strcpy(H->vm, A->vm);
	H->ndisks = A->ndisks;
	for (unsigned i = 0; i < A->ndisks; i++) {
		strcpy(H->disks[i].id, A->disks[i].id);
		H->disks[i].size = A->disks[i].size;
		if (adoption_path(A, A->disks[i].id, C->disks[i]) != 0)
			goto done;
	}
	/* The id is on record before anybody can have the bundle. */
	randombytes_buf(H->id, RECORD_ID);
	if (A->nissued == ADOPTION_ISSUED)
		memmove(A->issued, A->issued + 1, --A->nissued * sizeof *A->issued);
	memcpy(A->issued[A->nissued++], H->id, RECORD_ID);
	if ((rc = adoption_save(A)) == 0)
		rc = comparison_write(C);
done:
	free(C);
	return (rc);
}

int
adopt_is_known(const struct site *S, const char *vm)
{
	struct adoption *A;
	int rc = adoption_open(&A, S, vm);

	adoption_close(A);
	return (rc < 0 ? -1 : rc != 2);
}

int
adopt_compare(const struct site *S, const char *vm, const char *output)
{
	struct adoption *A;
	int rc = adoption_open(&A, S, vm);

	if (rc == 0)
		rc = A->is_copied
		         ? issue(A, S, output)
		         : say_refused("%s: its disks are not copied yet; run 'vmferry adopt' again", vm);
	adoption_close(A);
	return (rc == 2 ? say_refused("%s: there are no adopted disks of that VM here", vm) : rc);
}

/* --- */

/* Go on with what an earlier run left, or begin: *A becomes the adoption that wanted asks for. */
static int
begin(struct adoption **A, struct adoption *wanted, const struct site *S, const struct trust_entry *e)
{
	int rc = adoption_open(A, S, wanted->vm);

	if (rc == 0 && !is_same(*A, wanted))
		return (say_refused(
		    "%s: other disks of this VM, or of another site, were adopted already; 'vmferry "
		    "adopt --drop' forgets them",
		    wanted->vm));
	if (rc == 0 && (*A)->is_copied)
		say_note("%s: its disks were copied before, and the copies are what is compared; 'vmferry "
		         "adopt --drop' forgets them",
		    wanted->vm);
	if (rc != 2)
		return (rc);
	return (adoption_create(wanted, S, e->store));
}

static int
adopt_locked(const struct site *S, const struct adopt_options *o, struct adoption *wanted)
{
	const struct trust_entry *e;
	struct adoption *old = NULL, *A;
	char uuid[HEADER_UUID];
	int rc;

	if ((rc = describe(wanted, S, o, &e)) != 0)
		return (rc);
	if ((rc = replica_find(S, o->vm, uuid)) < 0)
		return (-1);
	if (rc > 0)
		say_note("%s: there is a replica of a VM of that name; if it is this VM, 'vmferry compare' "
		         "says what it holds",
		    o->vm);
	rc = begin(&old, wanted, S, e);
	A = old != NULL ? old : wanted;
	if (rc == 0 && (rc = copy_disks(A, e)) == 0)
		rc = issue(A, S, o->output);
	else if (rc == 1 && A->dir[0] != '\0' && !A->is_copied)
		adoption_remove(A);
	adoption_close(old);
	return (rc);
}

int
adopt(const struct site *S, const struct adopt_options *o)
{
	struct adoption *wanted = calloc(1, sizeof *wanted);
	char dir[PATH_MAX], path[PATH_MAX];
	int lock, rc = -1;

	if (wanted == NULL)
		return (say_failed("out of memory"));
	wanted->lock = -1;
	if (io_path(dir, "%s/adopted", site_home(S)) != 0 || io_mkdir(dir, 0700) != 0 ||
	    io_path(path, "%s/lock", dir) != 0)
		goto done;
	/* Two that adopt the same VM at once would both find none. */
	if ((lock = io_lock(path)) == -2)
		rc = say_refused("%s: another vmferry is adopting a VM; run the command again", site_home(S));
	else
		rc = lock < 0 ? -1 : adopt_locked(S, o, wanted);
	io_close(lock);
done:
	adoption_close(wanted);
	return (rc);
}

int
adopt_drop(const struct site *S, const char *vm)
{
	struct adoption *A;
	int rc = adoption_open(&A, S, vm);

	if (rc == 0)
		rc = adoption_remove(A);
	adoption_close(A);
	return (rc == 2 ? say_refused("%s: there are no adopted disks of that VM here", vm) : rc);
}
