#ifndef UNPACK_H_
#define UNPACK_H_

#include <stdint.h>

#include "bundle/reader.h"
#include "bundle/segment.h"
#include "extent.h"
#include "header.h"
#include "leaf.h"

/*
 * A bundle in, its records out: read and checked in order, decoded and hashed on all cores, handed on in
 * order.  Imports, merges, restores and verifications all go through here.
 */
struct unpacked {
	struct member member;
	/* Of a segment that was decoded: */
	struct extent *extents; /* member.record.extents of them */
	const uint8_t *data;    /* what its data extents hold, one after the other */
	uint64_t *leaves;       /* of each block of that data, where there is a secret */
	uint64_t length;        /* bytes of that data */
	uint64_t zero;          /* bytes in its other extents */
};

struct unpack {
	struct reader *reader; /* whose header was read */
	const struct header *header;
	struct segment_crypt crypt;
	const struct segment_crypt *parts; /* of a combined delta, one for each of its parts; else NULL */
	int decode;                        /* 0: hold the payloads against their digests and no more */
	const struct leaf_secret *secret;  /* NULL: no leaves are wanted */
	void *context;
	/* Each record behind the header: 0; 1, said; -1.  NULL: they are only checked. */
	int (*take)(void *context, const struct unpacked *u);
	const char *what;    /* for the progress */
	uint64_t total;      /* bytes of the bundle; 0 if not known */
	uint64_t data, zero; /* bytes of disk; in: in what was read before; out: with what was read now */
	int ended;           /* out */
};

/* 0 when all of the bundle, or of this volume of it, was there and was right; 1, said; -1. */
int unpack_run(struct unpack *U);

#endif
