#include "replica/failover.h"

#include "base/say.h"

int
failover_test(const struct site *S, const struct failover_options *o)
{
	(void)S;
	return (say_failed("%s: not built yet", o->vm));
}

int
failover_test_stop(const struct site *S, const struct failover_options *o)
{
	(void)S;
	return (say_failed("%s: not built yet", o->vm));
}

int
failover_planned(const struct site *S, const struct failover_options *o)
{
	(void)S;
	return (say_failed("%s: not built yet", o->vm));
}

int
failover_unplanned(const struct site *S, const struct failover_options *o)
{
	(void)S;
	return (say_failed("%s: not built yet", o->vm));
}

int
failover_complete(const struct site *S, const struct failover_options *o)
{
	(void)S;
	return (say_failed("%s: not built yet", o->vm));
}

int
failover_cancel(const struct site *S, const struct failover_options *o)
{
	(void)S;
	return (say_failed("%s: not built yet", o->vm));
}
