#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "replica/intake.h"
#include "replica/missing.h"

/* A replica in memory, at a point or a placeholder, with bundles staged. */
static struct replica *R;
static struct header H;

static struct point
at(uint64_t seq)
{
	return ((struct point){ seq == 0 ? 0 : 1, seq, 0, POINT_STANDARD });
}

static void
drop(void)
{
	if (R == NULL)
		return;
	while (R->nstaged > 0)
		replica_drop_staged(R, R->nstaged - 1);
	free(R->staged);
	free(R->points);
	free(R);
	R = NULL;
}

/* At that point (0: a placeholder), with nothing staged; one disk of one block. */
static void
replica_at(uint64_t seq)
{
	struct replica_point p = { .point = at(seq) };

	drop();
	cr_assert_not_null(R = calloc(1, sizeof *R));
	R->ndisks = 1;
	R->keep = 3;
	role_begin(&R->role, ROLE_REPLICA, seq == 0 ? ROLE_WAITING : ROLE_REPLICATING);
	p.disks[0].size = LIMIT_BLOCK;
	memset(p.disks[0].root, (int)seq, LEAF_ROOT);
	if (seq != 0)
		cr_assert_eq(replica_add_point(R, &p), 0);
}

static struct header *
header(uint8_t id, uint64_t from, uint64_t to)
{
	memset(&H, 0, sizeof H);
	H.id[0] = id;
	H.type = from == 0 ? BUNDLE_SEED : BUNDLE_DELTA;
	H.from = at(from);
	H.to = at(to);
	H.ndisks = 1;
	strcpy(H.disks[0].id, "vda");
	H.disks[0].size = H.disks[0].before_size = LIMIT_BLOCK;
	memset(H.disks[0].before, (int)from, LEAF_ROOT);
	return (&H);
}

/* Volume number of n of bundle id: each follows the one before it. */
static struct replica_volume
volume(uint8_t id, uint32_t number, uint32_t n)
{
	struct replica_volume v = { .file = 100, .stored = 10, .data = 4096, .zero = 512 };

	v.chain.number = number;
	v.chain.is_last = number == n;
	v.chain.before = number - 1;
	v.chain.after = number;
	v.chain.header[0] = id;
	v.chain.follows[0] = (uint8_t)(number - 1);
	v.chain.end[0] = (uint8_t)number;
	v.chain.first = (struct chain_place){ 0, 0, (number - 1) * UINT64_C(4096) };
	v.chain.last = (struct chain_place){ 0, 0, number * UINT64_C(4096) };
	return (v);
}

static int
add(uint8_t id, uint64_t from, uint64_t to, uint32_t number, uint32_t n)
{
	static const uint8_t key[RECORD_KEY];
	struct replica_volume v = volume(id, number, n);
	struct trailer end = { .stored = 10u * n, .data = 4096u * n, .zero = 512u * n, .volumes = n };
	struct replica_staged *s = intake_entry(R, header(id, from, to), key);

	cr_assert_not_null(s);
	return (intake_add(R, s, &v, &end));
}

/* A whole bundle in one volume. */
static void
stage(uint8_t id, uint64_t from, uint64_t to)
{
	cr_assert_eq(add(id, from, to, 1, 1), 0);
}

static enum intake
judge(uint8_t id, uint64_t from, uint64_t to)
{
	return (intake_judge(R, header(id, from, to), 1));
}

static enum intake
judge_exact(uint8_t id, uint64_t from, uint64_t to)
{
	header(id, from, to);
	H.has_against = 1;
	return (intake_judge(R, &H, 1));
}

TestSuite(intake, .fini = drop);

Test(intake, a_delta_fits_from_its_first_point_to_the_one_before_its_last)
{
	for (uint64_t b = 1; b < 9; b++) {
		replica_at(b);
		for (uint64_t from = 1; from < 9; from++)
			for (uint64_t to = from + 1; to < 10; to++)
				cr_expect_eq(judge(1, from, to),
				    to <= b     ? INTAKE_HAVE
				    : from <= b ? INTAKE_FITS
				                : INTAKE_EARLY,
				    "at %d: %d to %d", (int)b, (int)from, (int)to);
	}
}

