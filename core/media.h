#ifndef MEDIA_H_
#define MEDIA_H_

#include <stdint.h>

#include "site/site.h"

/* What a medium holds, for whom, and what of it has done its duty. */
struct media_options {
	const char *dir;
	const char *label; /* call the medium that, making our folder on it if need be; NULL: as it is */
	int json;
	int clean;  /* delete what can be deleted */
	int insist; /* refuse to go on without a sandbox */
};

/* List it, having taken the key lists and receipts there: 0; 1, said; -1. */
int media(struct site *S, const struct media_options *o);

/* Delete what has done its duty in that mailbox, and list nothing: 0; 1, said; -1. */
int media_tidy(struct site *S, const char *dir);

#endif
