#ifndef VERBS_H_
#define VERBS_H_

/* What a person may say at a site, at the right time or not.  Each: 0, or 1: refused. */

#include "stock.h"

/* What an interruption left behind goes, or is finished. */
static inline void
open_site(struct world *w, struct site *s)
{
	if (s->has_primary && s->has_replica && !is_turned(s)) {
		s->has_primary = 0;
		save_primary(w, s);
	}
	if (s->has_replica && s->R->merging)
		finish_merge(w, s);
	if (s->has_overlay && s->has_replica && s->R->role.state != ROLE_FAILOVER &&
	    s->R->role.state != ROLE_TURNED && !is_primary(s)) {
		durable(w);
		s->has_overlay = 0;
	}
}

static inline int
is_live(const struct site *s)
{
	return (s->has_primary && (!s->has_replica || is_turned(s)));
}

static inline int
is_copy(const struct site *s)
{
	return (s->has_replica && !is_turned(s));
}

static inline struct point
newest_of(const struct primary *P)
{
	return (
	    P->npoints == 0 ? (struct point){ 0, 0, 0, POINT_STANDARD } : P->points[P->npoints - 1].point);
}

static inline struct primary_target *
target_of(struct world *w, struct primary *P, unsigned site)
{
	struct primary_target *t;

	for (unsigned i = 0; i < P->ntargets; i++)
		if (site_of(P->targets[i].key) == site)
			return (&P->targets[i]);
	t = &P->targets[P->ntargets++];
	memset(t, 0, sizeof *t);
	memcpy(t->key, w->sites[site].key, RECORD_KEY);
	t->name[0] = (char)('a' + site);
	return (t);
}

/* --- bundles go on their way ---------------------------------------------------------------------------- */

static inline void
send(struct world *w, const struct bundle *b, unsigned site)
{
	struct parcel *p = &w->parcels[w->nparcels < PARCELS ? w->nparcels++ : below(w, PARCELS)];

	*p = (struct parcel){ (unsigned)(b - w->bundles), site };
}

/* To the targets; in a chain only to the neighbours, who forward it. */
static inline void
dispatch(struct world *w, const struct bundle *b, unsigned at, unsigned from)
{
	for (unsigned i = 0; i < w->nsites; i++)
		if (i != at && i != from && i != b->signer && (b->targets >> i & 1) &&
		    (!w->is_chain || i + 1 == at || i == at + 1))
			send(w, b, i);
}

static inline struct bundle *
new_bundle(struct world *w, const struct site *s, enum bundle_type type)
{
	struct bundle *b;

	if (w->nbundles == BUNDLES)
		fail(w, "too many bundles");
	b = &w->bundles[w->nbundles];
	memset(b, 0, sizeof *b);
	b->type = type;
	b->signer = s->id;
	b->created = clock_of(w, s);
	b->handover = NOBODY;
	return (b);
}

static inline unsigned
all_but(const struct world *w, const struct site *s)
{
	return (((1u << w->nsites) - 1) & ~(1u << s->id));
}

/* --- points ----------------------------------------------------------------------------------------------- */

static inline unsigned
difference(const struct content *a, const struct content *b)
{
	unsigned set = 0;

	for (unsigned i = 0; i < BLOCKS; i++)
		set |= (unsigned)(a->block[i] != b->block[i]) << i;
	return (set);
}

/* The disk as it is becomes the newest point; which blocks changed since the one before is kept in place of a size. */
static inline void
cut(struct world *w, struct site *s, enum point_kind kind, uint64_t seq)
{
	struct primary *P = s->P;
	struct primary_point *p = &P->points[P->npoints], *last = P->npoints == 0 ? NULL : p - 1;
	struct content c;

	memset(p, 0, sizeof *p);
	p->point = (struct point){ primary_epoch(P), seq, clock_of(w, s), kind };
	memcpy(p->root[0], &s->disk, LEAF_ROOT);
	if (last != NULL)
		c = content_of(last->root[0]);
	p->size[0] = LIMIT_BLOCK * BLOCKS;
	p->size[1] = last == NULL ? (1u << BLOCKS) - 1 : difference(&s->disk, &c);
	P->npoints++;
}

