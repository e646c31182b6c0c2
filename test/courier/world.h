#ifndef WORLD_H_
#define WORLD_H_

/* What the courier simulation is made of: its dice, its words, its bundles, its sites. */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../dice.h"
#include "chain.h"
#include "header.h"
#include "leaf.h"
#include "primary/ledger.h"
#include "primary/primary.h"
#include "replica/intake.h"
#include "replica/missing.h"
#include "replica/replica.h"

#define DISKS 2u
#define FIRST 40u  /* blocks of the first disk */
#define BLOCKS 64u /* of both: a set of them is a uint64_t */
#define VALUES 6u  /* of a block: few, so that what changed often changes back */
#define SITES 3u
#define SEQ_MAX 96u
#define BUNDLES 160u
#define VOLUMES 12u
#define PARCELS 256u
#define ITEMS 24u

/* What a bundle carries: blocks and their new values, in volumes. */
struct bundle {
	uint8_t id[RECORD_ID];
	uint8_t key[RECORD_KEY];
	enum bundle_type type;
	int is_exact;
	int is_cut_off; /* its export ended before its end was written */
	unsigned sent;  /* volumes of it that had left when it was interrupted */
	struct point from, to;
	uint8_t before[DISKS][LEAF_ROOT];
	unsigned targets; /* bit i: for site i */
	unsigned npairs;
	uint8_t block[BLOCKS], value[BLOCKS];
	unsigned nvolumes;
	unsigned first[VOLUMES + 1]; /* pair that a volume begins with */
	struct replica_volume volumes[VOLUMES];
	struct trailer end;
};

struct item {
	unsigned bundle, volume; /* volume: from 1 */
};

/* Something on the road: volumes for a site, or a receipt of one. */
struct parcel {
	int is_receipt;
	unsigned site; /* for whom, or of whom */
	unsigned nitems;
	struct item items[ITEMS];
	struct point from, to;
	int64_t created;
	uint8_t roots[DISKS][LEAF_ROOT];
};

struct primary_side {
	struct primary *P;
	uint8_t now[BLOCKS];
	uint8_t history[SEQ_MAX][BLOCKS]; /* content of every point that was ever cut */
	uint8_t roots[SEQ_MAX][DISKS][LEAF_ROOT];
	struct leaf_sum sums[SEQ_MAX][DISKS];
	uint64_t maps[SEQ_MAX]; /* blocks that changed from the point kept before to this one */
	uint64_t nseq;
	unsigned most_points;
	int pending; /* the bundle whose export was interrupted and may go on; or -1 */
	uint8_t frozen[BLOCKS];
	uint64_t changed;
};

struct replica_side {
	struct replica *R; /* NULL: nothing is here */
	uint8_t disk[BLOCKS];
	unsigned cut_pairs[BUNDLES]; /* where in a bundle the file ends that R says to be cut */
	uint64_t inbox;
	int is_liar;         /* its receipts claim what they like */
	int went_back;       /* it was restored, and has not been heard of since */
	int64_t back_at;     /* when */
	uint64_t reached;    /* the newest point that it was at, unless it went back */
	uint64_t held;       /* the same of what it held */
	uint64_t base;       /* where deltas to it start, as long as it acknowledges no more */
	struct replica *old; /* an older copy of it */
	uint8_t old_disk[BLOCKS];
	unsigned old_cut_pairs[BUNDLES];
};

enum event {
	EV_HISTORY,
	EV_SEED,
	EV_DELTA,
	EV_EXACT,
	EV_COMBINED,
	EV_VOLUMES,
	EV_RESUMED,
	EV_BEGUN_ANEW,
	EV_NOT_DELIVERED,
	EV_EARLY,
	EV_HAVE,
	EV_OLDER,
	EV_PAST,
	EV_NO_ROOM,
	EV_CUT,
	EV_TAMPERED,
	EV_REST,
	EV_AFRESH,
	EV_CRASH,
	EV_SEEDED,
	EV_SEED_OVER,
	EV_MERGED,
	EV_PRUNED,
	EV_FOLDED,
	EV_RESTORED,
	EV_NEWER,
	EV_STALE,
	EV_WENT_BACK,
	EV_LIE,
	EV_LOST,
	EV_TWICE,
	EV_WAITED,
	EV_RESCUED_BY_SEED,
	EVENTS
};

