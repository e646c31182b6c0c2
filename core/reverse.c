#include "reverse.h"

#include "base/say.h"

int
reverse(const struct site *S, const struct reverse_options *o)
{
	(void)S;
	return (say_failed("%s: not built yet", o->vm));
}
