#include "extend.h"

#include "base/say.h"
#include "replica/forward.h"
#include "side.h"

int
extend(const struct site *S, const struct extend_options *o)
{
	int rc = side_is_replica(S, o->vm);

	if (rc < 0)
		return (-1);
	if (rc == 0)
		return (extend_primary(S, o));
	if (o->via != NULL)
		return (say_refused("%s: this site is a replica of it: --via is for its primary", o->vm));
	return (o->end ? forward_end(S, o->vm, o->to) : forward_start(S, o->vm, o->to));
}
