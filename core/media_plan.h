#ifndef MEDIA_PLAN_H_
#define MEDIA_PLAN_H_

#include <stdint.h>

#include "site/site.h"

/* What it takes to ship so many bytes on a medium like the one at hand. */
struct media_plan_options {
	const char *dir;
	uint64_t bytes;       /* to be shipped; 0: not said */
	uint64_t volume_size; /* bytes of a volume at most */
	uint64_t line;        /* bytes a second of a line to compare with; 0: none */
	int json;
};

/* Try how fast it is, and print the plan: 0; 1, said; -1. */
int media_plan(const struct media_plan_options *o);

#endif
