#include "libvirt/libvirt.h"

#include <string.h>

#include "base/say.h"

int
libvirt_answer(const struct question *Q)
{
	return (say_refused("%s: '%s' is no verb that this host knows", Q->name, Q->verb));
}
