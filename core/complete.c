#include "complete.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "primary/primary.h"
#include "replica/replica.h"
#include "site/site.h"

/* What is known when the last word is reached. */
struct asked {
	const char *home;
	char path[64];                   /* of the table */
	const struct complete_row *open; /* the option that waits for its value, or NULL */
	const char *word;                /* the start of what is asked for */
	const char *before;              /* that is printed in front of each candidate: "--to=" */
	int before_length;
	int only_words; /* "--" was among them */
	struct site *S;
};

static const struct complete_row *
find(const char *path, const char *token)
{
	for (const struct complete_row *r = complete_table; r->path != NULL; r++)
		if (strcmp(r->path, path) == 0 && strcmp(r->token, token) == 0)
			return (r);
	return (NULL);
}

/* Is s, of that length, one of the words divided by '|'? */
static int
has_value(const char *values, const char *s, size_t length)
{
	for (const char *at = values; at != NULL && *at != '\0'; at = strchr(at, '|')) {
		at += *at == '|';
		if (strcspn(at, "|") == length && strncmp(at, s, length) == 0)
			return (1);
	}
	return (0);
}

static void
offer(const struct asked *a, const char *candidate, size_t length, const char *text)
{
	if (strncmp(candidate, a->word, strlen(a->word)) != 0)
		return;
	printf("%.*s%.*s%s%s\n", a->before_length, a->before, (int)length, candidate,
	    *text == '\0' ? "" : "\t", text);
}

/* --- names of this site ------------------------------------------------------------------------------- */

static int
offer_primary(void *context, const char *uuid)
{
	const struct asked *a = context;
	struct primary *P;

	if (primary_look(&P, a->S, uuid) != 0)
		return (0);
	offer(a, P->vm, strlen(P->vm), "");
	primary_close(P);
	return (0);
}

static int
offer_replica(void *context, const char *uuid)
{
	const struct asked *a = context;
	struct replica *R;

	if (replica_look(&R, a->S, uuid) != 0)
		return (0);
	offer(a, R->vm, strlen(R->vm), "");
	replica_close(R);
	return (0);
}

static void
offer_sites(const struct asked *a)
{
	const struct trust *T = site_trust(a->S);

	for (size_t i = 0; i < T->n; i++)
		offer(a, T->entries[i].card.name, strlen(T->entries[i].card.name), "");
}

/* What that kind stands for here; a home that is not there has nothing. */
static void
offer_named(struct asked *a, const char *values)
{
	int vms = has_value(values, "@vm", 3), sites = has_value(values, "@site", 5);

	if ((!vms && !sites) || site_exists(a->home) != 1 || (a->S = site_open(a->home)) == NULL)
		return;
	if (sites)
		offer_sites(a);
	if (vms) {
		primary_each(a->S, offer_primary, a);
		replica_each(a->S, offer_replica, a);
	}
	site_close(a->S);
	a->S = NULL;
}

/* --- the words ---------------------------------------------------------------------------------------- */

static void
say_kind(const char *values)
{
	puts(has_value(values, "@file", 5) ? "files" : has_value(values, "@dir", 4) ? "directories" : "none");
}

static void
offer_values(struct asked *a, const char *values)
{
	const char *row_text;
	char verb[64];

	for (const char *at = values; *at != '\0';) {
		size_t length = strcspn(at, "|");

		row_text = "";
		if (length < sizeof verb) {
			const struct complete_row *r;

			memcpy(verb, at, length);
			verb[length] = '\0';
			if (a->path[0] == '\0' && (r = find("", verb)) != NULL)
				row_text = r->text;
		}
		if (*at != '@' && *at != '*')
			offer(a, at, length, row_text);
		at += length;
		at += *at == '|';
	}
	offer_named(a, values);
}

static void
offer_options(const struct asked *a)
{
	for (const struct complete_row *r = complete_table; r->path != NULL; r++)
		if (strcmp(r->path, a->path) == 0 && strncmp(r->token, "--", 2) == 0 &&
		    strcmp(r->token, "--help") != 0)
			offer(a, r->token, strlen(r->token), r->text);
	offer(a, "--help", 6, "Print a short help and exit");
}

/* A word that is whole: where does it lead? */
static void
pass(struct asked *a, const char *word)
{
	const struct complete_row *r;
	char path[sizeof a->path];
	int n;

	if (a->open != NULL) {
		if (strcmp(a->open->token, "--home") == 0)
			a->home = word;
		a->open = NULL;
	} else if (a->only_words) {
		return;
	} else if (strcmp(word, "--") == 0) {
		a->only_words = 1;
	} else if (strncmp(word, "--home=", 7) == 0) {
		a->home = word + 7;
	} else if (word[0] == '-') {
		r = find(a->path, word);
		a->open = r != NULL && r->values[0] != '\0' ? r : NULL;
	} else {
		n = snprintf(path, sizeof path, "%s%s%s", a->path, a->path[0] == '\0' ? "" : " ", word);
		if (n > 0 && (size_t)n < sizeof path)
			for (r = complete_table; r->path != NULL; r++)
				if (strcmp(r->path, path) == 0) {
					strcpy(a->path, path);
					break;
				}
	}
}

/* The word to be completed may be "--option=value" itself. */
static void
split(struct asked *a, const char *word)
{
	const char *equals = strchr(word, '=');
	char option[64];

	a->before = a->word = word;
	if (a->open != NULL || a->only_words || word[0] != '-' || equals == NULL ||
	    (size_t)(equals - word) >= sizeof option)
		return;
	memcpy(option, word, (size_t)(equals - word));
	option[equals - word] = '\0';
	if ((a->open = find(a->path, option)) == NULL)
		return;
	a->word = equals + 1;
	a->before_length = (int)(a->word - word);
}

int
complete(const char *home, unsigned n, char *const words[])
{
	struct asked a = { .home = home };
	const struct complete_row *r;

	for (unsigned i = 0; i + 1 < n; i++)
		pass(&a, words[i]);
	split(&a, words[n - 1]);
	if (a.open == NULL && !a.only_words && a.word[0] == '-') {
		puts("none");
		offer_options(&a);
		return (0);
	}
	r = a.open != NULL ? a.open : find(a.path, "");
	say_kind(r == NULL ? "" : r->values);
	if (r != NULL)
		offer_values(&a, r->values);
	return (0);
}
