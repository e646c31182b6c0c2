#ifndef VOLUMES_H_
#define VOLUMES_H_

#include "primary/ship.h"

/* Where a bundle goes: volumes on a medium, or one file or pipe. */

/* Find the medium, if it goes to one.  0; 1, said; -1. */
int volumes_open_medium(struct ship *s);

/* The path that a volume has when it is whole. */
int volumes_path(const struct ship *s, unsigned number, char out[PATH_MAX]);

/* A writer that goes on behind the volumes that are whole.  0 or -1. */
int volumes_make_writer(struct ship *s);

/* Open a file for the volume that comes next, and start it.  0; 1, said; -1. */
int volumes_begin(struct ship *s);

/* Go on with the file of a volume that is there in part, which was adopted and is s->out.  0 or -1. */
int volumes_go_on(struct ship *s);

/* The volume v is whole and at its place: so it stands in the pending record from now on.  0 or -1. */
int volumes_done(struct ship *s, const struct chain_volume *v, uint64_t bytes);

/* The last record is written: the volume gets its name.  0 or -1. */
int volumes_end(struct ship *s);

/* Is what becomes of it noted while it is written?  To a pipe, only where there is much to go on with. */
int volumes_is_noted(const struct ship *s);

/* Say that the medium is full, what is on it and how many more it takes.  Return -1. */
int volumes_say_full(struct ship *s);

#endif
