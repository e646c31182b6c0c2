#include "primary/plan.h"

#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/say.h"
#include "bundle/pack.h"
#include "medium/medium.h"
#include "medium/speed.h"
#include "primary/cut.h"
#include "primary/ledger.h"
#include "primary/pending.h"

#define SAMPLES 64u /* pieces of 1 MiB that are encoded to see how much they shrink */

struct plan {
	const struct plan_options *w;
	struct cut *cut;
	struct pack_disk disks[LIMIT_DISKS];
	struct trailer trailer;
	struct pack pack;
	uint64_t most;    /* bytes of the disks */
	uint64_t bytes;   /* estimate of the bundle's */
	uint64_t sampled; /* bytes of the disks that the estimate is from */
	uint64_t volume;  /* bytes of a volume; 0: it is one file */
	uint64_t volumes;
	uint64_t room;      /* on the medium */
	uint64_t speed;     /* of the medium, bytes a second; 0: not known */
	uint64_t read_for;  /* seconds that it took to find out */
	uint64_t write_for; /* seconds */
	uint64_t line_for;
};

static uint64_t
parts_of(uint64_t n, uint64_t size)
{
	return (size == 0 ? 0 : (n + size - 1) / size);
}

/* How much is it, before it is compressed and after? */
static int
measure(struct plan *p)
{
	struct cut *c = p->cut;

	p->pack = (struct pack){ .secret = &c->P->secret,
		.level = c->level,
		.disks = p->disks,
		.ndisks = c->P->nreplicated,
		.trailer = &p->trailer,
		.what = "sampling",
		.is_dry = 1 };
	p->pack.crypt.cipher = c->is_plain ? RECORD_CLEAR : RECORD_XCHACHA20POLY1305;
	randombytes_buf(p->pack.crypt.key, sizeof p->pack.crypt.key);
	for (unsigned i = 0; i < p->pack.ndisks; i++)
		p->disks[i] = (struct pack_disk){ .source = c->sources[i],
			.leaves = c->leaves[i],
			.must = &c->must[i],
			.maybe = &c->maybe[i],
			.only_must = c->against != NULL,
			.size = source_size(c->sources[i]) };
	if (pack_most(&p->pack, &p->most) != 0)
		return (-1);
	p->pack.most = p->most / SAMPLES;
	p->pack.sample = p->most / SEGMENT_UNIT / SAMPLES + 1;
	if (pack_run(&p->pack) != 0)
		return (-1);
	p->sampled = p->pack.sampled;
	p->bytes = LIMIT_BLOCK;
	if (p->sampled > 0)
		p->bytes += (uint64_t)((double)p->most * (double)p->pack.sampled_stored / (double)p->sampled);
	return (0);
}

static int
look_at_medium(struct plan *p)
{
	const struct export_options *o = p->cut->o;
	struct medium *M;
	int rc;

	if (o->media == NULL)
		return (0);
	p->volume = o->volume_size == 0 ? EXPORT_VOLUME : o->volume_size;
	p->volumes = parts_of(p->bytes, p->volume);
	if ((rc = medium_open(&M, o->media, MEDIUM_WRITE, NULL)) != 0)
		return (rc);
	rc = medium_free_bytes(M, &p->room);
	/* Where there is no room to try, it is said, and the plan goes on without. */
	if (rc == 0 && (rc = speed_measure(M, &p->speed)) == 1)
		rc = 0;
	medium_close(M);
	return (rc);
}

/* --- the answer --------------------------------------------------------------------------------------- */

static uint64_t
next_seq(const struct primary *P)
{
	return (primary_last(P) == NULL ? 1 : primary_last(P)->point.seq + 1);
}

