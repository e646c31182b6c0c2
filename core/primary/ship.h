#ifndef SHIP_H_
#define SHIP_H_

#include "bundle/outfile.h"
#include "bundle/pack.h"
#include "disk/changelog.h"
#include "primary/cut.h"
#include "primary/shiplog.h"

/* A cut on its way out: its bundle is written, and its point taken into the record. */
struct ship {
	struct cut *cut;
	struct changelog *logs[LIMIT_DISKS];
	struct pack_disk disks[LIMIT_DISKS];
	struct header header;
	struct trailer trailer;
	struct pack pack;
	struct outfile *out;
	struct writer *writer;
	struct shiplog *shiplog;
	struct primary_point point;
};

/* In this order, with cut set.  Each: 0; 1, said; -1. */

/* The header, sealed for the targets. */
int ship_prepare(struct ship *s);

/* Open what is written to. */
int ship_open(struct ship *s);

/* The segments, and the proof that nobody wrote meanwhile. */
int ship_segments(struct ship *s);

/**
 * The point is taken into the record when all its content was read and its changes are durable, and before
 * the end of the bundle is written: a bundle with an end is always that of a point which we know.
 */
int ship_commit_point(struct ship *s);

/* The end of the bundle; what is written is made durable. */
int ship_finish(struct ship *s);

void ship_free(struct ship *s);

#endif
