#include <criterion/criterion.h>
#include <string.h>

#include "role/role.h"
#include "role/role_text.h"
#include "role/table.h"

static const uint8_t A[RECORD_KEY] = { 1 }, B[RECORD_KEY] = { 2 }, C[RECORD_KEY] = { 3 };

static struct point
at(uint64_t epoch, uint64_t seq)
{
	return ((struct point){ epoch, seq, 1772366400, POINT_STANDARD });
}

static struct point
final(uint64_t epoch, uint64_t seq)
{
	return ((struct point){ epoch, seq, 1772366400, POINT_FINAL });
}

static struct role
role(enum role_side side, enum role_state state)
{
	struct role r;

	role_begin(&r, side, state);
	return (r);
}

static struct history
one_turn(uint64_t epoch, uint64_t seq, const uint8_t site[RECORD_KEY])
{
	struct history h = { .n = 0 };

	history_turn(&h, epoch, seq, site);
	return (h);
}

static enum role_meeting
meets(const struct role *r, struct point mine, const struct history *h, struct point newest)
{
	return (role_meet(r, &mine, h, &newest));
}

/* --- the table ---------------------------------------------------------------------------------------- */

Test(role, steps_where_the_table_says_so_and_nowhere_else)
{
	char words[ROLE_WORDS];

	for (int side = ROLE_PRIMARY; side <= ROLE_REPLICA; side++)
		for (int s = 1; s < ROLE_STATES; s++)
			for (int e = 1; e < ROLE_EVENTS; e++) {
				struct role r = role((enum role_side)side, (enum role_state)s), old = r;
				const struct table_cell *c = table_cell(r.side, r.state, (enum role_event)e);
				const char *why = role_objection(&r, (enum role_event)e, words);

				cr_expect_eq(why == NULL, c->next != 0);
				cr_expect(why == NULL || strlen(why) > 10);
				cr_expect_eq(role_step(&r, (enum role_event)e), c->next == 0);
				if (c->next == 0)
					cr_expect_eq(memcmp(&r, &old, sizeof r), 0,
					    "a refused step changes something");
				else if (c->next != TABLE_BEFORE)
					cr_expect_eq((int)r.state, c->next);
			}
}

Test(role, states_have_texts_that_read_back)
{
	for (int s = 1; s < ROLE_STATES; s++)
		cr_expect_eq((int)role_state_parse(role_state_text((enum role_state)s)), s);
	cr_expect_eq((int)role_state_parse(""), 0);
	cr_expect_eq((int)role_state_parse("primary"), 0);
}

Test(role, comes_back_from_a_pause_to_what_it_was)
{
	struct role r = role(ROLE_REPLICA, ROLE_RESYNCING);

	cr_expect_eq(role_step(&r, ROLE_PAUSE), 0);
	cr_expect_eq(role_step(&r, ROLE_PAUSE), 0);
	cr_expect_eq(role_step(&r, ROLE_DISABLE), 0);
	cr_expect_eq(role_step(&r, ROLE_DISABLE), 0);
	cr_expect_eq(role_step(&r, ROLE_RESUME), 0);
	cr_expect_eq(r.state, ROLE_RESYNCING);
}

Test(role, names_the_cause_of_an_error_where_it_refuses)
{
	struct role r = role(ROLE_PRIMARY, ROLE_REPLICATING);
	char words[ROLE_WORDS];

	role_step(&r, ROLE_BREAK);
	strcpy(r.cause, "disk vda is gone");
	cr_expect(strstr(role_objection(&r, ROLE_SEND, words), "disk vda is gone") != NULL);
}

/* --- planned ------------------------------------------------------------------------------------------ */

Test(role, that_is_prepared_neither_sends_nor_starts_nor_is_prepared_for_another_site)
{
	struct role r = role(ROLE_PRIMARY, ROLE_REPLICATING);
	char words[ROLE_WORDS];

	cr_expect_eq(role_prepare(&r, 11, B), 0);
	cr_expect(r.locked_from == 11 && r.locked == 11 && memcmp(r.locked_for, B, RECORD_KEY) == 0);
	cr_expect_not_null(role_objection(&r, ROLE_SEND, words));
	cr_expect_not_null(role_objection(&r, ROLE_START, words));
	cr_expect_eq(role_prepare(&r, 12, C), 1);
	cr_expect_eq(r.locked, 11u);
	cr_expect_eq(role_prepare(&r, 12, B), 0, "the same again, for one that was lost");
	cr_expect(r.locked_from == 11 && r.locked == 12);
}

