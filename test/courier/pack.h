#ifndef PACK_H_
#define PACK_H_

/* Making a bundle: its records are put in volumes by the real chain, and read back by another one. */

#include "world.h"

#define PER_SEGMENT 8u

/* A record as bytes: what is in them does not matter here, but that they differ where it does. */
static inline void
raw_of(const struct record *R, uint8_t raw[RECORD_SIZE])
{
	memset(raw, 0, RECORD_SIZE);
	memcpy(raw, R, sizeof *R < RECORD_SIZE ? sizeof *R : RECORD_SIZE);
}

struct packing {
	struct world *w;
	struct bundle *b;
	struct chain C;      /* the writer's */
	struct chain reader; /* of this volume alone */
	struct record header;
	unsigned segments, in_volume;
	uint64_t stored, data, zero; /* of this volume */
	struct trailer total;
};

static inline void
put(struct packing *p, struct record *R)
{
	uint8_t raw[RECORD_SIZE];
	const char *why;

	chain_link(&p->C, R);
	raw_of(R, raw);
	if ((why = chain_next(&p->C, R, raw)) != NULL || (why = chain_next(&p->reader, R, raw)) != NULL)
		fail(p->w, "the chain refuses a record of type %d: %s", (int)R->type, why);
}

static inline void
put_type(struct packing *p, enum record_type type)
{
	struct record R;

	memset(&R, 0, sizeof R);
	R.type = type;
	if (type == RECORD_INDEX || type == RECORD_MANIFEST)
		chain_expect(&p->C, &R);
	if (type == RECORD_END)
		R.stored = R.plain = 100;
	put(p, &R);
}

static inline void
begin_volume(struct packing *p)
{
	struct record R = p->header;

	chain_init(&p->reader);
	put(p, &R);
	put_type(p, RECORD_VOLUME);
	p->in_volume = 0;
	p->stored = p->data = p->zero = 0;
}

static inline void
end_volume(struct packing *p, enum record_type type)
{
	struct bundle *b = p->b;
	struct replica_volume *v = &b->volumes[b->nvolumes++];

	put_type(p, RECORD_INDEX);
	put_type(p, RECORD_MANIFEST);
	put_type(p, type);
	*v = (struct replica_volume){ .chain = p->reader.volume,
		.file = 100 + p->stored,
		.stored = p->stored,
		.data = p->data,
		.zero = p->zero };
	p->total.stored += p->stored;
	p->total.data += p->data;
	p->total.zero += p->zero;
}

/* Pairs from first up to n of them as one segment. */
static inline void
put_segment(struct packing *p, unsigned first, unsigned n)
{
	const struct bundle *b = p->b;
	struct record R;

	memset(&R, 0, sizeof R);
	R.type = RECORD_SEGMENT;
	R.disk = disk_of(b->block[first]);
	R.extents = n;
	R.offset = (uint64_t)LIMIT_BLOCK * place_of(b->block[first]);
	R.span = (uint64_t)LIMIT_BLOCK * (place_of(b->block[first + n - 1]) + 1u) - R.offset;
	R.stored = R.plain = 24 * n;
	memcpy(R.digest, b->block + first, n);
	memcpy(R.digest + PER_SEGMENT, b->value + first, n);
	put(p, &R);
	p->stored += R.stored;
	for (unsigned i = first; i < first + n; i++)
		*(b->value[i] == 0 ? &p->zero : &p->data) += LIMIT_BLOCK;
	p->segments++;
	p->in_volume++;
}

/* What its header says is what its text says. */
static inline void
check_header(struct world *w, const struct bundle *b)
{
	static struct header again;
	const struct header *H = header_of(w, b);
	const char *why;
	char *text;
	size_t n;

	if ((text = header_encode(H, &n)) == NULL)
		fail(w, "a header is too long");
	why = header_decode(&again, text, n);
	free(text);
	if (why != NULL)
		fail(w, "a header is refused: %s", why);
	if (memcmp(again.id, b->id, RECORD_ID) != 0 || again.type != b->type ||
	    again.from.seq != b->from.seq || again.to.seq != b->to.seq || again.to.epoch != b->to.epoch ||
	    again.has_against != b->is_exact)
		fail(w, "a header comes back as another one");
}

/* Put the pairs of b into volumes of at most so many segments. */
static inline void
pack_bundle(struct world *w, struct bundle *b, unsigned per_volume)
{
	struct packing p;
	unsigned n;

	memset(&p, 0, sizeof p);
	p.w = w;
	p.b = b;
	p.header.type = RECORD_HEADER;
	p.header.stored = p.header.plain = 700;
	memcpy(p.header.bundle, b->id, RECORD_ID);
	memcpy(p.header.link, b->key, RECORD_KEY);
	if (below(w, 16) == 0)
		check_header(w, b);
	chain_init(&p.C);
	b->nvolumes = 0;
	b->first[0] = 0;
	begin_volume(&p);
	for (unsigned i = 0; i < b->npairs; i += n) {
		n = 1;
		while (
		    n < PER_SEGMENT && i + n < b->npairs && disk_of(b->block[i + n]) == disk_of(b->block[i]))
			n++;
		if (p.in_volume >= per_volume && b->nvolumes + 1 < VOLUMES) {
			end_volume(&p, RECORD_VOLUME_END);
			b->first[b->nvolumes] = i;
			chain_turn(&p.C);
			begin_volume(&p);
		}
		put_segment(&p, i, n);
	}
	end_volume(&p, RECORD_END);
	b->first[b->nvolumes] = b->npairs;
	b->end.segments = p.segments;
	b->end.stored = p.total.stored;
	b->end.data = p.total.data;
	b->end.zero = p.total.zero;
	b->end.volumes = b->nvolumes;
	b->end.ndisks = DISKS;
	if (b->nvolumes > 1)
		happened(w, EV_VOLUMES);
}

/* A new bundle, of which nothing is known yet. */
static inline struct bundle *
new_bundle(struct world *w)
{
	struct bundle *b;

	if (w->nbundles == BUNDLES)
		return (NULL);
	b = &w->bundles[w->nbundles++];
	memset(b, 0, offsetof(struct bundle, volumes));
	b->id[0] = (uint8_t)w->nbundles;
	b->id[1] = 0xb1;
	memset(b->key, 1, RECORD_KEY);
	return (b);
}

static inline void
carry(struct bundle *b, uint64_t set, const uint8_t content[BLOCKS])
{
	b->npairs = 0;
	for (unsigned i = 0; i < BLOCKS; i++)
		if (set >> i & 1) {
			b->block[b->npairs] = (uint8_t)i;
			b->value[b->npairs++] = content[i];
		}
}

/* By brute force: applied at any point from b's first to its last, does b make its last? */
static inline void
check_bundle(struct world *w, const struct bundle *b)
{
	for (uint64_t s = b->from.seq; s < b->to.seq; s++) {
		uint8_t content[BLOCKS] = { 0 };

		if (b->is_exact && s != b->from.seq)
			break;
		if (s != 0)
			memcpy(content, w->hq.history[s], BLOCKS);
		for (unsigned i = 0; i < b->npairs; i++)
			content[b->block[i]] = b->value[i];
		if (memcmp(content, w->hq.history[b->to.seq], BLOCKS) != 0)
			fail(w, "the delta from %" PRIu64 " to %" PRIu64 " does not lead there from %" PRIu64,
			    b->from.seq, b->to.seq, s);
	}
}

#endif
