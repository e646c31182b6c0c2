#include "tally/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/jot.h"
#include "base/say.h"
#include "tally/tally_file.h"

#define HOUR INT64_C(3600)
#define ONE_BY_ONE (6 * HOUR) /* longer intervals are counted by the hour */
#define LOOKS 3u              /* at a head that somebody writes meanwhile */

/* --- counting ----------------------------------------------------------------------------------------- */

static uint32_t
sum32(uint32_t a, uint32_t b)
{
	return (a > UINT32_MAX - b ? UINT32_MAX : a + b);
}

static uint64_t
sum64(uint64_t a, uint64_t b)
{
	return (a > UINT64_MAX - b ? UINT64_MAX : a + b);
}

#define LARGER(a, b) ((a) > (b) ? (a) : (b))

void
tally_add(struct tally_hour *h, const struct tally_hour *more)
{
	for (unsigned i = 0; i < TALLY_KINDS; i++)
		h->n[i] = sum32(h->n[i], more->n[i]);
	h->settled = sum32(h->settled, more->settled);
	h->missed = sum32(h->missed, more->missed);
	h->seeds = sum32(h->seeds, more->seeds);
	h->deltas = sum32(h->deltas, more->deltas);
	h->delta_bytes = sum64(h->delta_bytes, more->delta_bytes);
	h->largest_delta = LARGER(h->largest_delta, more->largest_delta);
	h->bytes = sum64(h->bytes, more->bytes);
	h->data = sum64(h->data, more->data);
	h->latencies = sum32(h->latencies, more->latencies);
	h->latency = sum64(h->latency, more->latency);
	h->largest_latency = LARGER(h->largest_latency, more->largest_latency);
	h->ms = sum64(h->ms, more->ms);
	h->longest_ms = LARGER(h->longest_ms, more->longest_ms);
	h->rpo = LARGER(h->rpo, more->rpo);
}

void
tally_count(struct tally_hour *h, const struct tally_event *e)
{
	struct tally_hour one = { .hour = h->hour };

	one.n[e->kind] = 1;
	one.settled = e->settled;
	one.missed = e->missed;
	one.ms = one.longest_ms = e->ms;
	one.rpo = e->rpo;
	if (e->kind == TALLY_SENT || e->kind == TALLY_TAKEN) {
		one.seeds = e->is_seed != 0;
		one.deltas = !one.seeds;
		one.delta_bytes = one.largest_delta = one.deltas ? e->bytes : 0;
		one.bytes = e->bytes;
		one.data = e->data;
	}
	if ((e->kind == TALLY_ACKED || e->kind == TALLY_TAKEN) && e->point_at != 0) {
		one.latencies = 1;
		one.latency = one.largest_latency = e->at > e->point_at ? (uint64_t)(e->at - e->point_at) : 0;
	}
	tally_add(h, &one);
}

/* --- the file ----------------------------------------------------------------------------------------- */