Test(role, stays_locked_when_it_is_disabled)
{
	struct role r = role(ROLE_PRIMARY, ROLE_REPLICATING);
	char words[ROLE_WORDS];

	role_prepare(&r, 11, B);
	cr_expect_eq(role_step(&r, ROLE_DISABLE), 0);
	cr_expect_not_null(role_objection(&r, ROLE_START, words));
	cr_expect_eq(role_step(&r, ROLE_START), 1);
	cr_expect_eq(role_step(&r, ROLE_RESUME), 0);
	cr_expect_eq(r.state, ROLE_PREPARED);
}

Test(role, is_unlocked_when_it_takes_the_handover_back_and_remembers_it)
{
	struct role r = role(ROLE_PRIMARY, ROLE_REPLICATING);

	cr_expect_eq(role_withdraw(&r), 1);
	role_prepare(&r, 11, B);
	cr_expect_eq(role_withdraw(&r), 0);
	cr_expect(r.state == ROLE_REPLICATING && r.locked == 0 && r.locked_from == 0 && r.withdrawn == 11);
	cr_expect_eq(role_withdraw(&r), 1);
}

Test(role, takes_over_at_the_final_point_of_a_handover_and_no_other)
{
	struct role r = role(ROLE_REPLICA, ROLE_REPLICATING);
	struct point p = final(1, 11), old = final(1, 10), plain = at(1, 11);

	cr_expect_eq(role_take_over(&r, &p, B), 1, "there was no handover");
	role_received(&r, &p, 1);
	cr_expect_eq(role_take_over(&r, &old, B), 1);
	cr_expect_eq(role_take_over(&r, &plain, B), 1);
	cr_expect_eq(r.state, ROLE_REPLICATING);
	cr_expect_eq(role_take_over(&r, &p, B), 0);
	cr_expect(r.state == ROLE_FAILED_OVER && r.is_planned && r.at.seq == 11 && r.handover == 0);
	cr_expect(history_epoch(&r.history) == 2 && r.history.turns[0].seq == 11 && r.seen == 2);
	cr_expect_eq(memcmp(r.history.turns[0].site, B, RECORD_KEY), 0);
}

Test(role, does_not_take_over_once_the_primary_went_on_in_whatever_order_that_came)
{
	struct role r = role(ROLE_REPLICA, ROLE_REPLICATING), late = r;
	struct point p = final(1, 11), next = at(1, 12);

	role_received(&r, &p, 1);
	role_received(&r, &next, 0);
	cr_expect_not(role_may_take_over(&r, &p));
	role_received(&late, &next, 0);
	role_received(&late, &p, 1);
	cr_expect_not(role_may_take_over(&late, &p), "it was taken back, and came after what was sent then");
	p = final(2, 9);
	role_received(&late, &p, 1);
	cr_expect(role_may_take_over(&late, &p), "a new epoch begins anew");
}

/* --- unplanned ---------------------------------------------------------------------------------------- */

Test(role, fails_over_for_good_with_a_new_epoch_behind_the_point)
{
	struct role r = role(ROLE_REPLICA, ROLE_SUSPENDED);
	struct point p = at(1, 7), none = at(1, 0);

	cr_expect_eq(role_fail_over(&r, &none), 1);
	cr_expect_eq(role_complete(&r, B), 1);
	cr_expect_eq(role_fail_over(&r, &p), 0);
	cr_expect_eq(r.history.n, 0u, "nothing is decided yet");
	cr_expect_eq(role_complete(&r, B), 0);
	cr_expect(r.state == ROLE_FAILED_OVER && !r.is_planned && history_epoch(&r.history) == 2);
	cr_expect_eq(r.history.turns[0].seq, 7u);
	cr_expect_eq(role_step(&r, ROLE_CANCEL), 1);
}

Test(role, that_is_cancelled_is_what_it_was_and_stands_on_nothing)
{
	struct role r = role(ROLE_REPLICA, ROLE_RESYNCING);
	struct point p = at(1, 7);

	role_step(&r, ROLE_PAUSE);
	role_fail_over(&r, &p);
	cr_expect_eq(role_step(&r, ROLE_CANCEL), 0);
	cr_expect_eq(r.state, ROLE_RESYNCING);
	cr_expect(r.at.seq == 0 && r.history.n == 0);
}

Test(role, begins_an_epoch_above_all_that_was_heard_of_and_forgets_turns_behind_its_point)
{
	struct role r = role(ROLE_REPLICA, ROLE_REPLICATING);
	struct role_claim c = { .site = { 3 }, .newest = at(5, 30) };
	struct point p = at(2, 12);

	history_turn(&r.history, 2, 10, A);
	history_turn(&r.history, 3, 20, C);
	c.history = one_turn(7, 9, C);
	role_claim(&r, &c);
	role_fail_over(&r, &p);
	role_complete(&r, B);
	cr_expect(r.history.n == 2 && r.history.turns[0].epoch == 2);
	cr_expect(r.history.turns[1].epoch == 8 && r.history.turns[1].seq == 12);
}

