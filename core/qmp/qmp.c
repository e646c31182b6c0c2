#include "qmp/qmp.h"

#include <stdio.h>
#include <string.h>

#include "base/say.h"
#include "qmp/endpoint.h"
#include "qmp/fleece.h"
#include "qmp/hardware.h"
#include "qmp/power.h"

/* What networks a QEMU has is in its options, which a person gives. */
static int
networks(const struct endpoint *E, const struct question *Q)
{
	(void)E;
	(void)Q;
	puts("{}");
	return (0);
}

static const struct {
	const char *name;
	int (*answer)(const struct endpoint *E, const struct question *Q);
} verbs[] = {
	{ "state", power_tell },
	{ "shutdown", power_shutdown },
	{ "networks", networks },
	{ "machine", hardware_tell },
	{ "view", fleece_view },
	{ "forget", fleece_forget },
};

static int
answer(void *context, const struct question *Q)
{
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(verbs[i].name, Q->verb) == 0)
			return (verbs[i].answer(context, Q));
	return (say_refused("%s: '%s' is no verb that this host knows", Q->name, Q->verb));
}

int
qmp_answer(const struct question *Q)
{
	struct endpoint E;
	int rc = endpoint_parse(&E, Q->host);

	return (rc == 0 ? question_each(Q, answer, &E) : rc);
}
