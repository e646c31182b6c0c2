#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "primary/ledger.h"

/* A primary in memory with targets a, b, ... and points 1 to n. */
static struct primary *
primary_of(unsigned ntargets, unsigned npoints)
{
	struct primary *P = calloc(1, sizeof *P);

	cr_assert_not_null(P);
	cr_assert_not_null(P->points = calloc(2 * LIMIT_POINTS, sizeof *P->points));
	role_begin(&P->role, ROLE_PRIMARY, ROLE_REPLICATING);
	P->ntargets = ntargets;
	for (unsigned i = 0; i < ntargets; i++)
		P->targets[i].name[0] = (char)('a' + i);
	for (P->npoints = 0; P->npoints < npoints; P->npoints++)
		P->points[P->npoints].point = (struct point){ 1, P->npoints + 1, 0, POINT_STANDARD };
	return (P);
}

static void
drop(struct primary *P)
{
	free(P->points);
	free(P);
}

static void
send(struct primary *P, uint32_t targets, uint64_t from, uint64_t to)
{
	struct primary_shipment s = { .type = from == 0 ? BUNDLE_SEED : BUNDLE_DELTA,
		.from = from,
		.to = to,
		.targets = targets,
		.at = (int64_t)to };

	s.id[0] = (uint8_t)to;
	s.id[1] = (uint8_t)(to >> 8);
	ledger_sent(P, &s);
}

static enum ledger_news
receipt(struct primary *P, unsigned target, uint64_t seq, int64_t created)
{
	static struct header H;

	H.type = BUNDLE_RECEIPT;
	H.created = created;
	H.from = H.to = (struct point){ 1, seq, 0, POINT_STANDARD };
	return (ledger_acked(P, &P->targets[target], &H, 1000 + created));
}

static unsigned
in_flight(const struct primary *P, unsigned target)
{
	unsigned i = 0, n = 0;

	while (ledger_next(P, &P->targets[target], &i) != NULL)
		n++;
	return (n);
}

Test(ledger, without_a_receipt_a_delta_starts_at_the_first_seed)
{
	struct primary *P = primary_of(1, 9);

	cr_expect_eq(ledger_base(P, &P->targets[0], LEDGER_ACKED), 0);
	send(P, 1, 0, 2);
	send(P, 1, 2, 3);
	send(P, 1, 0, 4);
	cr_expect_eq(ledger_base(P, &P->targets[0], LEDGER_ACKED), 2);
	cr_expect_eq(ledger_base(P, &P->targets[0], LEDGER_SENT), 4);
	cr_expect_eq(ledger_lowest(P), 2);
	drop(P);
}

Test(ledger, a_receipt_takes_off_what_it_covers_for_its_own_site_alone)
{
	struct primary *P = primary_of(2, 9);

	send(P, 3, 0, 1);
	send(P, 3, 1, 2);
	send(P, 1, 2, 3);
	cr_expect_eq(receipt(P, 0, 2, 10), LEDGER_NEWER);
	cr_expect_eq(in_flight(P, 0), 1);
	cr_expect_eq(in_flight(P, 1), 2);
	cr_expect_eq(ledger_base(P, &P->targets[0], LEDGER_ACKED), 2);
	cr_expect_eq(ledger_base(P, &P->targets[1], LEDGER_ACKED), 1);
	cr_expect_eq(ledger_lowest(P), 1);
	cr_expect_eq(receipt(P, 1, 2, 10), LEDGER_NEWER);
	cr_expect_eq(ledger_lowest(P), 2);
	cr_expect_eq(P->nshipments, 1);
	drop(P);
}

Test(ledger, older_receipts_never_take_anything_back)
{
	struct primary *P = primary_of(1, 9);

	send(P, 1, 0, 1);
	send(P, 1, 1, 5);
	cr_expect_eq(receipt(P, 0, 5, 20), LEDGER_NEWER);
	for (uint64_t seq = 1; seq <= 5; seq++)
		for (int64_t created = 1; created <= 20; created++) {
			cr_expect_eq(receipt(P, 0, seq, created), LEDGER_KNOWN);
			cr_expect_eq(P->targets[0].acked, 5);
			cr_expect_eq(P->targets[0].back, 0);
		}
	drop(P);
}

Test(ledger, a_target_that_went_back_is_remembered_until_it_catches_up)
{
	struct primary *P = primary_of(1, 9);

	send(P, 1, 0, 1);
	send(P, 1, 1, 5);
	receipt(P, 0, 5, 20);
	cr_expect_eq(receipt(P, 0, 3, 21), LEDGER_WENT_BACK);
	cr_expect_eq(P->targets[0].acked, 5);
	cr_expect_eq(P->targets[0].back, 3);
	cr_expect_eq(ledger_base(P, &P->targets[0], LEDGER_ACKED), 3);
	cr_expect_eq(ledger_lowest(P), 3);
	cr_expect_eq(receipt(P, 0, 5, 20), LEDGER_KNOWN);
	cr_expect_eq(P->targets[0].back, 3, "a receipt from before it went back says nothing");
	cr_expect_eq(receipt(P, 0, 6, 22), LEDGER_NEWER);
	cr_expect_eq(P->targets[0].back, 0);
	cr_expect_eq(ledger_base(P, &P->targets[0], LEDGER_ACKED), 6);
	drop(P);
}

Test(ledger, a_point_that_is_not_kept_gives_way_to_the_one_before_it)
{
	struct primary *P = primary_of(1, 3);

	P->points[1].point.seq = 10;
	P->points[2].point.seq = 20;
	send(P, 1, 0, 1);
	receipt(P, 0, 15, 1);
	cr_expect_eq(ledger_base(P, &P->targets[0], LEDGER_ACKED), 10);
	cr_expect(ledger_is_base(P, 10) && !ledger_is_base(P, 1));
	drop(P);
}