/* --- fences ------------------------------------------------------------------------------------------- */

Test(role, that_is_fenced_hears_a_person_alone)
{
	struct role r = role(ROLE_PRIMARY, ROLE_REPLICATING);
	char words[ROLE_WORDS];
	struct point p = at(1, 11);

	role_fence(&r, 4, "site 'dr' has failed over");
	cr_expect(r.is_fenced && r.state == ROLE_ERROR && r.seen == 4);
	for (int e = 1; e < ROLE_EVENTS; e++) {
		struct role t = r;

		if (e == ROLE_FENCE || e == ROLE_RECEIPT || e == ROLE_FOLLOW || e == ROLE_KEEP_OWN ||
		    e == ROLE_DISABLE)
			continue;
		cr_expect_not_null(role_objection(&r, (enum role_event)e, words));
		cr_expect(strstr(words, "site 'dr' has failed over") != NULL);
		cr_expect_eq(role_step(&t, (enum role_event)e), 1);
	}
	cr_expect_eq(role_keep_own(&r, &p, A), 0);
	cr_expect(!r.is_fenced && r.state == ROLE_REPLICATING && r.cause[0] == '\0');
	cr_expect(history_epoch(&r.history) == 5 && r.history.turns[0].seq == 11);
}

Test(role, that_is_fenced_while_it_is_disabled_comes_back_to_the_fence)
{
	struct role r = role(ROLE_PRIMARY, ROLE_REPLICATING);
	struct point p = at(1, 11);

	role_step(&r, ROLE_DISABLE);
	role_fence(&r, 2, "somebody");
	cr_expect(r.state == ROLE_DISABLED && r.is_fenced);
	cr_expect_eq(role_step(&r, ROLE_START), 1);
	cr_expect_eq(role_step(&r, ROLE_RESUME), 0);
	cr_expect(r.state == ROLE_ERROR && strcmp(r.cause, "somebody") == 0);
	cr_expect_eq(role_step(&r, ROLE_DISABLE), 0);
	cr_expect_eq(role_step(&r, ROLE_RESUME), 0);
	cr_expect_eq(role_keep_own(&r, &p, A), 0, "else there were no way on");
}

Test(role, of_a_replica_is_fenced_only_where_it_failed_over)
{
	struct role r = role(ROLE_REPLICA, ROLE_REPLICATING);
	struct point p = at(1, 11);

	role_fence(&r, 3, "somebody");
	cr_expect(!r.is_fenced && r.seen == 3);
	role_step(&r, ROLE_DISABLE);
	role_fence(&r, 3, "somebody");
	cr_expect_not(r.is_fenced);
	role_step(&r, ROLE_RESUME);
	role_fail_over(&r, &p);
	role_complete(&r, B);
	role_fence(&r, 9, "somebody");
	cr_expect(r.is_fenced && r.state == ROLE_FAILED_OVER);
	cr_expect_eq(role_step(&r, ROLE_REVERSE), 1);
}

Test(role, that_gives_way_is_fenced_no_more)
{
	struct role r = role(ROLE_REPLICA, ROLE_REPLICATING);
	struct point p = at(1, 11);

	role_fail_over(&r, &p);
	role_complete(&r, B);
	role_fence(&r, 9, "somebody");
	cr_expect_eq(role_step(&r, ROLE_FOLLOW), 0);
	cr_expect(r.state == ROLE_WAITING_RESYNC && !r.is_fenced && r.at.seq == 0);
	cr_expect_eq(role_step(&r, ROLE_RESYNC), 0);
}

Test(role, keeps_its_own_without_any_point)
{
	struct role r = role(ROLE_PRIMARY, ROLE_READY), again;
	struct point none = at(1, 0);
	json_t *o;

	role_fence(&r, 2, "the record is older than the world");
	cr_expect_eq(role_keep_own(&r, &none, A), 0);
	o = role_encode(&r);
	cr_expect_eq(role_decode(&again, ROLE_PRIMARY, o), 0, "its record can be read");
	json_decref(o);
}

/* --- turning ------------------------------------------------------------------------------------------ */

