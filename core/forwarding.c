#include "forwarding.h"

#include "base/say.h"
#include "gather.h"
#include "replica/onward.h"

/* Bundles are forwarded as they are. */
static int
check(const struct export_options *o)
{
	if (o->seed || o->against != NULL)
		return (say_refused(
		    "%s: this site is a replica of it: only its primary can make an initial copy or "
		    "answer a comparison; 'vmferry status' names it",
		    o->vm));
	if (o->delta || o->since != EXPORT_SINCE_ACKED || o->changes != NULL || o->plain || o->live_unsafe ||
	    o->level != SEGMENT_DEFAULT || o->resume != NULL || o->volume_size != 0)
		return (say_refused(
		    "%s: this site is a replica of it, and forwards what it received as it is: only "
		    "--to, -o, --media and --anew go with that",
		    o->vm));
	return (0);
}

int
forwarding(struct site *S, const struct export_options *o)
{
	const struct onward_options f = {
		.vm = o->vm, .to = o->to, .output = o->output, .media = o->media, .anew = o->anew
	};
	int rc = check(o);

	if (rc != 0)
		return (rc);
	/* That what it brought is refused was said, and is no reason to bring nothing. */
	if (o->media != NULL && gather_apart(S, o->media, 0) < 0)
		return (-1);
	if ((rc = onward(S, &f)) != 0 || o->media == NULL)
		return (rc);
	return (gather_leave_keys_at(S, o->media));
}