Test(intake, a_delta_for_compared_disks_fits_at_one_point_alone)
{
	replica_at(5);
	cr_expect_eq(judge_exact(1, 4, 9), INTAKE_PAST);
	cr_expect_eq(judge_exact(1, 5, 9), INTAKE_FITS);
	cr_expect_eq(judge_exact(1, 6, 9), INTAKE_EARLY);
	cr_expect_eq(judge_exact(1, 4, 5), INTAKE_HAVE);
}

Test(intake, what_has_parted_from_us_is_none_of_ours)
{
	replica_at(5);
	header(1, 5, 6);
	H.to.epoch = 2;
	history_turn(&H.history, 2, 4, (const uint8_t[RECORD_KEY]){ 2 });
	cr_expect_eq(intake_judge(R, &H, 1), INTAKE_PARTED);
}

Test(intake, a_placeholder_takes_a_seed_and_lets_deltas_wait)
{
	replica_at(0);
	cr_expect_eq(judge(1, 0, 3), INTAKE_FITS);
	cr_expect_eq(judge(1, 3, 4), INTAKE_EARLY);
	stage(2, 3, 4);
	cr_expect_eq(intake_next(R), -1);
	cr_expect_eq(intake_held(R).seq, 0);
	cr_expect_eq(intake_waiting(R), 100);
}

Test(intake, a_placeholder_keeps_to_the_newer_of_two_seeds)
{
	replica_at(0);
	cr_assert_eq(add(1, 0, 5, 1, 2), 0);
	R->staged[0].on_disks = 1;
	cr_expect_eq(judge(2, 0, 4), INTAKE_OLDER);
	cr_expect_eq(judge(2, 0, 6), INTAKE_FITS);
	cr_expect_eq(intake_judge(R, header(1, 0, 5), 2), INTAKE_FITS);
}

Test(intake, a_seed_over_a_replica_fits_wherever_it_is_newer)
{
	replica_at(5);
	cr_expect_eq(judge(1, 0, 5), INTAKE_HAVE);
	cr_expect_eq(judge(1, 0, 6), INTAKE_FITS);
	stage(1, 0, 6);
	cr_expect_eq(intake_held(R).seq, 6);
}

Test(intake, a_volume_is_had_when_it_is_here_and_not_because_another_is)
{
	replica_at(1);
	cr_assert_eq(add(1, 1, 2, 2, 3), 0);
	header(1, 1, 2);
	cr_expect_eq(intake_judge(R, &H, 1), INTAKE_FITS);
	cr_expect_eq(intake_judge(R, &H, 2), INTAKE_HAVE);
	cr_expect_eq(intake_judge(R, &H, 3), INTAKE_FITS);
}

Test(intake, what_is_held_is_as_far_as_whole_bundles_lead)
{
	replica_at(1);
	stage(1, 2, 3);
	stage(2, 5, 6);
	cr_expect_eq(intake_held(R).seq, 1);
	stage(3, 1, 2);
	cr_expect_eq(intake_held(R).seq, 3);
	cr_assert_eq(add(4, 3, 5, 1, 2), 0);
	cr_expect_eq(intake_held(R).seq, 3, "a part leads nowhere");
	cr_assert_eq(add(4, 3, 5, 2, 2), 0);
	cr_expect_eq(intake_held(R).seq, 6);
}