Test(ledger, when_it_is_full_what_newer_ones_cover_goes_first)
{
	struct primary *P = primary_of(2, 1);

	send(P, 2, 0, 1);
	for (uint64_t i = 2; i < 3 * PRIMARY_SHIPMENTS; i++) {
		send(P, 1, 1, i);
		cr_assert(P->nshipments <= PRIMARY_SHIPMENTS);
	}
	cr_expect_eq(P->nshipments, PRIMARY_SHIPMENTS);
	cr_expect_eq(in_flight(P, 1), 1, "the only one for that site is kept");
	cr_expect_eq(P->shipments[PRIMARY_SHIPMENTS - 1].to, 3 * PRIMARY_SHIPMENTS - 1);
	drop(P);
}

Test(ledger, a_shipment_is_found_by_its_bundle)
{
	struct primary *P = primary_of(1, 3);
	uint8_t id[RECORD_ID] = { 2 };

	send(P, 1, 0, 1);
	send(P, 1, 1, 2);
	cr_assert_not_null(ledger_find(P, id));
	cr_expect_eq(ledger_find(P, id)->from, 1);
	id[0] = 9;
	cr_expect_null(ledger_find(P, id));
	drop(P);
}

Test(ledger, what_a_site_said_before_it_went_back_counts_no_more)
{
	struct primary *P = primary_of(1, 9);

	send(P, 1, 0, 1);
	send(P, 1, 1, 7);
	cr_expect_eq(receipt(P, 0, 3, 20), LEDGER_NEWER);
	cr_expect_eq(receipt(P, 0, 7, 12), LEDGER_KNOWN, "it was restored in between, or its clock was");
	cr_expect_eq(ledger_base(P, &P->targets[0], LEDGER_ACKED), 3);
	cr_expect_eq(receipt(P, 0, 7, 21), LEDGER_NEWER);
	drop(P);
}

Test(ledger, a_word_from_the_future_does_not_silence_a_site_for_ever)
{
	struct primary *P = primary_of(1, 9);
	static struct header H = { .type = BUNDLE_RECEIPT };

	send(P, 1, 0, 1);
	send(P, 1, 1, 7);
	H.created = 1000000;
	H.to = H.from = (struct point){ 1, 1, 0, POINT_STANDARD };
	cr_expect_eq(ledger_acked(P, &P->targets[0], &H, 100), LEDGER_NEWER);
	H.created = 110;
	H.to.seq = 7;
	cr_expect_eq(ledger_acked(P, &P->targets[0], &H, 111), LEDGER_NEWER);
	drop(P);
}

Test(ledger, only_points_that_no_delta_starts_from_are_expendable)
{
	struct primary *P = primary_of(2, 9);

	send(P, 3, 0, 1);
	send(P, 3, 1, 9);
	receipt(P, 0, 4, 1);
	cr_expect_eq(ledger_expendable(P, 9), -1, "the second site may need all");
	cr_expect_eq(ledger_expendable(P, 8), 1);
	receipt(P, 1, 3, 1);
	cr_expect_eq(ledger_expendable(P, 9), 0);
	P->points++;
	P->npoints--;
	cr_expect_eq(ledger_expendable(P, 9), 0);
	P->points++;
	P->npoints--;
	cr_expect_eq(ledger_expendable(P, 9), -1, "the second site starts here");
	cr_expect_eq(ledger_expendable(P, 6), 2, "and at the next one the first");
	P->points -= 2;
	drop(P);
}

/* b is reached by way of a. */
static struct primary *
chain_of(unsigned ntargets)
{
	struct primary *P = primary_of(ntargets, 6);

	for (unsigned i = 0; i < ntargets; i++)
		P->targets[i].key[0] = (uint8_t)(i + 1);
	P->targets[1].has_via = 1;
	P->targets[1].via[0] = 1;
	return (P);
}

Test(ledger, a_site_by_way_of_another_holds_nothing_back_until_it_has_a_seed_of_its_own)
{
	struct primary *P = chain_of(2);

	cr_assert_eq(ledger_follows(P, &P->targets[1], 3), 1);
	cr_assert_eq(ledger_follows(P, &P->targets[1], 2), 0);
	cr_assert_eq(ledger_follows(P, &P->targets[0], 3), 0);
	send(P, 3, 0, 1);
	receipt(P, 0, 5, 1);
	cr_assert_eq(P->targets[0].seeded, 1);
	cr_assert_eq(P->targets[1].seeded, 0);
	cr_assert_eq(ledger_lowest(P), 5);
	send(P, 2, 0, 3);
	cr_assert_eq(ledger_lowest(P), 3);
	receipt(P, 1, 4, 1);
	cr_assert_eq(ledger_lowest(P), 4);
	drop(P);
}

Test(ledger, a_target_that_ends_takes_its_shipments_and_leaves_the_others_theirs)
{
	struct primary *P = chain_of(3);

	send(P, 1, 0, 1);
	send(P, 6, 0, 2);
	send(P, 7, 2, 3);
	ledger_end(P, &P->targets[0]);
	cr_assert_eq(P->ntargets, 2);
	cr_assert_eq(P->targets[0].name[0], 'b');
	cr_assert_eq(P->targets[0].has_via, 0);
	cr_assert_eq(P->nshipments, 2);
	cr_assert_eq(P->shipments[0].targets, 3);
	cr_assert_eq(P->shipments[1].targets, 3);
	drop(P);
}
