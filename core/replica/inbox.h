#ifndef INBOX_H_
#define INBOX_H_

#include "bundle/unpack.h"
#include "replica/replica.h"
#include "site/site.h"

/* A bundle that lies in the replica's own folders, open for reading: staged ones, and undos. */
struct inbox {
	int fd;
	struct reader *reader;
	const struct header *header;
	struct member member; /* of the header */
	struct unpack U;      /* ready to run, but for context, take and what */
};

/* Open the staged bundle that leads to that point, or the undo: 0; 1, said; -1.  Close it in any case. */
int inbox_open(struct inbox *b, const struct replica *R, const struct site *S, const struct point *to);
int inbox_open_undo(struct inbox *b, const struct replica *R, const struct site *S, const struct point *to);

void inbox_close(struct inbox *b);

#endif
