/*
 * Histories of couriers, each from a number: a primary, up to three replicas, and between them media that are lost,
 * late, twice, swapped, stale, half-imported or combined, lines that are cut, and receipts that travel back.  The
 * decisions are those of the tools: format/, replica/intake, replica/missing and primary/ledger as they are; only files
 * and disks are arrays.  After every step, and when at the end one more export has come to each site, what must be true
 * is found out by brute force.
 *
 *    courier [--histories N] [--seconds N] [--seed N] [--history N]
 *
 * Goes on until both limits are reached; says the seed, with which all of it comes again.  --history tells one of
 * them step by step.  Ends with "N passed, N failed"; the histories that failed are told, too.
 */
#include <getopt.h>
#include <sodium.h>
#include <time.h>

#include "road.h"

#define STEPS 120u
#define TOLD 3u /* histories that failed and are told */

/* Everybody at the beginning, as different as may be. */
static void
begin(struct world *w, uint64_t number)
{
	struct primary *P = w->hq.P;

	w->dice = number;
	w->clock = 1;
	w->nbundles = w->nparcels = 0;
	w->nsites = 1 + below(w, SITES);
	role_begin(&P->role, ROLE_PRIMARY, ROLE_READY);
	P->ntargets = P->nshipments = P->npoints = 0;
	P->keep = 1 + below(w, 4);
	memset(w->hq.maps, 0, sizeof w->hq.maps);
	memset(w->hq.now, 0, BLOCKS);
	w->hq.nseq = 0;
	w->hq.pending = -1;
	w->hq.most_points = chance(w, 50) ? 100 : 3 + below(w, 6);
	for (unsigned i = 0; i < SITES; i++) {
		memset(&w->sites[i], 0, sizeof w->sites[i]);
		w->sites[i].inbox = chance(w, 60) ? UINT64_MAX : 500 + below(w, 5000);
	}
	if (w->nsites == SITES)
		w->sites[SITES - 1].is_liar = chance(w, 40);
	guest_writes(w);
}

static void
end(struct world *w)
{
	for (unsigned i = 0; i < SITES; i++) {
		free_replica(w->sites[i].R);
		free_replica(w->sites[i].old);
	}
}

/* The weights of what may happen differ from history to history: so each has a character. */
enum action {
	WRITE,
	EXPORT,
	AGAINST,
	RESUME,
	COMBINE,
	DELIVER,
	LOSE,
	REPACK,
	RECEIPT,
	REST,
	MERGE,
	BACKUP,
	PIN,
	ACTIONS
};
static const unsigned usual[ACTIONS] = { 10, 10, 2, 3, 4, 50, 4, 3, 10, 6, 5, 2, 1 };

static void
step(struct world *w, const unsigned weights[ACTIONS], unsigned total)
{
	unsigned r = below(w, total), a = 0, site = below(w, w->nsites);

	while (r >= weights[a])
		r -= weights[a++];
	w->clock++;
	switch ((enum action)a) {
	case WRITE:
		guest_writes(w);
		return;
	case EXPORT:
		export_some(w);
		return;
	case AGAINST:
		export_against(w);
		return;
	case RESUME:
		resume_export(w);
		return;
	case COMBINE:
		combine(w);
		return;
	case DELIVER:
		if (w->nparcels > 0)
			deliver(w, below(w, w->nparcels));
		return;
	case LOSE:
		if (w->nparcels > 0) {
			drop_parcel(w, below(w, w->nparcels));
			happened(w, EV_LOST);
		}
		return;
	case REPACK:
		repack(w);
		return;
	case RECEIPT:
		send_receipt(w, site);
		return;
	case REST:
		continue_cut(w, site);
		return;
	case MERGE:
		merge(w, &w->sites[site], 8);
		return;
	case BACKUP:
		backup(w, site);
		return;
	case PIN:
		pin(w, site);
		return;
	case ACTIONS:
		return;
	}
}

/* --- the end: whatever was lost, one more export makes it good -------------------------------------------- */

