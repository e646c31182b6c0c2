#include "media_plan.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/say.h"
#include "medium/medium.h"
#include "medium/speed.h"

struct plan {
	uint64_t speed, room;
	uint64_t volumes, media, seconds, line_seconds;
};

static uint64_t
parts(uint64_t n, uint64_t of)
{
	return (n == 0 ? 0 : (n - 1) / of + 1);
}

static void
make(struct plan *p, const struct media_plan_options *o)
{
	p->volumes = parts(o->bytes, o->volume_size);
	p->media = p->room == 0 ? 0 : parts(o->bytes, p->room);
	p->seconds = p->speed == 0 ? 0 : parts(o->bytes, p->speed);
	p->line_seconds = o->line == 0 ? 0 : parts(o->bytes, o->line);
}

static void
print_time(const char *what, uint64_t seconds)
{
	printf("%s%" PRIu64 ":%02" PRIu64 ":%02" PRIu64 " (hours, minutes, seconds)\n", what, seconds / 3600,
	    seconds / 60 % 60, seconds % 60);
}

static void
print_text(const struct medium *M, const struct plan *p, const struct media_plan_options *o)
{
	printf("medium    '%s': takes %" PRIu64 " bytes a second, %" PRIu64 " bytes are free\n",
	    medium_identity(M)->label, p->speed, p->room);
	if (o->bytes == 0)
		return;
	printf("to ship   %" PRIu64 " bytes in %" PRIu64 " volumes", o->bytes, p->volumes);
	if (p->media == 1)
		printf("; they fit\n");
	else if (p->media == 0)
		printf("; it is full\n");
	else
		printf("; %" PRIu64 " media as empty as this one\n", p->media);
	print_time("writing   ", p->seconds);
	if (o->line == 0)
		return;
	print_time("the line  ", p->line_seconds);
	if (p->line_seconds > p->seconds)
		print_time("so the medium may be on its way for ", p->line_seconds - p->seconds);
	else
		printf("so the line is faster\n");
}

static int
print_json(const struct medium *M, const struct plan *p, const struct media_plan_options *o)
{
	json_t *J = json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "label", medium_identity(M)->label,
	    "speed", (json_int_t)p->speed, "free", (json_int_t)p->room, "bytes", (json_int_t)o->bytes,
	    "volumes", (json_int_t)p->volumes, "media", (json_int_t)p->media, "seconds",
	    (json_int_t)p->seconds, "line_seconds", (json_int_t)p->line_seconds);
	int rc = J != NULL && json_dumpf(J, stdout, JSON_INDENT(1)) == 0 && putchar('\n') != EOF ? 0 : -1;

	json_decref(J);
	return (rc);
}

int
media_plan(const struct media_plan_options *o)
{
	struct plan p = { 0 };
	struct medium *M;
	int rc = medium_open(&M, o->dir, MEDIUM_WRITE, NULL);

	if (rc == 0 && (rc = medium_free_bytes(M, &p.room)) == 0)
		rc = speed_measure(M, &p.speed);
	if (rc == 0) {
		make(&p, o);
		if (o->json)
			rc = print_json(M, &p, o);
		else
			print_text(M, &p, o);
	}
	medium_close(M);
	return (rc);
}
