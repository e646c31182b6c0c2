#ifndef INBOX_H_
#define INBOX_H_

#include "bundle/unpack.h"
#include "replica/replica.h"
#include "site/site.h"

/* A bundle that lies in the replica's own folders, open for reading: staged ones, and undos. */
struct inbox {
	const struct replica *R;
	const struct site *S;
	const struct replica_staged *staged; /* NULL: an undo, in one volume */
	const struct header *header;
	struct trailer end; /* of a whole bundle, after inbox_run */
	/* The volume at hand: */
	uint32_t volume;
	int is_fresh; /* nothing was read of it behind its header */
	int fd;
	struct reader *reader;
	struct member member; /* of the header */
	struct segment_crypt parts[LIMIT_PARTS];
	struct unpack U; /* ready to run, but for context, take and what */
};

/* Open a staged bundle that is whole, or the undo that leads to a point: 0; 1, said; -1.  Close it in any case. */
int inbox_open(
    struct inbox *b, const struct replica *R, const struct site *S, const struct replica_staged *s);
int inbox_open_undo(struct inbox *b, const struct replica *R, const struct site *S, const struct point *to);

/* Open the beginning of the volume of s that was cut short. */
int inbox_open_part(
    struct inbox *b, const struct replica *R, const struct site *S, const struct replica_staged *s);

/* Hand all records of it on, volume by volume, and read its end: as unpack_run.  A staged bundle may be run again. */
int inbox_run(
    struct inbox *b, void *context, int (*take)(void *context, const struct unpacked *u), const char *what);

void inbox_close(struct inbox *b);

#endif
