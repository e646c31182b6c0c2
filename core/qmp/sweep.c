#include "qmp/sweep.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/say.h"

#define PAUSE 10      /* milliseconds between two looks */
#define PATIENCE 8000 /* until what was told to end has ended */

void
sweep_mark(char out[SWEEP_MARK], const char *prefix)
{
	unsigned char h[crypto_generichash_BYTES_MIN];

	crypto_generichash(h, sizeof h, (const unsigned char *)prefix, strlen(prefix), NULL, 0);
	snprintf(out, SWEEP_MARK, "vmf-%02x%02x%02x%02x%02x%02x-", h[0], h[1], h[2], h[3], h[4], h[5]);
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return (s == NULL ? "" : s);
}

static int
starts(const char *s, const char *with)
{
	return (with[0] != '\0' && strncmp(s, with, strlen(with)) == 0);
}

/* --- what has a mark ---------------------------------------------------------------------------------------- */

/* A kind of thing that is listed, and removed one by one. */
struct kind {
	const char *list, *key;             /* the command that lists them, and where the name is */
	const char *remove, *name, *option; /* the command, its argument, and one that is true or a word */
	const char *word;                   /* of option; NULL: true; without option: nothing */
};

static const struct kind exports = { "query-block-exports", "id", "block-export-del", "id", "mode", "hard" };
static const struct kind jobs = { "query-block-jobs", "device", "block-job-cancel", "device", "force", NULL };
static const struct kind nodes = { "query-named-block-nodes", "node-name", "blockdev-del", "node-name", NULL,
	NULL };

static int
list(struct monitor *M, const struct kind *k, json_t **out)
{
	return (monitor_must(M, k->list, k == &nodes ? json_pack("{s:b}", "flat", 1) : NULL, out));
}

static int
remove_one(struct monitor *M, const struct kind *k, const char *name)
{
	json_t *o = json_pack("{s:s}", k->name, name);

	if (o != NULL && k->option != NULL)
		json_object_set_new(o, k->option, k->word == NULL ? json_true() : json_string(k->word));
	return (monitor_ask(M, k->remove, o, NULL));
}

/* Have all with that mark removed: how many there were, and of others; -1, said. */
static int
look(struct monitor *M, const struct kind *k, const char *mark, int *others)
{
	json_t *a = NULL, *one;
	size_t i;
	int n = 0, rc;

	if (list(M, k, &a) != 0)
		return (-1);
	*others = 0;
	json_array_foreach (a, i, one) {
		if (!starts(text_of(one, k->key), mark)) {
			++*others;
			continue;
		}
		n++;
		/* What is being removed already is refused. */
		if ((rc = remove_one(M, k, text_of(one, k->key))) < 0)
			n = -1;
		if (rc < 0)
			break;
	}
	json_decref(a);
	return (n);
}

/* Remove them and wait until they are gone: how many there were; -1, said. */
static int
remove_all(struct monitor *M, const struct kind *k, const char *mark, int *others)
{
	int64_t until = clock_ms() + PATIENCE;
	int were = look(M, k, mark, others), n = were;

	while (n > 0 && clock_ms() < until)
		n = monitor_listen(M, PAUSE) != 0 ? -1 : look(M, k, mark, others);
	if (n > 0)
		return (say_failed("QEMU does not end what a view left in it: %s", monitor_words(M)));
	return (n < 0 ? -1 : were);
}

static int
count_nodes(struct monitor *M, const char *mark)
{
	json_t *a = NULL, *one;
	size_t i;
	int n = 0;

	if (list(M, &nodes, &a) != 0)
		return (-1);
	json_array_foreach (a, i, one)
		n += starts(text_of(one, "node-name"), mark);
	json_decref(a);
	return (n);
}

/* --- bitmaps ------------------------------------------------------------------------------------------------ */

static int
is_frozen_copy(const char *name)
{
	size_t n = strlen(name), k = strlen(SWEEP_FROZEN);

	return (n > k && strcmp(name + n - k, SWEEP_FROZEN) == 0);
}

/* Which of them go: all but two, or the frozen copies. */
struct choice {
	const char *prefix, *keep1, *keep2;
	int only_frozen;
};

static int
goes(const struct choice *c, const char *name)
{
	if (!starts(name, c->prefix) || (c->only_frozen && !is_frozen_copy(name)))
		return (0);
	return (strcmp(name, c->keep1) != 0 && strcmp(name, c->keep2) != 0);
}

static int
remove_bitmaps(struct monitor *M, const struct choice *c)
{
	json_t *a = NULL, *node, *bitmap;
	size_t i, k;
	int rc = list(M, &nodes, &a);

	json_array_foreach (a, i, node) {
		json_array_foreach (json_object_get(node, "dirty-bitmaps"), k, bitmap)
			if (rc == 0 && goes(c, text_of(bitmap, "name")))
				rc = monitor_must(M, "block-dirty-bitmap-remove",
				    json_pack("{s:s,s:s}", "node", text_of(node, "node-name"), "name",
				        text_of(bitmap, "name")),
				    NULL);
	}
	json_decref(a);
	return (rc);
}

int
sweep_bitmaps(struct monitor *M, const char *prefix, const char *keep1, const char *keep2)
{
	return (remove_bitmaps(M, &(struct choice){ prefix, keep1, keep2, 0 }));
}

/* --- a view ------------------------------------------------------------------------------------------------- */

/*
 * QEMU has one NBD server.  A view starts it behind its nodes, having seen that there is none, and stops it before them: so
 * where such nodes are, it is ours, unless somebody exports something else.
 */
int
sweep_view(struct monitor *M, const char *prefix)
{
	char mark[SWEEP_MARK];
	int is_ours, others = 0, unused;

	sweep_mark(mark, prefix);
	if ((is_ours = count_nodes(M, mark)) < 0 || remove_all(M, &exports, mark, &others) < 0)
		return (-1);
	if (is_ours > 0 && others == 0 && monitor_ask(M, "nbd-server-stop", NULL, NULL) < 0)
		return (-1);
	if (remove_all(M, &jobs, mark, &unused) < 0 || remove_all(M, &nodes, mark, &unused) < 0)
		return (-1);
	return (remove_bitmaps(M, &(struct choice){ prefix, "", "", 1 }));
}
