#include "status/status.h"

#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/pipeline.h"
#include "base/say.h"
#include "status/metrics.h"
#include "status/status_json.h"
#include "status/status_view.h"

/* A replication, as it is to be shown: as a text, or as metrics. */
struct item {
	int is_replica;
	char uuid[HEADER_UUID];
	int rc; /* 0; 1: it is not shown; -1: it could not be read */
	char *vm, *text;
	size_t size;
	unsigned lines;
	int is_normal;
	struct metrics *metrics;
};

struct showing {
	struct status_view view;
	const struct status_options *o;
	struct terminal terminal;
	int is_replica; /* while they are found */
	size_t n, room, next;
	struct item *items;
	int rc;
};

/* --- each --------------------------------------------------------------------------------------------- */

static int
put_text(const struct showing *w, FILE *out, const struct status_line *l)
{
	json_t *o;
	int rc;

	if (w->o->form == STATUS_TEXT) {
		status_print(out, &w->terminal, l);
		status_print_figures(out, &w->terminal, l);
		return (0);
	}
	o = status_json(l, w->view.S);
	rc = o == NULL ? -1 : json_dumpf(o, out, JSON_INDENT(1));
	json_decref(o);
	return (rc);
}

struct showing_one {
	const struct showing *w;
	struct item *item;
};

static int
show(void *context, const struct status_line *l)
{
	const struct showing_one *one = context;
	struct item *i = one->item;
	FILE *out;

	i->is_normal = l->health->grade == HEALTH_NORMAL;
	if ((i->vm = strdup(l->vm)) == NULL)
		return (say_failed("out of memory"));
	if (one->w->o->form >= STATUS_PROMETHEUS) {
		i->metrics = metrics_of(l, l->P);
		return (i->metrics == NULL ? say_failed("out of memory") : 0);
	}
	if ((out = open_memstream(&i->text, &i->size)) == NULL)
		return (say_failed("out of memory"));
	__fsetlocking(out, FSETLOCKING_BYCALLER);
	if (put_text(one->w, out, l) != 0) {
		fclose(out);
		return (say_failed("out of memory"));
	}
	if (fclose(out) != 0)
		return (say_failed("out of memory"));
	for (size_t k = 0; k < i->size; k++)
		i->lines += i->text[k] == '\n';
	return (0);
}

/* --- all of them, on all processors ------------------------------------------------------------------- */

static int
add(void *context, const char *uuid)
{
	struct showing *w = context;
	struct item *i;

	if (w->n == w->room) {
		size_t room = 2 * w->room + 64;
		struct item *more = realloc(w->items, room * sizeof *more);

		if (more == NULL)
			return (say_failed("out of memory"));
		w->items = more;
		w->room = room;
	}
	i = &w->items[w->n++];
	memset(i, 0, sizeof *i);
	strcpy(i->uuid, uuid);
	i->is_replica = w->is_replica;
	return (0);
}

static int
find_all(struct showing *w)
{
	if (primary_each(w->view.S, add, w) != 0)
		return (-1);
	w->is_replica = 1;
	return (replica_each(w->view.S, add, w));
}

struct slot {
	struct item *item;
};

static int
fill(void *context, void *slot)
{
	struct showing *w = context;

	if (w->next == w->n)
		return (1);
	((struct slot *)slot)->item = &w->items[w->next++];
	return (0);
}

static int
work(void *context, void *slot)
{
	struct showing *w = context;
	struct item *i = ((struct slot *)slot)->item;
	struct showing_one one = { w, i };

	i->rc = i->is_replica ? status_view_replica(&w->view, i->uuid, &one)
	                      : status_view_primary(&w->view, i->uuid, &one);
	return (0);
}

/* One that cannot be read is not in the way of the others. */
static int
drain(void *context, void *slot)
{
	struct showing *w = context;

	if (((struct slot *)slot)->item->rc < 0)
		w->rc = -1;
	return (0);
}

static int
make(void *context, void **slot)
{
	(void)context;
	*slot = calloc(1, sizeof(struct slot));
	return (*slot == NULL ? say_failed("out of memory") : 0);
}

static int
gather(struct showing *w)
{
	const struct pipeline P = { w, fill, work, drain, make, free };

	w->view.show = show;
	pthread_mutex_init(&w->view.lock, NULL);
	if (find_all(w) != 0 || pipeline_run(&P) != 0)
		w->rc = -1;
	pthread_mutex_destroy(&w->view.lock);
	return (w->rc);
}

/* --- on standard output ------------------------------------------------------------------------------- */

/* By side and name; what is not shown comes last. */
static int
compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int c;

	if ((x->vm == NULL) != (y->vm == NULL))
		return (x->vm == NULL ? 1 : -1);
	if (x->vm == NULL)
		return (strcmp(x->uuid, y->uuid));
	if (x->is_replica != y->is_replica)
		return (x->is_replica - y->is_replica);
	c = strcmp(x->vm, y->vm);
	return (c != 0 ? c : strcmp(x->uuid, y->uuid));
}

