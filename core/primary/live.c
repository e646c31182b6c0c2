#include "primary/live.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/say.h"
#include "disk/changelist.h"
#include "host/host.h"
#include "primary/definition.h"
#include "primary/machine.h"

struct live {
	struct host *host;
	struct host_machine *machine;
	int is_running;
	struct host_view view; /* stands while its talk does */
};

/* --- how is it? ----------------------------------------------------------------------------------------- */

/* Can the host tell?  0, then or not; 1, said; -1. */
static int
ask(struct cut *c, struct live *L)
{
	struct host_state is;
	int rc;

	/* A handover has asked already whether it is off; where the host has forgotten it, its disks are all there is. */
	if (c->o->final) {
		if ((rc = host_state(L->host, c->P->vm, &is)) != 0)
			return (rc);
		if (is.run == HOST_ABSENT)
			return (0);
	}
	if ((rc = host_machine(L->host, c->P->vm, &L->machine)) == HOST_NOTHING)
		return (0);
	if (rc != 0)
		return (rc);
	is.run = L->machine->run;
	if (is.run == HOST_UNKNOWN && (rc = host_state(L->host, c->P->vm, &is)) != 0)
		return (rc);
	if (is.run == HOST_ABSENT)
		return (
		    say_refused("%s: the host here has no such VM; if it runs at another host of this site, "
		                "export there",
		        c->P->vm));
	L->is_running = is.run == HOST_RUNNING || is.run == HOST_PAUSED;
	/* It was off a moment ago. */
	if (c->o->final && L->is_running)
		return (say_refused("%s: runs again, and what is handed over must be the last that it wrote: "
		                    "shut it down from inside",
		    c->P->vm));
	if (definition_take(c, L->machine->definition) != 0)
		return (-1);
	return (machine_refresh(c->P, L->machine));
}

int
live_look(struct cut *c)
{
	struct live *L;
	int rc;

	if (c->o->live_unsafe || strcmp(c->P->host, "none") == 0)
		return (0);
	if ((L = calloc(1, sizeof *L)) == NULL)
		return (say_failed("out of memory"));
	c->live = L;
	if ((rc = host_open(&L->host, c->P->host)) == 0)
		rc = ask(c, L);
	if (rc == 0 && L->machine == NULL)
		live_close(c);
	return (rc);
}

int
live_is_running(const struct cut *c)
{
	return (c->live != NULL && c->live->is_running);
}

/* --- the view ------------------------------------------------------------------------------------------- */

/* Is a point due for which the guest is asked to be consistent? */
static int
wants_app(const struct cut *c)
{
	const struct primary_apps *a = &c->P->apps;

	return (c->o->app || (a->every != 0 && a->since + 1 >= a->every) ||
	        (a->seconds != 0 && (int64_t)time(NULL) - a->at >= (int64_t)a->seconds));
}

static void
name_prefix(const struct primary *P, char out[HOST_TOKEN])
{
	char lineage[17];

	sodium_bin2hex(lineage, sizeof lineage, P->lineage, 8);
	snprintf(out, HOST_TOKEN, "vmferry-%s-", lineage);
}

void
live_prefix(const struct primary *P, char out[HOST_TOKEN])
{
	out[0] = '\0';
	if (P->tracker[0] != '\0')
		name_prefix(P, out);
}

static void
name_instant(const struct cut *c, struct host_view *V)
{
	char random[17];
	uint8_t bytes[8];

	randombytes_buf(bytes, sizeof bytes);
	sodium_bin2hex(random, sizeof random, bytes, sizeof bytes);
	name_prefix(c->P, V->prefix);
	snprintf(V->token, sizeof V->token, "%.40s%s", V->prefix, random);
	strcpy(V->since, live_tracker(c->P));
}

/* The disk of the view for disk i of the record; NULL for one that is gone. */
static struct host_view_disk *
disk_of(const struct cut *c, unsigned i)
{
	for (unsigned k = 0; k < c->live->view.ndisks; k++)
		if (strcmp(c->live->view.disks[k].id, c->P->disks[i].id) == 0)
			return (&c->live->view.disks[k]);
	return (NULL);
}

static void
say_how(const struct cut *c)
{
	const struct host_view *V = &c->live->view;

	for (unsigned i = 0; i < V->ndisks; i++) {
		const struct host_view_disk *d = &V->disks[i];

		if (c->base != 0 && (d->bitmap[0] != '\0' || d->changes[0] != '\0'))
			say_note("%s: disk %s: changes are known from its %s", c->P->vm, d->id,
			    d->how[0] != '\0' ? d->how : "dirty bitmap");
		else if (c->base != 0)
			say_note("%s: disk %s is compared: %s", c->P->vm, d->id,
			    d->why[0] != '\0' ? d->why : "the host does not know what changed");
	}
	if (V->quiesce && !V->is_quiesced)
		say_note("%s: the point is not application-consistent: %s", c->P->vm,
		    V->not_quiesced[0] != '\0' ? V->not_quiesced
		                               : "the host could not have the guest frozen");
}