static inline void
true_newest(struct world *w, const struct site *s)
{
	struct content c = content_of(s->P->points[s->P->npoints - 1].root[0]);

	true_point(w, s, &s->P->role.history, &s->P->points[s->P->npoints - 1].point, &c);
}

static inline void
prune(struct primary *P)
{
	int i;

	while ((i = ledger_expendable(P, 6)) >= 0) {
		if (i > 0)
			P->points[i + 1].size[1] |= P->points[i].size[1];
		memmove(&P->points[i], &P->points[i + 1], (P->npoints - (unsigned)i - 1) * sizeof *P->points);
		P->npoints--;
	}
}

/* The lowest point that all of the set can start from; 0: a seed is due. */
static inline uint64_t
base_for(struct world *w, struct primary *P, unsigned targets, enum ledger_since since)
{
	uint64_t low = UINT64_MAX;

	for (unsigned i = 0; i < w->nsites; i++) {
		uint64_t base;

		if (!(targets >> i & 1))
			continue;
		base = ledger_base(P, target_of(w, P, i), since);
		if (base < low)
			low = base;
	}
	return (low);
}

struct order {
	unsigned targets;
	int is_seed, is_final;
	enum ledger_since since;
	const struct bundle *against;
};

static inline struct bundle *
make(struct world *w, struct site *s, const struct order *o, uint64_t base)
{
	struct primary *P = s->P;
	const struct primary_point *from = base == 0 ? NULL : primary_point(P, base);
	struct point last = newest_of(P);
	struct bundle *b;
	uint64_t seq = last.seq + 1;

	if (o->against != NULL && o->against->to.seq >= seq)
		seq = o->against->to.seq + 1;
	b = new_bundle(w, s, from == NULL && o->against == NULL ? BUNDLE_SEED : BUNDLE_DELTA);
	if (from != NULL) {
		b->from = from->point;
		b->before = content_of(from->root[0]);
	}
	cut(w, s, o->is_final ? POINT_FINAL : POINT_STANDARD, seq);
	for (unsigned i = 0; from != NULL && i < P->npoints; i++)
		if (P->points[i].point.seq > base)
			b->set |= (unsigned)P->points[i].size[1];
	if (o->against != NULL) {
		b->is_exact = 1;
		b->against = (unsigned)(o->against - w->bundles);
		b->from = o->against->to;
		b->before = o->against->before;
		b->set = difference(&b->before, &s->disk);
	} else if (from == NULL) {
		b->set = (1u << BLOCKS) - 1;
	}
	b->after = s->disk;
	b->to = newest_of(P);
	b->history = P->role.history;
	b->targets = o->targets;
	b->heirs = w->heirs;
	return (b);
}

/* The record takes the point in, then the bundle leaves. */
static inline void
ship(struct world *w, struct site *s, struct bundle *b)
{
	struct primary_shipment x;
	char text[80];

	memset(&x, 0, sizeof x);
	id_of(w, b, x.id);
	x.type = b->type;
	x.from = b->from.seq;
	x.to = b->to.seq;
	x.at = clock_of(w, s);
	x.volumes = 1;
	for (unsigned i = 0; i < w->nsites; i++)
		if (b->targets >> i & 1)
			x.targets |= UINT32_C(1) << (target_of(w, s->P, i) - s->P->targets);
	ledger_sent(s->P, &x);
	prune(s->P);
	save_primary(w, s);
	true_newest(w, s);
	durable(w);
	w->nbundles++;
	tell(w, "  %c sends %s %" PRIu64 " to %" PRIu64 " of epoch %" PRIu64 "%s: %s", name_of(s),
	    header_type_text(b->type), b->from.seq, b->to.seq, b->to.epoch,
	    b->handover != NOBODY ? ", with the handover"
	    : b->is_exact         ? ", against a comparison"
	                          : "",
	    show(&b->after, text));
	dispatch(w, b, s->id, NOBODY);
	w->events[b->type == BUNDLE_SEED ? EV_SEED : b->is_exact ? EV_AGAINST : EV_EXPORT]++;
}

