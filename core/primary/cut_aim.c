#include "primary/cut.h"

#include <inttypes.h>
#include <string.h>

#include "primary/against.h"
#include "primary/ledger.h"
#include "base/say.h"

static int
adopt_target(struct cut *c, const struct trust_entry *e)
{
	struct primary_target *t = primary_target_of(c->P, e);

	if (t == NULL && c->P->ntargets == LIMIT_TARGETS)
		return (say_refused("%s: a VM is replicated to at most %u sites", c->P->vm, LIMIT_TARGETS));
	if (t == NULL) {
		t = &c->P->targets[c->P->ntargets++];
		memset(t, 0, sizeof *t);
		strcpy(t->name, e->card.name);
		memcpy(t->key, e->card.sign, RECORD_KEY);
	}
	c->targets[c->ntargets++] = t;
	return (0);
}

/* Those that are reached by way of the targets chosen, and so on. */
static void
add_followers(struct cut *c)
{
	unsigned before;

	do {
		uint32_t chosen = cut_targets(c);

		before = c->ntargets;
		for (unsigned i = 0; i < c->P->ntargets; i++)
			if ((chosen & (UINT32_C(1) << i)) == 0 &&
			    ledger_follows(c->P, &c->P->targets[i], chosen))
				c->targets[c->ntargets++] = &c->P->targets[i];
	} while (c->ntargets > before);
}

static int
has_something(const struct primary_target *t)
{
	return (t->acked != 0 || t->seeded != 0);
}

static void
say_left_out(const struct primary *P, const struct primary_target *t)
{
	if (primary_epoch(P) > 1)
		say_note(
		    "%s: what site '%s' has is not known since the roles changed hands, so this is not for "
		    "it; bring a receipt of it, or what 'vmferry resync' says there",
		    P->vm, t->name);
	else
		say_note("%s: site '%s' has no initial copy yet, so this is not for it; 'vmferry export %s "
		         "--seed --to %s' makes one",
		    P->vm, t->name, P->vm, t->name);
}

/* A seed is large: one site that has nothing yet does not make a seed of what the others get. */
static void
leave_out_new(struct cut *c)
{
	uint32_t all = cut_targets(c);
	unsigned n = 0, have = 0;

	for (unsigned i = 0; i < c->ntargets; i++)
		have += has_something(c->targets[i]) ? 1 : 0;
	if (c->o->seed || have == 0)
		return;
	for (unsigned i = 0; i < c->ntargets; i++) {
		struct primary_target *t = c->targets[i];

		if (has_something(t) || ledger_follows(c->P, t, all))
			c->targets[n++] = t;
		else
			say_left_out(c->P, t);
	}
	c->ntargets = n;
}

void
cut_only_named(struct cut *c, const struct header *H)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->ntargets; i++)
		for (unsigned k = 0; k < H->ntargets; k++) {
			const struct trust_entry *e = trust_by_key(site_trust(c->S), H->targets[k].key);

			if (e == NULL || !trust_has_key(e, c->targets[i]->key))
				continue;
			c->targets[n++] = c->targets[i];
			break;
		}
	c->ntargets = n;
}

uint32_t
cut_targets(const struct cut *c)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < c->ntargets; i++)
		bits |= UINT32_C(1) << (c->targets[i] - c->P->targets);
	return (bits);
}

/* --to, else those of enable, else the only one that is known. */
static int
choose_targets(struct cut *c)
{
	const struct trust *T = site_trust(c->S);
	const struct trust_entry *e;
	int rc;

	if (c->o->to != NULL) {
		if ((rc = site_find(c->S, c->o->to, &e)) == 0)
			rc = adopt_target(c, e);
		return (rc);
	}
	for (unsigned i = 0; i < c->P->ntargets; i++)
		c->targets[c->ntargets++] = &c->P->targets[i];
	leave_out_new(c);
	if (c->ntargets > 0)
		return (0);
	if (T->n == 1)
		return (adopt_target(c, &T->entries[0]));
	if (T->n > 1)
		return (say_refused("%s: several sites are known; say --to SITE", c->P->vm));
	if (!c->is_plain)
		return (say_refused(
		    "%s: no site's card is known, so there is nobody to encrypt to; add one with 'vmferry "
		    "trust add', or say --plain",
		    c->P->vm));
	say_note("%s: the bundle is for no site in particular: whoever has it can read it and its leaf seed",
	    c->P->vm);
	return (0);
}

