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

static const struct verb *
find(const struct question *Q)
{
	for (const struct verb *v = verbs; v->name != NULL; v++)
		if (strcmp(v->name, Q->verb) == 0)
			return (v);
	say_refusal("%s: '%s' is no verb that this host knows", Q->name, Q->verb);
	return (NULL);
}

static int
answer(void *C, const struct question *Q)
{
	const struct verb *v = find(Q);

	return (v == NULL ? 1 : v->answer(C, Q));
}

int
verbs_answer(const struct question *Q)
{
	virConnectPtr C;
	int rc = -1;

	if (find(Q) == NULL)
		return (1);
	if ((C = connect_open(Q->host)) != NULL)
		rc = question_each(Q, answer, C);
	connect_close(C);
	return (rc);
}