Test(role, turns_with_its_history_and_without_its_locks)
{
	struct role p = role(ROLE_PRIMARY, ROLE_REPLICATING), r, back;

	history_turn(&p.history, 2, 10, A);
	p.seen = 6;
	role_prepare(&p, 11, B);
	role_turn_replica(&r, &p, 0);
	cr_expect(r.side == ROLE_REPLICA && r.state == ROLE_REPLICATING && r.locked == 0 && r.seen == 6);
	cr_expect(r.history.n == 1 && r.history.turns[0].epoch == 2);
	role_turn_replica(&r, &p, 1);
	cr_expect_eq(r.state, ROLE_WAITING_RESYNC);
	r.handover = 3;
	r.at = r.furthest = at(2, 12);
	role_turn_primary(&back, &r);
	cr_expect(back.side == ROLE_PRIMARY && back.state == ROLE_REPLICATING && !back.is_fenced);
	cr_expect(back.handover == 0 && back.at.seq == 0 && back.furthest.seq == 0 && back.seen == 6);
}

/* --- meetings ----------------------------------------------------------------------------------------- */

Test(role, meets_its_own_epoch)
{
	struct role r = role(ROLE_PRIMARY, ROLE_REPLICATING);
	struct history h = { .n = 0 };

	cr_expect_eq(meets(&r, at(1, 10), &h, at(1, 9)), ROLE_PEER);
	cr_expect_eq(meets(&r, at(1, 10), &h, at(1, 10)), ROLE_PEER);
	cr_expect_eq(meets(&r, at(1, 10), &h, at(1, 11)), ROLE_AHEAD);
}

Test(role, meets_older_and_newer_epochs_on_its_way_and_off_it)
{
	struct role r = role(ROLE_PRIMARY, ROLE_REPLICATING);
	struct history none = { .n = 0 }, h = one_turn(2, 10, A), newer = one_turn(3, 12, C);

	r.history = h;
	cr_expect_eq(meets(&r, at(2, 15), &none, at(1, 10)), ROLE_BEHIND);
	cr_expect_eq(meets(&r, at(2, 15), &none, at(1, 11)), ROLE_STRAY);
	cr_expect_eq(meets(&r, at(2, 15), &newer, at(3, 13)), ROLE_PARTED);
	history_turn(&h, 3, 15, B);
	cr_expect_eq(meets(&r, at(2, 15), &h, at(3, 16)), ROLE_OVERTAKEN);
	cr_expect_eq(meets(&r, at(2, 16), &h, at(3, 16)), ROLE_PARTED);
	cr_expect_eq(
	    meets(&r, at(2, 0), &newer, at(3, 13)), ROLE_OVERTAKEN, "an empty one has nothing to part");
}

Test(role, meets_a_rival_of_its_number)
{
	struct role r = role(ROLE_PRIMARY, ROLE_REPLICATING);
	struct history ofb = one_turn(2, 10, B), earlier = one_turn(2, 9, A);

	r.history = one_turn(2, 10, A);
	cr_expect_eq(meets(&r, at(2, 12), &ofb, at(2, 11)), ROLE_RIVAL);
	cr_expect_eq(
	    meets(&r, at(2, 12), &earlier, at(2, 11)), ROLE_RIVAL, "of its own key, behind another point");
}

Test(role, follows_whoever_used_its_handover)
{
	struct role r = role(ROLE_PRIMARY, ROLE_REPLICATING);
	struct history used = one_turn(2, 11, B), before = one_turn(2, 10, B), beyond = one_turn(2, 13, B),
	               none = { .n = 0 };

	cr_expect_not(role_may_follow(&r, &used, 1));
	role_prepare(&r, 11, B);
	role_prepare(&r, 12, B);
	cr_expect(role_may_follow(&r, &used, 1));
	cr_expect_not(role_may_follow(&r, &used, 0), "another one");
	cr_expect_not(role_may_follow(&r, &before, 1));
	cr_expect_not(role_may_follow(&r, &beyond, 1));
	cr_expect_not(role_may_follow(&r, &none, 1));
	history_turn(&used, 3, 20, C);
	cr_expect(role_may_follow(&r, &used, 1), "and handed it on");
	role_withdraw(&r);
	cr_expect_not(role_may_follow(&r, &used, 1));
}

/* --- claims ------------------------------------------------------------------------------------------- */

Test(role, keeps_the_newest_claim_of_each_site_and_forgets_the_one_heard_longest_ago)
{
	struct role r = role(ROLE_PRIMARY, ROLE_REPLICATING);

	for (uint8_t i = 1; i <= ROLE_CLAIMS; i++) {
		struct role_claim c = { .site = { i }, .heard = 100 + i };

		role_claim(&r, &c);
		c.newest = at(1, i);
		role_claim(&r, &c);
	}
	cr_expect_eq(r.nclaims, ROLE_CLAIMS);
	role_claim(&r, &(struct role_claim){ .site = { 99 }, .heard = 200 });
	cr_expect_eq(r.nclaims, ROLE_CLAIMS);
	for (unsigned i = 0; i < r.nclaims; i++)
		cr_expect_neq(r.claims[i].site[0], 1);
}

