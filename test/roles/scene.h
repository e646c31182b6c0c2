#ifndef SCENE_H_
#define SCENE_H_

/* What the simulation of roles is made of: its dice, its words, its bundles, its sites. */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../dice.h"
#include "header.h"
#include "primary/ledger.h"
#include "primary/primary.h"
#include "replica/intake.h"
#include "replica/replica.h"
#include "role/role.h"

#define BLOCKS 8u
#define SITES 5u
#define BUNDLES 1500u
#define PARCELS 96u
#define POINTS 48u /* of a record at most */
#define STAGED 200u
#define SENT 400u
#define TRUTHS 3000u
#define BRANCHES 32u
#define NOBODY SITES

/* What a disk holds: which write was the last one to each block.  It is its own root. */
struct content {
	uint16_t block[BLOCKS];
};
_Static_assert(sizeof(struct content) == LEAF_ROOT, "a content is a root");

struct bundle {
	enum bundle_type type;
	unsigned signer;
	int64_t created;
	struct history history;
	struct point from, to;
	struct content before, after; /* at from, at to */
	unsigned set;                 /* blocks of after that it carries */
	int is_exact;
	unsigned against; /* of an exact one: that compare bundle */
	unsigned handover;
	unsigned targets, heirs; /* bit i: site i */
	int is_primary;
};

/* On its way to a site. */
struct parcel {
	unsigned bundle, site;
};

/* The records of a site as they are on disk. */
struct kept {
	int has_primary, has_replica;
	struct role prole, rrole;
	unsigned ntargets, nshipments, npoints;
	struct primary_target targets[SITES];
	struct primary_shipment shipments[SENT];
	struct primary_point points[POINTS];
	uint8_t key[RECORD_KEY];
	unsigned nheirs, nrpoints, nstaged, ncompared;
	uint8_t heirs[SITES][RECORD_KEY];
	struct replica_point rpoints[POINTS];
	struct replica_staged staged[STAGED];
	struct replica_volume volumes[STAGED];
	struct replica_compared compared[REPLICA_COMPARED];
	int merging, merging_undo;
	/* No record, but what goes with it: */
	struct content disk, overlay;
	int has_overlay;
	unsigned nbranches;
	struct content branches[BRANCHES];
};

struct site {
	unsigned id;
	uint8_t key[RECORD_KEY];
	int64_t skew; /* of its clock */
	struct primary *P;
	struct replica *R;
	int has_primary, has_replica;
	struct kept disk_copy, backup;
	int has_backup;
	/* What is durable the moment it is written: */
	struct content disk, overlay, test_disk;
	int has_overlay, has_test;
	int runs;
	/* What is known of it, but not to itself: */
	int is_told;    /* it has heard that somebody else, or itself before, is or was further */
	uint64_t heard; /* the highest epoch */
	unsigned restored;
	uint8_t got[BUNDLES], backup_got[BUNDLES]; /* bundles that it took in */
	unsigned nbranches;                        /* contents that gave way, which nobody has dropped */
	struct content branches[BRANCHES];
};

/* A point as it was cut: on the line that a turn began. */
struct truth {
	struct history_turn line;
	uint64_t seq;
	unsigned site, restored;
	struct content content;
};

enum plant {
	PLANT_NONE,
	PLANT_EPOCH,
	PLANT_LOCK,
	PLANT_HANDOVER,
	PLANT_USED,
	PLANT_RAISE,
	PLANT_FENCE,
	PLANT_HEIR,
	PLANT_KEEP,
	PLANT_CLAIM,
	PLANT_PARTED,
	PLANT_RESTORED,
	PLANT_TEST,
	PLANT_ORDER,
	PLANTS
};

static const char *const plant_names[PLANTS] = { "none", "epoch", "lock", "handover", "used", "raise",
	"fence", "heir", "keep", "claim", "parted", "restored", "test", "order" };

enum event {
	EV_EXPORT,
	EV_SEED,
	EV_PREPARED,
	EV_WITHDRAWN,
	EV_RECEIVED,
	EV_EARLY,
	EV_MERGED,
	EV_ACKED,
	EV_TOOK_OVER,
	EV_FAILED_OVER,
	EV_CANCELLED,
	EV_COMPLETED,
	EV_REVERSED,
	EV_FOLLOWED,
	EV_FOLLOWED_HEIR,
	EV_FENCED,
	EV_CLAIMED,
	EV_PARTED,
	EV_KEPT_OWN,
	EV_GAVE_WAY,
	EV_COMPARED,
	EV_AGAINST,
	EV_TESTED,
	EV_RESTORED,
	EV_CRASHED,
	EV_OUTSIDE,
	EV_CONVERGED,
	EVENTS
};

static const char *const event_names[EVENTS] = { "exports", "seeds", "handovers", "taken back", "received",
	"early", "merges", "receipts", "planned", "unplanned", "cancelled", "completed", "reversed",
	"followed", "heirs followed", "fenced", "claims", "parted", "kept", "gave way", "compared",
	"exported against", "tests", "restored", "crashes", "started outside", "converged" };

struct world {
	uint64_t dice;
	enum plant plant;
	int is_loud, is_chain;
	int64_t clock;
	unsigned nsites, heirs;
	unsigned habits[32]; /* how often each verb is said */
	struct site sites[SITES];
	unsigned nbundles, nparcels, ntruths, nturns;
	struct bundle bundles[BUNDLES];
	struct parcel parcels[PARCELS];
	struct truth truths[TRUTHS];
	struct {
		struct history_turn turn;
		unsigned restored;
	} turns[TRUTHS];
	uint16_t writes;
	unsigned crash_in; /* so many durable steps from now; 0: never */
	jmp_buf crashed, failed;
	char why[512];
	uint64_t events[EVENTS];
};

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

static inline char
name_of(const struct site *s)
{
	return ((char)('a' + s->id));
}

static inline unsigned
site_of(const uint8_t key[RECORD_KEY])
{
	return (key[0] - 1u);
}

static inline int64_t
clock_of(const struct world *w, const struct site *s)
{
	return (1772366400 + w->clock + s->skew);
}

static inline int
is_same(const struct content *a, const struct content *b)
{
	return (memcmp(a, b, sizeof *a) == 0);
}

static inline struct content
content_of(const uint8_t root[LEAF_ROOT])
{
	struct content c;

	memcpy(&c, root, sizeof c);
	return (c);
}

static inline const char *
show(const struct content *c, char text[80])
{
	char *p = text;

	for (unsigned i = 0; i < BLOCKS; i++)
		p += sprintf(p, "%s%u", i == 0 ? "" : ".", c->block[i]);
	return (text);
}

#endif
