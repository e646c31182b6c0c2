/*
 * Simulated histories of sites whose VM changes hands, over the real decisions: core/role, the ledger and the intake.
 *
 *    roles --table                     the tables of doc/ROLES.md
 *    roles [--steps N] [--seconds N] [--seed N] [--sites N] [--plant NAME]
 *
 * A history fails where something of truth.h is not so; it is told with as few steps as do it.
 */
#include <getopt.h>
#include <sodium.h>
#include <time.h>

#include "ending.h"
#include "tables.h"

#define STEPS 160u /* of a history at most */

static const char *const verbs[] = { "write", "start", "stop", "export", "deliver", "merge", "receipt",
	"prepare", "withdraw", "take over", "fail over", "cancel", "complete", "reverse", "give way", "keep",
	"resync", "test", "stop test", "pause", "resume", "disable", "break", "start outside", "back up",
	"restore", "lose", "clock", "drop branches" };
enum {
	WRITE,
	START,
	STOP,
	EXPORT,
	DELIVER,
	MERGE,
	RECEIPT,
	PREPARE,
	WITHDRAW,
	TAKE_OVER,
	FAIL_OVER,
	CANCEL,
	COMPLETE,
	REVERSE,
	GIVE_WAY,
	KEEP,
	RESYNC,
	TEST,
	STOP_TEST,
	PAUSE,
	RESUME,
	DISABLE,
	BREAK,
	OUTSIDE,
	BACK_UP,
	RESTORE,
	LOSE,
	CLOCK,
	DROP,
	VERBS
};
static const unsigned usual[VERBS] = { 10, 6, 2, 12, 40, 8, 6, 8, 2, 16, 4, 2, 5, 8, 5, 3, 5, 3, 3, 1, 3, 1,
	1, 2, 3, 2, 2, 2, 1 };

struct options {
	uint64_t steps, seed;
	double seconds; /* at least so many, and so many steps */
	unsigned sites;
	enum plant plant;
};

/* One history: what it begins with, and the dice of each step.  0 stands for a step that is left out. */
struct play {
	uint64_t number;
	unsigned n;
	uint64_t steps[STEPS];
};

static void
begin_site(struct world *w, unsigned i)
{
	struct site *s = &w->sites[i];
	struct primary *P = s->P;
	struct replica *R = s->R;

	clear_replica(R);
	free(R->staged);
	free(R->points);
	memset(R, 0, sizeof *R);
	memset(s, 0, offsetof(struct site, P));
	memset(&s->has_primary, 0, sizeof *s - offsetof(struct site, has_primary));
	s->id = i;
	s->key[0] = (uint8_t)(i + 1);
	R->lock = -1;
	R->keep = 4;
	R->ndisks = 1;
	P->ntargets = P->nshipments = P->npoints = 0;
	memset(&P->role, 0, sizeof P->role);
}

static void
begin(struct world *w, const struct options *o, uint64_t number)
{
	struct site *a = &w->sites[0];

	w->dice = number;
	w->plant = o->plant;
	w->clock = 0;
	w->nbundles = w->nparcels = w->ntruths = w->nturns = 0;
	w->writes = 0;
	w->crash_in = 0;
	w->nsites = o->sites != 0 ? o->sites : 2 + below(w, SITES - 1);
	w->is_chain = chance(w, 40);
	for (unsigned i = 0; i < VERBS; i++)
		w->habits[i] = i == EXPORT || i == DELIVER ? 2 + below(w, 3) : below(w, 4);
	w->heirs = chance(w, 50) ? (1u << w->nsites) - 1 : below(w, 1u << w->nsites);
	for (unsigned i = 0; i < SITES; i++)
		begin_site(w, i);
	role_begin(&a->P->role, ROLE_PRIMARY, ROLE_READY);
	for (unsigned i = 1; i < w->nsites; i++)
		target_of(w, a->P, i);
	a->has_primary = 1;
	save_primary(w, a);
	a->runs = 1;
	write_some(w, a);
	if (chance(w, 20))
		return;
	export(w, a, &(struct order){ .targets = all_but(w, a), .is_seed = 1 });
	for (unsigned i = 1; i < w->nsites; i++) {
		import(w, &w->sites[i], &w->bundles[0]);
		if (chance(w, 70))
			send_receipt(w, &w->sites[i], 0);
		back_up(&w->sites[i]);
	}
	back_up(a);
}