Test(intake, of_several_the_one_that_leads_least_far_is_next)
{
	struct replica_point p = { .point = at(3) };

	replica_at(1);
	stage(1, 3, 9);
	stage(2, 2, 5);
	stage(3, 3, 5);
	stage(4, 1, 3);
	cr_expect_eq(R->staged[intake_next(R)].id[0], 4);
	cr_assert_eq(intake_moved(R, &p), 0);
	cr_expect_eq(R->staged[intake_next(R)].id[0], 3,
	    "of two that lead to the same point, the one that starts later");
	R->merging = 1;
	cr_expect_eq(intake_next(R), 0, "a merge under way goes first");
}

Test(intake, the_gap_is_from_what_is_held_to_the_lowest_start)
{
	struct point end, next;

	replica_at(3);
	cr_expect_eq(intake_gap(R, &end, &next), 0);
	stage(1, 7, 8);
	stage(2, 5, 6);
	stage(3, 3, 4);
	cr_assert_eq(add(4, 6, 7, 1, 2), 0);
	cr_assert_eq(intake_gap(R, &end, &next), 1);
	cr_expect_eq(end.seq, 4);
	cr_expect_eq(next.seq, 5);
	stage(5, 4, 5);
	cr_assert_eq(intake_gap(R, &end, &next), 1);
	cr_expect_eq(end.seq, 6);
	cr_expect_eq(next.seq, 7);
}

Test(intake, only_what_is_not_on_the_way_waits)
{
	replica_at(1);
	stage(1, 1, 2);
	cr_expect_eq(intake_waiting(R), 0);
	stage(2, 3, 4);
	cr_expect_eq(intake_waiting(R), 100);
	cr_assert_eq(add(3, 2, 3, 1, 2), 0);
	cr_expect_eq(intake_waiting(R), 200);
	cr_assert_eq(add(3, 2, 3, 2, 2), 0);
	cr_expect_eq(intake_waiting(R), 0);
}

Test(intake, a_bundle_is_useless_once_the_disks_are_as_far)
{
	replica_at(5);
	for (uint64_t to = 2; to < 9; to++) {
		struct replica_staged s = { .type = BUNDLE_DELTA, .from = at(1), .to = at(to) };

		cr_expect_eq(intake_is_useless(R, &s), to <= 5);
		s.is_exact = 1;
		cr_expect(intake_is_useless(R, &s), "its point is behind us");
		s.from = at(6);
		s.to = at(to + 6);
		cr_expect_not(intake_is_useless(R, &s));
	}
	replica_at(0);
	cr_expect_not(intake_is_useless(R, &(struct replica_staged){ .from = at(1), .to = at(2) }));
}

Test(intake, a_bundle_is_whole_when_all_its_volumes_came_in_any_order)
{
	static const uint32_t orders[6][3] = { { 1, 2, 3 }, { 1, 3, 2 }, { 2, 1, 3 }, { 2, 3, 1 },
		{ 3, 1, 2 }, { 3, 2, 1 } };

	for (int k = 0; k < 6; k++) {
		replica_at(1);
		for (int i = 0; i < 3; i++) {
			cr_assert_eq(R->nstaged > 0 && R->staged[0].is_whole, 0);
			cr_assert_eq(add(1, 1, 2, orders[k][i], 3), 0);
		}
		cr_expect(R->staged[0].is_whole);
	}
}

/* The third of three volumes with something wrong about it. */
static int
wrong(void (*spoil)(struct replica_volume *v, struct trailer *end))
{
	struct replica_volume v = volume(1, 3, 3);
	struct trailer end = { .stored = 30, .data = 3 * 4096, .zero = 3 * 512, .volumes = 3 };
	int rc;

	replica_at(1);
	cr_assert_eq(add(1, 1, 2, 1, 3), 0);
	cr_assert_eq(add(1, 1, 2, 2, 3), 0);
	spoil(&v, &end);
	rc = intake_add(R, &R->staged[0], &v, &end);
	cr_expect_eq(R->nstaged, rc == 1 ? 0 : 1);
	return (rc);
}

static void
other_header(struct replica_volume *v, struct trailer *end)
{
	(void)end;
	v->chain.header[0] ^= 1;
}

