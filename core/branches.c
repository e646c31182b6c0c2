#include "branches.h"

#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/say.h"
#include "history.h"
#include "primary/primary.h"
#include "replica/replica.h"
#include "status/status_json.h"
#include "status/status_print.h"

#define WORDS (3u * SITE_NAMED + 512u)

/* One record, whichever side it is of. */
struct view {
	const struct site *S;
	const char *vm, *uuid;
	const struct role *role;
	struct point newest;
};

struct showing {
	const struct site *S;
	const char *vm;
	json_t *list; /* NULL: for people */
	unsigned shown;
	int rc;
};

/* A claim, held against what is here. */
struct comparison {
	const struct role_claim *claim;
	char site[SITE_NAMED];
	int is_known;      /* where they parted */
	struct point fork; /* epoch and seq of it; seq 0: nothing is common */
	uint64_t here, there;
};

static void
compare(struct comparison *c, const struct view *v, const struct role_claim *claim)
{
	c->claim = claim;
	site_name_of(v->S, claim->site, c->site);
	c->fork = history_fork(&v->role->history, &v->newest, &claim->history, &claim->newest);
	c->is_known = c->fork.seq != 0;
	c->here = v->newest.seq - (c->fork.seq < v->newest.seq ? c->fork.seq : v->newest.seq);
	c->there = claim->newest.seq - (c->fork.seq < claim->newest.seq ? c->fork.seq : claim->newest.seq);
}

/* What it would come to if a person said that the site keep counts, where lost points of give are behind the fork. */
static void
put_choice(char out[WORDS], const struct comparison *c, const char *give, uint64_t lost)
{
	if (!c->is_known)
		snprintf(out, WORDS,
		    "where they parted is not known here; '%s' gives way, and all that it has is compared "
		    "with "
		    "what counts",
		    give);
	else if (lost == 0)
		snprintf(out, WORDS, "'%s' has nothing beyond point %" PRIu64 ", and only gets what it lacks",
		    give, c->fork.seq);
	else
		snprintf(out, WORDS,
		    "'%s' gives way: what it has after point %" PRIu64 " (up to %" PRIu64
		    " point%s) is kept there as a branch, until a person drops it",
		    give, c->fork.seq, lost, lost == 1 ? "" : "s");
}

/* --- for people --------------------------------------------------------------------------------------- */

static void
print_history(const struct view *v, const struct history *h)
{
	char text[WORDS], name[SITE_NAMED];

	if (h->n < HISTORY_TURNS)
		puts("    epoch 1, from the beginning");
	else
		puts("    older turns than these are not known any more");
	for (unsigned i = 0; i < h->n; i++) {
		snprintf(text, sizeof text, "epoch %" PRIu64 ", behind point %" PRIu64 ", at site '%s'",
		    h->turns[i].epoch, h->turns[i].seq, site_name_of(v->S, h->turns[i].site, name));
		status_print_text(text, 4, 6);
	}
}

static void
print_way(const struct view *v, const char *who, const struct point *newest, const struct history *h)
{
	char text[WORDS], time[POINT_TIME] = "";

	if (newest->seq == 0) {
		snprintf(text, sizeof text, "%s: no point yet", who);
	} else {
		point_time_text(time, newest->time);
		snprintf(text, sizeof text,
		    "%s: newest point %" PRIu64 " of epoch %" PRIu64 ", of %s; its way:", who, newest->seq,
		    newest->epoch, time);
	}
	status_print_text(text, 2, 4);
	print_history(v, h);
}

static void
print_choice(
    const struct view *v, const struct comparison *c, const char *keep, const char *give, uint64_t lost)
{
	char text[2 * WORDS], words[WORDS];

	put_choice(words, c, give, lost);
	snprintf(text, sizeof text, "'vmferry resync %s --keep %s': %s", v->vm, keep, words);
	status_print_text(text, 4, 6);
}

static void
print_claim(const struct view *v, const struct comparison *c)
{
	const char *own = site_card(v->S)->name;
	char who[SITE_NAMED + 128], heard[POINT_TIME], text[WORDS];

	point_time_text(heard, c->claim->heard);
	snprintf(who, sizeof who, "site '%s'%s, heard %s", c->site,
	    c->claim->is_primary ? ", which says that it is the primary" : "", heard);
	print_way(v, who, &c->claim->newest, &c->claim->history);
	if (!c->is_known)
		snprintf(text, sizeof text, "nothing that both have is known");
	else
		snprintf(text, sizeof text,
		    "both have point %" PRIu64 " of epoch %" PRIu64 "; beyond it up to %" PRIu64
		    " here, %" PRIu64 " there",
		    c->fork.seq, c->fork.epoch, c->here, c->there);
	status_print_text(text, 4, 6);
	print_choice(v, c, own, c->site, c->there);
	print_choice(v, c, c->site, own, c->here);
}

