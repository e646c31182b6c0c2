#include "primary/change.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/source.h"
#include "host/host.h"
#include "name.h"
#include "primary/machine.h"
#include "primary/pending.h"

/* --- what was said ------------------------------------------------------------------------------------ */

int
change_parse(struct primary_disk *d, const char *spec)
{
	const char *eq = strchr(spec, '='), *why;
	struct source *source;
	int rc;

	memset(d, 0, sizeof *d);
	if (eq == NULL || (size_t)(eq - spec) >= sizeof d->id)
		return (say_refused("'%s': a disk is given as ID=PATH, ID=FORMAT:PATH or ID=NBD-URI", spec));
	memcpy(d->id, spec, (size_t)(eq - spec));
	if ((why = name_check_disk(d->id)) != NULL)
		return (say_refused("'%s': %s", spec, why));
	if ((rc = source_absolute(eq + 1, d->where)) != 0)
		return (rc);
	/* Only its size is wanted now; whether it is quiet matters when it is exported. */
	if ((rc = source_open(&source, d->where, SOURCE_LIVE, NULL)) != 0)
		return (rc);
	d->size = source_size(source);
	source_close(source);
	return (0);
}

int
change_add_target(const struct site *S, struct primary *P, const char *name)
{
	struct primary_target *t = &P->targets[P->ntargets];
	const struct trust_entry *e;
	int rc = site_find(S, name, &e);

	if (rc != 0)
		return (rc);
	if (primary_target(P, name) != NULL)
		return (0);
	if (P->ntargets == LIMIT_TARGETS)
		return (say_refused("%s: a VM is replicated to at most %u sites", P->vm, LIMIT_TARGETS));
	memset(t, 0, sizeof *t);
	strcpy(t->name, e->card.name);
	memcpy(t->key, e->card.sign, RECORD_KEY);
	P->ntargets++;
	return (0);
}

/* --- the disks of the record -------------------------------------------------------------------------- */

/* The place of a disk among those that are or were replicated, or NULL; among the excluded ones, or NULL. */
static struct primary_disk *
replicated(struct primary *P, const char *id)
{
	for (unsigned i = 0; i < P->nreplicated; i++)
		if (strcmp(P->disks[i].id, id) == 0)
			return (&P->disks[i]);
	return (NULL);
}

static struct primary_disk *
excluded(struct primary *P, const char *id)
{
	for (unsigned i = P->nreplicated; i < P->ndisks; i++)
		if (strcmp(P->disks[i].id, id) == 0)
			return (&P->disks[i]);
	return (NULL);
}

static void
insert(struct primary *P, unsigned at, const struct primary_disk *d)
{
	memmove(&P->disks[at + 1], &P->disks[at], (P->ndisks - at) * sizeof *P->disks);
	P->disks[at] = *d;
	P->ndisks++;
}

static void
drop(struct primary *P, struct primary_disk *d)
{
	P->nreplicated -= !d->is_excluded;
	memmove(d, d + 1, (size_t)(&P->disks[--P->ndisks] - d) * sizeof *d);
}

/* A disk that never was replicated: at all points so far there was nothing of it. */
static int
add_place(struct primary *P, const struct primary_disk *d)
{
	struct primary_disk new = *d;
	char path[PATH_MAX];

	if (P->nreplicated == LIMIT_DISKS)
		return (say_refused("%s: there is no place for disk '%s': a VM has at most %u disks in its "
		                    "history, and those that were removed count; one of those may come back",
		    P->vm, d->id, LIMIT_DISKS));
	if (primary_leaves_path(P, d->id, path) != 0 || io_remove(path) != 0)
		return (-1);
	new.is_excluded = 0;
	if (P->npoints > 0)
		new.size = 0;
	for (unsigned k = 0; k < P->npoints; k++)
		primary_no_disk(P, &P->points[k].size[P->nreplicated], P->points[k].root[P->nreplicated]);
	insert(P, P->nreplicated++, &new);
	return (0);
}

