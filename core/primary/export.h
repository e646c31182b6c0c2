#ifndef EXPORT_H_
#define EXPORT_H_

#include <stdint.h>

#include "header.h"
#include "site/site.h"

/* Cut a recovery point of a VM and write the bundle that brings its replicas there. */

struct primary;

enum export_since { EXPORT_SINCE_ACKED, EXPORT_SINCE_SENT, EXPORT_SINCE_SEQ };

struct export_options {
	const char *vm;
	int seed, delta;         /* neither: a seed where one is needed, else a delta */
	enum export_since since; /* where a delta starts */
	uint64_t since_seq;
	const char
	    *changes; /* NULL: compare; a file or "-": a list; "bitmap:NAME": of images and NBD exports */
	const char
	    *against;    /* NULL, or a compare bundle, "-": what differs from the disks that it speaks of */
	const char *to;  /* NULL: the sites that were named when it was enabled */
	int plain;       /* 1: do not encrypt; -1: encrypt; 0: as was wished when it was enabled */
	int app;         /* the guest is asked to be consistent at the point */
	int live_unsafe; /* read disks that are being written */
	enum header_level level; /* 0: as was wished */
	const char *output;      /* NULL: standard output, unless there is a medium */
	const char *media;       /* a medium's folder, or NULL */
	uint64_t volume_size;    /* on media; 0: the default */
	int anew;                /* give up an export that is not finished */
	int final;          /* the final point of a planned failover, with the handover: see handover.h */
	const char *resume; /* to a pipe: where the receiver says up to where it has the bundle; or NULL */
};

#define EXPORT_VOLUME ((UINT64_C(4) << 30) - (UINT64_C(1) << 20)) /* what FAT32 holds, and some room */
#define EXPORT_VOLUME_LEAST (UINT64_C(2) << 20)

/**
 * 0; 1, said, and no point was cut; -1.  What was begun to a file or to media goes on where it stood when the same is asked
 * for again.
 */
int export(const struct site *S, const struct export_options *o);

/* The same of a VM whose record is open already; takes P. */
int export_opened(const struct site *S, struct primary *P, const struct export_options *o);

#endif