static json_t *
targets_json(const struct plan *p)
{
	const struct cut *c = p->cut;
	json_t *a = json_array();

	for (unsigned i = 0; i < c->ntargets; i++)
		json_array_append_new(
		    a, json_pack("{s:s,s:I,s:I}", "site", c->targets[i]->name, "acked",
		           (json_int_t)c->targets[i]->acked, "on_arrival", (json_int_t)next_seq(c->P)));
	return (a);
}

static void
add_times(const struct plan *p, json_t *o)
{
	uint64_t arrival = p->write_for + p->w->transit;

	if (p->cut->o->media != NULL) {
		json_object_set_new(o, "volume_size", json_integer((json_int_t)p->volume));
		json_object_set_new(o, "volumes", json_integer((json_int_t)p->volumes));
		json_object_set_new(o, "medium_free", json_integer((json_int_t)p->room));
		json_object_set_new(o, "media", json_integer((json_int_t)parts_of(p->bytes, p->room)));
		json_object_set_new(o, "medium_speed", json_integer((json_int_t)p->speed));
		json_object_set_new(o, "write_seconds", json_integer((json_int_t)p->write_for));
	}
	if (p->w->transit != 0)
		json_object_set_new(o, "stale_on_arrival", json_integer((json_int_t)arrival));
	if (p->w->bandwidth == 0)
		return;
	json_object_set_new(o, "line_seconds", json_integer((json_int_t)p->line_for));
	if (p->w->transit != 0)
		json_object_set_new(o, "faster", json_string(p->line_for < arrival ? "line" : "medium"));
}

static int
print_json(const struct plan *p)
{
	const struct cut *c = p->cut;
	json_t *o = json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:o}", "vm", c->P->vm, "uuid", c->P->uuid,
	    "type", cut_is_seed(c) ? "seed" : "delta", "from", (json_int_t)c->base, "to",
	    (json_int_t)next_seq(c->P), "changed", (json_int_t)p->most, "estimate", (json_int_t)p->bytes,
	    "sampled", (json_int_t)p->sampled, "targets", targets_json(p));
	int rc;

	if (o == NULL)
		return (say_failed("out of memory"));
	add_times(p, o);
	rc = json_dumpf(o, stdout, JSON_INDENT(1)) == 0 && putchar('\n') != EOF ? 0 : -1;
	json_decref(o);
	return (rc);
}

void
plan_size_text(char out[PLAN_TEXT], uint64_t n)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double v = (double)n;
	size_t i = 0;

	while (v >= 1024 && i + 1 < sizeof units / sizeof *units) {
		v /= 1024;
		i++;
	}
	snprintf(out, 32, i == 0 ? "%.0f %s" : "%.1f %s", v, units[i]);
}

void
plan_time_text(char out[PLAN_TEXT], uint64_t s)
{
	if (s < 120)
		snprintf(out, 32, "%" PRIu64 " s", s);
	else if (s < 7200)
		snprintf(out, 32, "%" PRIu64 " min", s / 60);
	else if (s < 172800)
		snprintf(out, 32, "%" PRIu64 " h", s / 3600);
	else
		snprintf(out, 32, "%" PRIu64 " days", s / 86400);
}

static void
print_medium(const struct plan *p)
{
	char volume[32], room[32], speed[32], takes[32];

	if (p->cut->o->media == NULL)
		return;
	plan_size_text(volume, p->volume);
	plan_size_text(room, p->room);
	printf("volumes: %" PRIu64 " of %s\n", p->volumes, volume);
	printf("medium: %s free", room);
	if (p->bytes > p->room && p->room > 0)
		printf(", so some %" PRIu64 " like it", parts_of(p->bytes, p->room));
	plan_size_text(speed, p->speed);
	plan_time_text(takes, p->write_for);
	if (p->speed != 0)
		printf("; takes %s a second as tried just now: %s to write", speed, takes);
	putchar('\n');
}

