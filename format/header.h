#ifndef HEADER_H_
#define HEADER_H_

#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "history.h"
#include "leaf.h"
#include "point.h"
#include "record.h"

/* header.json, the first member of a bundle: whose disks it holds, between which points, and for whom. */

#define HEADER_VERSION 1
#define HEADER_UUID 37u
#define HEADER_CONTENT_KEY 32u
#define HEADER_SEAL (HEADER_CONTENT_KEY + LEAF_SEED + 48u) /* both in a libsodium sealed box */

enum bundle_type {
	BUNDLE_SEED = 1,
	BUNDLE_DELTA = 2,
	BUNDLE_UNDO = 3,
	BUNDLE_RECEIPT = 4,
	BUNDLE_REQUEST = 5, /* which segments of another bundle are damaged; in blobs */
	BUNDLE_REPAIR = 6,  /* those segments once more; in blobs */
	BUNDLE_COMPARE = 7, /* digests of what a replica's disks hold; in blobs */
};

struct header_disk {
	char id[LIMIT_DISK_ID + 1];
	uint64_t size;             /* at the point that the bundle leads to; 0: not there, yet or any more */
	uint64_t before_size;      /* at the point it starts from; not in a seed */
	uint8_t before[LEAF_ROOT]; /* and the root there */
};

struct header_excluded {
	char id[LIMIT_DISK_ID + 1];
	uint64_t size;
};

struct header_target {
	uint8_t key[RECORD_KEY];   /* the site's signing key, which names it */
	uint8_t seal[HEADER_SEAL]; /* content key and leaf seed, sealed to the site */
};

/*
 * The definition of the VM: what it is beside its disks, in whatever form its host has that.  The header says which
 * it is at the point that it leads to, and carries it where a target may not have it.
 */
#define HEADER_DIGEST 32u
struct header_definition {
	int is_known;
	uint8_t digest[HEADER_DIGEST]; /* of the text, under the lineage's leaf seed */
	size_t size;                   /* of what is carried; 0: nothing is */
	uint8_t sealed[LIMIT_SEALED];  /* opaque here */
	unsigned part;                 /* of a combined delta: by the cipher and key of that part */
};

/* One of the bundles that were combined: its segments are as they were, under its own id and key. */
struct header_part {
	uint8_t id[RECORD_ID];
	enum record_cipher cipher;
	unsigned ntargets;
	struct header_target targets[LIMIT_TARGETS];
};

/* What the replica is to take over from the primary, so that the other direction works in the same way. */
enum header_level { HEADER_LEVEL_NONE = 1, HEADER_LEVEL_FAST, HEADER_LEVEL_DEFAULT, HEADER_LEVEL_BEST };
struct header_wishes {
	uint64_t frequency; /* seconds; 0: by hand */
	enum header_level level;
	int is_plain; /* bundles are not encrypted */
};

struct header {
	enum bundle_type type;
	uint8_t id[RECORD_ID];
	uint8_t lineage[RECORD_ID];
	char uuid[HEADER_UUID];
	char vm[LIMIT_NAME + 1];
	int64_t created;
	char signer[LIMIT_NAME + 1]; /* what the signer calls itself; its key is in the record */
	struct point from; /* seq 0: none.  In a receipt or compare: what the replica's disks are at */
	struct point to;   /* In a receipt: the newest point that is durable at the replica; in a
	                                compare: from once more, or seq 0 for adopted disks */
	unsigned keep;     /* recovery points that the replica is asked to keep */
	uint64_t most;     /* no more bytes of disk are carried as data than this */
	struct history
	    history; /* of the lineage, as its signer knows it; of a seed or delta up to the point it leads to */
	int is_primary;   /* of a receipt: its signer has taken over, and is what the last turn says */
	int has_handover; /* of a seed or delta to a final point: its signer has locked the VM there */
	uint8_t handover[RECORD_KEY]; /* for the site with that key to take over */
	unsigned nheirs;              /* the sites that may continue the lineage when its primary is gone */
	uint8_t heirs[LIMIT_TARGETS][RECORD_KEY];
	int has_wishes; /* of a seed or delta */
	struct header_wishes wishes;
	struct header_definition definition; /* of a seed or delta */
	int has_of;                          /* of a request or repair, always: */
	uint8_t of[RECORD_ID];               /* the bundle that is damaged */
	int has_against;                     /* of a seed or delta made for disks that were compared: */
	uint8_t against[RECORD_ID]; /* the compare bundle; it applies to the disks as they were then */
	enum record_cipher cipher;
	int has_leaf_seed; /* in clear: only where the bundle is for no site in particular */
	uint8_t leaf_seed[LEAF_SEED];
	unsigned ntargets, ndisks, nexcluded;
	struct header_target targets[LIMIT_TARGETS];
	struct header_disk disks[LIMIT_DISKS];
	struct header_excluded excluded[LIMIT_DISKS];
	unsigned nparts; /* of a combined delta; 0: all segments are under this header's id and cipher */
	struct header_part parts[LIMIT_PARTS];
};

const char *header_type_text(enum bundle_type type);

/* Does a bundle of that type lead disks to a point, in segments?  The others carry blobs, or nothing. */
int header_leads(enum bundle_type type);

/* May a bundle with that header hold blobs? */
int header_has_blobs(const struct header *H);

/**
 * The text of H, or NULL if there is no memory or it would be over LIMIT_JSON.  The caller frees it.
 */
char *header_encode(const struct header *H, size_t *size);

/**
 * Decode n bytes of text whose signature was checked.  Every field is checked by itself and against the
 * others.  Return NULL, or why not, for ever valid; H is then undefined.
 */
const char *header_decode(struct header *H, const char *text, size_t n);

/* end.json, the last member: what the bundle held in all, and what it must lead to. */
struct trailer {
	uint64_t segments;
	uint64_t data;   /* bytes of disk carried as data */
	uint64_t zero;   /* bytes of disk carried as zero or discard */
	uint64_t stored; /* bytes of payload in the segments as stored */
	unsigned volumes;
	unsigned ndisks;
	uint8_t root[LIMIT_DISKS][LEAF_ROOT]; /* in the header's order; only if it leads somewhere */
};

char *trailer_encode(const struct trailer *T, const struct header *H, size_t *size);

const char *trailer_decode(struct trailer *T, const struct header *H, const char *text, size_t n);

#endif
