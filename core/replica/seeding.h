#ifndef SEEDING_H_
#define SEEDING_H_

#include "replica/receive.h"

/*
 * A seed on its way to the disks of a placeholder, volume by volume, in any order.  The disks are nothing to anybody
 * before all volumes are on them, cover every byte, and give the roots that were signed.
 */

/* Take in a volume: 0, durable; 1, said; -1. */
int seeding_take(struct replica *R, struct receiving *c);

/* The beginning of a volume that was cut short. */
struct seeding_part {
	struct member header; /* its payload is freed by seeding_part_free */
	uint8_t last[RECORD_SIZE];
	struct chain chain;
	uint64_t stored;
};

int seeding_part_open(struct seeding_part *p, const struct replica *R, const struct replica_staged *s);
void seeding_part_free(struct seeding_part *p);

/* Take in the rest of it: as seeding_take. */
int seeding_take_rest(struct replica *R, struct receiving *c);

#endif
