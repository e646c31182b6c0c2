#ifndef CARGO_H_
#define CARGO_H_

#include "role/role.h"
#include "session.h"
#include "site/site.h"

/* What there is of a VM to be sent to another site, as this site's record says it. */
struct cargo {
	char vm[LIMIT_NAME + 1];
	char uuid[40];
	char to[LIMIT_NAME + 1];
	enum role_side side; /* a replica's is forwarded as it came */
	uint64_t size;       /* bytes of the disks, as far as they are known; else 0 */
	/* At a primary: */
	uint64_t last, epoch; /* its newest point; 0: none */
	uint64_t acked;       /* the newest one that the other site has acknowledged; so at a replica */
	char mailed[LIMIT_NAME +
	            1]; /* where an initial copy for it lies that it has not acknowledged; "" if none does */
	int is_cut_short; /* an export to a pipe was begun, and can be gone on with, */
	int was_seed;     /* and --seed was said for it */
	int was_replica;  /* what was kept to be forwarded goes first */
	/* At a replica, of what waits for the other site: */
	unsigned volumes, sent; /* how many, and how many of them went before */
	uint64_t next_from;     /* the next one leads on from that point */
	int has_next;
};

/* Look: 0; 1, said: it is not sent to that site from here; -1, said. */
int cargo_look(struct cargo *c, const struct site *S, const char *uuid, const char *to);

/**
 * The UUID of the VM of that name or UUID, and the site that it goes to, or comes from: to NULL: the only one.  *is_fetched:
 * it comes from there.  0; 1, said; -1, said.
 */
struct cargo_way {
	char uuid[40], vm[LIMIT_NAME + 1], site[LIMIT_NAME + 1];
	int is_fetched;
};
int cargo_find(struct cargo_way *w, const struct site *S, const char *vm, const char *to);

/**
 * The same for who fetches it: the site of e must be one that the VM is sent to from here, and *is_fetched is never set.
 */
int cargo_find_for(struct cargo_way *w, const struct site *S, const char *vm, const struct trust_entry *e);

/* Bytes of the disks of a primary as they are now, and of that what is not a hole; what is not known is 0.  0; -1, said. */
int cargo_measure(const struct cargo *c, const struct site *S, uint64_t *all, uint64_t *taken);

#endif
