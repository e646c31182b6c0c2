#include "reverse.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/say.h"
#include "primary/fencing.h"
#include "primary/notice.h"
#include "replica/failover.h"
#include "turn.h"

/* --- where to ----------------------------------------------------------------------------------------- */

/* What a site has for sure: after a planned failover, the old primary has all of it. */
static void
add_target(struct primary *P, const struct replica *R, const struct trust_entry *e)
{
	struct primary_target *t = &P->targets[P->ntargets];

	if (P->ntargets == LIMIT_TARGETS || primary_target_of(P, e) != NULL)
		return;
	memset(t, 0, sizeof *t);
	strcpy(t->name, e->card.name);
	memcpy(t->key, e->card.sign, RECORD_KEY);
	if (R->role.is_planned && trust_has_key(e, R->key)) {
		t->seeded = t->sent = t->acked = replica_last(R)->point.seq;
		t->acked_at = (int64_t)time(NULL);
	}
	P->ntargets++;
}

static int
add_named(const struct site *S, struct primary *P, const struct replica *R, const char *name)
{
	const struct trust_entry *e;
	int rc = site_find(S, name, &e);

	if (rc != 0)
		return (rc);
	add_target(P, R, e);
	return (0);
}

/* The old primary, and the other sites that it has sent to. */
static void
add_known(const struct site *S, struct primary *P, const struct replica *R)
{
	const struct trust_entry *e = trust_by_key(site_trust(S), R->key);

	if (e == NULL)
		say_note(
		    "%s: the card of site '%s' is not known any more; add it with 'vmferry trust add', and "
		    "then 'vmferry enable %s --to' it",
		    R->vm, R->primary, R->vm);
	else if (!e->is_revoked)
		add_target(P, R, e);
	for (unsigned i = 0; i < R->nheirs; i++) {
		e = trust_by_key(site_trust(S), R->heirs[i]);
		if (e != NULL && !e->is_revoked && !site_is_own_key(S, R->heirs[i]))
			add_target(P, R, e);
	}
}

static int
choose_targets(
    const struct site *S, struct primary *P, const struct replica *R, const struct reverse_options *o)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < o->nsites; i++)
		rc = add_named(S, P, R, o->sites[i]);
	if (o->nsites == 0)
		add_known(S, P, R);
	return (rc);
}

/* --- how ---------------------------------------------------------------------------------------------- */

static const char *const levels[] = { "", "none", "fast", "default", "best" };

static void
choose_parameters(struct primary *P, const struct replica *R, const struct reverse_options *o)
{
	P->keep = R->keep;
	P->wishes = R->wishes;
	if (o->keep != 0 && o->keep != R->keep) {
		say_note("%s: differs from the original direction: --points %u, there %u", R->vm, o->keep,
		    R->keep);
		P->keep = o->keep;
	}
	if (o->has_frequency && o->frequency != R->wishes.frequency) {
		say_note("%s: differs from the original direction: --frequency %" PRIu64 "s, there %" PRIu64
		         "s",
		    R->vm, o->frequency, R->wishes.frequency);
		P->wishes.frequency = o->frequency;
	}
	if (o->level != 0 && o->level != R->wishes.level) {
		say_note("%s: differs from the original direction: --compress %s, there %s", R->vm,
		    levels[o->level], levels[R->wishes.level]);
		P->wishes.level = o->level;
	}
	if (o->plain >= 0 && o->plain != R->wishes.is_plain) {
		say_note("%s: differs from the original direction: %s, there %s", R->vm,
		    o->plain ? "--plain" : "--encrypt", R->wishes.is_plain ? "--plain" : "--encrypt");
		P->wishes.is_plain = o->plain;
	}
}

/* --- */

static int
check(struct replica *R, const struct site *S)
{
	char words[ROLE_WORDS];
	const char *why;

	if (R->role.state == ROLE_TURNED)
		return (0);
	if ((why = role_objection(&R->role, ROLE_REVERSE, words)) != NULL)
		return (say_refused("%s: %s", R->vm, why));
	return (failover_settle(R, S));
}

/* The word for the other sites, where it is asked for: 0; 1, said; -1. */
static int
give_word(const struct primary *P, const struct site *S, const char *output)
{
	int rc = output == NULL ? 0 : notice_write(P, S, output);

	if (rc == 0 && output != NULL)
		say_note("%s: the word of it is in %s; 'vmferry import' takes it at the other sites", P->vm,
		    strcmp(output, "-") == 0 ? "standard output" : output);
	return (rc);
}

static void
say_done(const struct primary *P, const struct site *S)
{
	say_note("%s: this site is its primary now, in epoch %" PRIu64 " from point %" PRIu64 " on", P->vm,
	    primary_epoch(P), P->points[0].point.seq);
	for (unsigned i = 0; i < P->ntargets; i++)
		if (P->targets[i].acked != 0)
			say_note("%s: 'vmferry export %s' sends to site '%s' what changed since then", P->vm,
			    P->vm, P->targets[i].name);
		else
			say_note("%s: import the word of 'vmferry reverse %s -o FILE' at site '%s'; then "
			         "bring from "
			         "there its receipt, or what 'vmferry resync %s --keep %s' says",
			    P->vm, P->vm, P->targets[i].name, P->vm, site_card(S)->name);
	if (P->ntargets == 0)
		say_note(
		    "%s: it is not replicated to any site: say 'vmferry enable %s --to SITE'", P->vm, P->vm);
}

static int
run(const struct site *S, struct replica *R, const struct reverse_options *o)
{
	struct primary *P = calloc(1, sizeof *P);
	int rc;

	if (P == NULL)
		return (say_failed("out of memory"));
	P->lock = -1;
	if ((rc = choose_targets(S, P, R, o)) == 0) {
		choose_parameters(P, R, o);
		rc = turn_to_primary(S, R, P);
	}
	if (rc == 0) {
		say_done(P, S);
		fencing_script(P, S, SCRIPT_AFTER_TURN, "reverse");
		rc = give_word(P, S, o->output);
	}
	primary_close(P);
	return (rc);
}

/* It is so: only the word of it is to be given. */
static int
again(const struct site *S, const struct reverse_options *o)
{
	struct primary *P;
	char words[ROLE_WORDS];
	int rc = primary_open(&P, S, o->vm);

	if (rc != 0)
		return (rc);
	if (P->role.is_fenced) {
		rc = say_refused("%s: %s", P->vm, role_objection(&P->role, ROLE_SEND, words));
	} else {
		say_note("%s: this site is its primary already", P->vm);
		rc = give_word(P, S, o->output);
	}
	primary_close(P);
	return (rc);
}

int
reverse(const struct site *S, const struct reverse_options *o)
{
	char uuid[HEADER_UUID];
	struct replica *R = NULL;
	int rc = replica_find(S, o->vm, uuid), sent = rc == 0 ? primary_find(S, o->vm, uuid) : 0;

	if (rc < 0 || sent < 0)
		return (-1);
	if (sent)
		return (again(S, o));
	if ((rc = replica_open(&R, S, o->vm)) != 0)
		return (rc);
	if ((rc = check(R, S)) == 0) {
		int is_there = R->role.state == ROLE_TURNED ? primary_find(S, R->uuid, uuid) : 0;

		rc = is_there < 0 ? -1 : is_there ? again(S, o) : run(S, R, o);
	}
	replica_close(R);
	return (rc);
}
