#include "send.h"

#include "base/say.h"
#include "export_media.h"
#include "replica/forward.h"
#include "replica/onward.h"
#include "side.h"

/* --- at a replica --- */

/* Bundles are forwarded as they are. */
static int
check(const struct export_options *o)
{
	if (o->seed || o->against != NULL)
		return (say_refused(
		    "%s: this site is a replica of it: only its primary can make an initial copy or "
		    "answer a comparison; 'vmferry status' names it",
		    o->vm));
	if (o->delta || o->since != EXPORT_SINCE_ACKED || o->changes != NULL || o->plain != 0 ||
	    o->live_unsafe || o->level != 0 || o->resume != NULL || o->volume_size != 0)
		return (say_refused(
		    "%s: this site is a replica of it, and forwards what it received as it is: only "
		    "--to, -o, --media and --anew go with that",
		    o->vm));
	return (0);
}

static int
go_onward(struct site *S, const void *context)
{
	return (onward(S, context));
}

static int
forward(struct site *S, const struct export_options *o)
{
	const struct onward_options f = {
		.vm = o->vm, .to = o->to, .output = o->output, .media = o->media, .anew = o->anew
	};
	int rc = check(o);

	if (rc != 0)
		return (rc);
	return (o->media != NULL ? export_media_around(S, o->media, go_onward, &f) : onward(S, &f));
}

/* --- */

int
send_bundle(struct site *S, const struct export_options *o)
{
	int rc = side_is_replica(S, o->vm);

	if (rc == 0 && o->to != NULL && !o->seed && o->against == NULL)
		rc = forward_waits(S, o->vm, o->to);
	if (rc != 0)
		return (rc < 0 ? -1 : forward(S, o));
	return (o->media != NULL ? export_media(S, o) : export(S, o));
}