/* Replicate d from now on; it is none that is replicated already. */
static int
start(struct primary *P, const struct primary_disk *d)
{
	struct primary_disk *was = replicated(P, d->id);

	if (was == NULL)
		return (add_place(P, d));
	/* It comes back to its place.  What it was there before need not have anything to do with what it is now. */
	strcpy(was->where, d->where);
	was->is_gone = 0;
	was->is_new = 1;
	return (0);
}

/* Replicate d no more: nothing is left of it from the next point on. */
static void
stop(struct primary *P, struct primary_disk *d)
{
	if (P->npoints == 0) {
		drop(P, d);
		return;
	}
	d->is_gone = 1;
	d->is_new = 0;
	d->where[0] = '\0';
}

static int
list_excluded(struct primary *P, const struct primary_disk *d)
{
	struct primary_disk new = *d;

	if (P->ndisks - P->nreplicated == LIMIT_DISKS)
		return (say_refused("%s: a VM has at most %u excluded disks", P->vm, LIMIT_DISKS));
	new.is_excluded = 1;
	new.is_gone = new.is_new = 0;
	new.sum = (struct leaf_sum){ 0, 0 };
	insert(P, P->ndisks, &new);
	return (0);
}

/* --- the changes -------------------------------------------------------------------------------------- */

static int
add_disk(struct primary *P, const char *spec)
{
	struct primary_disk d, *was;
	int rc = change_parse(&d, spec);

	if (rc != 0)
		return (rc);
	if ((was = replicated(P, d.id)) != NULL && !was->is_gone)
		return (say_refused("%s: is protected already, as %s, and disk '%s' is one of its disks: %s",
		    P->vm, P->uuid, d.id, was->where));
	if (excluded(P, d.id) != NULL)
		return (say_refused("%s: disk '%s' is excluded; say --include %s", P->vm, d.id, d.id));
	return (start(P, &d));
}

/* "ID=PATH": one more that is not replicated; "ID": one that is replicated now. */
static int
exclude(struct primary *P, const char *spec)
{
	struct primary_disk d, *was = replicated(P, spec);
	int rc;

	if (was != NULL && !was->is_gone) {
		d = *was;
		stop(P, was);
		return (list_excluded(P, &d));
	}
	if (strchr(spec, '=') == NULL)
		return (say_refused("%s: no disk '%s' is replicated", P->vm, spec));
	if ((rc = change_parse(&d, spec)) != 0)
		return (rc);
	if (excluded(P, d.id) != NULL)
		return (say_refused("%s: disk '%s' is excluded already", P->vm, d.id));
	if ((was = replicated(P, d.id)) != NULL && !was->is_gone)
		return (
		    say_refused("%s: disk '%s' is replicated; to leave it out from now on, say --exclude %s",
		        P->vm, d.id, d.id));
	return (list_excluded(P, &d));
}

/* "ID" or "ID=PATH", of one that is excluded now. */
static int
include(struct primary *P, const char *spec)
{
	struct primary_disk d, *was = excluded(P, spec);
	int rc;

	if (was != NULL) {
		d = *was;
	} else {
		if (strchr(spec, '=') == NULL)
			return (say_refused("%s: no disk '%s' is excluded", P->vm, spec));
		if ((rc = change_parse(&d, spec)) != 0)
			return (rc);
		if ((was = excluded(P, d.id)) == NULL)
			return (say_refused("%s: no disk '%s' is excluded", P->vm, d.id));
	}
	drop(P, was);
	return (start(P, &d));
}

static int
remove_disk(struct primary *P, const char *id)
{
	struct primary_disk *was = excluded(P, id);

	if (was != NULL) {
		drop(P, was);
		return (0);
	}
	if ((was = replicated(P, id)) == NULL || was->is_gone)
		return (say_refused("%s: has no disk '%s'", P->vm, id));
	stop(P, was);
	return (0);
}

static int
has_disk(const struct primary *P)
{
	for (unsigned i = 0; i < P->nreplicated; i++)
		if (!P->disks[i].is_gone)
			return (1);
	return (0);
}