static void
print(const struct view *v)
{
	char text[WORDS], here[SITE_NAMED + 16];
	struct comparison c;

	snprintf(text, sizeof text, "%s: %s here, %s%s", v->vm,
	    v->role->side == ROLE_PRIMARY ? "primary" : "replica", role_state_text(v->role->state),
	    v->role->is_fenced ? ", fenced" : "");
	status_print_text(text, 0, 2);
	if (v->role->nclaims == 0) {
		puts("  no other history of it is known here");
		return;
	}
	snprintf(here, sizeof here, "here, site '%s'", site_card(v->S)->name);
	print_way(v, here, &v->newest, &v->role->history);
	for (unsigned i = 0; i < v->role->nclaims; i++) {
		compare(&c, v, &v->role->claims[i]);
		print_claim(v, &c);
	}
}

/* --- for programs ------------------------------------------------------------------------------------- */

static json_t *
choice_json(const struct comparison *c, const char *keep, const char *give, uint64_t lost)
{
	char words[WORDS];

	put_choice(words, c, give, lost);
	return (json_pack("{s:s,s:s,s:I,s:s}", "keep", keep, "gives_way", give, "points",
	    (json_int_t)(c->is_known ? lost : 0), "text", words));
}

static json_t *
claim_json(const struct view *v, const struct comparison *c)
{
	const char *own = site_card(v->S)->name;
	char heard[POINT_TIME], key[2 * RECORD_KEY + 1];
	json_t *fork = c->is_known ? json_pack("{s:I,s:I}", "seq", (json_int_t)c->fork.seq, "epoch",
	                                 (json_int_t)c->fork.epoch)
	                           : json_null();

	point_time_text(heard, c->claim->heard);
	sodium_bin2hex(key, sizeof key, c->claim->site, RECORD_KEY);
	return (json_pack("{s:s,s:s,s:b,s:s,s:o,s:o,s:o,s:I,s:I,s:[o,o]}", "site", c->site, "key", key,
	    "primary", c->claim->is_primary, "heard", heard, "newest", status_json_point(&c->claim->newest),
	    "history", status_json_history(&c->claim->history, v->S), "fork", fork, "beyond_here",
	    (json_int_t)c->here, "beyond_there", (json_int_t)c->there, "choices",
	    choice_json(c, own, c->site, c->there), choice_json(c, c->site, own, c->here)));
}

static json_t *
view_json(const struct view *v)
{
	json_t *claims = json_array();
	struct comparison c;

	for (unsigned i = 0; i < v->role->nclaims; i++) {
		compare(&c, v, &v->role->claims[i]);
		json_array_append_new(claims, claim_json(v, &c));
	}
	return (json_pack("{s:s,s:s,s:s,s:s,s:b,s:o,s:o,s:o}", "vm", v->vm, "uuid", v->uuid, "role",
	    v->role->side == ROLE_PRIMARY ? "primary" : "replica", "state", role_state_text(v->role->state),
	    "fenced", v->role->is_fenced, "newest", status_json_point(&v->newest), "history",
	    status_json_history(&v->role->history, v->S), "claims", claims));
}

/* --- all of them -------------------------------------------------------------------------------------- */

static void
show(struct showing *w, const struct view *v)
{
	if (w->vm != NULL ? strcmp(w->vm, v->vm) != 0 && strcmp(w->vm, v->uuid) != 0 : v->role->nclaims == 0)
		return;
	w->shown++;
	if (w->list != NULL)
		json_array_append_new(w->list, view_json(v));
	else
		print(v);
}

static int
show_primary(void *context, const char *uuid)
{
	struct showing *w = context;
	struct primary *P;

	if (primary_look(&P, w->S, uuid) != 0)
		return (w->rc = -1, 0);
	show(w, &(struct view){ w->S, P->vm, P->uuid, &P->role,
	            P->npoints == 0 ? (struct point){ 0, 0, 0, POINT_STANDARD }
	                            : P->points[P->npoints - 1].point });
	primary_close(P);
	return (0);
}

static int
show_replica(void *context, const char *uuid)
{
	struct showing *w = context;
	struct replica *R;

	if (replica_look(&R, w->S, uuid) != 0)
		return (w->rc = -1, 0);
	if (R->role.state != ROLE_TURNED)
		show(w, &(struct view){ w->S, R->vm, R->uuid, &R->role,
		            R->npoints == 0 ? (struct point){ 0, 0, 0, POINT_STANDARD }
		                            : R->points[R->npoints - 1].point });
	replica_close(R);
	return (0);
}

int
branches(const struct site *S, const char *vm, int json)
{
	struct showing w = { .S = S, .vm = vm, .list = json ? json_array() : NULL };
	int rc = 0;

	if (primary_each(S, show_primary, &w) != 0 || replica_each(S, show_replica, &w) != 0)
		rc = -1;
	if (rc == 0)
		rc = w.rc;
	if (rc == 0 && vm != NULL && w.shown == 0)
		rc = say_refused("%s: no such VM is replicated here", vm);
	if (rc == 0 && !json && w.shown == 0)
		puts("no other history of any VM is known here");
	if (rc == 0 && json && (json_dumpf(w.list, stdout, JSON_INDENT(1)) != 0 || putchar('\n') == EOF))
		rc = -1;
	json_decref(w.list);
	return (rc);
}