static inline int export(struct world *w, struct site *s, const struct order *o)
{
	uint64_t base;

	if (!is_live(s) || o->targets == 0 || !may(w, &s->P->role, ROLE_SEND))
		return (1);
	check_untold(w, s, "exports");
	if (w->plant == PLANT_LOCK && s->P->role.state == ROLE_PREPARED)
		tell(w, "  in spite of its lock");
	else if (role_step(&s->P->role, ROLE_SEND) != 0)
		return (1);
	base = o->is_seed || o->against != NULL ? 0 : base_for(w, s->P, o->targets, o->since);
	ship(w, s, make(w, s, o, base));
	return (0);
}

/* --- planned ---------------------------------------------------------------------------------------------- */

static inline int
prepare(struct world *w, struct site *s, unsigned site, int stop)
{
	struct order o = { .targets = 1u << site, .is_final = 1 };
	struct role *r = &s->P->role;
	struct bundle *b;
	char words[ROLE_WORDS];

	if (!is_live(s) || site == s->id || s->P->npoints == 0 ||
	    role_objection(r, ROLE_PREPARE, words) != NULL)
		return (1);
	if (stop)
		s->runs = 0;
	if (s->runs || role_prepare(r, newest_of(s->P).seq + 1, w->sites[site].key) != 0)
		return (1);
	check_untold(w, s, "hands over");
	b = make(w, s, &o, base_for(w, s->P, o.targets, LEDGER_ACKED));
	b->handover = site;
	ship(w, s, b);
	w->events[EV_PREPARED]++;
	return (0);
}

static inline int
withdraw(struct world *w, struct site *s)
{
	if (!is_live(s) || role_withdraw(&s->P->role) != 0)
		return (1);
	save_primary(w, s);
	w->events[EV_WITHDRAWN]++;
	return (0);
}

/* What a person drops is no branch any more. */
static inline void
drop_branches(struct site *s)
{
	s->nbranches = 0;
}

/* The last point alone stays: the VM writes to the disk from now on, and no undo leads back over that. */
static inline void
keep_last_alone(struct replica *R)
{
	R->points[0] = R->points[R->npoints - 1];
	R->points[0].is_pinned = R->points[0].is_branch = 0;
	R->npoints = 1;
	while (R->nstaged > 0)
		replica_drop_staged(R, R->nstaged - 1);
}

static inline int
plan(struct world *w, struct site *s)
{
	struct replica *R = s->R;
	struct point p;
	char x[80], y[80];
	int meant = 0;

	if (!is_copy(s) || R->npoints == 0 || s->has_test)
		return (1);
	merge(w, s);
	p = R->points[R->npoints - 1].point;
	if (take_over(w, &R->role, &p, s->key) != 0)
		return (1);
	keep_last_alone(R);
	save_replica(w, s);
	true_turn(w, s, &R->role);
	drop_branches(s);
	w->events[EV_TOOK_OVER]++;
	/* Nothing is lost: what the old primary was locked with is here. */
	for (unsigned i = w->ntruths; i-- > 0;)
		if (w->truths[i].seq == p.seq && w->truths[i].line.epoch == (p.epoch == 1 ? 0 : p.epoch)) {
			const struct site *old = &w->sites[w->truths[i].site];
			const struct role *r = &old->disk_copy.prole;

			if (old != s && old->disk_copy.has_primary && r->locked != 0 &&
			    old->restored == w->truths[i].restored &&
			    memcmp(r->locked_for, s->key, RECORD_KEY) == 0 &&
			    !is_same(&s->disk, &w->truths[i].content))
				fail(w, "%c takes over with %s, and %c was locked with %s", name_of(s),
				    show(&s->disk, x), name_of(old), show(&w->truths[i].content, y));
			break;
		}
	for (unsigned i = 0; i < w->nbundles; i++) {
		const struct bundle *b = &w->bundles[i];

		meant |= s->got[i] && b->handover == s->id && b->to.epoch == p.epoch && b->to.seq == p.seq;
		if (s->got[i] && b->to.epoch == p.epoch && b->to.seq > p.seq && b->signer == site_of(R->key))
			fail(w, "%c takes over at point %" PRIu64 ", and has had point %" PRIu64, name_of(s),
			    p.seq, b->to.seq);
	}
	if (!meant)
		fail(w, "%c takes over at point %" PRIu64 ", which was handed to another site", name_of(s),
		    p.seq);
	if (p.kind != POINT_FINAL)
		fail(w, "%c takes over at point %" PRIu64 ", which is not a final one", name_of(s), p.seq);
	return (0);
}