int
live_begin(struct cut *c)
{
	struct host_view *V = &c->live->view;
	int rc;

	V->quiesce = wants_app(c);
	name_instant(c, V);
	for (unsigned i = 0; i < c->P->nreplicated; i++) {
		const struct primary_disk *d = &c->P->disks[i];

		if (d->is_gone)
			continue;
		strcpy(V->disks[V->ndisks].id, d->id);
		strcpy(V->disks[V->ndisks++].where, d->where);
	}
	rc = host_view_begin(c->live->host, c->P->vm, V);
	if (rc == HOST_NOTHING)
		return (say_refused("%s: it runs, and its host cannot freeze its disks", c->P->vm));
	if (rc == 0)
		say_how(c);
	return (rc);
}

int
live_open(const struct cut *c, unsigned i, struct source **out)
{
	const struct host_view_disk *d = disk_of(c, i);

	if (d == NULL)
		return (source_open_none(out, c->P->disks[i].id));
	return (source_open(out, d->where, SOURCE_OWN, d->bitmap[0] == '\0' ? NULL : d->bitmap));
}

int
live_changes(const struct cut *c, unsigned i, struct ranges *out)
{
	const struct host_view_disk *d = disk_of(c, i);
	const char *const ids[] = { c->P->disks[i].id };
	uint64_t size = source_size(c->sources[i]);
	const char *why;
	int rc;

	if (d == NULL)
		return (0);
	if (d->changes[0] != '\0')
		return (changelist_read(d->changes, ids, &size, 1, out));
	if (d->bitmap[0] == '\0')
		return (2);
	if ((rc = source_dirty(c->sources[i], out, &why)) == 1)
		return (
		    say_refused("%s: the host said that disk %s has a dirty bitmap '%s', and it has none: %s",
		        c->P->vm, d->id, d->bitmap, why));
	return (rc);
}

int
live_end(struct cut *c)
{
	if (c->live == NULL || c->live->view.talk == NULL)
		return (0);
	for (unsigned i = 0; i < LIMIT_DISKS; i++) {
		source_close(c->sources[i]);
		c->sources[i] = NULL;
	}
	return (host_view_end(&c->live->view, 1));
}

enum point_kind
live_kind(const struct cut *c)
{
	return (c->o->final                                    ? POINT_FINAL
	        : c->live != NULL && c->live->view.is_quiesced ? POINT_APP
	                                                       : POINT_STANDARD);
}

const char *
live_tracker(const struct primary *P)
{
	const struct primary_point *p = primary_point(P, P->tracker_seq);

	/* Of another epoch: what was written here between is not of this tracker's time line. */
	return (p == NULL || p->point.epoch != primary_epoch(P) ? "" : P->tracker);
}

void
live_note(struct cut *c, const struct point *point)
{
	struct primary_apps *a = &c->P->apps;

	if (point->kind == POINT_APP) {
		a->since = 0;
		a->at = point->time;
		a->why[0] = '\0';
	} else {
		a->since += a->since < UINT16_MAX;
	}
	if (!live_is_running(c) || c->live->view.token[0] == '\0')
		return;
	strcpy(c->P->tracker, c->live->view.token);
	c->P->tracker_seq = point->seq;
	if (c->live->view.quiesce && !c->live->view.is_quiesced)
		snprintf(a->why, sizeof a->why, "%s", c->live->view.not_quiesced);
}

void
live_forget(const struct primary *P)
{
	char prefix[HOST_TOKEN];
	struct host *H;
	int rc;

	live_prefix(P, prefix);
	if (prefix[0] == '\0')
		return;
	if ((rc = host_open(&H, P->host)) == 0)
		rc = host_forget(H, P->vm, prefix);
	host_close(H);
	if (rc != 0 && rc != HOST_NOTHING)
		say_note("%s: its host still keeps track of what changes, under names that begin with %s",
		    P->vm, prefix);
}

void
live_close(struct cut *c)
{
	struct live *L = c->live;

	if (L == NULL)
		return;
	host_view_end(&L->view, 0);
	host_close(L->host);
	host_machine_free(L->machine);
	free(L);
	c->live = NULL;
}
