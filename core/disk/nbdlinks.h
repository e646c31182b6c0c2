#ifndef NBDLINKS_H_
#define NBDLINKS_H_

#include <stdint.h>

#include "disk/ranges.h"

/*
 * One NBD export, read by many threads over several connections, so that none waits for another: as many as there are
 * threads, where the server says that all of them see the same.  Its answers are checked for length, as those of a
 * stranger.
 */
struct nbdlinks;

#define NBDLINKS_MOST 8u  /* connections */
#define NBDLINKS_WHY 512u /* room for what hindered */

struct nbdlinks_export {
	const char *name;   /* for the words, and the URI where there are no sockets */
	const char *bitmap; /* the dirty bitmap that is wanted, or NULL */
	int *sockets;       /* of connections that are made already; taken, also on error; or NULL */
	unsigned nsockets;  /* up to NBDLINKS_MOST */
};

/* How many connections are of use in this process. */
unsigned nbdlinks_wanted(void);

/* 0; -1, with the reason in why, and not said. */
int nbdlinks_open(struct nbdlinks **N, const struct nbdlinks_export *e, char why[NBDLINKS_WHY]);

void nbdlinks_close(struct nbdlinks *N);

uint64_t nbdlinks_size(const struct nbdlinks *N);

/* As the functions of a source_kind, but that nbdlinks_dirty does not say why it returns 1. */
int nbdlinks_read(struct nbdlinks *N, void *buf, size_t n, uint64_t offset);
int nbdlinks_stretch(struct nbdlinks *N, uint64_t offset, uint64_t end, uint64_t *length, int *is_hole);
int nbdlinks_dirty(struct nbdlinks *N, struct ranges *out);
int nbdlinks_check(struct nbdlinks *N);

#endif
