#include "replica/moving.h"

#include "base/io.h"
#include "base/say.h"

int
moving_check(const struct replica *R)
{
	enum role_state state = R->role.state;

	if (replica_last(R) == NULL)
		return (say_refused("%s: the replica waits for its seed; move it when that is here", R->vm));
	if (state == ROLE_FAILOVER || state == ROLE_FAILED_OVER || state == ROLE_TURNED)
		return (say_refused("%s: is %s: its disks may be in use, and stay where they are", R->vm,
		    role_state_text(state)));
	return (0);
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
