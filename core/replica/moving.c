#include "replica/moving.h"

#include <inttypes.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/overlay.h"

/* Somebody may look at the disks by himself. */
static int
check_idle(const struct replica *R)
{
	char path[PATH_MAX];
	int used = 0;

	for (unsigned i = 0; used == 0 && i < R->ndisks; i++) {
		if (replica_last(R)->disks[i].size == 0)
			continue;
		if (replica_disk_path(R, i, path) != 0 || (used = overlay_is_used(path)) < 0)
			return (-1);
	}
	return (used == 0 ? 0 : say_refused("%s: a VM or another program has it open", path));
}

int
moving_check(const struct replica *R)
{
	enum role_state state = role_beneath(&R->role);

	if (replica_last(R) == NULL)
		return (say_refused("%s: the replica waits for its seed; move it when that is here", R->vm));
	if (state == ROLE_FAILOVER || state == ROLE_FAILED_OVER || state == ROLE_TURNED)
		return (say_refused("%s: is %s: its disks may be in use, and stay where they are", R->vm,
		    role_state_text(state)));
	if (R->test.is_on)
		return (say_refused("%s: a test failover from point %" PRIu64
		                    " stands on its disks; end it with 'vmferry failover --stop-test'",
		    R->vm, R->test.at.seq));
	return (check_idle(R));
}

int
moving_can_share(const char *from, const char *dir)
{
	char path[PATH_MAX];
	int a = -1, b = -1, rc = 0;

	if (io_path(path, "%s/state", from) == 0 && (a = io_open_read(path)) >= 0 &&
	    (b = io_temporary(dir)) >= 0)
		rc = io_clone(b, a);
	io_close(a);
	io_close(b);
	return (rc);
}
