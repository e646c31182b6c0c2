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

int
qmp_answer(const struct question *Q)
{
	struct endpoint E;
	int rc = endpoint_parse(&E, Q->host);

	for (size_t i = 0; rc == 0 && i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(verbs[i].name, Q->verb) == 0)
			return (verbs[i].answer(&E, Q));
	return (rc != 0 ? rc : say_refused("%s: '%s' is no verb that this host knows", Q->name, Q->verb));
}