static void
deliver(struct world *w)
{
	unsigned i;
	struct parcel p;

	if (w->nparcels == 0)
		return;
	i = chance(w, 70) ? 0 : below(w, w->nparcels);
	p = w->parcels[i];
	if (chance(w, 85)) {
		memmove(&w->parcels[i], &w->parcels[i + 1], (w->nparcels - i - 1) * sizeof *w->parcels);
		w->nparcels--;
	}
	tell(w, "  %c is brought %s %" PRIu64 " to %" PRIu64 " of epoch %" PRIu64 " of %c", 'a' + (int)p.site,
	    header_type_text(w->bundles[p.bundle].type), w->bundles[p.bundle].from.seq,
	    w->bundles[p.bundle].to.seq, w->bundles[p.bundle].to.epoch,
	    'a' + (int)w->bundles[p.bundle].signer);
	open_site(w, &w->sites[p.site]);
	import(w, &w->sites[p.site], &w->bundles[p.bundle]);
}

static void
lose(struct world *w)
{
	unsigned i;

	if (w->nparcels == 0)
		return;
	i = below(w, w->nparcels);
	w->parcels[i] = w->parcels[--w->nparcels];
}

static void
shift_clock(struct world *w, struct site *s)
{
	int64_t far = (int64_t)below(w, 100000);

	s->skew += chance(w, 70) ? (int64_t)below(w, 20) - 10 : chance(w, 50) ? far : -far;
}

/* A person drops what gave way, once the resync is over. */
static void
drop(struct world *w, struct site *s)
{
	struct replica *R = s->R;
	unsigned n = 0;

	if (!is_copy(s) || R->npoints < 2 || R->merging || R->role.state == ROLE_FAILOVER)
		return;
	for (unsigned i = 0; i < R->npoints; i++)
		if (i + 1 == R->npoints || (!R->points[i].is_pinned && !R->points[i].is_branch))
			R->points[n++] = R->points[i];
	R->npoints = n;
	save_replica(w, s);
	s->nbranches = 0;
	for (unsigned i = 0; i < n; i++)
		if (R->points[i].is_pinned)
			s->branches[s->nbranches++] = content_of(R->points[i].disks[0].root);
}

static void
bring_back(struct world *w, struct site *s)
{
	int records_alone = s->backup.has_primary && is_live(s) && chance(w, 50);

	if (s->has_backup)
		restore(w, s, !records_alone);
}

/* Some go straight to where they are meant to: a pipe, or a person in a hurry. */
static void
hurry(struct world *w)
{
	const struct bundle *b = &w->bundles[w->nbundles - 1];

	for (unsigned i = 0; i < w->nsites; i++)
		if ((b->targets >> i & 1) && chance(w, 70)) {
			open_site(w, &w->sites[i]);
			import(w, &w->sites[i], b);
		}
}

static unsigned
some_targets(struct world *w, const struct site *s)
{
	unsigned all = all_but(w, s);

	return (chance(w, 60) ? all : all & below(w, 1u << w->nsites));
}

static void
act(struct world *w, struct site *s, unsigned verb)
{
	unsigned other = below(w, w->nsites);

	switch (verb) {
	case WRITE:
		for (unsigned i = 0; i < w->nsites; i++)
			write_some(w, &w->sites[i]);
		break;
	case START:
		start(w, s);
		break;
	case STOP:
		s->runs = 0;
		break;
	case EXPORT:
		if (export(w, s,
		        &(struct order){ .targets = some_targets(w, s),
		            .is_seed = chance(w, 8),
		            .since = chance(w, 50) ? LEDGER_ACKED : LEDGER_SENT }) == 0 &&
		    chance(w, 30))
			hurry(w);
		break;
	case DELIVER:
		deliver(w);
		break;
	case MERGE:
		if (is_copy(s))
			merge(w, s);
		break;
	case RECEIPT:
		send_receipt(w, s, chance(w, 40));
		break;
	case PREPARE:
		if (prepare(w, s, other, chance(w, 80)) == 0 && chance(w, 50))
			hurry(w);
		break;
	case WITHDRAW:
		withdraw(w, s);
		break;
	case TAKE_OVER:
		plan(w, s);
		break;
	case FAIL_OVER:
		fail_over(w, s, below(w, 8));
		break;
	case CANCEL:
		cancel(w, s);
		break;
	case COMPLETE:
		complete(w, s);
		break;
	case REVERSE:
		if (chance(w, 70))
			s->runs = 0;
		reverse(w, s);
		break;
	case GIVE_WAY:
		give_way(w, s, other);
		break;
	case KEEP:
		keep(w, s);
		break;
	case RESYNC:
		resync(w, s, chance(w, 60) && s->has_replica ? site_of(s->R->key) : other);
		break;
	case TEST:
		test(w, s);
		break;
	case STOP_TEST:
		s->has_test = 0;
		break;
	case PAUSE:
		say(w, s, ROLE_PAUSE);
		break;
	case RESUME:
		say(w, s, ROLE_RESUME);
		break;
	case DISABLE:
		say(w, s, ROLE_DISABLE);
		break;
	case BREAK:
		say(w, s, ROLE_BREAK);
		break;
	case OUTSIDE:
		start_outside(w, s);
		break;
	case BACK_UP:
		back_up(s);
		break;
	case RESTORE:
		bring_back(w, s);
		break;
	case LOSE:
		lose(w);
		break;
	case CLOCK:
		shift_clock(w, s);
		break;
	case DROP:
		drop(w, s);
		break;
	}
}

