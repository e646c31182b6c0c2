#ifndef SHIP_H_
#define SHIP_H_

#include "bundle/outfile.h"
#include "bundle/pack.h"
#include "disk/changelog.h"
#include "medium/medium.h"
#include "primary/cut.h"
#include "primary/pending.h"
#include "primary/shiplog.h"

/*
 * A cut on its way out: its bundle is written, and its point taken into the record.  How far it is stands in the
 * pending record, so that it can be gone on with: see resume.h.
 */
struct ship {
	struct cut *cut;
	struct pending *pending;
	int is_resumed;                      /* it was begun earlier */
	int64_t begun;                       /* by clock_ms, this time */
	struct changelog *logs[LIMIT_DISKS]; /* NULL once the point is cut */
	struct pack_disk disks[LIMIT_DISKS];
	struct header header;
	struct member member; /* the header's */
	struct trailer trailer;
	struct pack pack;
	struct medium *medium;    /* NULL: it goes to a file or pipe */
	char stem[FILENAME_STEM]; /* there: the names of its volumes */
	uint64_t limit;           /* bytes that the volume may have */
	uint64_t room;            /* that the medium had for us */
	struct outfile *out;
	struct writer *writer;
	struct shiplog *shiplog;
};

/* Fill in of pack and disks what follows from the cut. */
void ship_fill(struct ship *s);

/* The segments from pack.from on, and the proof that nobody wrote meanwhile.  0; 1, said; -1. */
int ship_segments(struct ship *s);

/**
 * The point is taken into the record when all its content was read and its changes are durable, and before
 * the end of the bundle is written: a bundle with an end is always that of a point which we know.
 */
int ship_commit_point(struct ship *s);

/* That a point whose pending record says so is cut is in the record too.  0 or -1. */
int ship_take_point(struct ship *s);

/* The end of the bundle; what is written is made durable.  0 or -1. */
int ship_finish(struct ship *s);

/* All of it is where it belongs: into the ledger.  0 or -1. */
int ship_done(struct ship *s);

/**
 * It ended with rc: keep what is there for the next time, or, where the answer was no and little is lost, forget it.  More is said where the medium is full.  Return 1 or -1.
 */
int ship_stop(struct ship *s, int rc);

void ship_free(struct ship *s);

#endif