/* All of one bundle arrives, undisturbed. */
static void
arrive(struct world *w, unsigned site, const struct bundle *b)
{
	for (unsigned v = 1; v <= b->nvolumes; v++)
		import(w, site, (unsigned)(b - w->bundles), v,
		    (struct stretch){ .from = b->first[v - 1], .to = b->first[v] });
	merge(w, &w->sites[site], 0);
}

static const struct bundle *
good_export(struct world *w, unsigned sites, uint64_t base)
{
	struct bundle *b;

	guest_writes(w);
	w->clock++;
	if (w->hq.pending >= 0)
		w->bundles[w->hq.pending].is_cut_off = 1;
	w->hq.pending = -1;
	if ((b = make_bundle(w, sites, base, 0)) == NULL)
		return (NULL);
	tell(w, "hq exports %s %" PRIu64 " to %" PRIu64 " for %x, and all goes well",
	    header_type_text(b->type), base, b->to.seq, sites);
	commit_point(w, b);
	enter_ledger(w, b);
	return (b);
}

static int
is_newest(const struct world *w, unsigned site)
{
	return (merged_seq(w->sites[site].R) == last_seq(w));
}

/* It could not take the delta: then it must say what it needs, and its receipt or a seed must help. */
static void
rescue(struct world *w, unsigned site, const struct bundle *b)
{
	struct replica_side *d = &w->sites[site];
	uint64_t base;

	happened(w, EV_WAITED);
	if (b->type == BUNDLE_SEED)
		fail(w, "site %c is not at the newest point after a seed", 'a' + (int)site);
	if (d->R != NULL && intake_find(d->R, b->id) != NULL)
		check_missing(w, site);
	if (merged_seq(d->R) != 0 && !d->went_back && !d->is_liar && target_of(w, site)->acked != 0 &&
	    target_of(w, site)->back == 0)
		fail(w, "site %c cannot take a delta from what it acknowledged", 'a' + (int)site);
	w->clock += 50;
	send_receipt(w, site);
	if (merged_seq(d->R) != 0 && !d->is_liar)
		take_receipt(w, &w->parcels[w->nparcels - 1]);
	if (d->went_back && merged_seq(d->R) != 0 && !d->is_liar)
		fail(w, "site %c was heard of and is still taken for what it was", 'a' + (int)site);
	base = common_base(w, 1u << site, LEDGER_ACKED);
	if (base > held_seq(d->R))
		base = 0;
	if (base == 0)
		happened(w, EV_RESCUED_BY_SEED);
	if ((b = good_export(w, 1u << site, base)) == NULL)
		return;
	arrive(w, site, b);
	if (!is_newest(w, site))
		fail(w, "site %c is not at the newest point whatever is sent to it", 'a' + (int)site);
}

static void
finale(struct world *w)
{
	for (unsigned i = 0; i < w->nsites; i++) {
		const struct bundle *b;

		adopt_target(w, i);
		w->sites[i].inbox = UINT64_MAX;
		merge(w, &w->sites[i], 0);
		if ((b = good_export(w, 1u << i, common_base(w, 1u << i, LEDGER_ACKED))) == NULL)
			return;
		arrive(w, i, b);
		if (!is_newest(w, i))
			rescue(w, i, b);
		check_all(w, 1);
	}
}

/* Often the first seed comes without trouble, and its receipt back. */
static void
head_start(struct world *w)
{
	const struct bundle *b;
	unsigned all = (1u << w->nsites) - 1;

	for (unsigned i = 0; i < w->nsites; i++)
		adopt_target(w, i);
	if ((b = good_export(w, all, 0)) == NULL)
		return;
	for (unsigned i = 0; i < w->nsites; i++) {
		arrive(w, i, b);
		if (chance(w, 50))
			send_receipt(w, i);
	}
}

