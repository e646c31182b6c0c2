#include "primary/enable.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "name.h"
#include "primary/change.h"
#include "primary/primary.h"
#include "base/say.h"

static int
add_disk(struct primary *P, const char *spec, int is_excluded)
{
	struct primary_disk *d = &P->disks[P->ndisks];
	int rc = change_parse(d, spec);

	if (rc != 0)
		return (rc);
	for (unsigned i = 0; i < P->ndisks; i++)
		if (strcmp(P->disks[i].id, d->id) == 0)
			return (say_refused("'%s': two disks have the same id", spec));
	d->is_excluded = is_excluded;
	P->ndisks++;
	P->nreplicated += !is_excluded;
	return (0);
}

static int
fill(const struct site *S, struct primary *P, const struct enable_options *o)
{
	uint8_t random[16];
	int rc = 0;

	strcpy(P->vm, o->vm);
	randombytes_buf(random, sizeof random);
	name_make_uuid(P->uuid, random);
	randombytes_buf(P->lineage, sizeof P->lineage);
	randombytes_buf(P->leaf_seed, sizeof P->leaf_seed);
	role_begin(&P->role, ROLE_PRIMARY, ROLE_READY);
	reminders_settle_home(&P->reminders, 0, site_card(S)->sign);
	P->wishes.level = HEADER_LEVEL_DEFAULT;
	P->keep = o->keep != 0 ? o->keep : 1;
	P->wishes.frequency = o->frequency;
	strcpy(P->host, "none");
	rc = change_wishes(P, o);
	for (unsigned i = 0; rc == 0 && i < o->ndisks; i++)
		rc = add_disk(P, o->disks[i], 0);
	for (unsigned i = 0; rc == 0 && i < o->nexcluded; i++)
		rc = add_disk(P, o->excluded[i], 1);
	for (unsigned i = 0; rc == 0 && i < o->nsites; i++)
		rc = change_add_target(S, P, o->sites[i]);
	return (rc);
}

static int
create(const struct site *S, const struct enable_options *o)
{
	struct primary *P;
	int rc;

	if (o->ndisks == 0 || o->nincluded > 0 || o->nremoved > 0)
		return (say_refused("%s: is not protected here; name its disks with --disk alone", o->vm));
	if ((P = calloc(1, sizeof *P)) == NULL)
		return (say_failed("out of memory"));
	P->lock = -1;
	if ((rc = fill(S, P, o)) == 0)
		rc = primary_create(S, P);
	primary_close(P);
	return (rc);
}

static int
change_old(const struct site *S, const struct enable_options *o)
{
	struct primary *P;
	int rc = primary_open(&P, S, o->vm);

	if (rc == 0)
		rc = change(S, P, o);
	primary_close(P);
	return (rc);
}

static int
create_new(const struct site *S, const struct enable_options *o)
{
	const char *why = name_check(o->vm);

	if (why != NULL || name_check_uuid(o->vm) == NULL)
		return (say_refused("'%s': %s", o->vm, why != NULL ? why : "a name is not a UUID"));
	return (create(S, o));
}

int
enable(const struct site *S, const struct enable_options *o)
{
	char uuid[HEADER_UUID];
	int lock, rc;

	/* Two that enable the same name at once would both find it free. */
	if ((lock = primary_lock_all(S)) == -2)
		return (1);
	if (lock < 0 || (rc = primary_find(S, o->vm, uuid)) < 0)
		rc = -1;
	else
		rc = rc == 1 ? change_old(S, o) : create_new(S, o);
	io_close(lock);
	return (rc);
}
