#ifndef IMPORT_MEDIA_H_
#define IMPORT_MEDIA_H_

#include "import.h"

/**
 * Take all that is for this site from the medium at dir, each bundle as import does, in the order of its points; then
 * leave receipts, custody lines and this site's key list there, if it can be written to.  One bundle that is refused
 * keeps none of the others back.  0: all was taken or was here; 1, said: at least one was refused; -1: at least one
 * failed.
 */
int import_media(struct site *S, const struct import_options *o, const char *dir);

#endif
