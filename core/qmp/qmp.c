#include "qmp/qmp.h"

#include <string.h>

#include "base/say.h"

int
qmp_answer(const struct question *Q)
{
	return (say_refused("%s: '%s' is no verb that this host knows", Q->name, Q->verb));
}
