#ifndef EXPORT_MEDIA_H_
#define EXPORT_MEDIA_H_

#include "primary/export.h"

/**
 * Export to a medium, having taken the receipts and key lists that it brought, so that what comes next starts where the
 * replica is; and leave this site's key list there.  As export.
 */
int export_media(struct site *S, const struct export_options *o);

#endif
