#include "tally/tally_file.h"

#include <string.h>
#include <xxhash.h>

#include "wire.h"

#define MAGIC "vmferry cycles 1"
#define SITE 360u

uint64_t
tally_file_hour_at(int64_t hour)
{
	return (TALLY_FILE_HEAD + (uint64_t)hour % TALLY_HOURS * TALLY_FILE_HOUR);
}

uint64_t
tally_file_event_at(uint64_t number)
{
	return (TALLY_FILE_HEAD + TALLY_HOURS * TALLY_FILE_HOUR + number % TALLY_EVENTS * TALLY_FILE_EVENT);
}

/* --- checksums ---------------------------------------------------------------------------------------- */

static void
seal(uint8_t *p, size_t n)
{
	wire_put64(p + n - 8, XXH3_64bits(p, n - 8));
}

static int
is_sealed(const uint8_t *p, size_t n)
{
	return (wire_get64(p + n - 8) == XXH3_64bits(p, n - 8));
}

/* --- one field after the other ------------------------------------------------------------------------ */

static void
put32(uint8_t **p, uint32_t v)
{
	wire_put32(*p, v);
	*p += 4;
}

static void
put64(uint8_t **p, uint64_t v)
{
	wire_put64(*p, v);
	*p += 8;
}

static void
put_text(uint8_t **p, const char *text, size_t n)
{
	memset(*p, 0, n);
	memcpy(*p, text, strnlen(text, n - 1));
	*p += n;
}

static uint32_t
get32(const uint8_t **p)
{
	*p += 4;
	return (wire_get32(*p - 4));
}

static uint64_t
get64(const uint8_t **p)
{
	*p += 8;
	return (wire_get64(*p - 8));
}

static void
get_text(const uint8_t **p, char *text, size_t n)
{
	memcpy(text, *p, n);
	text[n - 1] = '\0';
	*p += n;
}

/* --- an hour ------------------------------------------------------------------------------------------ */

static void
put_counts(uint8_t **p, const struct tally_hour *h)
{
	put64(p, (uint64_t)h->hour);
	for (unsigned i = 0; i < TALLY_KINDS; i++)
		put32(p, h->n[i]);
	put32(p, h->settled);
	put32(p, h->missed);
	put32(p, h->seeds);
	put32(p, h->deltas);
	put32(p, h->latencies);
	put32(p, h->rpo);
	put64(p, h->delta_bytes);
	put64(p, h->largest_delta);
	put64(p, h->bytes);
	put64(p, h->data);
	put64(p, h->latency);
	put64(p, h->largest_latency);
	put64(p, h->ms);
	put64(p, h->longest_ms);
}

static void
get_counts(const uint8_t **p, struct tally_hour *h)
{
	h->hour = (int64_t)get64(p);
	for (unsigned i = 0; i < TALLY_KINDS; i++)
		h->n[i] = get32(p);
	h->settled = get32(p);
	h->missed = get32(p);
	h->seeds = get32(p);
	h->deltas = get32(p);
	h->latencies = get32(p);
	h->rpo = get32(p);
	h->delta_bytes = get64(p);
	h->largest_delta = get64(p);
	h->bytes = get64(p);
	h->data = get64(p);
	h->latency = get64(p);
	h->largest_latency = get64(p);
	h->ms = get64(p);
	h->longest_ms = get64(p);
}

void
tally_file_put_hour(uint8_t out[TALLY_FILE_HOUR], const struct tally_hour *h)
{
	uint8_t *p = out;

	put_counts(&p, h);
	seal(out, TALLY_FILE_HOUR);
}

int
tally_file_get_hour(const uint8_t in[TALLY_FILE_HOUR], struct tally_hour *h)
{
	const uint8_t *p = in;

	if (!is_sealed(in, TALLY_FILE_HOUR))
		return (0);
	get_counts(&p, h);
	return (1);
}

/* --- an event ----------------------------------------------------------------------------------------- */

