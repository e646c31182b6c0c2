#ifndef PACK_H_
#define PACK_H_

#include <stdint.h>

#include "bundle/segment.h"
#include "bundle/writer.h"
#include "chain.h"
#include "disk/changelog.h"
#include "disk/leaves.h"
#include "disk/ranges.h"
#include "disk/source.h"
#include "extent.h"
#include "header.h"
#include "leaf.h"
#include "base/say.h"

/*
 * Disks and sets of blocks in, the segments of a bundle out: read, hash, detect zeroes, compress, encrypt and
 * digest on all cores, sign and write in order.  Seeds, deltas and undos are all made here.
 */

struct pack_disk {
	const struct source *source;
	const struct leaves *leaves; /* at the point before */
	const struct ranges *must;   /* blocks that are carried in any case, or NULL */
	const struct ranges *maybe;  /* blocks that are carried if their leaf is another now, or NULL */
	int only_must;               /* what is in maybe is never carried, only its leaves are noted */
	int is_own;                  /* the leaves are those of this very disk: a difference is a damage */
	struct changelog *log;       /* where the changes of leaves go, or NULL */
	uint64_t size;               /* bytes of the disk that count: no block beyond is looked at */
	struct leaf_sum sum;         /* in: at the point before; out: with the changes that were met */
};

struct pack {
	struct writer *writer;
	const struct leaf_secret *secret;
	struct segment_crypt crypt;
	enum segment_level level;
	struct pack_disk *disks;
	unsigned ndisks;
	struct trailer *trailer; /* its totals of data and zero are counted here */
	struct chain_place from; /* what lies before it is passed over */
	struct chain_place to;   /* where disk is not 0 or offset is not 0: what lies behind it too */
	int is_dry;              /* nothing is encoded or written, and there need be no writer */
	/* Called with the extents of each segment in front of its record, or NULL: 0 or -1, said. */
	int (*extents)(void *context, const struct extent *extents, uint32_t n);
	void *context;
	uint64_t sample; /* dry: one of so many items is read, and encoded into nothing; 0: all are read */
	uint64_t sampled, sampled_stored; /* out: bytes of data in those, and what they came to */
	const char *what;                 /* for the progress */
	uint64_t most;                    /* as pack_most said */
	uint64_t damaged; /* out: blocks of our own disks that are not what their leaves say; said */
};

/* The most bytes of data that P's disks can give from P->from on: for the header.  0 or -1. */
int pack_most(const struct pack *P, uint64_t *most);

/* Write the segments, with what is there: 0 or -1. */
int pack_run(struct pack *P);

#endif
