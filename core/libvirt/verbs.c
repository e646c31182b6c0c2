#include "libvirt/verbs.h"

#include <string.h>

#include "base/say.h"
#include "libvirt/connect.h"

/* A verb is a file that takes the connection, and the question. */
static const struct verb {
	const char *name;
	int (*answer)(virConnectPtr C, const struct question *Q);
} verbs[] = {
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
