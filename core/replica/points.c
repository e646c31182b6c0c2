#include "replica/points.h"

#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>

#include "jsontext.h"
#include "base/say.h"

/* What stands on that point; "" for nothing. */
static const char *
standing(const struct replica *R, const struct replica_point *p)
{
	if (R->test.is_on && R->test.at.seq == p->point.seq)
		return ("test");
	return (R->role.at.seq == p->point.seq && (replica_is_live(R) || R->role.state == ROLE_FAILOVER)
	            ? "failover"
	            : "");
}

static json_t *
disks_json(const struct replica *R, const struct replica_point *p)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < R->ndisks; i++) {
		json_t *o = json_pack("{s:s,s:I}", "id", R->disks[i], "size", (json_int_t)p->disks[i].size);

		jsontext_set_bytes(o, "root", p->disks[i].root, LEAF_ROOT);
		json_array_append_new(a, o);
	}
	return (a);
}

static int
print_json(const struct replica *R)
{
	json_t *a = json_array();
	char time[POINT_TIME];
	int rc;

	for (unsigned i = 0; i < R->npoints; i++) {
		const struct replica_point *p = &R->points[i];

		point_time_text(time, p->point.time);
		json_array_append_new(
		    a, json_pack("{s:I,s:I,s:s,s:s,s:b,s:b,s:b,s:s,s:o}", "seq", (json_int_t)p->point.seq,
		           "epoch", (json_int_t)p->point.epoch, "time", time, "kind",
		           point_kind_text(p->point.kind), "pinned", p->is_pinned, "branch", p->is_branch,
		           "damaged", p->is_damaged, "stands", standing(R, p), "disks", disks_json(R, p)));
	}
	rc = json_dumpf(a, stdout, JSON_INDENT(1)) == 0 && putchar('\n') != EOF ? 0 : -1;
	json_decref(a);
	return (rc);
}

int
points_print(const struct replica *R, int json)
{
	char time[POINT_TIME];

	if (json)
		return (print_json(R));
	printf("%8s %6s  %-20s  %-8s  %s\n", "SEQ", "EPOCH", "TIME", "KIND", "");
	for (unsigned i = 0; i < R->npoints; i++) {
		const struct replica_point *p = &R->points[i];

		point_time_text(time, p->point.time);
		printf("%8" PRIu64 " %6" PRIu64 "  %-20s  %-8s  %-8s %s\n", p->point.seq, p->point.epoch,
		    time, point_kind_text(p->point.kind),
		    p->is_damaged  ? "damaged"
		    : p->is_branch ? "branch"
		    : p->is_pinned ? "pinned"
		                   : "",
		    standing(R, p));
	}
	return (0);
}

int
points_pin(struct replica *R, uint64_t seq, int is_pinned)
{
	struct replica_point *p = replica_point(R, seq);

	if (p == NULL)
		return (say_refused(
		    "%s: there is no point %" PRIu64 " here; 'vmferry points' lists them", R->vm, seq));
	p->is_pinned = is_pinned;
	return (replica_save(R));
}
