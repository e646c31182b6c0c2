#include "export_media.h"

#include "gather.h"

int
export_media(struct site *S, const struct export_options *o)
{
	int rc;

	/* That what it brought is refused was said, and is no reason to bring nothing. */
	if (gather_apart(S, o->media, 0) < 0)
		return (-1);
	if ((rc = export(S, o)) != 0)
		return (rc);
	return (gather_leave_keys_at(S, o->media));
}