static int
path_of(const char *dir, char out[PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s/cycles", dir);

	return (n > 0 && n < PATH_MAX);
}

static int
open_to_read(const char *dir)
{
	char path[PATH_MAX];

	return (path_of(dir, path) ? jot_open(path) : -1);
}

static int
open_to_write(const char *dir)
{
	char path[PATH_MAX];

	return (path_of(dir, path) ? jot_open_alone(path) : -1);
}

/* The events that are there, each at its place; numbers of those that are not are 0.  The number behind the last one. */
static uint64_t
read_ring(int fd, struct tally_event events[TALLY_EVENTS], uint64_t numbers[TALLY_EVENTS])
{
	uint8_t *raw = calloc(TALLY_EVENTS, TALLY_FILE_EVENT), *p = raw;
	size_t n = raw == NULL
	               ? 0
	               : jot_read(fd, raw, (size_t)TALLY_EVENTS * TALLY_FILE_EVENT, tally_file_event_at(0));
	uint64_t next = 1;

	for (unsigned i = 0; i < TALLY_EVENTS; i++, p += TALLY_FILE_EVENT) {
		if ((i + 1) * TALLY_FILE_EVENT > n || !tally_file_get_event(p, &events[i], &numbers[i]) ||
		    numbers[i] % TALLY_EVENTS != i || numbers[i] == UINT64_MAX)
			numbers[i] = 0;
		if (numbers[i] >= next)
			next = numbers[i] + 1;
	}
	free(raw);
	return (next);
}

/* Where the head is lost, the number of the next event is behind those that are there. */
static uint64_t
find_next(int fd)
{
	struct tally_event *events = calloc(TALLY_EVENTS, sizeof *events);
	uint64_t numbers[TALLY_EVENTS], next = events == NULL ? 1 : read_ring(fd, events, numbers);

	free(events);
	return (next);
}

/* For who has it alone: a head that is none is a new one. */
static void
read_head(int fd, struct tally_head *h)
{
	uint8_t raw[TALLY_FILE_HEAD];

	if (jot_read(fd, raw, sizeof raw, 0) != sizeof raw || !tally_file_get_head(raw, h)) {
		memset(h, 0, sizeof *h);
		h->next = find_next(fd);
	}
}

static void
write_head(int fd, const struct tally_head *h)
{
	uint8_t raw[TALLY_FILE_HEAD];

	tally_file_put_head(raw, h);
	(void)jot_write(fd, raw, sizeof raw, 0);
}

/* --- another site ------------------------------------------------------------------------------------- */

static int64_t
last_of(const struct tally_site *s)
{
	return (LARGER(s->point_at, s->failed_at));
}

/* The entry of that site, made if need be: in place of the one of which nothing was heard for longest. */
static struct tally_site *
site_of(struct tally_now *now, const char *site)
{
	struct tally_site *s = &now->sites[0];

	for (unsigned i = 0; i < now->nsites; i++) {
		if (strncmp(now->sites[i].site, site, TALLY_SITE - 1) == 0)
			return (&now->sites[i]);
		if (last_of(&now->sites[i]) < last_of(s))
			s = &now->sites[i];
	}
	if (now->nsites < TALLY_SITES)
		s = &now->sites[now->nsites++];
	memset(s, 0, sizeof *s);
	snprintf(s->site, sizeof s->site, "%s", site);
	return (s);
}

/* A point is there: how old the one before it had become. */
static uint32_t
arrived(struct tally_site *s, const struct tally_event *e)
{
	int64_t rpo = s->point_at == 0 ? 0 : e->at - s->point_at;

	if (e->point_at > s->point_at)
		s->point_at = e->point_at;
	s->failed = 0;
	s->is_over = 0;
	return (rpo <= 0 ? 0 : rpo > (int64_t)UINT32_MAX ? UINT32_MAX : (uint32_t)rpo);
}

static void
went_out(struct tally_now *now, const struct tally_event *e)
{
	for (unsigned i = 0; i < now->nsites; i++)
		if (e->site[0] == '\0' || now->sites[i].site[0] == '\0' ||
		    strcmp(now->sites[i].site, e->site) == 0)
			now->sites[i].is_over = 1;
}

/* 0: it is the failure that was told of just now. */
static int
failed(struct tally_site *s, int64_t at)
{
	int is_new = s->failed == 0 || at > s->failed_at + TALLY_SAME || at < s->failed_at;

	if (s->failed == 0)
		s->failed_first = at;
	if (is_new) {
		s->failed = sum32(s->failed, 1);
		s->why[0] = '\0';
	}
	s->is_over = 0;
	s->failed_at = at;
	return (is_new);
}

/* --- noting ------------------------------------------------------------------------------------------- */

/* Which changes its place from hour to hour; one that is older than what is there is too late. */
static void
count_hour(int fd, const struct tally_event *e)
{
	uint8_t raw[TALLY_FILE_HOUR];
	struct tally_hour h;
	int64_t hour = e->at / HOUR;

	if (jot_read(fd, raw, sizeof raw, tally_file_hour_at(hour)) != sizeof raw ||
	    !tally_file_get_hour(raw, &h) || h.hour < hour || h.hour > hour + 100 * (int64_t)TALLY_HOURS) {
		memset(&h, 0, sizeof h);
		h.hour = hour;
	}
	if (h.hour != hour)
		return;
	tally_count(&h, e);
	tally_file_put_hour(raw, &h);
	(void)jot_write(fd, raw, sizeof raw, tally_file_hour_at(hour));
}

static void
note(int fd, struct tally_event *e, const char *why)
{
	struct tally_head h;
	struct tally_site *s;
	uint8_t raw[TALLY_FILE_EVENT];
	int is_new = 1;

	read_head(fd, &h);
	if (e->kind == TALLY_SENT)
		went_out(&h.now, e);
	if (e->kind == TALLY_ACKED || e->kind == TALLY_TAKEN)
		e->rpo = arrived(site_of(&h.now, e->site), e);
	if (e->kind == TALLY_FAILED) {
		s = site_of(&h.now, e->site);
		is_new = failed(s, e->at);
		if (why != NULL && why[0] != '\0')
			snprintf(s->why, sizeof s->why, "%s", why);
	}
	if (is_new) {
		tally_file_put_event(raw, e, h.next);
		(void)jot_write(fd, raw, sizeof raw, tally_file_event_at(h.next));
		count_hour(fd, e);
		if (e->at >= h.now.reset)
			tally_count(&h.now.total, e);
		h.next++;
	}
	write_head(fd, &h);
}

static void
note_in(const char *dir, const struct tally_event *event, const char *why)
{
	struct tally_event e = *event;
	int fd;

	if (e.kind < TALLY_SENT || e.kind > TALLY_RESYNC || (fd = open_to_write(dir)) < 0)
		return;
	if (e.at <= 0)
		e.at = (int64_t)time(NULL);
	note(fd, &e, why);
	io_close(fd);
}

void
tally_note(const char *dir, const struct tally_event *e)
{
	note_in(dir, e, NULL);
}

void
tally_note_failure(const char *dir, const char *site, const char *why)
{
	struct tally_event e = { .kind = TALLY_FAILED };

	snprintf(e.site, sizeof e.site, "%s", site == NULL ? "" : site);
	note_in(dir, &e, why);
}

void
tally_note_cycle(const char *dir, const char *site, uint64_t seconds)
{
	struct tally_head h;
	struct tally_site *s;
	int fd = open_to_write(dir);

	if (fd < 0)
		return;
	read_head(fd, &h);
	s = site_of(&h.now, site == NULL ? "" : site);
	if (s->cycle != seconds) {
		s->cycle = seconds;
		write_head(fd, &h);
	}
	io_close(fd);
}

int
tally_reset(const char *dir)
{
	uint8_t raw[TALLY_FILE_HOUR] = { 0 };
	struct tally_head h;
	int fd = open_to_write(dir), rc = 0;

	if (fd < 0)
		return (say_failed("%s/cycles: cannot be written", dir));
	read_head(fd, &h);
	h.now.reset = (int64_t)time(NULL);
	h.first = h.next;
	memset(&h.now.total, 0, sizeof h.now.total);
	if (jot_write(fd, raw, sizeof raw, tally_file_hour_at(h.now.reset / HOUR)) != sizeof raw)
		rc = say_failed("%s/cycles: cannot be written", dir);
	write_head(fd, &h);
	io_close(fd);
	return (rc);
}

/* --- reading ------------------------------------------------------------------------------------------ */

static void
look(int fd, struct tally_head *h)
{
	uint8_t raw[TALLY_FILE_HEAD];

	for (unsigned i = 0; i < LOOKS; i++)
		if (jot_read(fd, raw, sizeof raw, 0) == sizeof raw && tally_file_get_head(raw, h))
			return;
	memset(h, 0, sizeof *h);
}

void
tally_look(const char *dir, struct tally_now *out)
{
	struct tally_head h = { .next = 0 };
	int fd = open_to_read(dir);

	if (fd >= 0)
		look(fd, &h);
	*out = h.now;
	io_close(fd);
}

/* Those from that number on. */
static unsigned
events_of(int fd, uint64_t first, struct tally_event out[TALLY_EVENTS])
{
	struct tally_event *ring = calloc(TALLY_EVENTS, sizeof *ring);
	uint64_t numbers[TALLY_EVENTS], next;
	unsigned n = 0;

	if (ring == NULL)
		return (0);
	next = read_ring(fd, ring, numbers);
	if (next > TALLY_EVENTS && first < next - TALLY_EVENTS)
		first = next - TALLY_EVENTS;
	for (uint64_t i = LARGER(first, 1); i < next; i++)
		if (numbers[i % TALLY_EVENTS] == i)
			out[n++] = ring[i % TALLY_EVENTS];
	free(ring);
	return (n);
}

unsigned
tally_events(const char *dir, struct tally_event out[TALLY_EVENTS])
{
	int fd = open_to_read(dir);
	unsigned n = fd < 0 ? 0 : events_of(fd, 0, out);

	io_close(fd);
	return (n);
}

#define AT_ONCE 32u /* hours that are read at once */

/* Those of some hours that lie one after the other; behind the end of the file there are none. */
static unsigned
read_hours(int fd, int64_t hour, size_t count, struct tally_hour out[AT_ONCE])
{
	uint8_t raw[AT_ONCE * TALLY_FILE_HOUR];
	size_t n = jot_read(fd, raw, count * TALLY_FILE_HOUR, tally_file_hour_at(hour));
	unsigned found = 0;

	for (size_t i = 0; (i + 1) * TALLY_FILE_HOUR <= n; i++)
		if (tally_file_get_hour(raw + i * TALLY_FILE_HOUR, &out[found]) &&
		    out[found].hour == hour + (int64_t)i)
			found++;
	return (found);
}

static void
each_hour(int fd, int64_t since, int64_t until, void (*each)(void *context, const struct tally_hour *h),
    void *context)
{
	const int64_t all = (int64_t)TALLY_HOURS;
	int64_t hour = LARGER(since, 0) / HOUR, end = until / HOUR + 1, stop;
	struct tally_hour some[AT_ONCE];

	for (hour = LARGER(hour, end - all); hour < end; hour = stop) {
		unsigned n;

		/* The place of each is its number modulo all. */
		stop = (hour / all + 1) * all;
		stop = stop < hour + (int64_t)AT_ONCE ? stop : hour + (int64_t)AT_ONCE;
		stop = stop < end ? stop : end;
		n = read_hours(fd, hour, (size_t)(stop - hour), some);
		for (unsigned i = 0; i < n; i++)
			each(context, &some[i]);
	}
}

struct listing {
	struct tally_hour *out;
	unsigned n;
};

static void
list_hour(void *context, const struct tally_hour *h)
{
	struct listing *l = context;

	l->out[l->n++] = *h;
}

static void
add_hour(void *context, const struct tally_hour *h)
{
	tally_add(context, h);
}

unsigned
tally_hours(const char *dir, int64_t since, int64_t until, struct tally_hour out[TALLY_HOURS])
{
	struct listing l = { out, 0 };
	int fd = open_to_read(dir);

	if (fd >= 0)
		each_hour(fd, since, until, list_hour, &l);
	io_close(fd);
	return (l.n);
}

/* 1; 0: they do not reach back so far. */
static int
sum_events(int fd, const struct tally_head *h, int64_t since, struct tally_hour *out)
{
	struct tally_event *events = calloc(TALLY_EVENTS, sizeof *events);
	unsigned n = events == NULL ? 0 : events_of(fd, h->first, events);
	int reaches = events != NULL && (n < TALLY_EVENTS || events[0].at < since);

	for (unsigned i = 0; reaches && i < n; i++)
		if (events[i].at >= since)
			tally_count(out, &events[i]);
	free(events);
	return (reaches);
}

void
tally_sum(const char *dir, int64_t *since, int64_t now, struct tally_hour *out)
{
	int fd = open_to_read(dir);
	struct tally_head h;
	int64_t from;

	memset(out, 0, sizeof *out);
	if (fd < 0)
		return;
	look(fd, &h);
	if (*since < h.now.reset)
		*since = h.now.reset;
	if (now - *since >= ONE_BY_ONE || !sum_events(fd, &h, *since, out)) {
		each_hour(fd, *since, now, add_hour, out);
		from = *since - *since % HOUR;
		*since = LARGER(from, h.now.reset);
	}
	io_close(fd);
}
