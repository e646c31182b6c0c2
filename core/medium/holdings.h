#ifndef HOLDINGS_H_
#define HOLDINGS_H_

#include <stddef.h>
#include <stdint.h>

#include "chain.h"
#include "header.h"
#include "medium/medium.h"
#include "site/site.h"

/*
 * What lies on a medium: the volumes of bundles, by what their headers say, each checked with the key that it
 * claims.  Whose key that is, is another question.
 */
struct holdings_volume {
	char *name;
	uint32_t number;
	uint64_t bytes;             /* of the file */
	int is_whole;               /* if it was asked for: all its records are there, in order */
	struct chain_volume volume; /* known if it is whole */
};

struct holdings_bundle {
	enum bundle_type type;
	uint8_t id[RECORD_ID], lineage[RECORD_ID];
	uint8_t of[RECORD_ID];         /* of a request or repair: the bundle that is damaged */
	uint8_t key[RECORD_KEY];       /* that signed it */
	uint8_t header[RECORD_DIGEST]; /* hash of the header's record: the volumes of one bundle share it */
	char *vm, *signer;
	char uuid[HEADER_UUID];
	struct point from, to;
	uint64_t epoch; /* to which the history has come that its header says */
	int is_primary; /* of a receipt */
	int64_t created;
	unsigned ntargets;
	uint8_t (*targets)[RECORD_KEY];
	unsigned nvolumes; /* ascending by number; two of the same number may be there */
	struct holdings_volume *volumes;
};

#define HOLDINGS_BUNDLES 20000u /* on one medium, at most */

struct holdings {
	size_t n; /* sorted: by VM, lineage, point, seeds first */
	struct holdings_bundle *bundles;
	size_t nothers; /* names that end in ".vmf" and are no bundle that can be read */
	char **others;
};

/* Read the headers of all that M holds, and all records where walk is set: 0; -1, said. */
int holdings_read(struct holdings *C, const struct medium *M, int walk);

void holdings_free(struct holdings *C);

/* The number of volumes that a bundle has, of those that were read: 0 if its last one is not among them. */
unsigned holdings_volumes(const struct holdings_bundle *b);

/* Are all its volumes there and whole, so that each continues the one before? */
int holdings_is_whole(const struct holdings_bundle *b);

/* Bytes of its files. */
uint64_t holdings_bytes(const struct holdings_bundle *b);

/* Is it for this site?  So is one that is for nobody in particular. */
int holdings_is_for(const struct holdings_bundle *b, const struct site *S);

#endif