static void
other_link(struct replica_volume *v, struct trailer *end)
{
	(void)end;
	v->chain.follows[5] ^= 1;
}

static void
other_count(struct replica_volume *v, struct trailer *end)
{
	(void)end;
	v->chain.before++;
}

static void
overlap(struct replica_volume *v, struct trailer *end)
{
	(void)end;
	v->chain.first.offset -= 4096;
}

static void
more_data(struct replica_volume *v, struct trailer *end)
{
	(void)v;
	end->data++;
}

static void
more_zero(struct replica_volume *v, struct trailer *end)
{
	(void)v;
	end->zero++;
}

static void
more_stored(struct replica_volume *v, struct trailer *end)
{
	(void)v;
	end->stored++;
}

static void
fewer_volumes(struct replica_volume *v, struct trailer *end)
{
	(void)v;
	end->volumes = 2;
}

static void
nothing(struct replica_volume *v, struct trailer *end)
{
	(void)v;
	(void)end;
}

Test(intake, volumes_that_contradict_one_another_are_dropped_all)
{
	static void (*const spoils[])(struct replica_volume *, struct trailer *) = { other_header, other_link,
		other_count, overlap, more_data, more_zero, more_stored, fewer_volumes };

	cr_expect_eq(wrong(nothing), 0);
	for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++)
		cr_expect_eq(wrong(spoils[i]), 1, "%zu", i);
}

Test(intake, a_late_bundle_does_not_lead_past_what_is_held)
{
	static const uint8_t key[RECORD_KEY];

	replica_at(1);
	cr_assert_eq(add(1, 1, 3, 1, 2), 0);
	header(2, 1, 5);
	H.has_against = 1;
	cr_assert_not_null(intake_entry(R, &H, key));
	stage(2, 1, 5);
	cr_expect_eq(intake_held(R).seq, 5);
	cr_assert_eq(add(1, 1, 3, 2, 2), 0);
	cr_expect_eq(intake_held(R).seq, 5, "it was promised");
	cr_expect_eq(R->nstaged, 1);
}

Test(intake, a_seed_covers_every_byte_or_is_none)
{
	struct replica_volume v[2] = { volume(1, 1, 2), volume(1, 2, 2) };
	struct replica_staged s = { .type = BUNDLE_SEED, .nvolumes = 2, .volumes = v };

	header(1, 0, 1);
	H.disks[0].size = 8192;
	cr_expect(intake_is_covered(&s, &H));
	H.disks[0].size = 8704;
	cr_expect_not(intake_is_covered(&s, &H), "its end is missing");
	H.disks[0].size = 8192;
	v[1].chain.first.offset += 512;
	cr_expect_not(intake_is_covered(&s, &H), "there is a gap");
	v[1].chain.first = (struct chain_place){ 0, 1, 0 };
	v[1].chain.last = (struct chain_place){ 0, 1, 512 };
	H.ndisks = 2;
	H.disks[0].size = 4096;
	H.disks[1].size = 512;
	cr_expect(intake_is_covered(&s, &H), "the second disk begins in the second volume");
	H.ndisks = 3;
	H.disks[2].size = 512;
	cr_expect_not(intake_is_covered(&s, &H), "a disk is missing");
	v[1].chain.after = v[1].chain.before;
	H.ndisks = 1;
	cr_expect(intake_is_covered(&s, &H), "a volume may be empty");
}

Test(intake, histories_have_parted_where_a_root_is_another)
{
	replica_at(5);
	cr_expect_eq(intake_parted(R, header(1, 5, 6)), -1);
	cr_expect_eq(intake_parted(R, header(1, 4, 6)), -1, "a point that is not here says nothing");
	header(1, 5, 6);
	H.disks[0].before[3] ^= 1;
	cr_expect_eq(intake_parted(R, &H), 0);
	header(1, 5, 6);
	H.disks[0].before_size = 512;
	cr_expect_eq(intake_parted(R, &H), 0);
}