/* Does it make sense there?  Persons mostly do what does. */
static int
suits(const struct site *s, unsigned verb)
{
	enum role_state state = is_copy(s) ? s->R->role.state : (enum role_state)0;

	switch (verb) {
	case EXPORT:
	case PREPARE:
	case START:
		return (is_primary(s));
	case WITHDRAW:
		return (is_live(s) && s->P->role.locked != 0);
	case GIVE_WAY:
	case KEEP:
		return (is_primary(s) && (is_live(s) ? s->P->role.is_fenced : s->R->role.is_fenced));
	case TAKE_OVER:
		return (is_copy(s) && s->R->npoints > 0 &&
		        (s->R->role.handover != 0 || replica_last(s->R)->point.kind == POINT_FINAL));
	case CANCEL:
	case COMPLETE:
		return (state == ROLE_FAILOVER);
	case REVERSE:
		return (state == ROLE_FAILED_OVER || (is_turned(s) && !s->has_primary));
	case RESYNC:
		return (state == ROLE_WAITING_RESYNC || state == ROLE_RESYNCING);
	case FAIL_OVER:
	case TEST:
	case MERGE:
		return (is_copy(s) && !is_primary(s));
	case RESUME:
		return (state == ROLE_DISABLED || state == ROLE_SUSPENDED ||
		        (is_live(s) &&
		            (s->P->role.state == ROLE_DISABLED || s->P->role.state == ROLE_SUSPENDED)));
	default:
		return (1);
	}
}

static unsigned
pick_site(struct world *w, unsigned verb)
{
	unsigned site = below(w, w->nsites);
	int sensible = chance(w, 85);

	if (verb == DELIVER && w->nparcels > 0)
		return (w->parcels[0].site);
	for (unsigned i = 0; sensible && i < w->nsites && !suits(&w->sites[site], verb); i++)
		site = (site + 1) % w->nsites;
	return (site);
}

/* Each history has its own habits. */
static unsigned
pick(struct world *w)
{
	unsigned total = 0, n, verb = 0;

	for (unsigned i = 0; i < VERBS; i++)
		total += usual[i] * w->habits[i];
	for (n = below(w, total); n >= usual[verb] * w->habits[verb]; verb++)
		n -= usual[verb] * w->habits[verb];
	return (verb);
}

static void
step(struct world *w, uint64_t dice)
{
	static unsigned verb, site;
	static int was_live;

	w->dice = dice;
	w->clock += 1 + below(w, 60);
	verb = pick(w);
	site = pick_site(w, verb);
	w->crash_in = chance(w, verb == GIVE_WAY || verb == REVERSE ? 40 : 12) ? 1 + below(w, 7) : 0;
	was_live = is_live(&w->sites[site]);
	tell(w, "%c: %s", 'a' + (int)site, verbs[verb]);
	if (setjmp(w->crashed) == 0) {
		open_site(w, &w->sites[site]);
		act(w, &w->sites[site], verb);
	} else {
		tell(w, "  and is interrupted");
		w->events[EV_CRASHED]++;
		w->crash_in = 0;
		for (unsigned i = 0; i < w->nsites; i++) {
			load(w, &w->sites[i]);
			open_site(w, &w->sites[i]);
		}
		if (was_live && !is_live(&w->sites[site]) && !is_copy(&w->sites[site]))
			fail(w, "%c was interrupted, and is neither primary nor replica",
			    name_of(&w->sites[site]));
	}
	w->crash_in = 0;
	check_all(w);
}

/* 1 if all was true that must be. */
static int
run(struct world *w, const struct options *o, const struct play *p)
{
	w->why[0] = '\0';
	if (setjmp(w->failed) == 0) {
		begin(w, o, p->number);
		for (unsigned i = 0; i < p->n && w->nbundles + 60 < BUNDLES; i++)
			if (p->steps[i] != 0)
				step(w, p->steps[i]);
		ending(w);
	}
	return (w->why[0] == '\0');
}

