#ifndef SERVE_H_
#define SERVE_H_

#include "site/site.h"

struct serve_options {
	int insist;       /* refuse to import without a sandbox */
	const char *only; /* the name of the only site that may call; NULL: all that the trust file knows */
};

/**
 * Serve one session on these descriptors until the caller is done: 0; 1, said: who called is nobody, or was refused; -1,
 * said: the line was cut, or something failed.
 */
int serve(struct site *S, const struct serve_options *o, int in, int out);

#endif