Test(role, settles_claims_that_are_a_part_of_its_history_now)
{
	struct role r = role(ROLE_REPLICA, ROLE_REPLICATING);
	struct role_claim on = { .site = { 2 }, .newest = at(2, 12) },
	                  off = { .site = { 3 }, .newest = at(1, 12) };
	struct point before = at(2, 11), there = at(2, 12);

	r.history = on.history = one_turn(2, 10, B);
	role_claim(&r, &on);
	role_claim(&r, &off);
	role_settle_claims(&r, &before);
	cr_expect_eq(r.nclaims, 2u);
	role_settle_claims(&r, &there);
	cr_expect(r.nclaims == 1 && r.claims[0].site[0] == 3);
}

/* --- texts -------------------------------------------------------------------------------------------- */

static struct role
full(enum role_side side)
{
	struct role r = role(side, ROLE_SUSPENDED);

	r.before = ROLE_RESYNCING;
	r.history = one_turn(2, 10, B);
	r.seen = 77;
	strcpy(r.cause, "a \"cause\"");
	r.locked_from = 3;
	r.locked = 4;
	memcpy(r.locked_for, C, RECORD_KEY);
	r.withdrawn = 5;
	r.is_fenced = r.is_planned = 1;
	r.handover = 6;
	r.at = final(2, 8);
	r.furthest = at(2, 9);
	for (uint8_t i = 0; i < ROLE_CLAIMS; i++) {
		struct role_claim c = { .site = { i }, .newest = at(3, i), .is_primary = i & 1, .heard = i };

		c.history = one_turn(9, 1 + (uint64_t)i, A);
		role_claim(&r, &c);
	}
	return (r);
}

Test(role_text, comes_back_whole)
{
	for (int side = ROLE_PRIMARY; side <= ROLE_REPLICA; side++) {
		struct role r = full((enum role_side)side), again;
		json_t *o = role_encode(&r), *second;

		cr_assert_not_null(o);
		cr_expect_eq(role_decode(&again, r.side, o), 0);
		second = role_encode(&again);
		cr_expect(json_equal(o, second));
		cr_expect(again.state == r.state && again.before == r.before && again.seen == 77);
		cr_expect(again.locked_from == 3 && again.locked == 4 && again.withdrawn == 5);
		cr_expect(again.is_fenced && again.is_planned && again.handover == 6);
		cr_expect_eq(memcmp(again.locked_for, C, RECORD_KEY), 0);
		cr_expect(again.at.seq == 8 && again.at.kind == POINT_FINAL && again.furthest.seq == 9);
		cr_expect_eq(again.nclaims, ROLE_CLAIMS);
		cr_expect(again.claims[3].is_primary && again.claims[3].history.turns[0].seq == 4);
		json_decref(o);
		json_decref(second);
	}
}

Test(role_text, refuses_junk_in_any_field)
{
	static const char *const keys[] = { "state", "before", "history", "seen", "cause", "locked_from",
		"locked", "locked_for", "withdrawn", "handover", "furthest", "at", "claims" };
	struct role r = full(ROLE_REPLICA), out;

	for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
		json_t *o = role_encode(&r);

		cr_assert_not_null(json_object_get(o, keys[i]), "%s is not there", keys[i]);
		json_object_set_new(o, keys[i], json_pack("[b]", 1));
		cr_expect_eq(role_decode(&out, ROLE_REPLICA, o), -1, "%s", keys[i]);
		json_object_set_new(o, keys[i], json_string("no such word"));
		cr_expect(
		    strcmp(keys[i], "cause") == 0 || role_decode(&out, ROLE_REPLICA, o) == -1, "%s", keys[i]);
		json_object_set_new(o, keys[i], json_integer(-1));
		cr_expect_eq(role_decode(&out, ROLE_REPLICA, o), -1, "%s", keys[i]);
		json_decref(o);
	}
}

Test(role_text, refuses_more_claims_than_there_is_room_for)
{
	struct role r = full(ROLE_REPLICA), out;
	json_t *o = role_encode(&r), *a = json_object_get(o, "claims");

	json_array_append(a, json_array_get(a, 0));
	cr_expect_eq(role_decode(&out, ROLE_REPLICA, o), -1);
	json_decref(o);
}
