#include "primary/extend.h"

#include <string.h>

#include "base/say.h"
#include "primary/ledger.h"
#include "primary/pending.h"
#include "primary/primary.h"

/* Would what goes to t by way of via have to pass t first? */
static int
is_circle(struct primary *P, const struct primary_target *t, const struct primary_target *via)
{
	while (via != NULL && via != t)
		via = primary_via(P, via);
	return (via == t);
}

/* The target by way of which t is to be reached; NULL: none. */
static int
find_via(const struct site *S, struct primary *P, const struct extend_options *o, struct primary_target **via)
{
	const struct trust_entry *e;
	int rc;

	*via = NULL;
	if (o->via == NULL)
		return (0);
	if ((rc = site_find(S, o->via, &e)) != 0)
		return (rc);
	if ((*via = primary_target_of(P, e)) == NULL)
		return (
		    say_refused("%s: is not replicated to site '%s'; say 'vmferry extend %s --to %s' first",
		        P->vm, o->via, P->vm, o->via));
	return (0);
}

static void
say_way(const struct primary *P, const struct primary_target *t, const struct primary_target *via)
{
	if (via != NULL)
		say_note(
		    "%s: what goes to '%s' is sealed to '%s' too from now on; 'vmferry extend %s --to %s' "
		    "at '%s' has it kept there and forwarded",
		    P->vm, via->name, t->name, P->vm, t->name, via->name);
	else
		say_note("%s: is replicated to '%s' too", P->vm, t->name);
	if (t->acked == 0 && t->seeded == 0 && primary_epoch(P) > 1)
		say_note("%s: if '%s' has followed it before, import the word of 'vmferry reverse %s -o "
		         "FILE' there, "
		         "with --receipt, and bring that here",
		    P->vm, t->name, P->vm);
	if (t->acked == 0 && t->seeded == 0)
		say_note(
		    "%s: '%s' has no initial copy yet: 'vmferry export %s --seed --to %s' here makes one, "
		    "which anybody may carry; or it adopts disks that it has",
		    P->vm, t->name, P->vm, t->name);
}

static int
add(const struct site *S, struct primary *P, const struct extend_options *o)
{
	const struct trust_entry *e;
	struct primary_target *t, *via;
	int rc;

	if ((rc = site_find(S, o->to, &e)) != 0 || (rc = find_via(S, P, o, &via)) != 0)
		return (rc);
	if ((t = primary_target_of(P, e)) != NULL && is_circle(P, t, via))
		return (say_refused("%s: '%s' is reached by way of '%s' already", P->vm, o->via, o->to));
	if (t == NULL && P->ntargets == LIMIT_TARGETS)
		return (say_refused("%s: a VM is replicated to at most %u sites", P->vm, LIMIT_TARGETS));
	if (t == NULL) {
		t = &P->targets[P->ntargets++];
		memset(t, 0, sizeof *t);
		strcpy(t->name, e->card.name);
		memcpy(t->key, e->card.sign, RECORD_KEY);
	}
	t->has_via = via != NULL;
	if (via != NULL)
		memcpy(t->via, via->key, RECORD_KEY);
	if (primary_save(P) != 0)
		return (-1);
	say_way(P, t, via);
	return (0);
}

static int
end(struct primary *P, const struct extend_options *o, const struct trust_entry *e)
{
	struct primary_target *t = e == NULL ? primary_target(P, o->to) : primary_target_of(P, e);

	if (t == NULL)
		return (say_refused("%s: is not replicated to site '%s'", P->vm, o->to));
	for (unsigned i = 0; i < P->ntargets; i++)
		if (primary_via(P, &P->targets[i]) == t)
			return (
			    say_refused("%s: '%s' is reached by way of '%s'; end that first, or say 'vmferry "
			                "extend %s --to %s' without --via",
			        P->vm, P->targets[i].name, t->name, P->vm, P->targets[i].name));
	ledger_end(P, t);
	if (primary_save(P) != 0)
		return (-1);
	say_note("%s: is not replicated to '%s' any more", P->vm, o->to);
	return (0);
}

/* A bundle that is half made names its sites already. */
static int
check_pending(const struct primary *P)
{
	struct pending *p;
	int rc = pending_read(&p, P), is_pipe;

	if (rc != 0)
		return (rc == 2 ? 0 : rc);
	is_pipe = p->way == PENDING_PIPE;
	pending_free(p);
	if (is_pipe)
		return (pending_remove(P));
	return (say_refused("%s: an export was begun and is not finished; go on with it first, or give it up "
	                    "with --anew",
	    P->vm));
}

int
extend_primary(const struct site *S, const struct extend_options *o)
{
	struct primary *P;
	int rc = primary_open(&P, S, o->vm);

	if (rc == 0 && (rc = check_pending(P)) == 0)
		rc = o->end ? end(P, o, trust_by_name(site_trust(S), o->to)) : add(S, P, o);
	primary_close(P);
	return (rc);
}
