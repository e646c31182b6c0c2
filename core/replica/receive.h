#ifndef RECEIVE_H_
#define RECEIVE_H_

#include "bundle/unpack.h"
#include "replica/replica.h"
#include "site/site.h"

/*
 * Take a volume of a seed or delta from a reader.  A seed of a new VM goes straight to the disks of a placeholder
 * (seeding); all else goes to the inbox (staging), where it waits for its other volumes and for the bundles that
 * it builds on.
 */
struct receiving {
	const struct site *S;
	const struct trust_entry *e; /* the site that signed it, and may send it */
	struct unpack *U;            /* its header was read */
	const struct member *header;
	struct segment_crypt parts[LIMIT_PARTS]; /* keys, if it is combined */
	uint32_t volume;
	const char *only; /* the VM, by UUID, that it must be of; NULL: any */
	int keep;         /* should it end too early, keep what came: it is from a pipe */
};

/**
 * 0: it is here for good (or was already); 1, said, and nothing has changed but that the beginning of one that was
 * cut short may be kept; -1.  On return *R is the replica, open, where there is one.
 */
int receive(struct replica **R, struct receiving *c);

/* The same for the rest of a volume of that bundle, whose first record was read; c->e is found by this. */
int receive_rest(struct replica **R, struct receiving *c, const uint8_t bundle[RECORD_ID]);

/**
 * Where a bundle was cut short that R has in part, as text: 0; 1, unsaid: there is none (of several, the one that leads
 * furthest); -1, said.
 */
#define RECEIVE_POSITION 4096u
int receive_position_of(const struct replica *R, const struct site *S, char out[RECEIVE_POSITION]);

/* Print where a bundle was cut short that is here in part, of that VM (NULL: any one): 0; 1, said; -1. */
int receive_position(const struct site *S, const char *vm);

#endif
