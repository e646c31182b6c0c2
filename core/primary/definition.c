#include "primary/definition.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/say.h"
#include "bundle/vmtext.h"

int
definition_read(const char *dir, char **text)
{
	char path[PATH_MAX];
	const char *why;
	size_t n;
	int there;

	*text = NULL;
	if (io_path(path, "%s/definition", dir) != 0 || (there = io_exists(path)) < 0)
		return (-1);
	if (there == 0)
		return (0);
	if ((*text = io_slurp(path, LIMIT_DEFINITION, &n)) == NULL)
		return (-1);
	if ((why = vmtext_check(*text, n)) == NULL)
		return (0);
	say_note("%s: %s; it is passed over", path, why);
	free(*text);
	*text = NULL;
	return (0);
}

int
definition_write(const char *dir, const char *text)
{
	char path[PATH_MAX];

	return (io_path(path, "%s/definition", dir) != 0 ? -1 : io_replace(path, text, strlen(text), 0600));
}

int
definition_take(struct cut *c, const char *text)
{
	const char *why = text == NULL ? NULL : vmtext_check(text, strlen(text));

	if (why != NULL)
		say_note("%s: %s; it does not go along", c->P->vm, why);
	free(c->definition);
	c->definition = NULL;
	if (text == NULL || why != NULL)
		return (0);
	return ((c->definition = strdup(text)) == NULL ? say_failed("out of memory") : 0);
}

/* What the host tells now is what is known from here on; where it tells nothing, that is what it told last. */
static int
settle(struct cut *c)
{
	char *have;
	int rc = 0;

	if (definition_read(c->P->dir, &have) != 0)
		return (-1);
	if (c->definition == NULL) {
		c->definition = have;
		return (0);
	}
	if (have == NULL || strcmp(have, c->definition) != 0)
		rc = definition_write(c->P->dir, c->definition);
	free(have);
	return (rc);
}

static int
is_news(const struct primary *P, const struct header_definition *d)
{
	return (!P->has_definition || memcmp(P->definition, d->digest, HEADER_DIGEST) != 0);
}

void
definition_leave_out(struct ship *s)
{
	say_note(
	    "%s: its definition is too long to be carried in a bundle: it does not go along", s->cut->P->vm);
	memset(&s->header.definition, 0, sizeof s->header.definition);
}

int
definition_put(struct ship *s)
{
	struct header_definition *d = &s->header.definition;
	struct cut *c = s->cut;
	int rc;

	if (settle(c) != 0)
		return (-1);
	if (c->definition == NULL)
		return (0);
	d->is_known = 1;
	vmtext_digest(d->digest, c->P->leaf_seed, c->definition);
	/* Disks that were compared are of whatever point: nobody knows what there is beside them. */
	if (c->base != 0 && c->against == NULL && !is_news(c->P, d) && c->base >= c->P->definition_seq)
		return (0);
	if ((rc = vmtext_seal(d, &s->pack.crypt, c->definition)) > 0)
		definition_leave_out(s);
	return (rc < 0 ? -1 : 0);
}

void
definition_commit(struct primary *P, const struct header *H)
{
	const struct header_definition *d = &H->definition;

	if (!d->is_known || !is_news(P, d))
		return;
	P->has_definition = 1;
	memcpy(P->definition, d->digest, HEADER_DIGEST);
	P->definition_seq = H->to.seq;
}
