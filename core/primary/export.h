#ifndef EXPORT_H_
#define EXPORT_H_

#include <stdint.h>

#include "bundle/segment.h"
#include "site/site.h"

/* Cut a recovery point of a VM and write the bundle that brings its replicas there. */

enum export_since { EXPORT_SINCE_ACKED, EXPORT_SINCE_SENT, EXPORT_SINCE_SEQ };

struct export_options {
	const char *vm;
	int seed, delta;         /* neither: a seed where one is needed, else a delta */
	enum export_since since; /* where a delta starts */
	uint64_t since_seq;
	const char *changes; /* NULL: compare; a file or "-": a list; "bitmap:NAME": of NBD exports */
	const char
	    *against;    /* NULL, or a compare bundle, "-": what differs from the disks that it speaks of */
	const char *to;  /* NULL: the sites that were named when it was enabled */
	int plain;       /* do not encrypt */
	int live_unsafe; /* read disks that are being written */
	enum segment_level level;
	const char *output; /* NULL: standard output */
};

/* 0; 1, said, and no point was cut; -1. */
int export(const struct site *S, const struct export_options *o);

#endif
