#ifndef VMTEXT_H_
#define VMTEXT_H_

#include "bundle/segment.h"
#include "header.h"

/*
 * The definition of a VM as bundles carry it, in their headers: compressed, and encrypted as their segments are.  See
 * bundle(5).  The text is opaque: the hypervisors' own, in UTF-8.
 */

/* Which text is it?  The same one of another lineage has another digest, so nobody can tell what he does not know. */
void vmtext_digest(uint8_t out[HEADER_DIGEST], const uint8_t leaf_seed[LEAF_SEED], const char *text);

/* Could it be one?  NULL, or why not. */
const char *vmtext_check(const char *text, size_t n);

/**
 * Seal the text, which was checked, for the bundle of K: 0; 1, unsaid: it takes more than a header carries; -1, said.
 */
int vmtext_seal(struct header_definition *d, const struct segment_crypt *K, const char *text);

/**
 * The text that the header H carries (there is some), by the key of the bundle, or of its parts where it is combined.
 * It has the digest that H says.  NULL, and *text is the caller's to free; or why not.
 */
const char *vmtext_open(char **text, const struct header *H, const struct segment_crypt *K,
    const struct segment_crypt parts[LIMIT_PARTS], const uint8_t leaf_seed[LEAF_SEED]);

#endif
