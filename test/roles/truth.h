#ifndef TRUTH_H_
#define TRUTH_H_

/* What must be true whatever happens, by brute force: every point that was ever cut is known here. */

#include "kept.h"

/* The turn that began the epoch of the point, which the history led to; of the first: all zero.  1, or 0: none did. */
static inline int
line_of(const struct history *h, uint64_t epoch, struct history_turn *line)
{
	memset(line, 0, sizeof *line);
	for (unsigned i = 0; i < h->n; i++)
		if (h->turns[i].epoch == epoch)
			*line = h->turns[i];
	return (epoch == 1 || line->epoch != 0);
}

static inline int
is_truth(const struct world *w, const struct history *h, const struct point *p, const struct content *c)
{
	struct history_turn line;

	if (!line_of(h, p->epoch, &line))
		return (0);
	for (unsigned i = w->ntruths; i-- > 0;)
		if (w->truths[i].seq == p->seq && memcmp(&w->truths[i].line, &line, sizeof line) == 0 &&
		    is_same(&w->truths[i].content, c))
			return (1);
	return (0);
}

/* A point is cut: its number must be its own, but for what a site that was restored cannot know. */
static inline void
true_point(struct world *w, const struct site *s, const struct history *h, const struct point *p,
    const struct content *c)
{
	struct history_turn line;
	struct truth *t = &w->truths[w->ntruths];

	if (!line_of(h, p->epoch, &line))
		fail(w, "%c cuts point %" PRIu64 " in epoch %" PRIu64 ", which never began", name_of(s),
		    p->seq, p->epoch);
	for (unsigned i = 0; i < w->ntruths; i++)
		if (w->truths[i].seq == p->seq && memcmp(&w->truths[i].line, &line, sizeof line) == 0 &&
		    !(w->truths[i].site == s->id && w->truths[i].restored != s->restored))
			fail(w, "%c cuts point %" PRIu64 " of epoch %" PRIu64 ", which %c had cut already",
			    name_of(s), p->seq, p->epoch, 'a' + (int)w->truths[i].site);
	if (w->ntruths == TRUTHS)
		fail(w, "too many points");
	*t = (struct truth){ line, p->seq, s->id, s->restored, *c };
	w->ntruths++;
}

/* An epoch has begun: above all that the site has heard of, and never before. */
static inline void
true_turn(struct world *w, const struct site *s, const struct role *r)
{
	const struct history_turn *t;

	if (r->history.n == 0 || history_epoch(&r->history) <= s->heard)
		fail(w, "%c begins epoch %" PRIu64 ", and has heard of epoch %" PRIu64 " before", name_of(s),
		    history_epoch(&r->history), s->heard);
	t = &r->history.turns[r->history.n - 1];
	for (unsigned i = 0; i < w->nturns; i++)
		if (w->turns[i].turn.epoch == t->epoch &&
		    memcmp(w->turns[i].turn.site, t->site, RECORD_KEY) == 0 &&
		    w->turns[i].restored == s->restored)
			fail(w, "%c begins epoch %" PRIu64 " twice", name_of(s), t->epoch);
	if (w->nturns == TRUTHS)
		fail(w, "too many turns");
	w->turns[w->nturns].turn = *t;
	w->turns[w->nturns++].restored = s->restored;
}

static inline int
is_turned(const struct site *s)
{
	return (s->has_replica && s->R->role.state == ROLE_TURNED);
}

/* Does it hold the VM, as its primary or as who failed over? */
static inline int
is_primary(const struct site *s)
{
	if (s->has_primary && (!s->has_replica || is_turned(s)))
		return (1);
	return (s->has_replica &&
	        (s->R->role.state == ROLE_FAILED_OVER ||
	            (s->R->role.state == ROLE_DISABLED && s->R->role.before == ROLE_FAILED_OVER)));
}

/* A VM is started, or a point sent: not where a rival was heard of, until a person has spoken. */
static inline void
check_untold(struct world *w, const struct site *s, const char *what)
{
	if (s->is_told)
		fail(w, "%c %s, and has heard that it is not the primary any more", name_of(s), what);
}

static inline void
check_replica(struct world *w, const struct site *s)
{
	const struct replica *R = s->R;
	const struct replica_point *p = replica_last(R);
	struct content c;
	char x[80], y[80];

	if (p == NULL || R->role.state == ROLE_TURNED)
		return;
	c = content_of(p->disks[0].root);
	if (!is_truth(w, &R->role.history, &p->point, &c))
		fail(w, "%c is at point %" PRIu64 " of epoch %" PRIu64 " with what was never so: %s",
		    name_of(s), p->point.seq, p->point.epoch, show(&c, x));
	if (!history_has(&R->role.history, &R->role.history, &p->point))
		fail(w, "%c is at point %" PRIu64 ", which is not on its way", name_of(s), p->point.seq);
	for (unsigned i = 0; i < R->npoints; i++) {
		struct content kept = content_of(R->points[i].disks[0].root);

		if (!R->points[i].is_branch && !is_truth(w, &R->role.history, &R->points[i].point, &kept))
			fail(w, "%c keeps a point %" PRIu64 " of its way that never was", name_of(s),
			    R->points[i].point.seq);
	}
	if (is_primary(s) || R->merging || s->has_overlay)
		return;
	if (!is_same(&c, &s->disk))
		fail(w, "%c's disk holds %s at point %" PRIu64 ", which is %s", name_of(s), show(&s->disk, x),
		    p->point.seq, show(&c, y));
}

/* What gave way is there until a person drops it. */
static inline void
check_branches(struct world *w, const struct site *s)
{
	char x[80];

	for (unsigned i = 0; i < s->nbranches; i++) {
		int found = 0;

		for (unsigned k = 0; s->has_replica && k < s->R->npoints; k++) {
			struct content c = content_of(s->R->points[k].disks[0].root);

			found |= is_same(&c, &s->branches[i]);
		}
		if (!found)
			fail(w, "%c has lost its branch %s", name_of(s), show(&s->branches[i], x));
	}
}

static inline void
check_all(struct world *w)
{
	for (unsigned i = 0; i < w->nsites; i++) {
		const struct site *s = &w->sites[i];

		if (s->has_replica)
			check_replica(w, s);
		check_branches(w, s);
		if (s->has_test && !is_same(&s->disk, &s->test_disk))
			fail(w, "the disk changes under a test at %c", name_of(s));
	}
}

#endif
