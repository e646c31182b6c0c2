#include "export_media.h"

#include "gather.h"

int
export_media_around(
    struct site *S, const char *dir, int (*go)(struct site *S, const void *context), const void *context)
{
	int rc;

	/* That what it brought is refused was said, and is no reason to bring nothing. */
	if (gather_apart(S, dir, 0) < 0)
		return (-1);
	if ((rc = go(S, context)) != 0)
		return (rc);
	return (gather_leave_keys_at(S, dir));
}

static int
export_there(struct site *S, const void *context)
{
	return (export(S, context));
}

int
export_media(struct site *S, const struct export_options *o)
{
	return (export_media_around(S, o->media, export_there, o));
}
