#include "export_media.h"

#include "gather.h"

static int
leave_keys(const struct site *S, const char *dir)
{
	struct medium *M;
	int rc = medium_open(&M, dir, MEDIUM_LEAVE, NULL);

	if (rc == 0)
		rc = gather_leave_keys(S, M);
	medium_close(M);
	return (rc);
}

int
export_media(struct site *S, const struct export_options *o)
{
	int rc;

	/* That what it brought is refused was said, and is no reason to bring nothing. */
	if (gather_apart(S, o->media, 0) < 0)
		return (-1);
	if ((rc = export(S, o)) != 0)
		return (rc);
	return (leave_keys(S, o->media));
}
