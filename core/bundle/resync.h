#ifndef RESYNC_H_
#define RESYNC_H_

#include <stddef.h>
#include <stdint.h>

#include "record.h"

/*
 * Finds the records of a bundle behind a damage.  Heads stand at multiples of 512 bytes; what looks like one is
 * believed only when its signature is right.  What the medium cannot give back counts as zeroes.
 */
struct resync {
	int fd; /* of a file that can seek */
	const char *name;
	uint64_t size;
	const uint8_t (*keys)[RECORD_KEY]; /* one of these must have signed */
	unsigned nkeys;
	uint8_t bundle[RECORD_ID]; /* all zero: of any bundle */
	uint64_t budget;           /* signatures that may still be checked and be wrong */
	/* Of what was found: */
	uint64_t at; /* where its head starts */
	struct record record;
	uint8_t raw[RECORD_SIZE];
	uint8_t key[RECORD_KEY];
};

#define RESYNC_BUDGET 100000u

/* The first record at or behind byte from: 0, and it is described; 1: there is none, or too much looks like one; -1. */
int resync_find(struct resync *r, uint64_t from);

/* Is a record at byte at?  As above. */
int resync_look(struct resync *r, uint64_t at);

/**
 * Read n bytes at offset, with zeroes for what lies beyond the end or cannot be read: then *is_bad is set.  0 or
 * -1.
 */
int resync_read(const struct resync *r, void *buf, size_t n, uint64_t offset, int *is_bad);

#endif
