#ifndef ROLE_H_
#define ROLE_H_

#include <stdint.h>

#include "history.h"
#include "point.h"
#include "record.h"

/*
 * What a site is to a VM, and what may happen next: the state machine of doc/ROLES.md, one for each record (that of a
 * primary, that of a replica).  Pure: nothing is read, written or said, and the time is no part of it.
 */
enum role_side { ROLE_PRIMARY = 1, ROLE_REPLICA = 2 };

enum role_state {
	ROLE_DISABLED = 1,
	ROLE_READY,   /* ready-for-initial: nothing was sent */
	ROLE_WAITING, /* waiting-for-initial: the seed is on its way */
	ROLE_REPLICATING,
	ROLE_PREPARED,       /* prepared-for-failover: locked, the handover is made */
	ROLE_FAILOVER,       /* failover-waiting-completion: runs from a point, may be taken back */
	ROLE_FAILED_OVER,    /* the replica is the VM now; nothing protects it until it is reversed */
	ROLE_SUSPENDED,      /* by a person */
	ROLE_ERROR,          /* stopped by the cause that is named */
	ROLE_WAITING_RESYNC, /* continuity could not be proven */
	ROLE_RESYNCING,
	ROLE_TURNED, /* the record of the other side has the VM */
	ROLE_STATES
};

enum role_event {
	/* at a primary */
	ROLE_SEND = 1, /* a point is to be cut and sent */
	ROLE_RECEIPT,  /* a target says what it has */
	ROLE_PREPARE,  /* a planned failover: the final point, the handover, the lock */
	ROLE_FENCE,    /* somebody else is the primary, or the record is older than the world */
	ROLE_FOLLOW,   /* become a replica of the site that took over */
	ROLE_KEEP_OWN, /* a person: what is here counts */
	/* at a replica */
	ROLE_RECEIVE,   /* a bundle may come into the inbox */
	ROLE_SEEDED,    /* the initial copy is in */
	ROLE_MERGE,     /* the disks may be brought to a later point */
	ROLE_TEST,      /* a test failover may be started */
	ROLE_TAKE_OVER, /* the second half of a planned failover */
	ROLE_FAIL_OVER, /* unplanned */
	ROLE_COMPLETE,
	ROLE_REVERSE,  /* become the primary */
	ROLE_PART,     /* continuity is lost: the disks or the histories are not what they should be */
	ROLE_RESYNC,   /* what the disks hold was said to the primary */
	ROLE_RESYNCED, /* and its answer is in */
	/* at both */
	ROLE_CANCEL,
	ROLE_PAUSE,
	ROLE_RESUME,
	ROLE_BREAK, /* something else went wrong that a person must look at */
	ROLE_START, /* the VM is to be started, as what it is here */
	ROLE_DISABLE,
	ROLE_EVENTS
};

#define ROLE_CAUSE 256u
#define ROLE_WORDS 512u
#define ROLE_CLAIMS 8u
#define ROLE_LEAP (UINT64_C(1) << 32) /* nobody who means well is as many epochs or points ahead of us */

/* What another site has said of the lineage: kept where it is not a part of our own history. */
struct role_claim {
	uint8_t site[RECORD_KEY];
	struct history history;
	struct point newest;
	int is_primary;
	int64_t heard; /* seconds since 1970, of this site */
};

struct role {
	enum role_side side;
	enum role_state state;
	enum role_state before; /* what resume comes back to; what a failover is cancelled to */
	struct history history; /* that led to the newest point here, and, at a primary, to its epoch */
	uint64_t seen;          /* the highest epoch that was ever heard of */
	char cause[ROLE_CAUSE]; /* of an error, a fence, or a resynchronization */
	/* at a primary: */
	uint64_t locked_from, locked;   /* final points whose handover stands, first and last; 0: none */
	uint8_t locked_for[RECORD_KEY]; /* the site that may take over, or, of one that was withdrawn, might */
	uint64_t withdrawn;             /* the newest point whose handover was taken back; 0: none */
	int is_fenced;
	/* at a replica: */
	uint64_t handover; /* the final point at which the primary has locked itself for this site; 0: none */
	struct point furthest; /* that the primary is known to have sent, in its newest epoch; seq 0: none */
	struct point at;       /* the point that a failover stands on; seq 0: there is none */
	int is_planned;        /* that one was */
	unsigned nclaims;
	struct role_claim claims[ROLE_CLAIMS];
};