static void
play(struct world *w)
{
	unsigned weights[ACTIONS], total = 0, steps = 1 + below(w, STEPS);

	for (unsigned i = 0; i < ACTIONS; i++)
		total += weights[i] = usual[i] * below(w, 4);
	weights[WRITE]++;
	weights[EXPORT]++;
	weights[DELIVER] += 5;
	total += 7;
	if (chance(w, 70))
		head_start(w);
	for (unsigned i = 0; i < steps; i++) {
		step(w, weights, total);
		check_all(w, i % 4 == 0);
	}
	finale(w);
}

/* One history: 1 if all was true that must be. */
static int
history(struct world *w, uint64_t number)
{
	begin(w, number);
	happened(w, EV_HISTORY);
	w->why[0] = '\0';
	if (setjmp(w->failed) == 0)
		play(w);
	end(w);
	return (w->why[0] == '\0');
}

/* --- */

static double
seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

static void
tell_failed(struct world *w, uint64_t number)
{
	w->is_loud = 1;
	printf("FAILED  history %" PRIu64 ": %s\n", number, w->why);
	history(w, number);
	printf("        (courier --history %" PRIu64 ")\n", number);
	w->is_loud = 0;
}

static uint64_t
number_of(const char *text)
{
	return (strtoull(text, NULL, 10));
}

struct options {
	uint64_t histories, seed, one;
	double seconds;
	int has_one;
};

static void
parse(int argc, char *argv[], struct options *o)
{
	static const struct option longs[] = { { "histories", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 't' }, { "seed", required_argument, NULL, 's' },
		{ "history", required_argument, NULL, 'h' }, { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		switch (c) {
		case 'n':
			o->histories = number_of(optarg);
			break;
		case 't':
			o->seconds = strtod(optarg, NULL);
			break;
		case 's':
			o->seed = number_of(optarg);
			break;
		case 'h':
			o->one = number_of(optarg);
			o->has_one = 1;
			break;
		default:
			exit(2);
		}
}

/* What never happened was not tried: with enough histories, that is a fault of this very program. */
static unsigned
count(const struct world *w)
{
	unsigned never = 0;

	for (unsigned i = 1; i < EVENTS; i++) {
		if (w->events[i] == 0 && w->events[EV_HISTORY] >= 300) {
			printf("FAILED  there never were any: %s\n", event_names[i]);
			never++;
		}
		printf("%s%" PRIu64 " %s",
		    i == 1       ? "        "
		    : i % 5 == 1 ? ",\n        "
		                 : ", ",
		    w->events[i], event_names[i]);
	}
	printf("\n");
	return (never);
}

static int
run(struct world *w, const struct options *o)
{
	double begun = seconds_now(), spent;
	uint64_t n = 0, failed = 0;

	printf("courier: seed %" PRIu64 "\n", o->seed);
	for (; n < o->histories || seconds_now() - begun < o->seconds; n++) {
		uint64_t number = (o->seed << 32) + n;

		if (history(w, number))
			continue;
		if (failed++ < TOLD)
			tell_failed(w, number);
	}
	spent = seconds_now() - begun;
	printf("        %" PRIu64 " histories, %.0f a second\n", n, (double)n / (spent > 0 ? spent : 1));
	failed += count(w);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", n > failed ? n - failed : 0, failed);
	return (failed == 0 ? 0 : 1);
}

int
main(int argc, char *argv[])
{
	static struct world w;
	struct options o = { .histories = 1 };
	uint8_t seed[LEAF_SEED] = { 1 };
	int rc;

	if (sodium_init() < 0)
		return (3);
	o.seed = randombytes_random();
	parse(argc, argv, &o);
	w.hq.P = calloc(1, sizeof *w.hq.P);
	if (w.hq.P == NULL || (w.hq.P->points = calloc(SEQ_MAX + 1, sizeof *w.hq.P->points)) == NULL)
		return (3);
	leaf_secret_make(&w.secret, seed);
	if (o.has_one) {
		w.is_loud = 1;
		rc = !history(&w, o.one);
	} else {
		rc = run(&w, &o);
	}
	free(w.hq.P->points);
	free(w.hq.P);
	return (rc);
}
