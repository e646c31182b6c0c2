#ifndef COMPARISON_H_
#define COMPARISON_H_

#include "header.h"
#include "leaf.h"
#include "site/site.h"

/* Disks and what is known of them in, a compare bundle out: replicas and adopted disks are compared alike. */
struct comparison {
	const struct site *S;
	const struct trust_entry *to; /* the primary, to which the bundle is sealed */
	struct header header;         /* id, lineage, uuid, vm, points, and the disks are set */
	const uint8_t *leaf_seed;
	const struct leaf_secret *secret; /* made from it */
	const char *what;                 /* of the disks, for the words */
	char disks[LIMIT_DISKS][PATH_MAX];
	char leaves[LIMIT_DISKS][PATH_MAX]; /* empty: the disk is read */
	const char *output;                 /* NULL: standard output */
};

/* Write it: 0 once it is durable, where it is a file; 1, said; -1. */
int comparison_write(struct comparison *C);

#endif