/* --- unplanned -------------------------------------------------------------------------------------------- */

static inline int
fail_over(struct world *w, struct site *s, unsigned i)
{
	struct replica *R = s->R;

	if (!is_copy(s) || R->npoints == 0 || R->merging || s->has_test)
		return (1);
	i %= R->npoints;
	/* Only from a point of the way: behind any other the history would tell a lie. */
	if (R->points[i].is_branch || !may(w, &R->role, ROLE_FAIL_OVER))
		return (1);
	durable(w);
	s->overlay = content_of(R->points[i].disks[0].root);
	s->has_overlay = 1;
	if (role_fail_over(&R->role, &R->points[i].point) != 0)
		return (1);
	save_replica(w, s);
	w->events[EV_FAILED_OVER]++;
	return (0);
}

static inline int
cancel(struct world *w, struct site *s)
{
	if (!is_copy(s) || s->R->role.state != ROLE_FAILOVER || role_step(&s->R->role, ROLE_CANCEL) != 0)
		return (1);
	s->runs = 0;
	save_replica(w, s);
	durable(w);
	s->has_overlay = 0;
	w->events[EV_CANCELLED]++;
	return (0);
}

static inline int
complete(struct world *w, struct site *s)
{
	struct replica *R = s->R;

	if (!is_copy(s) || complete_role(w, &R->role, s->key) != 0)
		return (1);
	while (R->npoints > 1 && R->points[R->npoints - 1].point.seq != R->role.at.seq)
		R->npoints--;
	keep_last_alone(R);
	save_replica(w, s);
	true_turn(w, s, &R->role);
	drop_branches(s);
	w->events[EV_COMPLETED]++;
	return (0);
}

/* The overlay goes into the disk, as soon as nothing has it open. */
static inline int
settle(struct world *w, struct site *s)
{
	if (!s->has_overlay)
		return (0);
	if (s->runs)
		return (1);
	durable(w);
	s->disk = s->overlay;
	durable(w);
	s->has_overlay = 0;
	return (0);
}

/* --- turning ---------------------------------------------------------------------------------------------- */

static inline int
reverse(struct world *w, struct site *s)
{
	struct replica *R = s->R;
	struct primary *P = s->P;
	const struct replica_point *at;

	if (!s->has_replica || (is_turned(s) ? s->has_primary : !may(w, &R->role, ROLE_REVERSE)) ||
	    settle(w, s) != 0)
		return (1);
	if (!is_turned(s)) {
		role_step(&R->role, ROLE_REVERSE);
		save_replica(w, s);
	}
	if ((at = replica_last(R)) == NULL)
		fail(w, "%c is turned and has no point", name_of(s));
	role_turn_primary(&P->role, &R->role);
	P->ntargets = P->nshipments = 0;
	for (unsigned i = 0; i < w->nsites; i++)
		if (i != s->id)
			target_of(w, P, i)->acked =
			    R->role.is_planned && site_of(R->key) == i ? at->point.seq : 0;
	P->npoints = 1;
	memset(&P->points[0], 0, sizeof P->points[0]);
	P->points[0].point = at->point;
	P->points[0].size[0] = LIMIT_BLOCK * BLOCKS;
	P->points[0].size[1] = (1u << BLOCKS) - 1;
	memcpy(P->points[0].root[0], at->disks[0].root, LEAF_ROOT);
	s->has_primary = 1;
	save_primary(w, s);
	w->events[EV_REVERSED]++;
	return (0);
}

