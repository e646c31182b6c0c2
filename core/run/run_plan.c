#include "run/run_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#include "base/say.h"
#include "host/host.h"
#include "run/run.h"

#define TAKE_EVERY 60u /* seconds, if nothing is said */

int
plan_is_news(uint64_t *said, const char *words)
{
	uint64_t digest = XXH3_64bits(words, strlen(words)) | 1;

	if (*said == digest)
		return (0);
	*said = digest;
	return (1);
}

static int
no_memory(struct plan *p)
{
	if (!p->is_short)
		say_failed("out of memory");
	p->is_short = 1;
	return (-1);
}

/* --- lines --------------------------------------------------------------------------------------------- */

static struct plan_line *
find_line(const struct plan *p, const char *site)
{
	struct plan_line *l = p->lines;

	while (l != NULL && strcmp(l->site, site) != 0)
		l = l->next;
	return (l);
}

static int
has_way(const struct plan_line *l)
{
	return (l->route.via[0] != '\0' || l->route.mailbox[0] != '\0');
}

static struct plan_line *
new_line(struct plan *p, const char *site)
{
	struct plan_line *l = calloc(1, sizeof *l);

	if (l == NULL || (l->rate = rate_new(0)) == NULL || (l->line = schedule_line(p->schedule)) == NULL) {
		if (l != NULL)
			rate_free(l->rate);
		free(l);
		return (NULL);
	}
	strcpy(l->site, site);
	l->next = p->lines;
	p->lines = l;
	return (l);
}

static void
set_window(struct plan_line *l)
{
	time_t now = time(NULL);
	struct tm local;

	if (localtime_r(&now, &local) == NULL)
		return;
	l->is_open = window_is_open(&l->window, &local);
	schedule_line_set(l->line, l->route.parallel == 0 ? 1 : l->route.parallel, l->is_open);
}

static void
set_line(struct plan_line *l, const struct route *r, const char *initial)
{
	static const struct route none;
	int is_same =
	    r != NULL && strcmp(l->route.via, r->via) == 0 && strcmp(l->route.mailbox, r->mailbox) == 0;

	l->version += !is_same;
	l->route = r != NULL ? *r : none;
	window_parse(&l->window, l->route.initial[0] != '\0' ? l->route.initial : initial);
	rate_set(l->rate, l->route.rate);
	set_window(l);
}

static int
set_lines(struct plan *p, const struct routes *T)
{
	for (unsigned i = 0; i < T->n; i++)
		if (T->routes[i].site[0] != '\0' && find_line(p, T->routes[i].site) == NULL &&
		    new_line(p, T->routes[i].site) == NULL)
			return (no_memory(p));
	for (struct plan_line *l = p->lines; l != NULL; l = l->next)
		set_line(l, routes_to(T, l->site), T->initial);
	return (0);
}

/* One that is there already stays, since it may be under way; what is gone is so when it does not run. */
static int
set_takes(struct plan *p, const struct routes *T)
{
	struct plan_take *takes = calloc(T->n + p->ntakes + 1, sizeof *takes);
	unsigned n = 0;

	if (takes == NULL)
		return (no_memory(p));
	for (unsigned i = 0; i < T->n; i++) {
		if (T->routes[i].take[0] == '\0')
			continue;
		for (unsigned k = 0; k < p->ntakes; k++)
			if (strcmp(p->takes[k].route.take, T->routes[i].take) == 0)
				takes[n] = p->takes[k];
		takes[n].route = T->routes[i];
		if (takes[n].route.every == 0)
			takes[n].route.every = TAKE_EVERY;
		n++;
	}
	free(p->takes);
	p->takes = takes;
	p->ntakes = n;
	return (0);
}

int
plan_routes(struct plan *p)
{
	unsigned jobs;
	struct routes T;
	int rc = routes_read(&T, site_home(p->S));

	if (rc != 0)
		return (rc);
	jobs = p->jobs_wanted != 0 ? p->jobs_wanted : T.parallel != 0 ? T.parallel : RUN_JOBS;
	schedule_set_parallel(p->schedule, jobs);
	rate_set(p->rate, p->rate_wanted != 0 ? p->rate_wanted : T.rate);
	if ((rc = set_lines(p, &T)) == 0)
		rc = set_takes(p, &T);
	routes_free(&T);
	/* Who has a way now, or has none any more, is found by looking at all of them. */
	for (unsigned i = 0; i < p->nvms; i++)
		p->vms[i]->stamp = 0;
	return (rc);
}

/* --- VMs ----------------------------------------------------------------------------------------------- */

