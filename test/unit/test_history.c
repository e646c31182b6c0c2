#include <criterion/criterion.h>
#include <string.h>

#include "history.h"

static const uint8_t a[RECORD_KEY] = { 1 }, b[RECORD_KEY] = { 2 }, c[RECORD_KEY] = { 3 };

static struct point
at(uint64_t epoch, uint64_t seq)
{
	return ((struct point){ epoch, seq, 0, POINT_STANDARD });
}

static struct history
turns(unsigned n, const struct history_turn *t)
{
	struct history h = { .n = 0 };

	for (unsigned i = 0; i < n; i++)
		history_turn(&h, t[i].epoch, t[i].seq, t[i].site);
	return (h);
}

#define TURNS(...)                                                                          \
	turns(sizeof((struct history_turn[]){ __VA_ARGS__ }) / sizeof(struct history_turn), \
	    (struct history_turn[]){ __VA_ARGS__ })
#define HAS(h, mine, p) (history_has(&(h), &(mine), &(struct point){ (p).epoch, (p).seq, 0, POINT_STANDARD }))

Test(history, of_one_epoch_has_every_point_of_it)
{
	struct history h = { .n = 0 };

	cr_expect_eq(history_epoch(&h), 1u);
	cr_expect(HAS(h, h, at(1, 1)));
	cr_expect(HAS(h, h, at(1, 1000)));
}

Test(history, has_points_before_its_turn_and_no_others_of_the_old_epoch)
{
	struct history old = { .n = 0 }, new = TURNS({ 2, 10, { 2 } });

	cr_expect_eq(history_epoch(&new), 2u);
	cr_expect(HAS(new, old, at(1, 9)));
	cr_expect(HAS(new, old, at(1, 10)));
	cr_expect_not(HAS(new, old, at(1, 11)));
	cr_expect(HAS(new, new, at(2, 11)));
	cr_expect_not(HAS(old, new, at(2, 11)));
	cr_expect(HAS(old, new, at(1, 10)), "what came before the turn is on the old way too");
}

Test(history, tells_epochs_of_one_number_apart_by_their_sites)
{
	struct history ofb = TURNS({ 2, 10, { 2 } }), ofc = TURNS({ 2, 10, { 3 } });

	cr_expect_not(HAS(ofb, ofc, at(2, 11)));
	cr_expect_not(HAS(ofc, ofb, at(2, 11)));
	cr_expect(HAS(ofc, ofb, at(1, 10)));
}

Test(history, of_several_turns_ends_each_epoch_where_the_next_began)
{
	struct history h = TURNS({ 2, 10, { 2 } }, { 3, 20, { 1 } }, { 5, 30, { 2 } });
	struct history two = TURNS({ 2, 10, { 2 } }), one = { .n = 0 },
	               three = TURNS({ 2, 10, { 2 } }, { 3, 20, { 1 } });

	cr_expect(HAS(h, two, at(2, 20)));
	cr_expect_not(HAS(h, two, at(2, 21)));
	cr_expect(HAS(h, one, at(1, 10)));
	cr_expect_not(HAS(h, one, at(1, 11)));
	cr_expect(HAS(h, three, at(3, 30)));
	cr_expect_not(HAS(h, three, at(3, 31)));
	cr_expect(HAS(h, h, at(5, 31)));
	cr_expect(HAS(h, h, at(2, 15)), "an older point of the same site");
	cr_expect_not(HAS(h, h, at(2, 25)));
}

Test(history, forks_where_the_ways_part)
{
	struct history one = { .n = 0 }, ofb = TURNS({ 2, 10, { 2 } }), ofc = TURNS({ 2, 7, { 3 } });
	struct point pa = at(1, 15), pb = at(2, 12), pc = at(2, 9), f;

	f = history_fork(&one, &pa, &ofb, &pb);
	cr_expect(f.epoch == 1 && f.seq == 10);
	f = history_fork(&ofb, &pb, &ofc, &pc);
	cr_expect(f.epoch == 1 && f.seq == 7);
	pa = at(1, 4);
	f = history_fork(&one, &pa, &ofb, &pb);
	cr_expect(f.epoch == 1 && f.seq == 4);
	f = history_fork(&ofb, &pb, &ofb, &pc);
	cr_expect(f.epoch == 1 && f.seq == 9);
	pc = at(2, 30);
	f = history_fork(&ofb, &pb, &ofb, &pc);
	cr_expect(f.epoch == 2 && f.seq == 12);
}

Test(history, that_is_longer_than_is_kept_still_compares)
{
	struct history h = { .n = 0 }, before;

	for (unsigned i = 2; i < 2 + HISTORY_TURNS + 5; i++) {
		before = h;
		history_turn(&h, i, 10 * (uint64_t)i, i % 2 ? a : b);
	}
	cr_expect_eq(h.n, HISTORY_TURNS);
	cr_expect(HAS(h, before, at(history_epoch(&before), 10 * history_epoch(&h))));
	cr_expect_not(HAS(h, before, at(history_epoch(&before), 10 * history_epoch(&h) + 1)));
	before = (struct history){ .n = 0 };
	cr_expect_not(HAS(h, before, at(1, 5)), "nothing is known of turns so old");
	memcpy(h.turns[3].site, c, RECORD_KEY);
	cr_expect_eq(h.turns[3].site[0], 3);
}

Test(history, comes_back_whole_from_its_text)
{
	struct history h = TURNS({ 2, 10, { 2 } }, { 3, 20, { 1 } }), again;
	json_t *j = history_encode(&h);

	cr_assert_not_null(j);
	cr_expect_eq(history_decode(&again, j), 0);
	cr_expect_eq(again.n, 2u);
	cr_expect_arr_eq(again.turns, h.turns, 2 * sizeof *h.turns);
	json_decref(j);
	cr_expect_eq(history_decode(&again, NULL), 0);
	cr_expect_eq(again.n, 0u);
}