static const char *const event_names[EVENTS] = { "histories", "seeds", "deltas",
	"deltas against a comparison", "combined", "bundles in volumes", "exports resumed",
	"exports begun anew", "points not delivered", "came early", "were here", "were older seeds",
	"came too late", "no room to wait", "cut short", "tampered with", "continued", "came afresh",
	"merges interrupted", "placeholders seeded", "seeds over a replica", "merges",
	"points of a replica pruned", "points folded", "replicas restored", "receipts with news",
	"receipts without", "went back", "lies", "parcels lost", "parcels twice", "waited at the end",
	"rescued by a seed" };

struct world {
	uint64_t dice;
	int is_loud;
	int64_t clock;
	unsigned nsites;
	struct primary_side hq;
	struct replica_side sites[SITES];
	unsigned nbundles;
	struct bundle bundles[BUNDLES];
	unsigned nparcels;
	struct parcel parcels[PARCELS];
	struct leaf_secret secret;
	jmp_buf failed;
	char why[512];
	uint64_t events[EVENTS];
};

/* --- dice and words ------------------------------------------------------------------------------------- */

static inline uint64_t
roll(struct world *w)
{
	return (dice_roll(&w->dice));
}

/* 0 to n - 1. */
static inline unsigned
below(struct world *w, unsigned n)
{
	return (dice_below(&w->dice, n));
}

/* So many times in a hundred. */
static inline int
chance(struct world *w, unsigned percent)
{
	return (below(w, 100) < percent);
}

static inline void __attribute__((format(printf, 2, 3))) tell(const struct world *w, const char *format, ...)
{
	va_list ap;

	if (!w->is_loud)
		return;
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
}

static inline void __attribute__((noreturn, format(printf, 2, 3)))
fail(struct world *w, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(w->why, sizeof w->why, format, ap);
	va_end(ap);
	tell(w, "*** %s", w->why);
	longjmp(w->failed, 1);
}

static inline void
happened(struct world *w, enum event e)
{
	w->events[e]++;
}

/* --- content -------------------------------------------------------------------------------------------- */

static inline unsigned
disk_of(unsigned block)
{
	return (block >= FIRST);
}

static inline unsigned
place_of(unsigned block)
{
	return (block < FIRST ? block : block - FIRST);
}

static inline uint64_t
size_of(unsigned disk)
{
	return ((uint64_t)LIMIT_BLOCK * (disk == 0 ? FIRST : BLOCKS - FIRST));
}

static inline uint64_t
leaf_of_value(uint8_t value)
{
	return (value == 0 ? 0 : UINT64_C(0x1000) + value);
}

static inline void
sum_of(const struct world *w, const uint8_t content[BLOCKS], struct leaf_sum sums[DISKS])
{
	memset(sums, 0, DISKS * sizeof *sums);
	for (unsigned b = 0; b < BLOCKS; b++)
		leaf_add(&w->secret, &sums[disk_of(b)], place_of(b), leaf_of_value(content[b]));
}

static inline void
roots_of(const struct world *w, const struct leaf_sum sums[DISKS], uint8_t roots[DISKS][LEAF_ROOT])
{
	for (unsigned i = 0; i < DISKS; i++)
		leaf_root(roots[i], &w->secret, &sums[i], size_of(i));
}

static inline uint64_t
difference(const uint8_t a[BLOCKS], const uint8_t b[BLOCKS])
{
	uint64_t set = 0;

	for (unsigned i = 0; i < BLOCKS; i++)
		if (a[i] != b[i])
			set |= UINT64_C(1) << i;
	return (set);
}

/* The header that all volumes of the bundle have. */
static inline struct header *
header_of(const struct world *w, const struct bundle *b)
{
	static struct header H;

	H.type = b->type;
	memcpy(H.id, b->id, RECORD_ID);
	strcpy(H.uuid, "0c5d9a34-7a1f-4a55-9d3c-3f6a2b1e0d77");
	strcpy(H.vm, "web1");
	strcpy(H.signer, "hq");
	H.created = 1772366400 + w->clock;
	H.from = b->from;
	H.to = b->to;
	H.keep = w->hq.P->keep;
	H.most = BLOCKS * LIMIT_BLOCK;
	H.has_against = b->is_exact;
	H.cipher = RECORD_CLEAR;
	H.has_leaf_seed = 1;
	H.ndisks = DISKS;
	for (unsigned i = 0; i < DISKS; i++) {
		snprintf(H.disks[i].id, sizeof H.disks[i].id, "vd%c", 'a' + (int)i);
		H.disks[i].size = size_of(i);
		H.disks[i].before_size = b->type == BUNDLE_SEED ? 0 : size_of(i);
		memcpy(H.disks[i].before, b->before[i], LEAF_ROOT);
	}
	return (&H);
}

#endif
