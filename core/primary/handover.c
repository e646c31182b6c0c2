#include "primary/handover.h"

#include "base/say.h"

int
handover(struct site *S, const struct handover_options *o)
{
	(void)S;
	return (say_failed("%s: not built yet", o->bundle.vm));
}

int
handover_cancel(const struct site *S, const char *vm)
{
	(void)S;
	return (say_failed("%s: not built yet", vm));
}
