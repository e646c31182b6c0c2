#ifndef ENDING_H_
#define ENDING_H_

/* After everything: the couriers deliver, the persons speak once of each fence, and all must come to one content. */

#include "contact.h"

#define ROUNDS 40u

/* What stands or waits is ended, as a person can. */
static inline void
calm(struct world *w, struct site *s)
{
	open_site(w, s);
	s->runs = s->has_test = 0;
	cancel(w, s);
	if (is_copy(s) && s->R->role.state == ROLE_FAILOVER)
		fail(w, "%c cannot cancel its failover", name_of(s));
	for (unsigned i = 0; i < 2; i++) {
		const struct role *r = is_live(s) ? &s->P->role : &s->R->role;

		if ((is_live(s) || is_copy(s)) && (r->state == ROLE_DISABLED || r->state == ROLE_SUSPENDED) &&
		    say(w, s, ROLE_RESUME) != 0)
			fail(w, "%c cannot be resumed", name_of(s));
	}
	if (is_turned(s) && !s->has_primary && reverse(w, s) != 0)
		fail(w, "%c is turned, and cannot be reversed", name_of(s));
}

static inline uint64_t
epoch_of(const struct site *s)
{
	return (history_epoch(is_live(s) ? &s->P->role.history : &s->R->role.history));
}

/* The site that the persons agree on: who holds the VM in the highest epoch, or else who has its newest point. */
static inline struct site *
agree(struct world *w)
{
	struct site *best = NULL;

	for (unsigned i = 0; i < w->nsites; i++)
		if (is_primary(&w->sites[i]) && (best == NULL || epoch_of(&w->sites[i]) > epoch_of(best)))
			best = &w->sites[i];
	for (unsigned i = 0; best == NULL && i < w->nsites; i++) {
		struct site *s = &w->sites[i];

		if (!is_copy(s) || s->R->npoints == 0 || fail_over(w, s, s->R->npoints - 1) != 0)
			continue;
		if (complete(w, s) != 0)
			fail(w, "%c cannot complete its failover", name_of(s));
		best = s;
	}
	if (best == NULL)
		fail(w, "nobody can take the VM");
	return (best);
}

static inline void
make_primary(struct world *w, struct site *k)
{
	withdraw(w, k);
	keep(w, k);
	if (!is_live(k) && reverse(w, k) != 0)
		fail(w, "%c has failed over and cannot be reversed", name_of(k));
}

static inline void
bring_home(struct world *w, struct site *x, struct site *k)
{
	if (is_primary(x)) {
		give_way(w, x, k->id);
	} else if (is_copy(x) && x->R->npoints == 0 && memcmp(x->R->key, k->key, RECORD_KEY) != 0) {
		x->has_replica = 0; /* nothing is in it */
		save_replica(w, x);
	} else if (is_copy(x) && x->R->npoints > 0) {
		merge(w, x);
		if (x->R->role.state != ROLE_REPLICATING || memcmp(x->R->key, k->key, RECORD_KEY) != 0)
			resync(w, x, k->id);
	}
}

/* All parcels of now, in order. */
static inline void
deliver_all(struct world *w)
{
	unsigned n = w->nparcels;
	struct parcel list[PARCELS];

	memcpy(list, w->parcels, sizeof list);
	w->nparcels = 0;
	for (unsigned i = 0; i < n; i++) {
		open_site(w, &w->sites[list[i].site]);
		import(w, &w->sites[list[i].site], &w->bundles[list[i].bundle]);
		check_all(w);
	}
}

static inline int
is_home(const struct site *x, const struct site *k)
{
	const struct replica_point *p;

	if (x == k)
		return (is_live(x) && x->P->role.state == ROLE_REPLICATING && !x->P->role.is_fenced);
	if (!is_copy(x) || (p = replica_last(x->R)) == NULL || x->R->role.state != ROLE_REPLICATING)
		return (0);
	return (is_same(&x->disk, &k->disk) && memcmp(x->R->key, k->key, RECORD_KEY) == 0);
}

/* As the primary says it of a receipt, and the replica of a bundle that has to wait. */
static inline int
needs_seed(struct world *w, struct site *k, struct site *x)
{
	const struct primary_target *t = target_of(w, k->P, x->id);
	struct point end, next;

	if (is_primary(x))
		return (0);
	if (is_copy(x) && x->R->npoints > 0 && intake_gap(x->R, &end, &next))
		return (1);
	return (!x->has_replica || x->R->npoints == 0 ||
	        (t->back != 0 && ledger_base(k->P, t, LEDGER_ACKED) > t->back));
}

static inline void
send_to_each(struct world *w, struct site *k)
{
	for (unsigned i = 0; i < w->nsites; i++) {
		struct site *x = &w->sites[i];

		if (x != k)
			export(w, k,
			    &(struct order){
			        .targets = 1u << i, .is_seed = needs_seed(w, k, x), .since = LEDGER_ACKED });
	}
}

static inline void
ending(struct world *w)
{
	struct content kept;
	struct site *k;
	unsigned round = 0, home = 0;
	char text[80];

	tell(w, "--- the end: all is delivered, and the persons speak");
	w->crash_in = 0;
	w->nparcels = 0;
	w->is_chain = 0;
	for (unsigned i = 0; i < w->nsites; i++)
		calm(w, &w->sites[i]);
	k = agree(w);
	for (; round < ROUNDS && home < w->nsites; round++) {
		w->clock += 1000;
		for (unsigned i = 0; i < w->nsites; i++)
			w->sites[i].skew = 0;
		make_primary(w, k);
		if (round == 0)
			kept = k->disk;
		for (unsigned i = 0; i < w->nsites; i++)
			if (&w->sites[i] != k)
				bring_home(w, &w->sites[i], k);
		if (w->nbundles + 40 > BUNDLES || w->ntruths + 40 > TRUTHS)
			return;
		for (unsigned i = 0; i < w->nsites; i++)
			send_receipt(w, &w->sites[i], 1);
		deliver_all(w);
		send_to_each(w, k);
		deliver_all(w);
		home = 0;
		for (unsigned i = 0; i < w->nsites; i++) {
			if (&w->sites[i] != k && is_copy(&w->sites[i]))
				merge(w, &w->sites[i]);
			check_all(w);
		}
		for (unsigned i = 0; i < w->nsites; i++)
			home += (unsigned)is_home(&w->sites[i], k);
	}
	if (!is_same(&kept, &k->disk))
		fail(w, "what was kept has changed");
	for (unsigned i = 0; home < w->nsites && i < w->nsites; i++)
		if (!is_home(&w->sites[i], k))
			fail(w, "%c does not come to %c's content %s: %s", name_of(&w->sites[i]), name_of(k),
			    show(&k->disk, text),
			    is_live(&w->sites[i])            ? role_state_text(w->sites[i].P->role.state)
			    : !w->sites[i].has_replica       ? "nothing is there"
			    : w->sites[i].R->role.state == 0 ? "?"
			                                     : role_state_text(w->sites[i].R->role.state));
	w->events[EV_CONVERGED]++;
}

#endif