/* What was compared is of use to one site: the one that compared it, if it is one that the VM may go to. */
static int
only_compared(struct cut *c)
{
	const struct trust_entry *e = against_site(c->against);

	for (unsigned i = 0; i < c->ntargets; i++) {
		struct primary_target *t = c->targets[i];

		if (!trust_has_key(e, t->key))
			continue;
		for (unsigned k = 0; k < c->ntargets; k++)
			if (ledger_follows(c->P, c->targets[k], UINT32_C(1) << (t - c->P->targets)))
				say_note("%s: this is for '%s' alone: for '%s', which is reached by way of "
				         "it, say "
				         "'vmferry export %s --to %s' too",
				    c->P->vm, t->name, c->targets[k]->name, c->P->vm, c->targets[k]->name);
		c->targets[0] = t;
		c->ntargets = 1;
		return (0);
	}
	return (say_refused(
	    "%s: site '%s' made the comparison, and the VM is not replicated to it; if it shall be, "
	    "say --to %s",
	    c->P->vm, e->card.name, e->card.name));
}

int
cut_choose_targets(struct cut *c)
{
	int rc = choose_targets(c);

	if (rc == 0)
		add_followers(c);
	if (rc != 0 || c->o->against == NULL)
		return (rc);
	rc = against_open(&c->against, c->S, c->P, c->o->against);
	return (rc == 0 ? only_compared(c) : rc);
}

/* The lowest point from which every target can start that is not reached by way of another; 0 where one needs a seed. */
static uint64_t
common_base(const struct cut *c)
{
	const struct primary_point *first = c->P->npoints > 0 ? &c->P->points[0] : NULL;
	uint64_t low = 0;

	if (c->ntargets == 0)
		return (first == NULL ? 0 : first->point.seq);
	for (unsigned i = 0; i < c->ntargets; i++) {
		uint64_t base;

		if (ledger_follows(c->P, c->targets[i], cut_targets(c)))
			continue;
		base = ledger_base(
		    c->P, c->targets[i], c->o->since == EXPORT_SINCE_SENT ? LEDGER_SENT : LEDGER_ACKED);

		if (base == 0)
			return (0);
		if (low == 0 || base < low)
			low = base;
	}
	return (low);
}

/* A target has a point, but none from which on the changes are kept: a seed is large, so it takes a person's word. */
static int
check_stranded(const struct cut *c)
{
	for (unsigned i = 0; i < c->ntargets; i++) {
		const struct primary_target *t = c->targets[i];
		uint64_t has = t->acked != 0 ? t->acked : t->seeded;

		if (ledger_follows(c->P, t, cut_targets(c)))
			continue;
		if (has != 0 && c->P->npoints > 0 && c->P->points[0].point.seq > has)
			return (
			    say_refused("%s: site '%s' has point %" PRIu64
			                ", as far as is known here, and the changes since are not kept; "
			                "bring a receipt of it, export --against what 'vmferry compare' says "
			                "there, or export --seed",
			        c->P->vm, t->name, has));
	}
	return (0);
}

/* Of a site that was not heard of since the roles changed hands it is not known what it has: a seed takes a person's word. */
static int
check_unheard(const struct cut *c)
{
	for (unsigned i = 0; primary_epoch(c->P) > 1 && i < c->ntargets; i++)
		if (c->targets[i]->acked == 0 && c->targets[i]->seeded == 0)
			return (say_refused("%s: what site '%s' has is not known since the roles changed "
			                    "hands; bring a receipt of "
			                    "it, or what 'vmferry resync %s --keep %s' says there, and "
			                    "export --against that; or "
			                    "export --seed%s",
			    c->P->vm, c->targets[i]->name, c->P->vm, site_card(c->S)->name,
			    c->ntargets > 1 ? "; or say --to another site" : ""));
	return (0);
}

int
cut_choose_base(struct cut *c)
{
	int rc;

	if (c->o->seed || c->against != NULL)
		return (0);
	c->base = c->o->since == EXPORT_SINCE_SEQ ? c->o->since_seq : common_base(c);
	if (c->base == 0 && c->o->since != EXPORT_SINCE_SEQ &&
	    ((rc = check_unheard(c)) != 0 || (rc = check_stranded(c)) != 0))
		return (rc);
	if (c->base == 0 && (!c->o->delta || c->o->since == EXPORT_SINCE_SEQ))
		return (0);
	if (c->base == 0)
		return (say_refused(
		    "%s: nothing was sent yet that a delta could start from; export --seed first", c->P->vm));
	if (primary_point(c->P, c->base) == NULL)
		return (say_refused("%s: the changes since point %" PRIu64
		                    " are not kept any more; choose another --since, "
		                    "or export --seed",
		    c->P->vm, c->base));
	for (unsigned i = 0; c->o->since == EXPORT_SINCE_ACKED && i < c->ntargets; i++)
		if (c->targets[i]->acked == 0 && !ledger_follows(c->P, c->targets[i], cut_targets(c)))
			say_note("%s: no receipt of site '%s' has come yet, so the delta starts at its seed "
			         "(point %" PRIu64 "); give the receipt of 'import --receipt' to 'vmferry "
			         "import' here, or say --since sent",
			    c->P->vm, c->targets[i]->name, c->base);
	return (0);
}