static void
print_words(const struct plan *p)
{
	const struct cut *c = p->cut;
	char changed[32], bytes[32], sampled[32], text[32];
	uint64_t arrival = p->write_for + p->w->transit;

	plan_size_text(changed, p->most);
	plan_size_text(bytes, p->bytes);
	plan_size_text(sampled, p->sampled);
	if (c->base == 0)
		printf("%s: a %s to point %" PRIu64 "\n", c->P->vm, cut_is_seed(c) ? "seed" : "delta",
		    next_seq(c->P));
	else
		printf("%s: a delta from point %" PRIu64 " to point %" PRIu64 "\n", c->P->vm, c->base,
		    next_seq(c->P));
	printf("changed: %s\n", changed);
	printf(
	    "to ship: about %s (an estimate from %s that were encoded, and thrown away)\n", bytes, sampled);
	print_medium(p);
	for (unsigned i = 0; i < c->ntargets; i++) {
		const struct primary_target *t = c->targets[i];

		printf("site '%s': ", t->name);
		if (t->acked != 0)
			printf("has point %" PRIu64 " for sure, ", t->acked);
		printf("will be at point %" PRIu64, next_seq(c->P));
		plan_time_text(text, arrival);
		if (p->w->transit != 0)
			printf(", which is %s old on arrival", text);
		putchar('\n');
	}
	if (p->w->bandwidth == 0)
		return;
	plan_time_text(text, p->line_for);
	printf("on the line: %s", text);
	if (p->w->transit != 0)
		printf("; %s is faster", p->line_for < arrival ? "the line" : "shipping");
	putchar('\n');
}

/* All that there is to find out. */
static int
find_out(struct plan *p)
{
	struct cut *c = p->cut;
	int64_t start = clock_ms();
	int rc;

	if ((rc = cut_choose_targets(c)) != 0 || (rc = cut_choose_base(c)) != 0 ||
	    (rc = cut_open_disks(c)) != 0 || (rc = cut_find_changes(c)) != 0 || (rc = measure(p)) != 0)
		return (rc);
	p->read_for = (uint64_t)(clock_ms() - start) / 1000;
	if ((rc = look_at_medium(p)) != 0)
		return (rc);
	p->write_for = parts_of(p->bytes, p->speed);
	p->line_for = parts_of(p->bytes, p->w->bandwidth);
	return (0);
}

static int
run(struct plan *p)
{
	struct cut *c = p->cut;
	struct pending *pending;
	int rc;

	if ((rc = pending_read(&pending, c->P)) < 0)
		return (-1);
	if (rc == 0 && pending->way != PENDING_PIPE)
		say_note(
		    "%s: an export was begun and is not finished; this is the plan of a new one", c->P->vm);
	pending_free(pending);
	if ((rc = find_out(p)) != 0)
		return (rc);
	if (p->w->json)
		return (print_json(p));
	print_words(p);
	return (0);
}

int
plan(const struct site *S, const struct export_options *o, const struct plan_options *w)
{
	struct plan *p = calloc(1, sizeof *p);
	struct cut *c = calloc(1, sizeof *c);
	int rc = -1;

	if (p == NULL || c == NULL) {
		say_failed("out of memory");
		goto done;
	}
	p->w = w;
	p->cut = c;
	if ((rc = cut_begin(c, S, o, NULL)) == 0)
		rc = run(p);
	cut_free(c);
done:
	free(c);
	free(p);
	return (rc);
}

int
plan_estimate(struct cut *c, const struct plan_options *w, struct plan_estimate *out)
{
	struct plan *p = calloc(1, sizeof *p);
	int rc;

	if (p == NULL)
		return (say_failed("out of memory"));
	p->w = w;
	p->cut = c;
	if ((rc = find_out(p)) == 0)
		*out = (struct plan_estimate){ .from = c->base,
			.to = next_seq(c->P),
			.changed = p->most,
			.bytes = p->bytes,
			.sampled = p->sampled,
			.read_for = p->read_for,
			.write_for = p->write_for,
			.line_for = p->line_for };
	free(p);
	return (rc);
}
