#include "history.h"

#include <string.h>

#include "bounds.h"
#include "jsontext.h"

uint64_t
history_epoch(const struct history *h)
{
	return (h->n == 0 ? 1 : h->turns[h->n - 1].epoch);
}

void
history_turn(struct history *h, uint64_t epoch, uint64_t seq, const uint8_t site[RECORD_KEY])
{
	struct history_turn *t;

	if (h->n == HISTORY_TURNS)
		memmove(h->turns, h->turns + 1, --h->n * sizeof *h->turns);
	t = &h->turns[h->n++];
	t->epoch = epoch;
	t->seq = seq;
	memcpy(t->site, site, RECORD_KEY);
}

const struct history_turn *
history_leaves(const struct history *h, uint64_t epoch)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->turns[i].epoch > epoch)
			return (&h->turns[i]);
	return (NULL);
}

/* What older turns than these there were is not known. */
static uint64_t
oldest(const struct history *h)
{
	return (h->n < HISTORY_TURNS ? 0 : h->turns[0].epoch);
}

static int
is_same(const struct history_turn *a, const struct history_turn *b)
{
	return (a->epoch == b->epoch && a->seq == b->seq && memcmp(a->site, b->site, RECORD_KEY) == 0);
}

/*
 * Step over the turns that both have in common.  *i and *k are then at the first of each that the other does not have:
 * up to there it is one history.  0 where what is left of them cannot be held against each other.
 */
static int
common(const struct history *a, const struct history *b, unsigned *i, unsigned *k)
{
	uint64_t from = oldest(a) > oldest(b) ? oldest(a) : oldest(b);

	for (*i = 0; *i < a->n && a->turns[*i].epoch < from; ++*i)
		;
	for (*k = 0; *k < b->n && b->turns[*k].epoch < from; ++*k)
		;
	if (from != 0 && (*i == a->n || *k == b->n || !is_same(&a->turns[*i], &b->turns[*k])))
		return (0);
	while (*i < a->n && *k < b->n && is_same(&a->turns[*i], &b->turns[*k])) {
		++*i;
		++*k;
	}
	return (1);
}

int
history_has(const struct history *h, const struct history *mine, const struct point *p)
{
	unsigned i, k;

	if (!common(h, mine, &i, &k))
		return (0);
	/* Of mine, turns behind the point do not count. */
	if (k < mine->n && mine->turns[k].epoch <= p->epoch)
		return (0);
	if (i > 0 && p->epoch < h->turns[i - 1].epoch) {
		while (i > 0 && h->turns[i - 1].epoch > p->epoch)
			i--;
	}
	return (i == h->n || p->seq <= h->turns[i].seq);
}

struct point
history_fork(const struct history *ha, const struct point *a, const struct history *hb, const struct point *b)
{
	struct point fork = { 0, 0, 0, POINT_STANDARD };
	uint64_t seq = a->seq < b->seq ? a->seq : b->seq;
	unsigned i, k;

	if (!common(ha, hb, &i, &k))
		return (fork);
	if (i < ha->n && ha->turns[i].seq < seq)
		seq = ha->turns[i].seq;
	if (k < hb->n && hb->turns[k].seq < seq)
		seq = hb->turns[k].seq;
	/* The epoch of that point: the last common turn that lies before it. */
	fork.seq = seq;
	fork.epoch = 1;
	for (unsigned n = 0; n < i; n++)
		if (ha->turns[n].seq < seq)
			fork.epoch = ha->turns[n].epoch;
	return (fork);
}

json_t *
history_encode(const struct history *h)
{
	json_t *a = json_array();
	int bad = 0;

	for (unsigned i = 0; i < h->n; i++) {
		json_t *o = json_pack(
		    "{s:I,s:I}", "epoch", (json_int_t)h->turns[i].epoch, "seq", (json_int_t)h->turns[i].seq);

		bad |= jsontext_set_bytes(o, "site", h->turns[i].site, RECORD_KEY);
		bad |= json_array_append_new(a, o);
	}
	return (jsontext_whole(a, bad));
}

int
history_decode(struct history *h, const json_t *a)
{
	static const char *const keys[] = { "epoch", "seq", "site", NULL };
	uint64_t epoch = 1, seq = 0;

	h->n = 0;
	if (a == NULL)
		return (0);
	if (!json_is_array(a) || json_array_size(a) > HISTORY_TURNS)
		return (-1);
	for (; h->n < json_array_size(a); h->n++) {
		struct history_turn *t = &h->turns[h->n];
		json_t *o = json_array_get(a, h->n);

		if (!json_is_object(o) || !jsontext_only(o, keys) ||
		    jsontext_get_number(o, "epoch", LIMIT_SEQ, &t->epoch) != 0 ||
		    jsontext_get_number(o, "seq", LIMIT_SEQ, &t->seq) != 0 ||
		    jsontext_get_bytes(o, "site", t->site, RECORD_KEY) != 0 || t->epoch <= epoch ||
		    t->seq < seq)
			return (-1);
		epoch = t->epoch;
		seq = t->seq;
	}
	return (0);
}
