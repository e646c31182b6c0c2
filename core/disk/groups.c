#include "disk/groups.h"

#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "base/say.h"

uint64_t
groups_of(uint64_t size)
{
	uint64_t group = LIMIT_BLOCK * (uint64_t)LEAF_GROUP;

	return ((size + group - 1) / group);
}

int
groups_start(struct groups *G, uint64_t size)
{
	G->blocks = (size + LIMIT_BLOCK - 1) / LIMIT_BLOCK;
	G->first = G->at = 0;
	memset(G->leaves, 0, sizeof G->leaves);
	if (G->batch == NULL && (G->batch = malloc(GROUPS_BATCH * sizeof *G->batch)) == NULL)
		return (say_failed("out of memory"));
	return (0);
}

void
groups_free(struct groups *G)
{
	free(G->batch);
	G->batch = NULL;
}

static int
flush(struct groups *G)
{
	uint64_t first = G->first;

	G->first = G->at;
	return (G->at == first ? 0 : G->take(G->context, first, (size_t)(G->at - first), G->batch));
}

/* The group at G->at is complete. */
static int
close_group(struct groups *G)
{
	G->batch[G->at - G->first] = leaf_group(G->secret, G->leaves);
	memset(G->leaves, 0, sizeof G->leaves);
	G->at++;
	return (G->at - G->first == GROUPS_BATCH ? flush(G) : 0);
}

/* Close groups up to that one: all behind the first of them are zero. */
static int
go_to(struct groups *G, uint64_t group)
{
	int rc = 0;

	if (G->at < group)
		rc = close_group(G);
	while (rc == 0 && G->at < group) {
		uint64_t room = GROUPS_BATCH - (G->at - G->first),
		         n = group - G->at < room ? group - G->at : room;

		memset(G->batch + (G->at - G->first), 0, (size_t)n * sizeof *G->batch);
		G->at += n;
		if (n == room)
			rc = flush(G);
	}
	return (rc);
}

int
groups_add(struct groups *G, uint64_t start, size_t n, const uint64_t *leaves)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		if ((rc = go_to(G, (start + i) / LEAF_GROUP)) == 0)
			G->leaves[(start + i) % LEAF_GROUP] = leaves[i];
	}
	return (rc);
}

int
groups_end(struct groups *G)
{
	int rc = go_to(G, (G->blocks + LEAF_GROUP - 1) / LEAF_GROUP);

	return (rc == 0 ? flush(G) : rc);
}
