#include "primary/fencing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"
#include "disk/image.h"
#include "primary/definition.h"

static int
save(void *context)
{
	return (primary_save(context));
}

int
fencing_allows(const struct primary *P)
{
	return (!P->role.is_fenced && P->role.locked == 0);
}

int
fencing_tell(struct primary *P)
{
	struct telling T = { P->host, &P->told, save, P };
	struct host_vm vm = { .uuid = P->uuid, .name = P->vm, .vm = P->vm };
	int rc;

	vm.may_start = fencing_allows(P);
	vm.purpose = vm.may_start ? HOST_PRIMARY : HOST_FENCED;
	/* Of a VM that was never held back there is nothing to say. */
	if (vm.may_start && (!P->told.is_told || P->told.purpose != HOST_FENCED))
		return (0);
	/* Whatever there is of that name is the VM: this site is its primary. */
	if (P->told.whose == TOLD_NOBODY)
		P->told.whose = TOLD_FOUND;
	rc = told_tell(&T, &vm);
	return (rc == 2 ? 0 : rc);
}

/* Of a file or device, in a format that a host is told of. */
static int
has_path(const char *where)
{
	return (where[0] != '\0' && !source_is_uri(where) && image_takes(where));
}

int
fencing_script(struct primary *P, const struct site *S, enum script_phase phase, const char *act)
{
	struct host_vm vm = { .uuid = P->uuid, .name = P->vm, .vm = P->vm };
	struct host_disk *disks;
	const struct primary_point *last = primary_last(P);
	struct script s = { .home = site_home(S),
		.site = site_card(S)->name,
		.act = act,
		.phase = phase,
		.vm = &vm,
		.point = last == NULL ? NULL : &last->point };
	char failure[SCRIPT_WORDS], *text = NULL;
	int rc = script_is_there(s.home);

	if (rc <= 0)
		return (rc);
	rc = -1;
	disks = calloc(P->ndisks, sizeof *disks);
	vm.may_start = fencing_allows(P);
	vm.purpose = vm.may_start ? HOST_PRIMARY : HOST_FENCED;
	for (unsigned i = 0; disks != NULL && i < P->ndisks; i++)
		if (!P->disks[i].is_gone && has_path(P->disks[i].where))
			disks[vm.ndisks++] = (struct host_disk){ .id = P->disks[i].id,
				.path = source_path(P->disks[i].where),
				.format = source_is_plain(P->disks[i].where) ? HOST_RAW : HOST_QCOW2,
				.size = P->disks[i].size,
				.is_excluded = P->disks[i].is_excluded };
	vm.disks = disks;
	if (disks == NULL)
		say_failed("out of memory");
	else if (definition_read(P->dir, &text) == 0) {
		vm.definition = text;
		rc = script_run(&s, failure);
		snprintf(P->reminders.script, sizeof P->reminders.script, "%s", failure);
		if (primary_save(P) != 0)
			rc = -1;
	}
	free(disks);
	free(text);
	return (rc < 0 ? -1 : 0);
}
