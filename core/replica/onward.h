#ifndef ONWARD_H_
#define ONWARD_H_

#include "site/site.h"

/* What a replica keeps for another site, on its way to there. */
struct onward_options {
	const char *vm;
	const char *to;     /* NULL: the only one that it is forwarded to */
	const char *output; /* NULL: standard output, unless there is a medium */
	const char *media;  /* a medium's folder, or NULL */
	int anew;           /* from the first that is not acknowledged, whatever was sent */
};

/**
 * The next volume that the site has not acknowledged and that was not sent, to a file or pipe; all of them to a
 * medium.  0; 1, said, if there is none; -1.
 */
int onward(const struct site *S, const struct onward_options *o);

#endif
