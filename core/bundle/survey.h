#ifndef SURVEY_H_
#define SURVEY_H_

#include <stdint.h>

#include "bundle/resync.h"
#include "disk/ranges.h"
#include "header.h"

/*
 * What is damaged in a volume of a bundle that was refused, and what it covers.  To be believed about what is bad; that
 * something is good, only a reader proves.
 */
#define SURVEY_ITEMS 10000u /* that are named; of more, only the numbers are kept */

struct survey_item {
	const char *part;      /* "segment", "header", "index" and so on */
	uint64_t number, last; /* of segments: which ones */
	int is_covered;        /* and what they hold, of a single one where that is known: */
	uint32_t disk;
	uint64_t offset, span;
	uint64_t position; /* in the file, of the first byte that may be bad */
	const char *why;
};

struct survey {
	int has_header;
	struct header header;
	int has_bundle;
	uint8_t bundle[RECORD_ID], key[RECORD_KEY];
	uint32_t volume; /* 0: not known */
	uint64_t before; /* segments in front of it */
	uint64_t good;   /* segments in it that are */
	struct ranges bad;
	uint64_t
	    open; /* from this segment on nothing is left, and how many there were is not known; else 0 */
	size_t n, room, more; /* items; and how many are not named */
	struct survey_item *items;
	struct record index; /* its place and length, if it is whole: to be asked what is missing */
	uint64_t index_at;
};

/* Look through the file at r, whose keys are those that may have signed it: 0 or -1. */
int survey_run(struct survey *V, struct resync *r);

void survey_free(struct survey *V);

#endif