/* A disk that is named by its id alone is where the VM's host has it. */
static int
add_named(struct primary *P, const char *spec)
{
	char full[MACHINE_SPEC];
	int rc;

	if (strchr(spec, '=') != NULL)
		return (add_disk(P, spec));
	rc = machine_where(P, spec, full);
	return (rc == 0 ? add_disk(P, full) : rc);
}

/* Those that go first, so that one may come under the id of another. */
static int
change_disks(struct primary *P, const struct enable_options *o)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < o->nremoved; i++)
		rc = remove_disk(P, o->removed[i]);
	for (unsigned i = 0; rc == 0 && i < o->nincluded; i++)
		rc = include(P, o->included[i]);
	for (unsigned i = 0; rc == 0 && i < o->nexcluded; i++)
		rc = exclude(P, o->excluded[i]);
	for (unsigned i = 0; rc == 0 && i < o->ndisks; i++)
		rc = add_named(P, o->disks[i]);
	if (rc == 0 && !has_disk(P))
		rc = say_refused("%s: no disk would be left that is replicated", P->vm);
	return (rc);
}

/* Are disks only brought to other places, with what they hold? */
static int
are_places(const struct enable_options *o)
{
	if (o->nsites + o->nexcluded + o->nincluded > 0 || o->ndisks != o->nremoved)
		return (0);
	for (unsigned i = 0; i < o->nremoved; i++) {
		size_t n = strlen(o->removed[i]);
		unsigned k = 0;

		while (
		    k < o->ndisks && (strncmp(o->disks[k], o->removed[i], n) != 0 || o->disks[k][n] != '='))
			k++;
		if (k == o->ndisks)
			return (0);
	}
	return (1);
}

/*
 * Locked, or of another site by now, it stays as it is, but for places: what is there is compared with the final point when
 * the handover is used.  An export that was begun speaks of the disks as they were.
 */
static int
check_state(const struct primary *P, const struct enable_options *o)
{
	char words[ROLE_WORDS];
	struct pending *p = NULL;
	int rc;

	if ((P->role.state == ROLE_PREPARED && !are_places(o)) || P->role.state == ROLE_TURNED)
		return (say_refused("%s: %s", P->vm, role_objection(&P->role, ROLE_SEND, words)));
	rc = pending_read(&p, P);

	pending_free(p);
	if (rc == 2)
		return (0);
	if (rc < 0)
		return (-1);
	return (say_refused("%s: an export was begun and is not finished; go on with it, or give it up with "
	                    "'vmferry export --anew', and then change the VM's disks",
	    P->vm));
}

int
change_wishes(struct primary *P, const struct enable_options *o)
{
	const char *why = o->host == NULL ? NULL : host_check_spec(o->host);

	if (why != NULL)
		return (say_refused("%s: '%s': %s", P->vm, o->host, why));
	if (o->has_app) {
		P->apps.every = o->app_every;
		P->apps.seconds = o->app_seconds;
		P->apps.why[0] = '\0';
	}
	/* What another host keeps track of has another name. */
	if (o->host != NULL && strcmp(o->host, P->host) != 0)
		P->tracker[0] = '\0';
	if (o->level != 0)
		P->wishes.level = o->level;
	if (o->plain != 0)
		P->wishes.is_plain = o->plain > 0;
	return (o->host == NULL ? 0 : io_path(P->host, "%s", o->host));
}

int
change(const struct site *S, struct primary *P, const struct enable_options *o)
{
	int rc = 0;

	if (o->ndisks + o->nexcluded + o->nincluded + o->nremoved + o->nsites > 0 &&
	    ((rc = check_state(P, o)) != 0 || (rc = change_disks(P, o)) != 0))
		return (rc);
	for (unsigned i = 0; rc == 0 && i < o->nsites; i++)
		rc = change_add_target(S, P, o->sites[i]);
	if (rc != 0 || (rc = change_wishes(P, o)) != 0)
		return (rc);
	if (o->keep != 0)
		P->keep = o->keep;
	if (o->has_frequency)
		P->wishes.frequency = o->frequency;
	return (primary_save(P));
}