/* The primary's record becomes that of a replica at that point, of which its disks are. */
static inline void
turn_replica(struct world *w, struct site *s, const struct primary_point *at, unsigned follow, int is_parted)
{
	struct replica *R = s->R;
	struct replica_point p;

	memset(&p, 0, sizeof p);
	p.point = at->point;
	p.disks[0].size = LIMIT_BLOCK * BLOCKS;
	memcpy(p.disks[0].root, at->root[0], LEAF_ROOT);
	p.is_pinned = is_parted;
	if (!is_parted && memcmp(at->root[0], &s->disk, LEAF_ROOT) != 0)
		fail(w, "%c follows %c, and what it wrote since point %" PRIu64 " is lost", name_of(s),
		    'a' + (int)follow, at->point.seq);
	if (w->plant == PLANT_ORDER) {
		s->has_primary = 0;
		save_primary(w, s);
	}
	clear_replica(R);
	role_turn_replica(&R->role, &s->P->role, is_parted);
	memcpy(R->key, w->sites[follow].key, RECORD_KEY);
	R->nheirs = 0;
	if (replica_add_point(R, &p) != 0)
		fail(w, "no memory");
	s->has_replica = 1;
	save_replica(w, s);
	s->is_told = 0;
	s->has_primary = 0;
	save_primary(w, s);
}

/* Compare what is here with the primary that is to be followed; the point that is here stays whatever comes. */
static inline int
resync(struct world *w, struct site *s, unsigned keep)
{
	struct replica *R = s->R;
	struct replica_point *last;
	struct bundle *b;
	int is_new;

	if (keep == s->id || !is_copy(s) || R->npoints == 0 || is_primary(s) ||
	    !may(w, &R->role, ROLE_RESYNC))
		return (1);
	/* What is here for good is compared, and becomes the branch: not a part of it. */
	merge(w, s);
	if (intake_next(R) >= 0 || role_step(&R->role, ROLE_RESYNC) != 0)
		return (1);
	last = &R->points[R->npoints - 1];
	is_new = !last->is_pinned;
	last->is_pinned = 1;
	memcpy(R->key, w->sites[keep].key, RECORD_KEY);
	b = new_bundle(w, s, BUNDLE_COMPARE);
	b->from = b->to = last->point;
	b->before = b->after = s->disk;
	b->history = R->role.history;
	b->targets = 1u << keep;
	if (R->ncompared == REPLICA_COMPARED)
		memmove(R->compared, R->compared + 1, --R->ncompared * sizeof *R->compared);
	id_of(w, b, R->compared[R->ncompared].id);
	R->compared[R->ncompared++].at = last->point;
	save_replica(w, s);
	if (is_new) {
		if (s->nbranches == BRANCHES)
			s->nbranches = 0;
		s->branches[s->nbranches++] = content_of(last->disks[0].root);
	}
	durable(w);
	w->nbundles++;
	send(w, b, keep);
	w->events[EV_COMPARED]++;
	tell(w, "  %c says what it holds at point %" PRIu64, name_of(s), last->point.seq);
	return (0);
}

/* A person's word at a site that holds the VM: another one counts. */
static inline int
give_way(struct world *w, struct site *s, unsigned keep)
{
	struct role next;
	struct content c;

	if (keep == s->id || !is_primary(s))
		return (1);
	s->runs = 0;
	if (!is_live(s)) {
		struct replica_point p = *replica_last(s->R);

		if (!s->R->role.is_fenced || settle(w, s) != 0 || role_step(&s->R->role, ROLE_FOLLOW) != 0)
			return (1);
		c = content_of(p.disks[0].root);
		if (!is_same(&c, &s->disk)) {
			p.point.epoch = history_epoch(&s->R->role.history);
			p.point.seq++;
			memcpy(p.disks[0].root, &s->disk, LEAF_ROOT);
			s->R->npoints = 0;
			replica_add_point(s->R, &p);
		}
		memcpy(s->R->key, w->sites[keep].key, RECORD_KEY);
		save_replica(w, s);
		if (!is_same(&c, &s->disk))
			true_point(w, s, &s->R->role.history, &p.point, &s->disk);
		s->is_told = 0;
		w->events[EV_GAVE_WAY]++;
		return (resync(w, s, keep));
	}
	next = s->P->role;
	if (!may(w, &next, ROLE_FOLLOW) || role_step(&next, ROLE_FOLLOW) != 0)
		return (1);
	if (s->P->npoints > 0)
		c = content_of(s->P->points[s->P->npoints - 1].root[0]);
	if (s->P->npoints == 0 || !is_same(&c, &s->disk)) {
		cut(w, s, POINT_STANDARD, newest_of(s->P).seq + 1);
		save_primary(w, s);
		true_newest(w, s);
	}
	turn_replica(w, s, &s->P->points[s->P->npoints - 1], keep, 1);
	if (s->nbranches == BRANCHES)
		s->nbranches = 0;
	s->branches[s->nbranches++] = s->disk;
	w->events[EV_GAVE_WAY]++;
	return (resync(w, s, keep));
}

