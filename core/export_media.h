#ifndef EXPORT_MEDIA_H_
#define EXPORT_MEDIA_H_

#include "primary/export.h"

/**
 * Export to a medium, having taken the receipts and key lists that it brought, so that what comes next starts where the
 * replica is; and leave this site's key list there.  As export.
 */
int export_media(struct site *S, const struct export_options *o);

/* The same around whatever else writes a bundle there: go, with its context, is called in between. */
int export_media_around(
    struct site *S, const char *dir, int (*go)(struct site *S, const void *context), const void *context);

#endif
