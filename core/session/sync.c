#include "session/sync.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/say.h"
#include "base/stop.h"
#include "session/cargo.h"
#include "session/ferry.h"
#include "link/channel.h"
#include "link/via.h"
#include "session/receiver.h"
#include "schedule/routes.h"
#include "session/sender.h"
#include "side.h"
#include "tally/tally.h"
#include "session/trial.h"

#define PATIENCE 60000u /* ms that a line kept open is tried again for */
#define LONGEST 8000    /* ms between two tries */
#define FRESH 600000    /* ms for which what the other site prescribes is believed without being asked */
#define PROGRESS (UINT64_C(1) << 20) /* bytes: who gets on so far between two cuts has its patience back */

/* A VM whose last answer was good: what the other site has of it is known. */
struct known {
	char uuid[40];
	int is_good;
	int64_t asked; /* by clock_ms */
	struct session_terms terms;
};

struct sync_line {
	struct site *S;
	const struct trust_entry *e;
	char to[LIMIT_NAME + 1];
	char words[ROUTES_VIA];
	struct via V;
	struct channel *C; /* NULL: there is none now */
	int was_open;      /* there was one */
	uint64_t patience; /* ms */
	unsigned nlimits;
	struct rate *limits[SENDER_LIMITS];
	size_t nknown;
	struct known *known;
};

/* --- the line ----------------------------------------------------------------------------------------------- */

static int
open_line(struct sync_line *L)
{
	int rc = via_open(&L->V, L->words);

	if (rc == 0 && (rc = channel_call(&L->C, L->S, L->e, L->V.in, L->V.out)) != 0) {
		L->C = NULL;
		via_close(&L->V, 1);
	}
	if (rc == 0)
		L->was_open = 1;
	return (rc);
}

static void
close_line(struct sync_line *L, int is_cut)
{
	if (L->C == NULL)
		return;
	channel_free(L->C);
	L->C = NULL;
	via_close(&L->V, is_cut);
}

static int
new_line(struct sync_line **out, struct site *S, const char *to, const char *via)
{
	const char *why = via_check(via);
	struct sync_line *L;
	int rc;

	*out = NULL;
	if (why != NULL || strlen(via) >= sizeof L->words)
		return (say_refused("--via '%.60s': %s", via, why != NULL ? why : "is too long"));
	if ((L = calloc(1, sizeof *L)) == NULL)
		return (say_failed("out of memory"));
	L->S = S;
	L->patience = PATIENCE;
	snprintf(L->to, sizeof L->to, "%s", to);
	snprintf(L->words, sizeof L->words, "%s", via);
	if ((rc = site_find(S, to, &L->e)) != 0) {
		free(L);
		return (rc);
	}
	*out = L;
	return (0);
}

int
sync_open(struct sync_line **out, struct site *S, const char *to, const char *via, struct rate *const *limits,
    unsigned n)
{
	struct sync_line *L;
	int rc = new_line(&L, S, to, via);

	*out = NULL;
	if (rc != 0)
		return (rc);
	for (unsigned i = 0; i < n && L->nlimits < SENDER_LIMITS; i++)
		L->limits[L->nlimits++] = limits[i];
	if ((rc = open_line(L)) != 0) {
		sync_close(L);
		return (rc);
	}
	*out = L;
	return (0);
}

int
sync_keep(struct sync_line *L)
{
	enum session_kind kind;
	const uint8_t *body;
	size_t n;
	int rc;

	if (L->C == NULL)
		return (-1);
	if ((rc = channel_next(L->C, &kind, &body, &n, 0)) == 0)
		rc = ferry_astray(kind);
	else if (rc > 0)
		rc = channel_keep(L->C);
	if (rc != 0)
		close_line(L, 1);
	return (rc);
}

void
sync_close(struct sync_line *L)
{
	if (L == NULL)
		return;
	if (L->C != NULL && !channel_is_broken(L->C))
		(void)channel_send(L->C, SESSION_BYE, NULL, 0);
	close_line(L, 0);
	free(L->known);
	free(L);
}

/* --- patience -------------------------------------------------------------------------------------------------- */

/* What is done on a line: its result, and whether it was the line's. */
struct work {
	int (*run)(struct sync_line *L, struct work *w);
	struct sender *sender;
	const struct session_ask *ask;
	int is_cut;
	uint64_t bytes; /* that went over it */
};

