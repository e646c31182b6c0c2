#include "replica/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/say.h"

uint32_t
outbox_bit(const struct replica *R, const struct replica_forward *f)
{
	return (UINT32_C(1) << (f - R->forwards));
}

struct replica_forward *
outbox_forward_of(struct replica *R, const struct trust_entry *e)
{
	for (unsigned i = 0; i < R->nforwards; i++)
		if (trust_has_key(e, R->forwards[i].key))
			return (&R->forwards[i]);
	return (NULL);
}

/* Is point a at b or behind it, as far as can be told without their history? */
static int
is_after(const struct point *a, const struct point *b)
{
	return (a->epoch != b->epoch ? a->epoch > b->epoch : a->seq > b->seq);
}

int
outbox_has(const struct replica_forward *f, const struct point *p)
{
	return (f->acked.seq != 0 && !is_after(p, &f->acked));
}

struct replica_out *
outbox_find(const struct replica *R, const uint8_t id[RECORD_ID])
{
	for (unsigned i = 0; i < R->nouts; i++)
		if (memcmp(R->outs[i].id, id, RECORD_ID) == 0)
			return (&R->outs[i]);
	return (NULL);
}

struct replica_out *
outbox_add(struct replica *R, const struct replica_out *b)
{
	struct replica_out *more = reallocarray(R->outs, R->nouts + 1, sizeof *more);
	unsigned i = R->nouts;

	if (more == NULL) {
		say_failed("out of memory");
		return (NULL);
	}
	R->outs = more;
	for (; i > 0 && is_after(&more[i - 1].to, &b->to); i--)
		more[i] = more[i - 1];
	more[i] = *b;
	more[i].nvolumes = 0;
	more[i].volumes = NULL;
	R->nouts++;
	return (&more[i]);
}

int
outbox_add_volume(struct replica_out *b, const struct replica_out_volume *v)
{
	struct replica_out_volume *more = reallocarray(b->volumes, b->nvolumes + 1, sizeof *more);
	unsigned i = b->nvolumes;

	if (more == NULL)
		return (say_failed("out of memory"));
	b->volumes = more;
	for (; i > 0 && more[i - 1].number > v->number; i--)
		more[i] = more[i - 1];
	more[i] = *v;
	b->nvolumes++;
	return (0);
}

void
outbox_drop(struct replica *R, unsigned i)
{
	free(R->outs[i].volumes);
	memmove(R->outs + i, R->outs + i + 1, (R->nouts - i - 1) * sizeof *R->outs);
	R->nouts--;
}

void
outbox_forget(struct replica *R, const uint8_t id[RECORD_ID])
{
	const struct replica_out *b = outbox_find(R, id);

	if (b != NULL)
		outbox_drop(R, (unsigned)(b - R->outs));
}

static uint64_t
bytes_of(const struct replica_out *b)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < b->nvolumes; i++)
		n += b->volumes[i].file;
	return (n);
}

uint64_t
outbox_bytes(const struct replica *R)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < R->nouts; i++)
		n += bytes_of(&R->outs[i]);
	return (n);
}

struct outbox_tally
outbox_tally(const struct replica *R, const struct replica_forward *f)
{
	struct outbox_tally t = { 0, 0, 0 };

	for (unsigned i = 0; i < R->nouts; i++) {
		const struct replica_out *b = &R->outs[i];

		for (unsigned k = 0; (b->wanted & outbox_bit(R, f)) != 0 && k < b->nvolumes; k++) {
			t.volumes++;
			t.sent += (b->volumes[k].sent & outbox_bit(R, f)) != 0 ? 1 : 0;
			t.bytes += b->volumes[k].file;
		}
	}
	return (t);
}

