#include "session/have.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/say.h"
#include "base/stop.h"
#include "primary/notice.h"
#include "primary/primary.h"
#include "replica/adopt.h"
#include "replica/intake.h"
#include "replica/receipt.h"
#include "replica/receive.h"
#include "replica/replica.h"
#include "side.h"
#include "site/folders.h"
#include "wire.h"

#define BUSY \
	90000 /* ms: longer than a line that is dead is believed in, since its import may be the one at work */

struct asked {
	const struct site *S;
	const struct trust_entry *peer;
	const struct session_ask *ask;
	struct session_have *h;
	struct replica *R; /* NULL: there is none */
	struct primary *P; /* the VM is this site's, and the other one is told so; NULL: it is not */
};

int
have_is_nothing(const struct session_have *h)
{
	return (h->seq == 0 && h->held == 0);
}

static void no(struct session_have *h, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The first that speaks against it is what is said. */
static void
no(struct session_have *h, const char *format, ...)
{
	va_list ap;

	if (!h->may)
		return;
	h->may = 0;
	va_start(ap, format);
	vsnprintf(h->text, sizeof h->text, format, ap);
	va_end(ap);
}

/* --- who may ------------------------------------------------------------------------------------------------ */

/* Who prescribes: the entry of the VM's primary, which may be another one than the site that brings it. */
static const struct trust_entry *
entry_of(const struct asked *a)
{
	const struct trust_entry *e = a->R == NULL ? NULL : trust_by_key(site_trust(a->S), a->R->key);

	return (e == NULL ? a->peer : e);
}

static void
judge(const struct asked *a)
{
	const struct trust_entry *e = entry_of(a);
	char words[ROLE_WORDS];
	const char *why;

	if (!trust_allows(e, a->ask->vm))
		no(a->h,
		    "site '%.100s' may not replicate '%.100s' to here; say 'vmferry trust add --vm' there",
		    e->card.name, a->ask->vm);
	if (e->max_size != 0 && a->ask->size > e->max_size)
		no(a->h,
		    "its disks have %" PRIu64 " bytes, more than the %" PRIu64
		    " that a VM may have there; see 'vmferry trust add --max-size' there",
		    a->ask->size, e->max_size);
	if (a->R != NULL && (why = role_objection(&a->R->role, ROLE_RECEIVE, words)) != NULL)
		no(a->h, "%s", why);
}

/* --- what is here ------------------------------------------------------------------------------------------- */

static void
tell_terms(const struct asked *a)
{
	const struct trust_entry *e = entry_of(a);

	a->h->terms = (struct session_terms){
		.frequency = e->frequency, .rate = e->rate, .points = e->points, .size = e->max_size
	};
}

static int
tell_replica(const struct asked *a)
{
	const struct replica_point *last = replica_last(a->R);
	struct session_have *h = a->h;
	int rc;

	snprintf(h->state, sizeof h->state, "%s", role_state_text(a->R->role.state));
	h->held = intake_held(a->R).seq;
	if (last != NULL) {
		h->epoch = last->point.epoch;
		h->seq = last->point.seq;
	}
	h->has_receipt = last != NULL;
	if (a->R->lock < 0)
		return (0);
	if ((rc = receive_position_of(a->R, a->S, h->position)) < 0)
		return (-1);
	if (rc > 0)
		h->position[0] = '\0';
	return (0);
}

/*
 * It has failed over to here.  Who asks is one of its targets, and would send it, so it takes itself for the primary: it is
 * given our signed word, by which it is fenced.  Not by one that is locked: that is to become the other one's replica.
 */
static int
has_word(const struct asked *a, struct primary *P)
{
	const struct history *h = &P->role.history;

	return (h->n > 0 && site_is_own_key(a->S, h->turns[h->n - 1].site) &&
	        P->role.state == ROLE_REPLICATING && !P->role.is_fenced && primary_last(P) != NULL &&
	        primary_target_of(P, a->peer) != NULL);
}

/*
 * This site is, or was, its primary: what comes may make it a replica, and the bundle itself says whether.  Who neither has
 * it from here, nor may replicate it to here, is told nothing.
 */
static int
tell_primary(struct asked *a)
{
	const struct primary_point *last;
	struct primary *P;

	if (primary_look(&P, a->S, a->ask->uuid) != 0)
		return (-1);
	if (primary_target_of(P, a->peer) == NULL && !trust_allows(a->peer, P->vm)) {
		no(a->h, "site '%.100s' may not replicate '%.100s' to here", a->peer->card.name, a->ask->vm);
		snprintf(a->h->state, sizeof a->h->state, "none");
		primary_close(P);
		return (0);
	}
	snprintf(a->h->state, sizeof a->h->state, "%s", role_state_text(P->role.state));
	if ((last = primary_last(P)) != NULL) {
		a->h->epoch = last->point.epoch;
		a->h->seq = a->h->held = last->point.seq;
	}
	if (has_word(a, P)) {
		a->P = P;
		a->h->has_receipt = 1;
		/* So that it is news, where no point was cut here yet. */
		a->h->epoch = primary_epoch(P);
	} else {
		primary_close(P);
	}
	return (0);
}

static int
tell_nothing(const struct asked *a)
{
	int rc = trust_allows(a->peer, a->ask->vm) ? adopt_is_known(a->S, a->ask->vm) : 0;

	snprintf(a->h->state, sizeof a->h->state, "%s", rc > 0 ? "adopted" : "none");
	return (rc < 0 ? -1 : 0);
}

static int
tell_room(const struct asked *a)
{
	const struct trust_entry *e = entry_of(a);
	const char *place = a->R != NULL ? a->R->dir : e->store[0] != '\0' ? e->store : site_home(a->S);
	char dir[PATH_MAX], *slash;
	int rc;

	/* A store is made when the first replica comes: its room is that of what it will lie in. */
	if (io_path(dir, "%s", place) != 0)
		return (-1);
	while ((rc = io_exists(dir)) == 0 && (slash = strrchr(dir, '/')) != NULL && slash != dir)
		*slash = '\0';
	return (rc < 0 ? -1 : io_free(dir, &a->h->free));
}

/* --- */

/* Wait until nobody works on the VM's folder: 0; 1: somebody still does; -1, said. */
static int
wait_for_it(const char *dir)
{
	int64_t until = clock_ms() + BUSY;
	int rc;

	while ((rc = folders_is_locked(dir)) > 0 && clock_ms() < until)
		if (stop_nap(100) != 0)
			return (-1);
	return (rc);
}

/* Open the replica, or look at it where nothing is to be sent: 0, and NULL: there is none; -1. */
static int
open_replica(struct asked *a)
{
	char uuid[HEADER_UUID], dir[PATH_MAX];
	int rc = replica_find(a->S, a->ask->uuid, uuid);

	if (rc <= 0)
		return (rc);
	if (a->ask->verb == SESSION_TEST)
		return (replica_look(&a->R, a->S, uuid) == 0 ? 0 : -1);
	if (io_path(dir, "%s/replicas/%s", site_home(a->S), uuid) != 0 || (rc = wait_for_it(dir)) < 0)
		return (-1);
	if (rc == 0 && replica_open(&a->R, a->S, uuid) == 0)
		return (0);
	no(a->h, "another vmferry works on it; sync again when that is done");
	return (replica_look(&a->R, a->S, uuid) == 0 ? 0 : -1);
}

static int
describe(struct asked *a)
{
	enum role_side side = ROLE_REPLICA;
	char uuid[HEADER_UUID];
	int rc = primary_find(a->S, a->ask->uuid, uuid);

	a->h->may = 1;
	a->h->time = (int64_t)time(NULL);
	if (rc < 0 || (rc > 0 && side_of(a->S, uuid, &side) != 0))
		return (-1);
	if (side == ROLE_PRIMARY)
		rc = tell_primary(a);
	else if ((rc = open_replica(a)) == 0)
		rc = a->R == NULL ? tell_nothing(a) : tell_replica(a);
	if (rc != 0)
		return (-1);
	judge(a);
	tell_terms(a);
	return (tell_room(a));
}

static int
write_it(const struct asked *a)
{
	uint8_t *body = malloc(4 + SESSION_BODY);
	size_t n = body == NULL ? 0 : session_encode_have(body + 4, a->h);
	int rc = -1;

	if (n == 0)
		say_failed("out of memory");
	else {
		wire_put32(body, (uint32_t)n);
		rc = io_write(1, "standard output", body, 4 + n);
	}
	free(body);
	if (rc == 0 && a->h->has_receipt)
		rc = (a->P != NULL ? notice_write(a->P, a->S, "-") : receipt_write(a->R, a->S, "-")) == 0
		         ? 0
		         : -1;
	return (rc);
}

int
have_write(const struct site *S, const uint8_t key[RECORD_KEY], const struct session_ask *ask)
{
	struct asked a = { .S = S, .ask = ask, .peer = trust_by_key(site_trust(S), key) };
	int rc = -1;

	if ((a.h = calloc(1, sizeof *a.h)) == NULL)
		return (say_failed("out of memory"));
	if (a.peer == NULL || trust_is_revoked(a.peer, key)) {
		a.h->may = 1;
		no(a.h, "the keys of the site that asks do not count there any more");
		snprintf(a.h->state, sizeof a.h->state, "none");
		rc = write_it(&a);
	} else if (describe(&a) == 0)
		rc = write_it(&a);
	replica_close(a.R);
	primary_close(a.P);
	free(a.h);
	return (rc);
}
