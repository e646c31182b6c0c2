#ifndef PRIMARY_EXTEND_H_
#define PRIMARY_EXTEND_H_

#include "site/site.h"

/* One site more that a VM is replicated to, or one less. */
struct extend_options {
	const char *vm, *to;
	const char
	    *via; /* at a primary: what goes to that site goes on from there; NULL: it is sent from here */
	int end;
};

/**
 * At the primary: from the next bundle on it is for that site too, which may continue the lineage.  Said again with or
 * without --via, its way changes.  0; 1, said; -1.
 */
int extend_primary(const struct site *S, const struct extend_options *o);

#endif
