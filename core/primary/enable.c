#include "primary/enable.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "name.h"
#include "host/host.h"
#include "primary/change.h"
#include "primary/machine.h"
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
add_disks(struct primary *P, const struct enable_options *o, const struct host_machine *M)
{
	int rc = 0;

	if (M != NULL)
		return (machine_enable(P, M, o));
	if (o->ndisks == 0)
		return (say_refused("%s: is not protected here; name its disks with --disk", o->vm));
	for (unsigned i = 0; rc == 0 && i < o->ndisks; i++)
		rc = add_disk(P, o->disks[i], 0);
	for (unsigned i = 0; rc == 0 && i < o->nexcluded; i++)
		rc = add_disk(P, o->excluded[i], 1);
	return (rc);
}

/* A VM is known by the same UUID to its host and to us, if the host has one. */
static void
name_uuid(struct primary *P, const struct host_machine *M)
{
	uint8_t random[16];

	if (M != NULL && name_check_uuid(M->uuid) == NULL) {
		strcpy(P->uuid, M->uuid);
		return;
	}
	randombytes_buf(random, sizeof random);
	name_make_uuid(P->uuid, random);
}

static int
fill(const struct site *S, struct primary *P, const struct enable_options *o, const struct host_machine *M)
{
	int rc = 0;

	strcpy(P->vm, o->vm);
	name_uuid(P, M);
	randombytes_buf(P->lineage, sizeof P->lineage);
	randombytes_buf(P->leaf_seed, sizeof P->leaf_seed);
	role_begin(&P->role, ROLE_PRIMARY, ROLE_READY);
	reminders_settle_home(&P->reminders, 0, site_card(S)->sign);
	P->wishes.level = HEADER_LEVEL_DEFAULT;
	P->keep = o->keep != 0 ? o->keep : 1;
	P->wishes.frequency = o->frequency;
	strcpy(P->host, "none");
	rc = change_wishes(P, o);
	if (rc == 0)
		rc = add_disks(P, o, M);
	for (unsigned i = 0; rc == 0 && i < o->nsites; i++)
		rc = change_add_target(S, P, o->sites[i]);
	return (rc);
}

/* What the host says of it: 0, with NULL where that can say nothing, or disks are named by their paths; 1, said; -1. */
static int
ask_host(const struct enable_options *o, struct host_machine **M)
{
	struct host *H;
	int rc;

	*M = NULL;
	if (o->host == NULL || (o->ndisks > 0 && strchr(o->disks[0], '=') != NULL))
		return (0);
	if ((rc = host_open(&H, o->host)) == 0 && (rc = host_machine(H, o->vm, M)) == HOST_NOTHING)
		rc = 0;
	host_close(H);
	return (rc);
}

static int
create(const struct site *S, const struct enable_options *o)
{
	struct host_machine *M = NULL;
	struct primary *P;
	int rc;

	if (o->nincluded > 0 || o->nremoved > 0)
		return (say_refused("%s: is not protected here; name its disks with --disk alone", o->vm));
	if ((P = calloc(1, sizeof *P)) == NULL)
		return (say_failed("out of memory"));
	P->lock = -1;
	if ((rc = ask_host(o, &M)) == 0 && (rc = fill(S, P, o, M)) == 0)
		rc = primary_create(S, P);
	host_machine_free(M);
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
