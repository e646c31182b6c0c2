#include "schedule/routes.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "name.h"
#include "schedule/window.h"
#include "setting.h"

#define PARALLEL_MAX 64u

static const char *
set_text(char *out, size_t size, const char *value, const char *too_long)
{
	if (value[0] == '\0' || out[0] != '\0')
		return ("has a word that is empty, or there twice");
	if (strlen(value) >= size)
		return (too_long);
	strcpy(out, value);
	return (NULL);
}

static const char *
set_parallel(unsigned *out, const char *value)
{
	uint64_t v;

	if (setting_number(value, &v) != NULL || v < 1 || v > PARALLEL_MAX)
		return ("has a parallel= that is not a number from 1 to 64");
	*out = (unsigned)v;
	return (NULL);
}

static const char *
set_initial(char out[ROUTES_INITIAL], const char *value)
{
	struct window W;

	if (window_parse(&W, value) != NULL)
		return ("has an initial= that is none; say 22:00-06:00, or Mon-Fri 20:00-06:00, Sat-Sun");
	return (set_text(out, ROUTES_INITIAL, value, "has an initial= that is too long"));
}

static const char *
set_folder(char out[PATH_MAX], const char *value)
{
	return (value[0] != '/' ? "names a folder by a path that does not start with '/'"
	                        : set_text(out, PATH_MAX, value, "has a path that is too long"));
}

static const char *
set(struct route *r, const char *key, const char *value)
{
	if (strcmp(key, "site") == 0)
		return (name_check(value) != NULL ? "has a site= that is no name"
		                                  : set_text(r->site, sizeof r->site, value, NULL));
	if (strcmp(key, "via") == 0)
		return (set_text(r->via, sizeof r->via, value, "has a via= that is too long"));
	if (strcmp(key, "mailbox") == 0)
		return (set_folder(r->mailbox, value));
	if (strcmp(key, "take") == 0)
		return (set_folder(r->take, value));
	if (strcmp(key, "rate") == 0)
		return (
		    setting_size(value, &r->rate) != NULL ? "has a rate= that is no size, such as 2M" : NULL);
	if (strcmp(key, "every") == 0)
		return (setting_time(value, &r->every) != NULL || r->every == 0
		            ? "has an every= that is no time, such as 5m"
		            : NULL);
	if (strcmp(key, "parallel") == 0)
		return (set_parallel(&r->parallel, value));
	if (strcmp(key, "initial") == 0)
		return (set_initial(r->initial, value));
	return ("has a word that is none: site, via, mailbox, take, every, rate, parallel and initial are");
}

/* What goes with what. */
static const char *
check(const struct route *r)
{
	int is_site = r->site[0] != '\0', has_way = r->via[0] != '\0' || r->mailbox[0] != '\0';

	if (r->take[0] != '\0')
		return (is_site || has_way || r->rate != 0 || r->parallel != 0 || r->initial[0] != '\0'
		            ? "has more than every= beside take="
		            : NULL);
	if (r->every != 0)
		return ("has every= without take=");
	if (!is_site && has_way)
		return ("has a way to a site that it does not name: site= is missing");
	if (is_site && (r->via[0] != '\0') == (r->mailbox[0] != '\0'))
		return ("has a site, and not one of via= and mailbox=");
	if (r->mailbox[0] != '\0' && (r->rate != 0 || r->parallel != 0))
		return ("has rate= or parallel= beside mailbox=: they are for lines");
	return (NULL);
}

static const char *
decode_line(struct route *r, const char *line)
{
	char key[16], value[PATH_MAX];
	const char *why;
	int rc;

	memset(r, 0, sizeof *r);
	while ((rc = setting_next(&line, key, sizeof key, value, sizeof value)) == 0)
		if ((why = set(r, key, value)) != NULL)
			return (why);
	return (rc < 0 ? "is not made of words such as site=\"dr\"" : check(r));
}

/* A line without a site holds for all of them. */
static const char *
take_line(struct routes *T, const struct route *r)
{
	if (r->site[0] == '\0' && r->take[0] == '\0') {
		if (T->has_overall)
			return ("is the second one that is for all sites");
		T->has_overall = 1;
		T->rate = r->rate;
		T->parallel = r->parallel;
		strcpy(T->initial, r->initial);
		return (NULL);
	}
	if (r->site[0] != '\0' && routes_to(T, r->site) != NULL)
		return ("names a site that another line has");
	if (T->n == ROUTES_MAX)
		return ("is one too many");
	T->routes[T->n++] = *r;
	return (NULL);
}

const char *
routes_decode(struct routes *T, const char *text, unsigned *line)
{
	char *copy = strdup(text), *rest = copy, *s;
	struct route *r = malloc(sizeof *r);
	const char *why = NULL;
	size_t lines = 1;

	*T = (struct routes){ 0 };
	for (const char *p = text; lines < ROUTES_MAX && (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	*line = 0;
	if (copy == NULL || r == NULL || (T->routes = calloc(lines, sizeof *T->routes)) == NULL)
		why = "cannot be read: out of memory";
	while (why == NULL && (s = strsep(&rest, "\n")) != NULL) {
		++*line;
		if (s[strspn(s, " \t")] == '\0' || s[strspn(s, " \t")] == '#')
			continue;
		if ((why = decode_line(r, s)) == NULL) {
			r->line = *line;
			why = take_line(T, r);
		}
	}
	free(r);
	free(copy);
	if (why != NULL)
		routes_free(T);
	return (why);
}

void
routes_free(struct routes *T)
{
	free(T->routes);
	*T = (struct routes){ 0 };
}

int
routes_read(struct routes *T, const char *home)
{
	char path[PATH_MAX], *text;
	const char *why;
	unsigned line;
	size_t size;
	int rc;

	*T = (struct routes){ 0 };
	if (io_path(path, "%s/routes", home) != 0 || (rc = io_exists(path)) < 0)
		return (-1);
	if (rc == 0)
		return (0);
	if ((text = io_slurp(path, ROUTES_TEXT, &size)) == NULL)
		return (-1);
	why = routes_decode(T, text, &line);
	free(text);
	return (why == NULL ? 0 : say_refused("%s: line %u %s", path, line, why));
}

const struct route *
routes_to(const struct routes *T, const char *site)
{
	for (unsigned i = 0; i < T->n; i++)
		if (T->routes[i].site[0] != '\0' && strcmp(T->routes[i].site, site) == 0)
			return (&T->routes[i]);
	return (NULL);
}
