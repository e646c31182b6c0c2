#include "primary/fencing.h"

#include <string.h>

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