const char *role_state_text(enum role_state state);
const char *role_event_text(enum role_event event);

/* The state of that text, or 0. */
enum role_state role_state_parse(const char *s);

void role_begin(struct role *r, enum role_side side, enum role_state state);

/* The state, and of a disabled one the state that it comes back to: whose the disks are does not change by that. */
enum role_state role_beneath(const struct role *r);

/* May that happen now?  NULL, or why not and what to do instead, put into words. */
const char *role_objection(const struct role *r, enum role_event event, char words[ROLE_WORDS]);

/* It happens, if it may: 0, or 1: it may not, and nothing has changed. */
int role_step(struct role *r, enum role_event event);

/* --- the moves that bring something along; each 0, or 1: it may not be, and nothing has changed --- */

/* The final point seq is cut, and the VM locked there for that site. */
int role_prepare(struct role *r, uint64_t seq, const uint8_t site[RECORD_KEY]);

/* Take the handover back. */
int role_withdraw(struct role *r);

/* A bundle to that point was received here, merged or not: its handover for this site counts while nothing leads on. */
void role_received(struct role *r, const struct point *to, int is_handover);

/* Does the handover stand, with the disks at that point? */
int role_may_take_over(const struct role *r, const struct point *newest);

/* Take over at the point p, where the handover must stand at it: a new epoch begins behind it, of the site with that key. */
int role_take_over(struct role *r, const struct point *p, const uint8_t own[RECORD_KEY]);

/* Start from the point p (seq 0: there is none), to look; and for good: a new epoch begins behind it. */
int role_fail_over(struct role *r, const struct point *p);
int role_complete(struct role *r, const uint8_t own[RECORD_KEY]);

/* Stop for good until a person speaks: somebody else is the primary of epoch.  A replica is only where it failed over. */
void role_fence(struct role *r, uint64_t epoch, const char *cause);

/* By a person's word what is here counts: a new epoch begins behind our newest point, above all that was heard of. */
int role_keep_own(struct role *r, const struct point *newest, const uint8_t own[RECORD_KEY]);

/* The record of a replica that reverses becomes that of a primary, and the other way round. */
void role_turn_primary(struct role *primary, const struct role *replica);
void role_turn_replica(struct role *replica, const struct role *primary, int is_parted);

/* --- what somebody else says of the lineage --- */

enum role_meeting {
	ROLE_PEER,      /* of the same epoch, and no further than the primary */
	ROLE_BEHIND,    /* of an older epoch, and on our way */
	ROLE_STRAY,     /* of an older epoch, and not on our way: it has parted from us */
	ROLE_AHEAD,     /* of our own epoch, and further than its primary knows: our record is an old one */
	ROLE_OVERTAKEN, /* of a newer epoch, and all that is here is on its way */
	ROLE_PARTED,    /* of a newer epoch, and we have parted from it */
	ROLE_RIVAL,     /* of an epoch of the same number that began elsewhere */
};

/**
 * Can that be?  What is heard is remembered, and numbers only go up: one word of somebody who does not mean well would use
 * all of them up.
 */
int role_is_credible(
    const struct role *r, const struct point *mine, const struct history *h, const struct point *newest);

/* What are the history h and its newest point to us, whose newest point is mine?  seq 0: there is none. */
enum role_meeting role_meet(
    const struct role *r, const struct point *mine, const struct history *h, const struct point *newest);

/**
 * May we follow that history without a person's word: did its site use the handover that stands?  It stands behind a
 * fence too, since others may say sooner that it was used.
 */
int role_may_follow(const struct role *r, const struct history *h, int is_locked_for);

/* That epoch was heard of, and none that begins here will be as low; role_claim and role_fence do so too. */
void role_heard(struct role *r, const struct history *h);

/* Remember what was said: the newest claim of each site, of those that were heard last. */
void role_claim(struct role *r, const struct role_claim *c);

/* Forget what is a part of our own history now. */
void role_settle_claims(struct role *r, const struct point *mine);

/* Forget what that site has claimed: it has come back to our way. */
void role_drop_claim(struct role *r, const uint8_t site[RECORD_KEY]);

#endif
