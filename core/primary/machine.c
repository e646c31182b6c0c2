#include "primary/machine.h"

#include <stdio.h>
#include <string.h>

#include "base/say.h"
#include "name.h"
#include "primary/change.h"

const struct host_machine_disk *
machine_disk(const struct host_machine *M, const char *id)
{
	for (unsigned i = 0; i < M->ndisks; i++)
		if (strcmp(M->disks[i].id, id) == 0)
			return (&M->disks[i]);
	return (NULL);
}

/* --- enable --------------------------------------------------------------------------------------------- */

static int
has_id(const char *const *list, unsigned n, const char *id)
{
	for (unsigned i = 0; i < n; i++) {
		size_t k = strcspn(list[i], "=");

		if (strlen(id) == k && strncmp(list[i], id, k) == 0)
			return (1);
	}
	return (0);
}

/* As the host says it; its size is learnt by a look at it, where the host does not know it. */
static int
take(struct primary *P, const struct host_machine_disk *m, int is_excluded)
{
	struct primary_disk *d = &P->disks[P->ndisks];
	char spec[sizeof m->id + sizeof m->where];
	int rc;

	if (P->ndisks == 2 * LIMIT_DISKS || (!is_excluded && P->nreplicated == LIMIT_DISKS))
		return (say_refused("%s: a VM has at most %u disks that are replicated", P->vm, LIMIT_DISKS));
	memset(d, 0, sizeof *d);
	strcpy(spec, m->id);
	strcat(spec, "=");
	strcat(spec, m->where);
	if (m->size == 0 && (rc = change_parse(d, spec)) != 0)
		return (rc);
	strcpy(d->id, m->id);
	strcpy(d->where, m->where);
	if (m->size != 0)
		d->size = m->size;
	d->is_excluded = is_excluded;
	P->ndisks++;
	P->nreplicated += !is_excluded;
	return (0);
}

/* One that is not asked for, and cannot be had. */
static int
leave_out(const struct primary *P, const struct host_machine_disk *m, int is_excluded)
{
	if (!m->is_removable && !is_excluded)
		return (say_refused("%s: disk %s %s; leave it out with --exclude %s if the VM can do without",
		    P->vm, m->id, m->why, m->id));
	say_note("%s: disk %s is left out: it %s", P->vm, m->id, m->why);
	return (0);
}

static int
add(struct primary *P, const struct host_machine_disk *m, const struct enable_options *o)
{
	int is_excluded = has_id(o->excluded, o->nexcluded, m->id);
	int is_named = has_id(o->disks, o->ndisks, m->id);
	const char *why = name_check_disk(m->id);

	if (why != NULL)
		return (say_refused("%s: '%s': %s", P->vm, m->id, why));
	if (m->why[0] != '\0' && is_named)
		return (say_refused("%s: disk %s %s", P->vm, m->id, m->why));
	if (m->why[0] != '\0')
		return (leave_out(P, m, is_excluded));
	if (m->is_swap && !is_excluded)
		say_note("%s: disk %s looks like swap: what is on it need not be replicated; --exclude %s "
		         "leaves it out",
		    P->vm, m->id, m->id);
	return (take(P, m, is_excluded));
}

/* Whatever is named must be there. */
static int
check_named(const struct host_machine *M, const char *vm, const char *const *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char id[LIMIT_DISK_ID + 1];

		if (strchr(list[i], '=') != NULL)
			return (say_refused("'%s': the disks of %s are found by its host; name them by their "
			                    "ids alone",
			    list[i], vm));
		strncpy(id, list[i], sizeof id - 1);
		id[sizeof id - 1] = '\0';
		if (machine_disk(M, id) == NULL)
			return (say_refused("%s: has no disk '%s' at its host", vm, list[i]));
	}
	return (0);
}

int
machine_enable(struct primary *P, const struct host_machine *M, const struct enable_options *o)
{
	int rc = check_named(M, P->vm, o->disks, o->ndisks);

	if (rc == 0)
		rc = check_named(M, P->vm, o->excluded, o->nexcluded);
	/* Those that are replicated come first. */
	for (unsigned turn = 0; rc == 0 && turn < 2; turn++)
		for (unsigned i = 0; rc == 0 && i < M->ndisks; i++) {
			const struct host_machine_disk *m = &M->disks[i];
			int is_excluded = has_id(o->excluded, o->nexcluded, m->id);

			if (is_excluded == (turn == 1) &&
			    (is_excluded || o->ndisks == 0 || has_id(o->disks, o->ndisks, m->id)))
				rc = add(P, m, o);
		}
	if (rc == 0 && P->nreplicated == 0)
		return (say_refused("%s: none of its disks would be replicated", P->vm));
	return (rc);
}

/* --- export --------------------------------------------------------------------------------------------- */

static const struct primary_disk *
known(const struct primary *P, const char *id)
{
	for (unsigned i = 0; i < P->ndisks; i++)
		if (strcmp(P->disks[i].id, id) == 0)
			return (&P->disks[i]);
	return (NULL);
}

int
machine_refresh(struct primary *P, const struct host_machine *M)
{
	for (unsigned i = 0; i < P->ndisks; i++) {
		struct primary_disk *d = &P->disks[i];
		const struct host_machine_disk *m = machine_disk(M, d->id);

		if (m != NULL && m->why[0] == '\0') {
			strcpy(d->where, m->where);
			continue;
		}
		if (d->is_excluded || d->is_gone)
			continue;
		return (m == NULL ? say_refused("%s: its host says that it has no disk '%s' any more; say "
		                                "'vmferry enable %s --remove %s' if that is meant",
		                        P->vm, d->id, P->vm, d->id)
		                  : say_refused("%s: disk %s %s", P->vm, d->id, m->why));
	}
	for (unsigned i = 0; i < M->ndisks; i++)
		if (known(P, M->disks[i].id) == NULL && M->disks[i].why[0] == '\0')
			say_note("%s: disk %s is not replicated: say 'vmferry enable %s --disk %s' or "
			         "'--exclude %s'",
			    P->vm, M->disks[i].id, P->vm, M->disks[i].id, M->disks[i].id);
	return (0);
}

int
machine_where(const struct primary *P, const char *id, char out[MACHINE_SPEC])
{
	const struct host_machine_disk *m = NULL;
	struct host_machine *M = NULL;
	struct host *H;
	int rc = host_open(&H, P->host);

	if (rc == 0)
		rc = host_machine(H, P->vm, &M);
	host_close(H);
	if (rc == HOST_NOTHING)
		return (say_refused("'%s': its host does not name disks: say ID=PATH", id));
	if (rc == 0 && (m = machine_disk(M, id)) == NULL)
		rc = say_refused("%s: has no disk '%s' at its host", P->vm, id);
	if (rc == 0 && m->why[0] != '\0')
		rc = say_refused("%s: disk %s %s", P->vm, id, m->why);
	if (rc == 0)
		snprintf(out, MACHINE_SPEC, "%s=%s", m->id, m->where);
	host_machine_free(M);
	return (rc);
}
