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

Test(history, leaves_an_epoch_by_the_first_turn_to_a_later_one)
{
	struct history h = TURNS({ 2, 10, { 2 } }, { 5, 30, { 1 } });

	cr_expect_eq(history_leaves(&h, 1), &h.turns[0]);
	cr_expect_eq(history_leaves(&h, 2), &h.turns[1]);
	cr_expect_eq(history_leaves(&h, 3), &h.turns[1]);
	cr_expect_null(history_leaves(&h, 5));
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

/* --- against a tree of points that knows it all --------------------------------------------------------- */

#define NODES 60u
#define WAYS 8u

struct node {
	int parent; /* -1: the first one */
	unsigned line;
	struct point p;
	struct history h; /* that led to it */
};

/* A line is one epoch at one site; a way is a site that cuts points, or has begun an epoch to do so. */
struct way {
	int tip;
	unsigned line;
	struct history h;
};

struct tree {
	uint64_t dice;
	unsigned nnodes, nways, nlines;
	struct node nodes[NODES];
	struct way ways[WAYS];
};

static unsigned
roll(struct tree *t, unsigned n)
{
	t->dice = t->dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((unsigned)(t->dice >> 33) % n);
}

static void
cut(struct tree *t, struct way *w)
{
	struct node *n = &t->nodes[t->nnodes];

	n->parent = w->tip;
	n->line = w->line;
	n->h = w->h;
	n->p = at(history_epoch(&w->h), w->tip < 0 ? 1 : t->nodes[w->tip].p.seq + 1 + roll(t, 10) / 9);
	w->tip = (int)t->nnodes++;
}

/* A site begins an epoch of its own behind any point that there is. */
static void
part(struct tree *t)
{
	struct way *w = &t->ways[t->nways < WAYS ? t->nways++ : roll(t, WAYS)];
	int at_node = (int)roll(t, t->nnodes);
	const struct node *n = &t->nodes[at_node];
	uint8_t site[RECORD_KEY] = { 0 };

	w->tip = at_node;
	w->h = n->h;
	w->line = ++t->nlines;
	/* A site never begins one epoch twice; two sites may. */
	memcpy(site, &w->line, sizeof w->line);
	history_turn(&w->h, history_epoch(&w->h) + 1 + roll(t, 3), n->p.seq, site);
}

static void
grow(struct tree *t, uint64_t seed)
{
	memset(t, 0, sizeof *t);
	t->dice = seed * 7919 + 1;
	t->nways = 1;
	t->ways[0].tip = -1;
	cut(t, &t->ways[0]);
	for (unsigned most = 2 + roll(t, NODES - 2); t->nnodes < most;)
		if (roll(t, 4) == 0)
			part(t);
		else
			cut(t, &t->ways[roll(t, t->nways)]);
}

static int
is_above(const struct tree *t, int node, int tip)
{
	while (tip > node)
		tip = t->nodes[tip].parent;
	return (tip == node);
}

Test(history, knows_of_every_point_of_thousands_of_trees_whether_it_is_on_a_way)
{
	static struct tree t;

	for (uint64_t seed = 0; seed < 5000; seed++) {
		grow(&t, seed);
		for (unsigned i = 0; i < 200; i++) {
			const struct way *w = &t.ways[roll(&t, t.nways)];
			int n = (int)roll(&t, t.nnodes), below = (int)roll(&t, t.nnodes);
			int is_on = is_above(&t, n, w->tip) || t.nodes[n].line == w->line;
			/* Any history that goes through the point has led to it. */
			const struct history *mine =
			    is_above(&t, n, below) ? &t.nodes[below].h : &t.nodes[n].h;

			cr_assert_eq(history_has(&w->h, mine, &t.nodes[n].p), is_on,
			    "tree %u, point %u of %d", (unsigned)seed, i, n);
		}
	}
}

Test(history, finds_the_fork_of_any_two_points_of_thousands_of_trees)
{
	static struct tree t;

	for (uint64_t seed = 0; seed < 5000; seed++) {
		grow(&t, seed);
		for (unsigned i = 0; i < 200; i++) {
			int a_node = (int)roll(&t, t.nnodes), b_node = (int)roll(&t, t.nnodes), f = a_node;
			const struct node *x = &t.nodes[a_node], *y = &t.nodes[b_node];
			struct point fork = history_fork(&x->h, &x->p, &y->h, &y->p);

			while (f >= 0 && !is_above(&t, f, b_node))
				f = t.nodes[f].parent;
			cr_assert(fork.epoch == t.nodes[f].p.epoch && fork.seq == t.nodes[f].p.seq,
			    "tree %u: %d and %d", (unsigned)seed, a_node, b_node);
		}
	}
}
