#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "replica/outbox.h"

/* A replica that forwards to n sites, named by their numbers. */
static struct replica *
forwarding(unsigned n)
{
	struct replica *R = calloc(1, sizeof *R);

	R->lock = -1;
	for (R->nforwards = 0; R->nforwards < n; R->nforwards++)
		R->forwards[R->nforwards].key[0] = (uint8_t)(R->nforwards + 1);
	return (R);
}

static struct point
at(uint64_t epoch, uint64_t seq)
{
	return ((struct point){ epoch, seq, 0, POINT_STANDARD });
}

/* A bundle from a to b of so many volumes of 100 bytes each, for those sites; its id is b. */
static void
put(struct replica *R, uint64_t epoch, uint64_t a, uint64_t b, unsigned volumes, uint32_t wanted)
{
	struct replica_out o = { .type = BUNDLE_DELTA,
		.from = at(epoch, a),
		.to = at(epoch, b),
		.wanted = wanted },
	                   *in;

	o.id[0] = (uint8_t)b;
	cr_assert_not_null(in = outbox_add(R, &o));
	while (volumes > 0) {
		struct replica_out_volume v = { volumes--, 100, 0 };

		cr_assert_eq(outbox_add_volume(in, &v), 0);
	}
}

static enum outbox_news
says(struct replica *R, unsigned site, uint64_t epoch, uint64_t seq, int64_t created)
{
	struct header *H = calloc(1, sizeof *H);
	enum outbox_news news;

	H->to = at(epoch, seq);
	H->created = created;
	news = outbox_acked(R, &R->forwards[site], H, created + 1);
	free(H);
	return (news);
}

Test(outbox, goes_on_in_the_order_of_the_points_whatever_order_they_came_in)
{
	struct replica *R = forwarding(1);
	struct replica_out_volume *v;
	struct replica_out *b;

	put(R, 1, 4, 5, 1, 1);
	put(R, 1, 2, 3, 2, 1);
	put(R, 1, 3, 4, 1, 1);
	for (unsigned k = 0; k < 4; k++) {
		static const uint64_t to[] = { 3, 3, 4, 5 };
		static const uint32_t number[] = { 1, 2, 1, 1 };

		cr_assert_eq(outbox_next(R, &R->forwards[0], &b, &v), 1);
		cr_assert(b->to.seq == to[k] && v->number == number[k]);
		v->sent |= 1;
	}
	cr_assert_eq(outbox_next(R, &R->forwards[0], &b, &v), 0);
	outbox_anew(R, &R->forwards[0]);
	cr_assert_eq(outbox_next(R, &R->forwards[0], &b, &v), 1);
	cr_assert_eq(b->to.seq, 3);
	replica_close(R);
}

Test(outbox, stays_until_each_of_its_sites_has_it)
{
	struct replica *R = forwarding(2);

	put(R, 1, 1, 2, 1, 3);
	put(R, 1, 2, 3, 1, 3);
	cr_assert_eq(says(R, 0, 1, 3, 10), OUTBOX_NEWER);
	cr_assert_eq(R->nouts, 2);
	cr_assert_eq(outbox_tally(R, &R->forwards[0]).volumes, 0);
	cr_assert_eq(says(R, 1, 1, 2, 10), OUTBOX_NEWER);
	cr_assert_eq(R->nouts, 1);
	cr_assert_eq(says(R, 1, 1, 2, 10), OUTBOX_KNOWN);
	cr_assert_eq(says(R, 1, 1, 3, 11), OUTBOX_NEWER);
	cr_assert_eq(R->nouts, 0);
	replica_close(R);
}

Test(outbox, a_stale_receipt_takes_nothing_back_and_a_later_one_does)
{
	struct replica *R = forwarding(1);

	cr_assert_eq(says(R, 0, 1, 5, 20), OUTBOX_NEWER);
	cr_assert_eq(says(R, 0, 1, 3, 10), OUTBOX_KNOWN);
	cr_assert_eq(R->forwards[0].acked.seq, 5);
	cr_assert_eq(says(R, 0, 1, 3, 30), OUTBOX_WENT_BACK);
	cr_assert_eq(R->forwards[0].acked.seq, 3);
	replica_close(R);
}

Test(outbox, a_later_epoch_leaves_what_was_before_it_behind)
{
	struct replica *R = forwarding(1);

	put(R, 1, 8, 9, 1, 1);
	put(R, 2, 7, 8, 1, 1);
	cr_assert_eq(says(R, 0, 2, 7, 10), OUTBOX_NEWER);
	cr_assert_eq(R->nouts, 1);
	cr_assert_eq(R->outs[0].to.epoch, 2);
	replica_close(R);
}

Test(outbox, keeps_no_more_than_it_may_and_remembers_who_misses_what)
{
	struct replica *R = forwarding(2);

	for (uint64_t k = 1; k <= 5; k++)
		put(R, 1, k, k + 1, 2, k <= 2 ? 1 : 3);
	cr_assert_eq(outbox_bytes(R), 1000);
	cr_assert_eq(outbox_bound(R, 1000), 0);
	cr_assert_eq(outbox_bound(R, 650), 2);
	cr_assert_eq(outbox_bytes(R), 600);
	cr_assert_eq(R->forwards[0].lost.seq, 3);
	cr_assert_eq(R->forwards[1].lost.seq, 0);
	cr_assert_eq(says(R, 0, 1, 3, 10), OUTBOX_NEWER);
	cr_assert_eq(R->forwards[0].lost.seq, 0);
	replica_close(R);
}

Test(outbox, leads_as_far_as_it_has_no_gap)
{
	struct replica *R = forwarding(1);

	R->forwards[0].acked = at(1, 2);
	cr_assert_eq(outbox_reach(R, &R->forwards[0]).seq, 2);
	put(R, 1, 1, 4, 1, 1);
	put(R, 1, 6, 7, 1, 1);
	cr_assert_eq(outbox_reach(R, &R->forwards[0]).seq, 4);
	put(R, 1, 4, 6, 1, 1);
	cr_assert_eq(outbox_reach(R, &R->forwards[0]).seq, 7);
	replica_close(R);
}

Test(outbox, the_end_of_one_site_leaves_the_others_theirs)
{
	struct replica *R = forwarding(3);
	struct replica_out_volume *v;
	struct replica_out *b;

	put(R, 1, 1, 2, 1, 2);
	put(R, 1, 2, 3, 1, 5);
	R->outs[1].volumes[0].sent = 4;
	outbox_end(R, &R->forwards[1]);
	cr_assert_eq(R->nforwards, 2);
	cr_assert_eq(R->forwards[1].key[0], 3);
	cr_assert_eq(R->nouts, 1);
	cr_assert_eq(R->outs[0].wanted, 3);
	cr_assert_eq(outbox_next(R, &R->forwards[1], &b, &v), 0);
	cr_assert_eq(outbox_next(R, &R->forwards[0], &b, &v), 1);
	replica_close(R);
}
