#include "libvirt/verbs.h"

#include <string.h>

#include "base/say.h"
#include "libvirt/connect.h"
#include "libvirt/view.h"
#include "libvirt/watch.h"
#include "libvirt/define.h"
#include "libvirt/domstate.h"
#include "libvirt/lifecycle.h"
#include "libvirt/machine.h"
#include "libvirt/networks.h"

/* A verb is a file that takes the connection, and the question. */
static const struct verb {
	const char *name;
	int (*answer)(virConnectPtr C, const struct question *Q);
} verbs[] = {
	{ "view", view_answer },
	{ "forget", view_forget },
	{ "thaw", watch_thaw },
	{ "resume", watch_resume },
	{ "end", watch_view },
	{ "machine", machine_answer },
	{ "networks", networks_answer },
	{ "define", define_answer },
	{ "state", domstate_answer },
	{ "start", lifecycle_start },
	{ "shutdown", lifecycle_shutdown },
	{ "undefine", lifecycle_undefine },
	{ NULL, NULL },
};

int
verbs_answer(const struct question *Q)
{
	const struct verb *v = verbs;
	virConnectPtr C;
	int rc = -1;

	while (v->name != NULL && strcmp(v->name, Q->verb) != 0)
		v++;
	if (v->name == NULL)
		return (say_refused("%s: '%s' is no verb that this host knows", Q->name, Q->verb));
	if ((C = connect_open(Q->host)) != NULL)
		rc = v->answer(C, Q);
	connect_close(C);
	return (rc);
}