/* Do it, on as many lines as it takes while patience lasts. */
static int
persist(struct sync_line *L, struct work *w)
{
	int64_t until = 0, wait = 1000;
	uint64_t bytes = 0;
	int rc;

	for (;;) {
		w->is_cut = 1;
		if ((rc = L->C != NULL ? 0 : open_line(L)) == 0)
			rc = w->run(L, w);
		if (rc >= 0 || !w->is_cut || stop_wanted())
			break;
		close_line(L, 1);
		if (!L->was_open)
			break;
		if (until == 0 || w->bytes - bytes > PROGRESS) {
			until = clock_ms() + (int64_t)L->patience;
			wait = 1000;
		}
		bytes = w->bytes;
		if (clock_ms() + wait > until)
			break;
		say_note("the line to site '%s' was cut; trying again in %" PRId64 " s", L->to, wait / 1000);
		if (stop_nap(wait) != 0)
			break;
		wait = wait * 2 < LONGEST ? wait * 2 : LONGEST;
	}
	if (rc < 0 && w->is_cut)
		close_line(L, 1);
	return (rc);
}

/* --- sending ---------------------------------------------------------------------------------------------------- */

static struct known *
find_known(struct sync_line *L, const char *uuid)
{
	struct known *more;

	for (size_t i = 0; i < L->nknown; i++)
		if (strcmp(L->known[i].uuid, uuid) == 0)
			return (&L->known[i]);
	if ((more = realloc(L->known, (L->nknown + 1) * sizeof *more)) == NULL)
		return (NULL);
	L->known = more;
	more = &L->known[L->nknown++];
	memset(more, 0, sizeof *more);
	snprintf(more->uuid, sizeof more->uuid, "%s", uuid);
	return (more);
}

static int
is_fresh(const struct known *k)
{
	return (k != NULL && k->is_good && clock_ms() - k->asked < FRESH);
}

struct sending {
	struct work work;
	int is_known;
};

static int
run_sender(struct sync_line *L, struct work *w)
{
	struct sending *g = (struct sending *)(void *)w;
	struct sender_result r;
	int rc = sender_run(w->sender, L->C, g->is_known);

	sender_result(w->sender, &r);
	w->is_cut = r.is_cut;
	w->bytes = r.bytes;
	/* On the next line it is asked anew. */
	g->is_known = 0;
	return (rc);
}

/* A cycle was begun, and nothing came of it: so the record's figures say. */
static void
note_failure(const struct sync_line *L, const char *uuid, const char *why)
{
	char dir[PATH_MAX];
	int is_replica = side_is_replica(L->S, uuid);

	if (is_replica >= 0 &&
	    io_path(dir, "%s/%s/%s", site_home(L->S), is_replica ? "replicas" : "primaries", uuid) == 0)
		tally_note_failure(dir, L->to, why);
}

/* The site as it is now, if the one at the other end is still one that counts: 0; 1 or -1, said. */
static int
look_again(const struct sync_line *L, struct site **S)
{
	const struct trust_entry *e;

	if ((*S = site_open(site_home(L->S))) == NULL)
		return (-1);
	return (site_find(*S, L->to, &e));
}

static void
fill_result(struct sync_result *out, const struct sender_result *r)
{
	out->needs_seed = r->needs_seed;
	out->seq = r->seq;
	out->bytes = r->bytes;
	out->frequency = r->terms.frequency;
	out->rate = r->terms.rate;
	if (out->rc == 0)
		return;
	memcpy(out->why, r->why, sizeof out->why);
	if (out->why[0] == '\0')
		say_last(out->why);
}

static int
send_vm(struct sync_line *L, struct sender_options *o, int is_known, struct sync_result *out)
{
	struct sending g = { .work = { .run = run_sender }, .is_known = is_known };
	struct sender_result r = { .seq = 0 };
	struct site *S = NULL;

	o->to = L->to;
	o->nlimits = L->nlimits;
	memcpy(o->limits, L->limits, sizeof o->limits);
	memset(out, 0, sizeof *out);
	if ((out->rc = look_again(L, &S)) == 0 && (out->rc = sender_new(&g.work.sender, S, o)) == 0) {
		out->rc = persist(L, &g.work);
		sender_result(g.work.sender, &r);
		out->is_line = out->rc < 0 && g.work.is_cut;
	}
	fill_result(out, &r);
	sender_free(g.work.sender);
	site_close(S);
	/* That an initial copy waits for its time is no failure. */
	if (out->rc != 0 && !out->needs_seed)
		note_failure(L, o->uuid, out->why);
	return (out->rc);
}

void
sync_next(struct sync_line *L, const char *uuid, int is_seed, struct sync_result *r)
{
	struct sender_options o = { .uuid = uuid, .no_seed = !is_seed };
	struct known *k = find_known(L, uuid);
	int is_known = is_fresh(k);

	if (is_known)
		o.rate = k->terms.rate;
	(void)send_vm(L, &o, is_known, r);
	if (k == NULL)
		return;
	if (is_known)
		r->frequency = k->terms.frequency;
	else
		k->asked = clock_ms();
	k->is_good = r->rc == 0;
	k->terms.frequency = r->frequency;
	k->terms.rate = r->rate;
}

