#include "replica/readiness.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/say.h"
#include "disk/overlay.h"
#include "disk/source.h"
#include "replica/guest.h"
#include "replica/intake.h"
#include "replica/missing.h"
#include "replica/overlays.h"

/* The checks of one dry run, in the order in which they were made. */
struct checks {
	json_t *list;
	unsigned failed;
};

/* One check: what was found, and, where it fails, what to do. */
static void __attribute__((format(printf, 4, 5)))
add(struct checks *c, const char *name, int ok, const char *format, ...)
{
	char text[READINESS_WORDS];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	c->failed += !ok;
	json_array_append_new(c->list, json_pack("{s:s,s:b,s:s}", "check", name, "ok", ok, "text", text));
}

/* Print what was found: 0; 1: something is in the way; -1. */
static int
print(struct checks *c, const struct replica *R, const char *act, const struct point *p, int json)
{
	char when[POINT_TIME], age[POINT_AGE];
	int64_t lost = (int64_t)time(NULL) - p->time;
	json_t *o;
	int rc = 0;

	point_time_text(when, p->time);
	point_age_text(age, lost);
	if (json) {
		o = json_pack("{s:s,s:s,s:s,s:b,s:I,s:s,s:I,s:O}", "vm", R->vm, "uuid", R->uuid, "act", act,
		    "ok", c->failed == 0, "point", (json_int_t)p->seq, "time", when, "age", (json_int_t)lost,
		    "checks", c->list);
		rc = o != NULL && json_dumpf(o, stdout, JSON_INDENT(1)) == 0 && putchar('\n') != EOF ? 0 : -1;
		json_decref(o);
	} else {
		printf("%s: %s failover to point %" PRIu64 " of %s, %s ago\n", R->vm, act, p->seq, when, age);
		for (size_t i = 0; i < json_array_size(c->list); i++) {
			o = json_array_get(c->list, i);
			printf("  %-8s %s: %s\n", json_is_true(json_object_get(o, "ok")) ? "ok" : "NOT YET",
			    json_string_value(json_object_get(o, "check")),
			    json_string_value(json_object_get(o, "text")));
		}
	}
	if (rc == 0 && c->failed > 0)
		rc = say_refused(
		    "%s: %u of %zu checks failed; the failover would be refused, or lacks what they name",
		    R->vm, c->failed, json_array_size(c->list));
	return (rc);
}

/* --- the checks ----------------------------------------------------------------------------------------- */

static void
check_role(struct checks *c, const struct replica *R, enum role_event event)
{
	char words[ROLE_WORDS];
	const char *why = role_objection(&R->role, event, words);

	add(c, "state", why == NULL, "%s", why == NULL ? role_state_text(R->role.state) : why);
	if (R->merging)
		add(c, "merge", 1, "a merge was interrupted, and is finished first");
	if (R->test.is_on)
		add(c, "test", 0,
		    "a test failover from point %" PRIu64
		    " stands; end it first with 'vmferry failover --stop-test'",
		    R->test.at.seq);
}

static void
add_missing(void *context, const char *text)
{
	add(context, "on the way", 1, "%s", text);
}

static void
check_staged(struct checks *c, const struct replica *R)
{
	if (R->nstaged > 0)
		add(c, "staged", 1,
		    "%u bundles, of which those that fit, up to point %" PRIu64 ", are merged", R->nstaged,
		    intake_held(R).seq);
	missing_each(R, add_missing, c);
}

static int
is_missing(const struct host_networks *n, const char *name)
{
	for (unsigned i = 0; i < n->nmissing; i++)
		if (strcmp(n->missing[i], name) == 0)
			return (1);
	return (0);
}

static int
check_host(struct checks *c, struct replica *R, const struct site *S, const struct replica_point *at)
{
	struct host_networks *n = malloc(sizeof *n);
	int rc;

	if (n == NULL)
		return (say_failed("out of memory"));
	if ((rc = guest_prepare(R, S)) == 0)
		rc = guest_networks(R, GUEST_PRIMARY, at, n);
	if (rc == 0)
		add(c, "host", 1, strcmp(R->host, "none") == 0 ? "%s: start the VM by hand" : "%s", R->host);
	else
		add(c, "host", 0, "%s: it cannot be asked; see 'vmferry trust add --host'", R->host);
	for (unsigned i = 0; rc == 0 && i < n->nnetworks; i++)
		if (!is_missing(n, n->networks[i]))
			add(c, "network", 1, "%s", n->networks[i]);
	for (unsigned i = 0; rc == 0 && i < n->nmissing; i++)
		add(c, "network", 0,
		    "%s: this site's host has none of that name; make it there, or "
		    "name another for it (HOME/map)",
		    n->missing[i]);
	free(n);
	return (rc < 0 ? -1 : 0);
}

