#include "primary/enable.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk/source.h"
#include "base/io.h"
#include "name.h"
#include "primary/primary.h"
#include "base/say.h"

static int
add_disk(struct primary *P, const char *spec, int is_excluded)
{
	struct primary_disk *d = &P->disks[P->ndisks];
	const char *eq = strchr(spec, '='), *why;
	struct source *source;
	int rc;

	if (eq == NULL || (size_t)(eq - spec) >= sizeof d->id)
		return (say_refused("'%s': a disk is given as ID=PATH or ID=NBD-URI", spec));
	memcpy(d->id, spec, (size_t)(eq - spec));
	d->id[eq - spec] = '\0';
	if ((why = name_check_disk(d->id)) != NULL)
		return (say_refused("'%s': %s", spec, why));
	for (unsigned i = 0; i < P->ndisks; i++)
		if (strcmp(P->disks[i].id, d->id) == 0)
			return (say_refused("'%s': two disks have the same id", spec));
	if (source_absolute(eq + 1, d->where) != 0)
		return (-1);
	/* Only its size is wanted now; whether it is quiet matters when it is exported. */
	if ((rc = source_open(&source, d->where, SOURCE_LIVE, NULL)) != 0)
		return (rc);
	d->size = source_size(source);
	d->is_excluded = is_excluded;
	source_close(source);
	P->ndisks++;
	P->nreplicated += !is_excluded;
	return (0);
}

static int
add_target(const struct site *S, struct primary *P, const char *name)
{
	struct primary_target *t = &P->targets[P->ntargets];
	const struct trust_entry *e = trust_by_name(site_trust(S), name);

	if (e == NULL)
		return (say_refused(
		    "%s: no site of that name is known; add its card with 'vmferry trust add'", name));
	if (e->is_revoked)
		return (say_refused("%s: the keys of this site were revoked here", name));
	if (primary_target(P, name) != NULL)
		return (0);
	strcpy(t->name, e->card.name);
	memcpy(t->key, e->card.sign, RECORD_KEY);
	P->ntargets++;
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
	P->wishes.level = o->level == 0 ? HEADER_LEVEL_DEFAULT : o->level;
	P->wishes.is_plain = o->is_plain;
	P->wishes.frequency = o->frequency;
	P->keep = o->keep;
	rc = io_path(P->host, "%s", o->host == NULL ? "none" : o->host);
	for (unsigned i = 0; rc == 0 && i < o->ndisks; i++)
		rc = add_disk(P, o->disks[i], 0);
	for (unsigned i = 0; rc == 0 && i < o->nexcluded; i++)
		rc = add_disk(P, o->excluded[i], 1);
	for (unsigned i = 0; rc == 0 && i < o->nsites; i++)
		rc = add_target(S, P, o->sites[i]);
	return (rc);
}

static int
create(const struct site *S, const struct enable_options *o)
{
	struct primary *P;
	char uuid[HEADER_UUID];
	int rc = primary_find(S, o->vm, uuid);

	if (rc < 0)
		return (-1);
	if (rc == 1)
		return (say_refused("%s: is protected already, as %s", o->vm, uuid));
	if ((P = calloc(1, sizeof *P)) == NULL)
		return (say_failed("out of memory"));
	P->lock = -1;
	if ((rc = fill(S, P, o)) == 0)
		rc = primary_create(S, P);
	primary_close(P);
	return (rc);
}

int
enable(const struct site *S, const struct enable_options *o)
{
	const char *why = name_check(o->vm);
	int lock, rc;

	if (why != NULL || name_check_uuid(o->vm) == NULL)
		return (say_refused("'%s': %s", o->vm, why != NULL ? why : "a name is not a UUID"));
	/* Two that enable the same name at once would both find it free. */
	if ((lock = primary_lock_all(S)) == -2)
		return (1);
	rc = lock < 0 ? -1 : create(S, o);
	io_close(lock);
	return (rc);
}