unsigned
outbox_bound(struct replica *R, uint64_t most)
{
	unsigned n = 0;

	for (; R->nouts > 0 && outbox_bytes(R) > most; n++) {
		const struct replica_out *b = &R->outs[0];

		for (unsigned i = 0; i < R->nforwards; i++) {
			struct replica_forward *f = &R->forwards[i];

			if ((b->wanted & outbox_bit(R, f)) != 0 && is_after(&b->to, &f->lost))
				f->lost = b->to;
		}
		outbox_drop(R, 0);
	}
	return (n);
}

/* What f has is not kept for it any more. */
static void
drop_had(struct replica *R, const struct replica_forward *f)
{
	for (unsigned i = R->nouts; i-- > 0;) {
		struct replica_out *b = &R->outs[i];

		if (outbox_has(f, &b->to))
			b->wanted &= ~outbox_bit(R, f);
		if (b->wanted == 0)
			outbox_drop(R, i);
	}
}

enum outbox_news
outbox_acked(struct replica *R, struct replica_forward *f, const struct header *H, int64_t now)
{
	int is_later = H->created > f->said_at;

	/* What it said before it said something else, it may have lost since.  A word from the future is none. */
	if (H->created < f->said_at && f->said_at <= now)
		return (OUTBOX_KNOWN);
	if (outbox_has(f, &H->to) && (!is_later || !is_after(&f->acked, &H->to))) {
		f->said_at = is_later ? H->created : f->said_at;
		return (OUTBOX_KNOWN);
	}
	if (is_later)
		f->said_at = H->created;
	if (is_after(&f->acked, &H->to)) {
		f->acked = H->to;
		return (OUTBOX_WENT_BACK);
	}
	f->acked = H->to;
	f->acked_at = now;
	if (!is_after(&f->lost, &f->acked))
		memset(&f->lost, 0, sizeof f->lost);
	drop_had(R, f);
	return (OUTBOX_NEWER);
}

int
outbox_next(const struct replica *R, const struct replica_forward *f, struct replica_out **b,
    struct replica_out_volume **v)
{
	for (unsigned i = 0; i < R->nouts; i++) {
		*b = &R->outs[i];
		for (unsigned k = 0; ((*b)->wanted & outbox_bit(R, f)) != 0 && k < (*b)->nvolumes; k++) {
			*v = &(*b)->volumes[k];
			if (((*v)->sent & outbox_bit(R, f)) == 0)
				return (1);
		}
	}
	return (0);
}

void
outbox_anew(struct replica *R, const struct replica_forward *f)
{
	for (unsigned i = 0; i < R->nouts; i++)
		for (unsigned k = 0; k < R->outs[i].nvolumes; k++)
			R->outs[i].volumes[k].sent &= ~outbox_bit(R, f);
}

struct point
outbox_reach(const struct replica *R, const struct replica_forward *f)
{
	struct point at = f->acked;

	/* They ascend by the points that they lead to. */
	for (unsigned i = 0; i < R->nouts; i++) {
		const struct replica_out *b = &R->outs[i];

		if ((b->wanted & outbox_bit(R, f)) != 0 &&
		    (at.seq == 0 || b->from.seq == 0 || b->from.seq <= at.seq))
			at = b->to;
	}
	return (at);
}

static uint32_t
without(uint32_t bits, unsigned n)
{
	uint32_t low = (UINT32_C(1) << n) - 1;

	return ((bits & low) | ((bits >> 1) & ~low));
}

void
outbox_end(struct replica *R, struct replica_forward *f)
{
	unsigned n = (unsigned)(f - R->forwards);

	for (unsigned i = R->nouts; i-- > 0;) {
		struct replica_out *b = &R->outs[i];

		b->wanted = without(b->wanted, n);
		for (unsigned k = 0; k < b->nvolumes; k++)
			b->volumes[k].sent = without(b->volumes[k].sent, n);
		if (b->wanted == 0)
			outbox_drop(R, i);
	}
	memmove(f, f + 1, (R->nforwards - n - 1) * sizeof *f);
	R->nforwards--;
}