/* On a terminal all of it, or, where that is too much for one, what needs a look. */
static void
put_lines(const struct showing *w, size_t n)
{
	const struct terminal *t = &w->terminal;
	size_t lines = 2;
	unsigned normal = 0;
	int is_short;

	for (size_t i = 0; i < n; i++)
		lines += w->items[i].lines;
	is_short = t->is_one && t->rows != 0 && w->o->vm == NULL && lines > t->rows;
	for (size_t i = 0; i < n; i++)
		normal += is_short && w->items[i].is_normal;
	if (n > normal)
		status_print_head(stdout, t);
	for (size_t i = 0; i < n; i++)
		if (!is_short || !w->items[i].is_normal)
			fwrite(w->items[i].text, 1, w->items[i].size, stdout);
	if (normal > 0)
		status_print_rest(stdout, t, normal, (unsigned)n);
}

/* As one array: each is indented once more. */
static void
put_json(const struct showing *w, size_t n)
{
	fputs("[", stdout);
	for (size_t i = 0; i < n; i++) {
		const char *text = w->items[i].text, *end = text + w->items[i].size, *nl;

		fputs(i == 0 ? "\n " : ",\n ", stdout);
		for (; (nl = memchr(text, '\n', (size_t)(end - text))) != NULL; text = nl + 1) {
			fwrite(text, 1, (size_t)(nl + 1 - text), stdout);
			putchar(' ');
		}
		fwrite(text, 1, (size_t)(end - text), stdout);
	}
	fputs(n == 0 ? "]\n" : "\n]\n", stdout);
}

static int
put_metrics(const struct showing *w, size_t n)
{
	struct metrics **all = calloc(n + 1, sizeof(struct metrics *));

	if (all == NULL)
		return (say_failed("out of memory"));
	for (size_t i = 0; i < n; i++)
		all[i] = w->items[i].metrics;
	metrics_write(
	    stdout, all, n, site_card(w->view.S)->name, w->view.now, w->o->form == STATUS_OPENMETRICS);
	free(all);
	return (0);
}

static int
put(struct showing *w)
{
	size_t n = 0;

	if (w->n > 0)
		qsort(w->items, w->n, sizeof *w->items, compare);
	while (n < w->n && w->items[n].vm != NULL)
		n++;
	/* A record that could not be read may be the one that is asked for. */
	if (w->o->vm != NULL && n == 0 && w->rc == 0)
		return (say_refused("%s: no such VM is replicated here", w->o->vm));
	if (w->o->form == STATUS_TEXT)
		put_lines(w, n);
	else if (w->o->form == STATUS_JSON)
		put_json(w, n);
	else
		return (put_metrics(w, n) != 0 ? -1 : w->rc);
	return (w->rc);
}

/* What failed half-way is not shown. */
static void
drop_failed(struct showing *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->items[i].text == NULL && w->items[i].metrics == NULL) {
			free(w->items[i].vm);
			w->items[i].vm = NULL;
		}
}

int
status(const struct site *S, const struct status_options *o)
{
	struct showing w = { .o = o, .terminal = terminal_of(STDOUT_FILENO) };
	int rc;

	w.view.S = S;
	w.view.vm = o->vm;
	w.view.now = (int64_t)time(NULL);
	w.view.has_more = o->form == STATUS_JSON;
	/* One line of many has no room for figures. */
	if (o->form != STATUS_TEXT || o->vm != NULL)
		w.view.interval = o->interval != 0 ? o->interval : FIGURES_INTERVAL;
	gather(&w);
	drop_failed(&w);
	__fsetlocking(stdout, FSETLOCKING_BYCALLER);
	rc = put(&w);
	for (size_t i = 0; i < w.n; i++) {
		free(w.items[i].vm);
		free(w.items[i].text);
		metrics_free(w.items[i].metrics);
	}
	free(w.items);
	return (rc);
}

int
status_reset(const struct site *S, const char *vm)
{
	char uuid[HEADER_UUID], dir[PATH_MAX];
	int primary = primary_find(S, vm, uuid), replica, rc = 0;

	if (primary < 0 || (primary > 0 && (io_path(dir, "%s/primaries/%s", site_home(S), uuid) != 0 ||
	                                       tally_reset(dir) != 0)))
		return (-1);
	if ((replica = replica_find(S, vm, uuid)) < 0 ||
	    (replica > 0 &&
	        (io_path(dir, "%s/replicas/%s", site_home(S), uuid) != 0 || tally_reset(dir) != 0)))
		rc = -1;
	if (rc == 0 && primary == 0 && replica == 0)
		rc = say_refused("%s: no such VM is replicated here", vm);
	return (rc);
}