void
tally_file_put_event(uint8_t out[TALLY_FILE_EVENT], const struct tally_event *e, uint64_t number)
{
	uint8_t *p = out;

	put64(&p, number);
	put64(&p, (uint64_t)e->at);
	put64(&p, (uint64_t)e->point_at);
	put64(&p, e->seq);
	put64(&p, e->bytes);
	put64(&p, e->data);
	put64(&p, e->ms);
	put32(&p, (uint32_t)e->kind | (e->is_seed ? UINT32_C(0x100) : 0));
	put32(&p, e->missed);
	put32(&p, e->settled);
	put32(&p, e->rpo);
	put_text(&p, e->site, TALLY_SITE);
	seal(out, TALLY_FILE_EVENT);
}

int
tally_file_get_event(const uint8_t in[TALLY_FILE_EVENT], struct tally_event *e, uint64_t *number)
{
	const uint8_t *p = in;
	uint32_t kind;

	if (!is_sealed(in, TALLY_FILE_EVENT))
		return (0);
	*number = get64(&p);
	e->at = (int64_t)get64(&p);
	e->point_at = (int64_t)get64(&p);
	e->seq = get64(&p);
	e->bytes = get64(&p);
	e->data = get64(&p);
	e->ms = get64(&p);
	kind = get32(&p);
	e->missed = get32(&p);
	e->settled = get32(&p);
	e->rpo = get32(&p);
	get_text(&p, e->site, TALLY_SITE);
	e->is_seed = (kind & 0x100) != 0;
	e->kind = (enum tally_kind)(kind & 0xff);
	return ((kind & 0xff) >= TALLY_SENT && (kind & 0xff) <= TALLY_RESYNC);
}

/* --- the head ----------------------------------------------------------------------------------------- */

_Static_assert(sizeof MAGIC - 1 + 24 + TALLY_FILE_HOUR + 4 + TALLY_SITES * SITE + 8 <= TALLY_FILE_HEAD,
    "the head holds all of it");

void
tally_file_put_head(uint8_t out[TALLY_FILE_HEAD], const struct tally_head *h)
{
	uint8_t *p = out + sizeof MAGIC - 1;

	memset(out, 0, TALLY_FILE_HEAD);
	memcpy(out, MAGIC, sizeof MAGIC - 1);
	put64(&p, h->next);
	put64(&p, h->first);
	put64(&p, (uint64_t)h->now.reset);
	put_counts(&p, &h->now.total);
	put32(&p, h->now.nsites);
	for (unsigned i = 0; i < h->now.nsites; i++) {
		const struct tally_site *s = &h->now.sites[i];

		put_text(&p, s->site, TALLY_SITE);
		put_text(&p, s->why, TALLY_WHY);
		put64(&p, (uint64_t)s->point_at);
		put64(&p, (uint64_t)s->failed_first);
		put64(&p, (uint64_t)s->failed_at);
		put64(&p, s->cycle);
		put32(&p, s->failed);
		put32(&p, s->is_over != 0);
	}
	seal(out, TALLY_FILE_HEAD);
}

int
tally_file_get_head(const uint8_t in[TALLY_FILE_HEAD], struct tally_head *h)
{
	const uint8_t *p = in + sizeof MAGIC - 1;

	memset(h, 0, sizeof *h);
	if (memcmp(in, MAGIC, sizeof MAGIC - 1) != 0 || !is_sealed(in, TALLY_FILE_HEAD))
		return (0);
	h->next = get64(&p);
	h->first = get64(&p);
	h->now.reset = (int64_t)get64(&p);
	get_counts(&p, &h->now.total);
	h->now.nsites = get32(&p);
	if (h->now.nsites > TALLY_SITES)
		h->now.nsites = TALLY_SITES;
	for (unsigned i = 0; i < h->now.nsites; i++) {
		struct tally_site *s = &h->now.sites[i];

		get_text(&p, s->site, TALLY_SITE);
		get_text(&p, s->why, TALLY_WHY);
		s->point_at = (int64_t)get64(&p);
		s->failed_first = (int64_t)get64(&p);
		s->failed_at = (int64_t)get64(&p);
		s->cycle = get64(&p);
		s->failed = get32(&p);
		s->is_over = get32(&p) != 0;
	}
	return (1);
}