static int
check_space(struct checks *c, const struct replica *R, const struct site *S, const struct replica_point *at)
{
	uint64_t need, bytes;
	int rc = overlays_need(R, S, at, &need);

	if (rc < 0 || io_free(R->dir, &bytes) != 0)
		return (-1);
	if (rc > 0)
		add(c, "undos", 0,
		    "the way back to point %" PRIu64 " is damaged; try another point, and run scrub",
		    at->point.seq);
	else
		add(c, "space", bytes >= need,
		    "%" PRIu64 " bytes are free, and up to %" PRIu64 " are needed%s", bytes, need,
		    bytes >= need ? "" : "; free some space");
	return (0);
}

static void
check_excluded(struct checks *c, const struct replica *R)
{
	for (unsigned i = 0; i < R->nexcluded; i++)
		add(c, "excluded", 1,
		    "disk %s is not replicated: the VM gets an empty one of %" PRIu64 " bytes",
		    R->excluded[i].id, R->excluded[i].size);
}

int
readiness_handover(const struct replica *R, char words[READINESS_WORDS])
{
	struct point held = intake_held(R);
	uint64_t beyond = 0;

	if (!role_may_take_over(&R->role, &held)) {
		snprintf(words, READINESS_WORDS,
		    "at point %" PRIu64
		    ", and no handover of '%s' to this site stands there; bring what 'vmferry failover "
		    "--planned' makes at '%s', or, if that is gone, say 'vmferry failover --unplanned'",
		    held.seq, R->primary, R->primary);
		return (0);
	}
	for (unsigned i = 0; i < R->nstaged; i++)
		if (R->staged[i].to.seq > held.seq)
			beyond = R->staged[i].to.seq;
	if (beyond == 0)
		return (1);
	snprintf(words, READINESS_WORDS,
	    "'%s' went on after its handover at point %" PRIu64 ": a bundle to point %" PRIu64
	    " is here; bring what leads to there, and a new handover",
	    R->primary, held.seq, beyond);
	return (0);
}

static void
check_handover(struct checks *c, const struct replica *R)
{
	char words[READINESS_WORDS] = "";

	/* Whether one that is staged hands over, is known when it is merged. */
	if (R->nstaged > 0 && intake_next(R) >= 0)
		add(c, "handover", intake_held(R).kind == POINT_FINAL,
		    intake_held(R).kind == POINT_FINAL
		        ? "the final point is staged; whether it hands over to this site shows when it is "
		          "merged"
		        : "no final point is here; bring what 'vmferry failover --planned' makes at '%s'",
		    R->primary);
	else if (readiness_handover(R, words))
		add(c, "handover", 1, "'%s' has locked itself at point %" PRIu64 " for this site", R->primary,
		    R->role.handover);
	else
		add(c, "handover", 0, "%s", words);
}

/* A disk at an NBD export is as far as its server is, and an image is no good if it cannot be opened as one. */
static void
check_exports(struct checks *c, const struct replica *R, const struct replica_point *at)
{
	struct source *D;

	for (unsigned i = 0; i < R->ndisks; i++) {
		int ok;

		if (at->disks[i].size == 0 || source_is_plain(R->where[i]))
			continue;
		ok = source_open_own(&D, R->where[i], at->disks[i].size) == 0;
		source_close(D);
		add(c, source_is_uri(R->where[i]) ? "export" : "image", ok, "disk %s is at %s%s", R->disks[i],
		    R->where[i],
		    ok                           ? ""
		    : source_is_uri(R->where[i]) ? ", where no server gives it; start that"
		                                 : ", which cannot be read as such an image");
	}
}

/* All points but that one go, and what a person wanted to keep takes a word. */
static void
check_kept(struct checks *c, const struct replica *R, const struct failover_options *o, uint64_t at)
{
	unsigned kept = failover_kept(R, at);

	if (kept > 0)
		add(c, "points", o->yes,
		    "all but point %" PRIu64 " are dropped, and %u of them are pinned or a branch: write out "
		    "what is still wanted with 'vmferry restore', and say --yes",
		    at, kept);
	else
		add(c, "points", 1, "all but point %" PRIu64 " are dropped", at);
}