/* --- fetching --------------------------------------------------------------------------------------------------- */

static int
is_fetched(const struct sync_line *L, const struct session_answer *m)
{
	if (m->rc == 0)
		return (0);
	say_refused("site '%s' says: %s", L->to, m->text);
	return (m->rc == 1 ? 1 : -1);
}

static int
run_fetch(struct sync_line *L, struct work *w)
{
	struct receiver R = { .S = L->S, .C = L->C };
	struct session_answer m;
	enum session_kind kind;
	const uint8_t *body;
	uint64_t sent;
	const char *why;
	size_t n;

	memcpy(R.peer, channel_peer(L->C), RECORD_KEY);
	if (ferry_ask(L->C, w->ask) != 0 || receiver_tell(&R, w->ask) != 0)
		return (-1);
	while (ferry_next(L->C, &kind, &body, &n) == 0) {
		if (kind == SESSION_ANSWER) {
			if ((why = session_decode_answer(&m, body, n)) != NULL)
				return (
				    say_failed("the answer of site '%s' is not understood: %s", L->to, why));
			w->is_cut = 0;
			return (is_fetched(L, &m));
		}
		if (kind != SESSION_OPEN || n != 1 || body[0] != SESSION_BUNDLE)
			return (ferry_astray(kind));
		if (receiver_take(&R, &m) < 0)
			return (-1);
		channel_count(L->C, &sent, &w->bytes);
	}
	return (-1);
}

static int
fetch_vm(struct sync_line *L, const struct cargo_way *way)
{
	struct session_ask a = { .verb = SESSION_FETCH, .time = (int64_t)time(NULL) };
	struct work w = { .run = run_fetch, .ask = &a };
	char why[SAY_LAST];
	int rc;

	snprintf(a.vm, sizeof a.vm, "%s", way->vm);
	snprintf(a.uuid, sizeof a.uuid, "%s", way->uuid);
	if ((rc = persist(L, &w)) != 0) {
		say_last(why);
		note_failure(L, way->uuid, why);
	}
	return (rc);
}

/* --- the command --------------------------------------------------------------------------------------------------- */

/* The lower of two limits, where 0 is none. */
static uint64_t
lower(uint64_t a, uint64_t b)
{
	return (a == 0 || (b != 0 && b < a) ? b : a);
}

/*
 * The words of the way there: those that were said, or those of HOME/routes, whose limits hold in any case.  0; 1 or
 * -1, said.
 */
static int
find_way(struct route *way, const struct site *S, const struct sync_options *o, const char *to)
{
	const struct route *known;
	struct routes T;
	int rc = routes_read(&T, site_home(S));

	memset(way, 0, sizeof *way);
	if (rc != 0)
		return (rc);
	if ((known = routes_to(&T, to)) != NULL)
		*way = *known;
	way->rate = lower(lower(way->rate, T.rate), o->rate);
	routes_free(&T);
	if (o->via == NULL && way->via[0] == '\0')
		return (say_refused("%s: no way to site '%s' is known; say --via, or name it in %s/routes",
		    o->vm, to, site_home(S)));
	if (o->via != NULL && snprintf(way->via, sizeof way->via, "%s", o->via) >= (int)sizeof way->via)
		return (say_refused("--via: is longer than %u bytes", ROUTES_VIA));
	return (0);
}

static int
go(struct sync_line *L, const struct sync_options *o, const struct cargo_way *w)
{
	struct sender_options s = {
		.uuid = w->uuid, .seed = o->seed, .resync = o->resync, .bundle = o->bundle
	};
	struct sync_result r;

	if (!w->is_fetched)
		return (send_vm(L, &s, 0, &r));
	if (o->seed || o->resync || o->bundle != NULL)
		return (say_refused("%s: this site is a replica of it: say that at '%s'", w->vm, w->site));
	return (fetch_vm(L, w));
}

static int
set_limit(struct sync_line *L, struct rate **own, uint64_t bytes)
{
	if (bytes == 0)
		return (0);
	if ((*own = rate_new(bytes)) == NULL)
		return (-1);
	L->limits[L->nlimits++] = *own;
	return (0);
}

int
sync_vm(struct site *S, const struct sync_options *o)
{
	struct sync_line *L = NULL;
	struct rate *own = NULL;
	struct cargo_way w;
	struct route way;
	int rc;

	if ((rc = cargo_find(&w, S, o->vm, o->to)) != 0 || (rc = find_way(&way, S, o, w.site)) != 0 ||
	    (rc = new_line(&L, S, w.site, way.via)) != 0)
		return (rc);
	L->patience = o->patience * 1000;
	if ((rc = set_limit(L, &own, way.rate)) == 0)
		rc = o->test ? trial(S, &w, way.via, L->e, o->json) : go(L, o, &w);
	sync_close(L);
	rate_free(own);
	return (rc);
}
