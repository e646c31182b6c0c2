#include "gather.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "bundle/infile.h"
#include "import.h"
#include "primary/primary.h"
#include "replica/forward.h"
#include "side.h"
#include "site/keys.h"

struct gathering {
	struct site *S;
	const struct medium *M;
};

/* --- key lists ---------------------------------------------------------------------------------------- */

/* Is it the list of a site that is known here, and does it say more than the one that was taken? */
static int
is_new(const struct site *S, const char *text, size_t n)
{
	struct keylist *L = malloc(sizeof *L);
	const struct trust_entry *e = NULL;
	int new;

	if (L == NULL || keylist_decode(L, text, n) != NULL) {
		free(L);
		return (0);
	}
	for (unsigned i = 0; e == NULL && i < L->n; i++)
		e = trust_by_key(site_trust(S), L->keys[i].sign);
	/* A site that has had one key only has nothing to tell. */
	new = e != NULL && L->version > (e->version == 0 ? 1 : e->version);
	free(L);
	return (new);
}

static int
take_keys(void *context, const char *name)
{
	struct gathering *g = context;
	char path[PATH_MAX], *text;
	size_t n;
	int rc;

	if (medium_path(g->M, name, path) != 0)
		return (-1);
	/* One that cannot be read, or is too large, was said and is no reason to leave the others. */
	if (medium_read(g->M, name, KEYLIST_MAX, &text, &n) != 0)
		return (0);
	rc = is_new(g->S, text, n) ? keys_take(g->S, text, n, path) : 0;
	free(text);
	return (rc < 0 ? -1 : 0);
}

int
gather_leave_keys(const struct site *S, const struct medium *M)
{
	const struct keylist *L = site_keys(S);
	char name[FILENAME_SIZE], *text = NULL, *old = NULL;
	size_t n, m;
	int rc;

	if (!medium_can_write(M) || L->n < 2)
		return (0);
	if (keys_publish(S, &text, &n) != 0)
		return (-1);
	filename_keys(name, site_card(S)->name, L->keys[0].sign);
	rc = medium_read(M, name, KEYLIST_MAX, &old, &m);
	rc = rc == 0 && n == m && memcmp(text, old, n) == 0 ? 0 : medium_put(M, name, text, n);
	free(text);
	free(old);
	return (rc);
}

int
gather_leave_keys_at(const struct site *S, const char *dir)
{
	struct medium *M;
	int rc = medium_open(&M, dir, MEDIUM_LEAVE, NULL);

	if (rc == 0)
		rc = gather_leave_keys(S, M);
	medium_close(M);
	return (rc);
}

/* --- receipts ----------------------------------------------------------------------------------------- */

/* Has that site said so before, of that epoch or a later one? */
static int
is_claimed(const struct primary *P, const struct trust_entry *e, uint64_t epoch)
{
	for (unsigned i = 0; i < P->role.nclaims; i++) {
		const struct role_claim *c = &P->role.claims[i];

		if (trust_has_key(e, c->site) && history_epoch(&c->history) >= epoch)
			return (1);
	}
	return (0);
}

/* Does it tell a primary of ours, or a replica that forwards, what it does not know: more points, or that another one is the primary? */
static int
is_news(const struct site *S, const struct holdings_bundle *b)
{
	const struct trust_entry *e = trust_by_key(site_trust(S), b->key);
	const struct primary_target *t;
	char uuid[HEADER_UUID];
	struct primary *P;
	int news;

	if (b->type != BUNDLE_RECEIPT || e == NULL || b->nvolumes == 0)
		return (0);
	if (side_is_replica(S, b->uuid) == 1)
		return (forward_is_news(S, e, b->uuid, &b->to) == 1);
	if (primary_find(S, b->uuid, uuid) != 1 || primary_look(&P, S, uuid) != 0)
		return (0);
	t = primary_target_of(P, e);
	news = t != NULL && memcmp(b->lineage, P->lineage, RECORD_ID) == 0 &&
	       (b->epoch > primary_epoch(P) || b->is_primary ? !is_claimed(P, e, b->epoch)
	                                                     : b->to.seq > t->acked);
	primary_close(P);
	return (news);
}

static int
take_receipt(const struct gathering *g, const char *name)
{
	const struct import_options o = { .input = NULL };
	char path[PATH_MAX];
	struct infile *F;
	int fd, rc;

	if (medium_path(g->M, name, path) != 0)
		return (-1);
	if ((fd = medium_file(g->M, name)) < 0)
		return (0);
	if (infile_take(&F, fd, path) != 0)
		return (-1);
	rc = import_file(g->S, &o, F, NULL);
	infile_close(F);
	return (rc < 0 ? -1 : 0);
}

int
gather(struct site *S, const struct medium *M, const struct holdings *C)
{
	struct gathering g = { S, M };
	int rc = medium_each(M, ".keys", take_keys, &g);

	for (size_t i = 0; rc == 0 && i < C->n; i++)
		if (is_news(S, &C->bundles[i]))
			rc = take_receipt(&g, C->bundles[i].volumes[0].name);
	return (rc);
}

/* --- apart -------------------------------------------------------------------------------------------- */

static int
gather_here(struct site *S, const char *dir, int insist)
{
	struct medium *M;
	struct holdings C;
	int rc = medium_open(&M, dir, MEDIUM_READ, NULL);

	if (rc == 0 && (rc = import_confine(S, medium_folder(M), insist)) == 0 &&
	    (rc = holdings_read(&C, M, 0)) == 0) {
		rc = gather(S, M, &C);
		holdings_free(&C);
	}
	medium_close(M);
	return (rc);
}

static int
read_again(struct trust *T, void *context)
{
	(void)T;
	(void)context;
	return (SITE_SAME);
}

int
gather_apart(struct site *S, const char *dir, int insist)
{
	char folder[PATH_MAX];
	int status = 0, there;
	pid_t child;

	if (io_path(folder, "%s/vmferry", dir) != 0 || (there = io_exists(folder)) < 0)
		return (-1);
	if (!there)
		return (0);
	fflush(stdout);
	if ((child = fork()) < 0)
		return (say_failed("cannot start another process: %s", strerror(errno)));
	if (child == 0)
		_exit(say_exit(gather_here(S, dir, insist)));
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return (say_failed("cannot wait for another process: %s", strerror(errno)));
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return (-1);
	/* It may have taken new keys. */
	return (site_change_trust(S, read_again, NULL) != 0 ? -1 : WEXITSTATUS(status));
}
