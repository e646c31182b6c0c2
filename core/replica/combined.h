#ifndef COMBINED_H_
#define COMBINED_H_

#include "bundle/unpack.h"
#include "replica/replica.h"
#include "site/site.h"

/*
 * What a combined delta takes beyond an ordinary one: the key of each of its parts, and, since any site that is
 * authorized may have signed it, the proof in its blobs that it leads where the primary signed.
 */

/* Unseal the parts of H into parts, and have U use them; of another bundle, nothing.  NULL, or why there is none for us. */
const char *combined_unseal(
    const struct site *S, const struct header *H, struct segment_crypt parts[LIMIT_PARTS], struct unpack *U);

struct combined;

/**
 * Watch over the records of a bundle as they come, before they are used.  is_new: it comes in now, and the primary's
 * key is judged.  NULL, said, if there is no memory.
 */
struct combined *combined_new(const struct replica *R, const struct site *S, int is_new);
void combined_free(struct combined *C);

/* The next record, which came from that reader; of an ordinary bundle, anything will do.  0; 1, said. */
int combined_take(struct combined *C, const struct reader *reader, const struct unpacked *u);

#endif