static void
compose(struct world *w, struct play *p, uint64_t number)
{
	w->dice = number;
	p->number = number;
	p->n = 10 + below(w, STEPS - 10);
	for (unsigned i = 0; i < p->n; i++)
		p->steps[i] = roll(w) | 1;
}

/* Leave out what is not needed for it to fail: greedily, from the end, in ever smaller pieces. */
static void
minimise(struct world *w, const struct options *o, struct play *p)
{
	struct play try;

	for (unsigned piece = 32, again = 3; piece > 0; piece = piece == 1 && --again > 0 ? 1 : piece / 2)
		for (unsigned i = 0; i < p->n; i += piece) {
			try = *p;
			for (unsigned k = i; k < i + piece && k < p->n; k++)
				try.steps[k] = 0;
			if (!run(w, o, &try))
				*p = try;
		}
}

static int
tell_failed(struct world *w, const struct options *o, struct play *p)
{
	unsigned n = 0;

	minimise(w, o, p);
	for (unsigned i = 0; i < p->n; i++)
		n += p->steps[i] != 0;
	printf("FAILED  history %" PRIu64 ", which needs %u steps:\n", p->number, n);
	w->is_loud = 1;
	run(w, o, p);
	w->is_loud = 0;
	return (1);
}

static int
never(const struct world *w, uint64_t steps)
{
	int n = 0;

	for (unsigned i = 0; i < EVENTS; i++) {
		printf("%s%" PRIu64 " %s",
		    i == 0       ? "        "
		    : i % 8 == 0 ? ",\n        "
		                 : ", ",
		    w->events[i], event_names[i]);
		n += steps >= 100000 && w->events[i] == 0;
	}
	printf("\n");
	if (n > 0)
		printf("FAILED  some of these never happened\n");
	return (n);
}

static double
seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

static int
play_all(struct world *w, const struct options *o)
{
	uint64_t steps = 0, histories = 0;
	static struct play p;
	double begun = seconds_now();

	printf("roles: seed %" PRIu64 "\n", o->seed);
	for (; steps < o->steps || seconds_now() - begun < o->seconds; histories++) {
		compose(w, &p, (o->seed << 32) + histories);
		if (!run(w, o, &p)) {
			int rc = tell_failed(w, o, &p);

			printf("        (after %" PRIu64 " steps)\n0 passed, 1 failed\n", steps);
			return (rc);
		}
		steps += p.n;
	}
	printf("        %" PRIu64 " steps in %" PRIu64 " histories\n", steps, histories);
	if (never(w, steps) > 0) {
		printf("%" PRIu64 " passed, 1 failed\n", histories);
		return (1);
	}
	printf("%" PRIu64 " passed, 0 failed\n", histories);
	return (0);
}

static enum plant
plant_of(const char *name)
{
	for (int i = 0; i < PLANTS; i++)
		if (strcmp(name, plant_names[i]) == 0)
			return ((enum plant)i);
	fprintf(stderr, "there is no plant '%s'\n", name);
	exit(2);
}

static void
parse(int argc, char *argv[], struct options *o)
{
	static const struct option longs[] = { { "steps", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' }, { "sites", required_argument, NULL, 'k' },
		{ "plant", required_argument, NULL, 'p' }, { "table", no_argument, NULL, 'd' },
		{ "seconds", required_argument, NULL, 't' }, { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		switch (c) {
		case 'n':
			o->steps = strtoull(optarg, NULL, 10);
			break;
		case 's':
			o->seed = strtoull(optarg, NULL, 10);
			break;
		case 't':
			o->seconds = strtod(optarg, NULL);
			break;
		case 'k':
			o->sites = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'p':
			o->plant = plant_of(optarg);
			break;
		case 'd':
			print_tables();
			exit(0);
		default:
			exit(2);
		}
	if (o->sites == 1 || o->sites > SITES)
		exit(2);
}

int
main(int argc, char *argv[])
{
	static struct world w;
	struct options o = { .steps = 10000 };

	if (sodium_init() < 0)
		return (3);
	o.seed = randombytes_random();
	parse(argc, argv, &o);
	for (unsigned i = 0; i < SITES; i++) {
		w.sites[i].P = calloc(1, sizeof *w.sites[i].P);
		w.sites[i].R = calloc(1, sizeof *w.sites[i].R);
		if (w.sites[i].P == NULL || w.sites[i].R == NULL ||
		    (w.sites[i].P->points = calloc(POINTS + 1, sizeof *w.sites[i].P->points)) == NULL)
			return (3);
	}
	return (play_all(&w, &o));
}