/* The other direction: the old primary is to become a target. */
static void
check_primary(struct checks *c, const struct replica *R, const struct site *S)
{
	const struct trust_entry *e = trust_by_key(site_trust(S), R->key);

	if (e == NULL)
		add(c, "reverse", 0,
		    "'%s' is not known any more: nothing can be sealed to it; add its card with 'vmferry "
		    "trust "
		    "add'",
		    R->primary);
	else if (e->is_revoked)
		add(c, "reverse", 0,
		    "the keys of '%s' were revoked; add its new card with 'vmferry trust add'", R->primary);
	else
		add(c, "reverse", 1, "'%s' is known, and can become the replica", R->primary);
}

/* --- */

static int
begin(struct checks *c, struct replica **R, const struct site *S, const char *vm)
{
	int rc;

	*c = (struct checks){ .list = json_array() };
	if ((rc = replica_look_for(R, S, vm)) != 0)
		return (rc);
	return (replica_last(*R) != NULL
	            ? 0
	            : say_refused("%s: the replica waits for its seed: there is no point here", vm));
}

static int
end(struct checks *c, struct replica *R, int rc)
{
	json_decref(c->list);
	replica_close(R);
	return (rc);
}

int
readiness_planned(const struct site *S, const struct failover_options *o)
{
	struct checks c;
	struct replica *R = NULL;
	struct point held;
	int rc = begin(&c, &R, S, o->vm);

	if (rc == 0) {
		held = intake_held(R);
		check_role(&c, R, ROLE_TAKE_OVER);
		check_handover(&c, R);
		check_kept(&c, R, o, held.seq);
		check_staged(&c, R);
		check_excluded(&c, R);
		check_exports(&c, R, replica_last(R));
		check_primary(&c, R, S);
		if ((rc = check_host(&c, R, S, replica_last(R))) == 0)
			rc = print(&c, R, "planned", &held, o->json);
	}
	return (end(&c, R, rc));
}

int
readiness_unplanned(const struct site *S, const struct failover_options *o)
{
	struct checks c;
	struct replica *R = NULL;
	struct replica_point *at = NULL;
	struct point p;
	int rc = begin(&c, &R, S, o->vm);

	if (rc == 0) {
		at = o->point == 0 ? replica_last(R) : replica_point(R, o->point);
		p = o->point == 0 ? intake_held(R) : at == NULL ? replica_last(R)->point : at->point;
		check_role(&c, R, ROLE_FAIL_OVER);
		add(&c, "point", at != NULL,
		    at != NULL ? "%" PRIu64 " is here"
		               : "%" PRIu64 " is not here; 'vmferry points' lists them",
		    o->point == 0 ? p.seq : o->point);
		if (at != NULL && at->is_damaged)
			add(&c, "damage", 0,
			    "the disks had changed by themselves: point %" PRIu64
			    " may not come back; try another one",
			    at->point.seq);
		check_staged(&c, R);
		check_excluded(&c, R);
		if (at == NULL)
			at = replica_last(R);
		check_exports(&c, R, at);
		if ((rc = check_space(&c, R, S, at)) == 0 && (rc = check_host(&c, R, S, at)) == 0)
			rc = print(&c, R, "unplanned", &p, o->json);
	}
	return (end(&c, R, rc));
}

/* Is the VM off, so that its overlays can be put into the disks? */
static int
check_off(struct checks *c, const struct replica *R, const struct replica_point *at)
{
	char path[PATH_MAX];
	int used = 0;

	for (unsigned i = 0; used == 0 && R->failover.has_overlays && i < R->ndisks; i++)
		if (at->disks[i].size > 0 &&
		    (overlays_path(R, OVERLAYS_FAILOVER, i, path) != 0 || (used = overlay_is_used(path)) < 0))
			return (-1);
	add(c, "disks", 1, "%s",
	    used ? "the VM runs: its overlays go into the disks when it is off, by the same command"
	         : "what the VM wrote goes into the disks at once");
	return (0);
}

int
readiness_complete(const struct site *S, const struct failover_options *o)
{
	struct checks c;
	struct replica *R = NULL;
	const struct replica_point *at;
	int rc = begin(&c, &R, S, o->vm);

	if (rc == 0) {
		at = replica_point(R, R->role.at.seq);
		check_role(&c, R, ROLE_COMPLETE);
		if (at == NULL)
			at = replica_last(R);
		add(&c, "points", 1, "%u others are dropped, and %u bundles that were not merged",
		    R->npoints - 1, R->nstaged);
		check_primary(&c, R, S);
		if ((rc = check_off(&c, R, at)) == 0)
			rc = print(&c, R, "unplanned", &at->point, o->json);
	}
	return (end(&c, R, rc));
}