/* A person's word: what is here counts. */
static inline int
keep(struct world *w, struct site *s)
{
	struct role *r;
	struct point p;

	if (!is_primary(s))
		return (1);
	r = is_live(s) ? &s->P->role : &s->R->role;
	p = is_live(s) ? newest_of(s->P) : replica_last(s->R)->point;
	if ((!r->is_fenced && r->state != ROLE_ERROR) || keep_own(w, r, &p, s->key) != 0)
		return (1);
	if (is_live(s))
		save_primary(w, s);
	else
		save_replica(w, s);
	true_turn(w, s, r);
	s->is_told = 0;
	w->events[EV_KEPT_OWN]++;
	return (0);
}

/* --- what is the same at both sides ------------------------------------------------------------------------- */

static inline int
say(struct world *w, struct site *s, enum role_event e)
{
	struct role *r = is_live(s) ? &s->P->role : &s->R->role;

	if ((!s->has_primary && !s->has_replica) || is_turned(s) != is_live(s) || role_step(r, e) != 0)
		return (1);
	if (is_live(s))
		save_primary(w, s);
	else
		save_replica(w, s);
	return (0);
}

static inline int
start(struct world *w, struct site *s)
{
	const struct role *r = is_live(s) ? &s->P->role : &s->R->role;

	if (s->runs || (!is_live(s) && !is_copy(s)) || !may(w, r, ROLE_START))
		return (1);
	check_untold(w, s, "starts its VM");
	if (is_live(s) && r->locked != 0)
		fail(w, "%c starts its VM, and has handed it over", name_of(s));
	s->runs = 1;
	return (0);
}

/* Somebody starts it without asking anybody: wherever it was at home. */
static inline int
start_outside(struct world *w, struct site *s)
{
	if (!is_primary(s))
		return (1);
	s->runs = 1;
	w->events[EV_OUTSIDE]++;
	return (0);
}

static inline int
write_some(struct world *w, struct site *s)
{
	struct content *c = s->has_overlay ? &s->overlay : &s->disk;

	if (!s->runs)
		return (1);
	for (unsigned n = 1 + below(w, 3); n > 0; n--)
		c->block[below(w, BLOCKS)] = ++w->writes;
	return (0);
}

static inline int
test(struct world *w, struct site *s)
{
	if (!is_copy(s) || s->has_test || s->R->npoints == 0 || !may(w, &s->R->role, ROLE_TEST))
		return (1);
	s->has_test = 1;
	s->test_disk = s->disk;
	w->events[EV_TESTED]++;
	return (0);
}

/* What has come is said to everybody, by hand or by forwarding. */
static inline int
send_receipt(struct world *w, struct site *s, int is_wide)
{
	struct bundle *b = new_bundle(w, s, BUNDLE_RECEIPT);

	if (is_live(s) && s->P->npoints > 0) {
		b->from = b->to = newest_of(s->P);
		b->before = content_of(s->P->points[s->P->npoints - 1].root[0]);
		b->history = s->P->role.history;
		b->is_primary = is_wide = 1;
	} else if (is_copy(s) && s->R->npoints > 0) {
		b->from = replica_last(s->R)->point;
		b->to = intake_held_by(s->R, &b->history);
		b->before = content_of(replica_last(s->R)->disks[0].root);
		b->is_primary = is_primary(s);
	} else {
		return (1);
	}
	w->nbundles++;
	for (unsigned i = 0; i < w->nsites; i++)
		if (i != s->id && (is_wide || site_of(s->R->key) == i))
			send(w, b, i);
	return (0);
}

#endif