Test(intake, of_two_seeds_for_the_disks_only_the_last_one_counts)
{
	static const uint8_t key[RECORD_KEY];

	replica_at(0);
	intake_to_disks(R, intake_entry(R, header(1, 0, 5), key));
	R->seed.sums[0].low = 7;
	stage(2, 5, 6);
	cr_assert_eq(intake_to_disks(R, intake_entry(R, header(3, 0, 7), key))->id[0], 3);
	cr_expect_eq(R->nstaged, 2);
	cr_expect_null(intake_find(R, header(1, 0, 5)->id));
	cr_expect_not_null(intake_find(R, header(2, 5, 6)->id));
	cr_expect_eq(R->seed.sums[0].low, 0);
}

Test(intake, a_volume_that_was_cut_stays_so_while_others_come)
{
	static const uint8_t key[RECORD_KEY];
	struct leaf_sum sums[LIMIT_DISKS] = { { 1, 2 } };
	struct replica_staged *s;

	replica_at(0);
	s = intake_to_disks(R, intake_entry(R, header(1, 0, 5), key));
	intake_cut_seed(
	    R, s, 2, &(struct intake_progress){ .records = 9, .data = 4096, .zero = 512, .sums = sums });
	intake_add_seed(R, s, 1, sums);
	cr_expect_eq(s->cut, 2);
	cr_expect_eq(R->seed.records, 9);
	cr_expect_eq(R->seed.sums[0].low, 1);
	intake_add_seed(R, s, 2, sums);
	cr_expect_eq(R->seed.records, 0);
	cr_expect_eq(R->seed.sums[0].low, 2);
}

Test(intake, when_the_disks_have_moved_what_is_useless_goes)
{
	struct replica_point p = { .point = at(5) };

	replica_at(3);
	stage(1, 3, 5);
	stage(2, 2, 4);
	stage(3, 4, 6);
	R->merging = R->merging_undo = 1;
	strcpy(R->role.cause, "what was");
	cr_assert_eq(intake_moved(R, &p), 0);
	cr_expect_eq(R->npoints, 2);
	cr_expect_eq(R->nstaged, 1);
	cr_expect_eq(R->staged[0].id[0], 3);
	cr_expect(!R->merging && !R->merging_undo && R->role.state == ROLE_REPLICATING);
	p.point = at(6);
	cr_assert_eq(intake_moved(R, &p), 0);
	cr_expect_eq(R->npoints, 1, "without a way back the older points are no more");
	cr_expect_eq(R->nstaged, 0);
}

static char said[8][320];
static unsigned nsaid;

static void
hear(void *context, const char *text)
{
	(void)context;
	snprintf(said[nsaid++ % 8], sizeof said[0], "%s", text);
}

Test(missing, is_named_volume_by_volume_and_point_by_point)
{
	replica_at(3);
	cr_expect_eq(missing_each(R, hear, NULL), 0);
	cr_assert_eq(add(1, 3, 4, 2, 4), 0);
	stage(2, 6, 7);
	cr_expect_eq(missing_each(R, hear, NULL), 1);
	cr_assert_eq(nsaid, 2);
	cr_expect_str_eq(
	    said[0], "of the delta to point 4, 1 volumes are here; missing: 1, and those after 2");
	cr_expect_str_eq(said[1],
	    "a delta from point 6 waits: nothing is here that leads from point 3 to point 6; "
	    "bring it, or export with --since 3");
	cr_assert_eq(add(1, 3, 4, 4, 4), 0);
	nsaid = 0;
	missing_each(R, hear, NULL);
	cr_expect_str_eq(said[0], "of the delta to point 4, 2 volumes are here; missing: 1, 3");
	replica_at(0);
	stage(2, 6, 7);
	nsaid = 0;
	missing_each(R, hear, NULL);
	cr_expect_str_eq(said[0], "a delta from point 6 waits for a seed");
}