/* Where the VM is in the list, or would be. */
static unsigned
place_of(const struct plan *p, const char *uuid)
{
	unsigned from = 0, to = p->nvms;

	while (from < to) {
		unsigned middle = from + (to - from) / 2;

		if (strcmp(p->vms[middle]->uuid, uuid) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return (from);
}

static struct plan_vm *
find_vm(struct plan *p, const char *uuid)
{
	unsigned at = place_of(p, uuid);
	struct plan_vm **more, *v;

	if (at < p->nvms && strcmp(p->vms[at]->uuid, uuid) == 0)
		return (p->vms[at]);
	if (p->nvms == p->room) {
		if ((more = reallocarray(p->vms, p->room + 1024, sizeof(void *))) == NULL)
			return (NULL);
		p->vms = more;
		p->room += 1024;
	}
	if ((v = calloc(1, sizeof *v)) == NULL)
		return (NULL);
	snprintf(v->uuid, sizeof v->uuid, "%s", uuid);
	memmove(p->vms + at + 1, p->vms + at, (p->nvms - at) * sizeof(void *));
	p->vms[at] = v;
	p->nvms++;
	return (v);
}

static void
free_vm(struct plan_vm *v)
{
	free(v->name);
	free(v->dir);
	free(v);
}

void
plan_drop(struct plan *p, struct plan_job *j)
{
	struct plan_job **at = &j->vm->jobs;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	schedule_remove(p->schedule, j->job);
	free(j);
}

/* Of a VM whose records are gone: no. */
static void
drop_gone(struct plan *p, struct plan_vm *v)
{
	struct plan_job *j, *next;

	for (j = v->jobs; j != NULL; j = next) {
		next = j->next;
		if (j->is_gone && !schedule_is_running(j->job))
			plan_drop(p, j);
	}
}

static int64_t
mono_of(int64_t at, int64_t now)
{
	int64_t ago = at == 0 ? 0 : ((int64_t)time(NULL) - at) * 1000 - 999;

	/* Seconds are cut off: a point may be younger than it says, and is not sent twice for that. */
	return (at == 0 ? SCHEDULE_NEVER : ago < 0 ? now : now - ago);
}

static struct schedule_terms
terms_of(const struct plan_job *j, const struct roster_target *t, uint64_t frequency, int64_t now)
{
	return ((struct schedule_terms){ .frequency = frequency * 1000,
	    .least = j->least * 1000,
	    .last = t == NULL ? SCHEDULE_NEVER : mono_of(t->last, now),
	    .is_initial = j->needs_seed || (t != NULL && t->is_initial) });
}

/* Is it not yet time for one that runs once?  Who calls us may be early by a little. */
static int
is_early(const struct plan *p, const struct plan_vm *v, const struct roster_target *t)
{
	return (p->once && t->last != 0 &&
	        (uint64_t)((int64_t)time(NULL) - t->last) < v->frequency - v->frequency / 10);
}

static int
add_job(struct plan *p, struct plan_vm *v, struct plan_line *l, const struct roster_target *t, int64_t now)
{
	struct plan_job *j, *other = v->jobs;
	struct schedule_terms terms;

	if ((p->once && p->was_looked_at) || is_early(p, v, t))
		return (0);
	if ((j = calloc(1, sizeof *j)) == NULL)
		return (no_memory(p));
	j->vm = v;
	j->line = l;
	terms = terms_of(j, t, v->frequency, now);
	if (p->once)
		terms.last = SCHEDULE_NEVER;
	j->job =
	    schedule_add(p->schedule, l->line, v->uuid, other == NULL ? NULL : other->job, &terms, now, j);
	if (j->job == NULL) {
		free(j);
		return (no_memory(p));
	}
	j->next = v->jobs;
	v->jobs = j;
	return (0);
}

/* What was sent last is known better from our own cycles than from a record that keeps seconds. */
static int
set_job(struct plan *p, struct plan_vm *v, struct plan_line *l, const struct roster_target *t, int64_t now)
{
	struct schedule_terms terms;
	struct plan_job *j = v->jobs;

	while (j != NULL && j->line != l)
		j = j->next;
	if (j == NULL)
		return (add_job(p, v, l, t, now));
	j->is_gone = 0;
	terms = terms_of(j, t, v->frequency, now);
	terms.last = SCHEDULE_NEVER;
	schedule_set(p->schedule, j->job, &terms, now);
	return (0);
}

void
plan_adjust(struct plan *p, struct plan_job *j, int64_t now)
{
	struct schedule_terms terms = terms_of(j, NULL, j->vm->frequency, now);

	schedule_set(p->schedule, j->job, &terms, now);
}

/* The VM is as its records say. */
static int
apply(struct plan *p, struct plan_vm *v, const struct roster_vm *r, int64_t now)
{
	char words[LIMIT_NAME + 128] = "";
	int rc = 0;

	for (unsigned i = 0; rc == 0 && r->why[0] == '\0' && i < r->ntargets; i++) {
		struct plan_line *l = find_line(p, r->targets[i].site);

		if (l == NULL || !has_way(l))
			snprintf(words, sizeof words,
			    "no way to site '%s' is in %s/routes; see vmferry-routes(5)", r->targets[i].site,
			    site_home(p->S));
		else if (r->frequency == 0)
			snprintf(words, sizeof words,
			    "has no frequency, and is left to you; 'vmferry enable --frequency' gives it "
			    "one");
		else
			rc = set_job(p, v, l, &r->targets[i], now);
		if (words[0] == '\0' && r->targets[i].is_initial && l != NULL && !l->is_open)
			snprintf(words, sizeof words,
			    "the initial copy to site '%s' waits for the hours of initial= in %s/routes",
			    r->targets[i].site, site_home(p->S));
	}
	if (words[0] != '\0' && plan_is_news(&v->said, words))
		say_note("%s: %s", v->name, words);
	else if (words[0] == '\0')
		v->said = 0;
	return (rc);
}

static int
set_text(char **out, const char *text)
{
	char *copy;

	if (*out != NULL && strcmp(*out, text) == 0)
		return (0);
	if ((copy = strdup(text)) == NULL)
		return (-1);
	free(*out);
	*out = copy;
	return (0);
}

/* --- */

struct looking {
	struct plan *p;
	int64_t now;
	struct roster_vm *look;
};

/* Of the hosts of VMs that are sent often the first one's program is kept: most sites have one. */
static void
keep_host(struct plan *p, const struct roster_vm *r)
{
	if (p->is_host_kept || p->once || r->frequency == 0 || r->why[0] != '\0' ||
	    strcmp(r->host, "none") == 0)
		return;
	p->is_host_kept = 1;
	host_keep(r->host);
}

/* The records of v have changed, and have that stamp now. */
static void
look_at(struct looking *k, struct plan_vm *v, uint64_t stamp)
{
	v->stamp = stamp;
	/* What cannot be read was said, and is as it was until it changes. */
	if (roster_look(k->look, k->p->S, v->uuid) != 0)
		return;
	if (set_text(&v->name, k->look->vm) != 0 || set_text(&v->dir, k->look->dir) != 0) {
		v->stamp = 0;
		no_memory(k->p);
		return;
	}
	v->frequency = k->look->frequency;
	keep_host(k->p, k->look);
	for (struct plan_job *j = v->jobs; j != NULL; j = j->next)
		j->is_gone = 1;
	if (apply(k->p, v, k->look, k->now) != 0)
		v->stamp = 0;
	drop_gone(k->p, v);
}

static void
look(void *context, const char *uuid, uint64_t stamp)
{
	struct looking *k = context;
	struct plan_vm *v = find_vm(k->p, uuid);

	if (v == NULL) {
		no_memory(k->p);
		return;
	}
	v->seen = k->p->turn;
	if (v->stamp != stamp || stamp == 0)
		look_at(k, v, stamp);
}

int
plan_is_wanted(struct plan *p, const struct plan_job *j, int64_t now)
{
	struct looking k = { p, now, malloc(sizeof *k.look) };
	uint64_t stamp = roster_stamp(p->S, j->vm->uuid);

	if (k.look == NULL)
		return (1);
	if (stamp != 0)
		look_at(&k, j->vm, stamp);
	free(k.look);
	return (stamp != 0 && !j->is_gone);
}

/* Those that no record names any more. */
static void
sweep(struct plan *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->nvms; i++) {
		struct plan_vm *v = p->vms[i];

		for (struct plan_job *j = v->jobs; v->seen != p->turn && j != NULL; j = j->next)
			j->is_gone = 1;
		if (v->seen != p->turn)
			drop_gone(p, v);
		if (v->seen != p->turn && v->jobs == NULL)
			free_vm(v);
		else
			p->vms[n++] = v;
	}
	p->nvms = n;
}

int
plan_look(struct plan *p, int64_t now)
{
	struct looking k = { p, now, malloc(sizeof *k.look) };
	int rc = -1;

	p->is_short = 0;
	p->turn++;
	if (k.look == NULL)
		return (no_memory(p));
	for (struct plan_line *l = p->lines; l != NULL; l = l->next)
		set_window(l);
	if (roster_each(p->S, look, &k) == 0) {
		p->was_looked_at = 1;
		sweep(p);
		rc = 0;
	}
	free(k.look);
	return (rc != 0 || p->is_short ? -1 : 0);
}

void
plan_free(struct plan *p)
{
	struct plan_line *l;

	for (unsigned i = 0; i < p->nvms; i++) {
		for (struct plan_job *j = p->vms[i]->jobs; j != NULL; j = j->next)
			j->is_gone = 1;
		drop_gone(p, p->vms[i]);
		free_vm(p->vms[i]);
	}
	free(p->vms);
	free(p->takes);
	while ((l = p->lines) != NULL) {
		p->lines = l->next;
		rate_free(l->rate);
		free(l);
	}
	schedule_free(p->schedule);
	rate_free(p->rate);
}
