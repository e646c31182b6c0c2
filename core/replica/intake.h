#ifndef INTAKE_H_
#define INTAKE_H_

#include <stdint.h>

#include "replica/replica.h"

/*
 * Which bundles a replica can use, now or later, and in which order.  Pure: looks at the record in memory, or changes
 * it there, and does nothing else.
 *
 * At point b, a delta from a to c is applied if a <= b < c and b is on its way, as its history says; one that was made
 * against a comparison only if a = b.  What is not yet so waits.
 */
enum intake {
	INTAKE_FITS,  /* it continues what is held */
	INTAKE_EARLY, /* it can, once others have come */
	INTAKE_HAVE,  /* that volume, or all that it leads to, is here already */
	INTAKE_OLDER, /* a seed, where volumes of a newer one are on the placeholder's disks */
	INTAKE_PARTED, /* what is here is not on its way */
	INTAKE_TWIN,   /* its number is that of another point that is here */
	INTAKE_PAST,  /* it applied to a point that is behind us, and to no other */
};

/* What is volume number of the bundle with header H to R? */
enum intake intake_judge(const struct replica *R, const struct header *H, uint32_t number);

/* The staged bundle of that id, or NULL. */
struct replica_staged *intake_find(const struct replica *R, const uint8_t id[RECORD_ID]);

/* The staged bundle to be merged next, or -1.  Of several, the one that leads least far: so most points are kept. */
int intake_next(const struct replica *R);

/* The newest point that is here for good, staged or merged; seq 0 in a placeholder. */
struct point intake_held(const struct replica *R);

/* The same, and the history that has led to it. */
struct point intake_held_by(const struct replica *R, struct history *h);

/* Is that very point here, staged or merged, or may it have been?  1; 0: another one is, or it was cut later. */
int intake_is_ours(const struct replica *R, const struct point *p);

/* Are those the roots of that point, as far as they are known here? */
int intake_has_roots(const struct replica *R, const struct point *p, const struct trailer *T);

/* Can no merge need the bundle any more? */
int intake_is_useless(const struct replica *R, const struct replica_staged *s);

/* Bytes in the inbox that wait for other bundles or volumes. */
uint64_t intake_waiting(const struct replica *R);

/* The first disk that is not here, at the point that the delta H starts from, what it was at the primary; or -1. */
int intake_parted(const struct replica *R, const struct header *H);

/* The bundle on whose account others wait is not here: the point where the way ends, and the lowest one that goes on. */
int intake_gap(const struct replica *R, struct point *end, struct point *next);

/* Do all volumes of s fit together and make what its end says?  1; 0: some are missing; -1: they contradict. */
int intake_is_complete(const struct replica_staged *s);

/* Do the volumes of the seed s, which is whole, cover every byte of every disk? */
int intake_is_covered(const struct replica_staged *s, const struct header *H);

/* The entry of the bundle with header H that was signed with key, new if need be.  NULL, said: no memory. */
struct replica_staged *intake_entry(struct replica *R, const struct header *H, const uint8_t key[RECORD_KEY]);

/**
 * Add the volume v, which was read to its end; end is what that said, and counts in the last one alone.  0: s may be
 * whole now, or, where others have led as far meanwhile, dropped; 1: its volumes contradict one another, and s is
 * dropped; -1, said.
 */
int intake_add(
    struct replica *R, struct replica_staged *s, const struct replica_volume *v, const struct trailer *end);

/* The seed of that entry goes to the placeholder's disks, of which nothing else is anything any more.  It again. */
struct replica_staged *intake_to_disks(struct replica *R, struct replica_staged *s);

/* Of a volume of it so many records are durable there, and what they brought: bytes, and the leaves that sum up to sums. */
struct intake_progress {
	uint64_t records, data, zero;
	const struct leaf_sum *sums; /* of each disk */
};
void intake_cut_seed(
    struct replica *R, struct replica_staged *s, uint32_t volume, const struct intake_progress *p);

/* The whole volume is; intake_add is to follow. */
void intake_add_seed(
    struct replica *R, const struct replica_staged *s, uint32_t volume, const struct leaf_sum *sums);

/**
 * The disks are at p, the end of a seed or of the merge under way: points before it stay where there is a way back,
 * bundles that no merge can need any more are dropped.  0; -1, said.
 */
int intake_moved(struct replica *R, const struct replica_point *p);

#endif
