#include "site/keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "point.h"

/* --- our own ------------------------------------------------------------------------------------------ */

/* A change makes a list of the next version, of a time that is not before the one of any other. */
static int
next_version(struct keylist *L)
{
	int64_t now = (int64_t)time(NULL);

	if (L->version == KEYLIST_VERSION)
		return (say_refused("%s: its keys cannot be changed any more; make a new site", L->name));
	L->version++;
	L->made = now > L->made ? now : L->made;
	return (0);
}

static int
rotate(struct secret *K, void *context)
{
	const uint64_t *overlap = context;
	struct keylist *L = &K->list;
	struct keylist_key *last = &L->keys[L->n - 1];

	if (L->n == KEYLIST_KEYS)
		return (
		    say_refused("%s: has had %u keys, and a key list has no place for more; make a new site",
		        L->name, L->n));
	if (next_version(L) != 0)
		return (1);
	last->state = KEYLIST_ROTATED;
	last->end = L->made + (int64_t)*overlap;
	secret_add_key(K, L->made);
	return (0);
}

int
keys_rotate(struct site *S, uint64_t overlap)
{
	const struct keylist *L = site_keys(S);
	char print[CARD_FINGERPRINT], end[POINT_TIME];
	int rc;

	if (overlap > KEYS_OVERLAP_MAX)
		return (say_refused("the overlap is at most %" PRIu64 " days", KEYS_OVERLAP_MAX / 86400));
	if ((rc = site_change_keys(S, rotate, &overlap)) != 0)
		return (rc);
	keylist_fingerprint(print, &L->keys[L->n - 1]);
	point_time_text(end, L->keys[L->n - 2].end);
	say_note("%s: has a new key, fingerprint %s; bring version %" PRIu64
	         " of its key list ('vmferry key show') to the other sites; the key before counts for what "
	         "is made "
	         "up to %s",
	    L->name, print, L->version, end);
	return (0);
}

struct revoking {
	unsigned i;       /* which key of our own */
	const char *name; /* or which site */
	int64_t cutoff;
};

static int
revoke_own(struct secret *K, void *context)
{
	const struct revoking *r = context;
	struct keylist *L = &K->list;
	struct keylist_key *k = &L->keys[r->i];

	if (r->i + 1 == L->n)
		return (
		    say_refused("%s: key %u is the present one; make another with 'vmferry key rotate', and "
		                "then revoke this one",
		        L->name, L->n));
	if (k->state == KEYLIST_REVOKED && k->end <= r->cutoff) {
		say_note("%s: key %u is revoked already", L->name, r->i + 1);
		return (SITE_SAME);
	}
	if (next_version(L) != 0)
		return (1);
	k->state = KEYLIST_REVOKED;
	k->end = k->end < r->cutoff ? k->end : r->cutoff;
	return (0);
}

static int
revoke_key(struct site *S, struct revoking *r)
{
	const struct keylist *L = site_keys(S);
	char end[POINT_TIME];
	uint64_t version = L->version;
	int rc = site_change_keys(S, revoke_own, r);

	if (rc != 0 || L->version == version)
		return (rc);
	point_time_text(end, L->keys[r->i].end);
	say_note(
	    "%s: key %u is revoked: nothing counts that it signed and that was made after %s; bring version "
	    "%" PRIu64 " of the key list ('vmferry key show') to the other sites",
	    L->name, r->i + 1, end, L->version);
	return (0);
}

/* --- those of others ---------------------------------------------------------------------------------- */

static int
revoke_site(struct trust *T, void *context)
{
	const struct revoking *r = context;
	struct trust_entry *e = trust_by_name(T, r->name);
	char end[POINT_TIME];

	if (e == NULL)
		return (say_refused(
		    "%s: is neither a key of this site nor a site that it knows; see 'vmferry key "
		    "list'",
		    r->name));
	if (trust_revoke(e, r->cutoff) == TRUST_HAVE) {
		say_note("%s: its keys are revoked already", r->name);
		return (SITE_SAME);
	}
	point_time_text(end, e->cutoff);
	say_note(
	    "%s: all its keys are revoked here: nothing counts that was made after %s; when it has new ones, "
	    "compare the fingerprint and add its new card with 'vmferry trust add'",
	    r->name, end);
	return (0);
}

/* Which key of ours has that number or fingerprint; -1: none. */
static int
find_own(const struct keylist *L, const char *name)
{
	char print[CARD_FINGERPRINT], number[12];

	for (unsigned i = 0; i < L->n; i++) {
		keylist_fingerprint(print, &L->keys[i]);
		snprintf(number, sizeof number, "%u", i + 1);
		if (strcmp(name, number) == 0 || strcmp(name, print) == 0)
			return ((int)i);
	}
	return (-1);
}

int
keys_revoke(struct site *S, const char *name, int64_t cutoff)
{
	int64_t now = (int64_t)time(NULL);
	struct revoking r = { 0, name, cutoff < 0 ? now : cutoff };
	int i = find_own(site_keys(S), name);

	if (cutoff > now)
		return (say_refused("a cut-off lies in the past, or nothing would be cut off yet"));
	if (i < 0)
		return (site_change_trust(S, revoke_site, &r));
	if (trust_by_name(site_trust(S), name) != NULL)
		return (say_refused("%s: is a key of this site and a site that it knows; name the key by its "
		                    "fingerprint, or remove the site",
		    name));
	r.i = (unsigned)i;
	return (revoke_key(S, &r));
}

/* --- lists -------------------------------------------------------------------------------------------- */

int
keys_publish(const struct site *S, char **text, size_t *n)
{
	if ((*text = malloc(KEYLIST_MAX)) == NULL)
		return (say_failed("out of memory"));
	*n = site_keys_text(S, *text);
	return (0);
}

/* A list that has a key of our own: nobody but this site makes one. */
static int
take_own(const struct site *S, const struct keylist *L, const char *name)
{
	const struct keylist *own = site_keys(S);
	uint8_t a[KEYLIST_DIGEST], b[KEYLIST_DIGEST];

	keylist_digest(a, L);
	keylist_digest(b, own);
	if (L->version < own->version || memcmp(a, b, KEYLIST_DIGEST) == 0) {
		say_note("%s: is a key list of this very site", name);
		return (0);
	}
	return (say_refused("%s: is version %" PRIu64
	                    " of this very site's key list, and was not made here: somebody "
	                    "else has its keys, or it was put back from a backup; here is version %" PRIu64,
	    name, L->version, own->version));
}

struct taking {
	const struct keylist *L;
	const char *name;
};

/* The site whose keys these are: 0; 1, said: of two of them; *e is NULL if it is not known. */
static int
find_site(const struct trust *T, const struct taking *t, struct trust_entry **e)
{
	struct trust_entry *other;

	*e = NULL;
	for (unsigned i = 0; i < t->L->n; i++) {
		if ((other = trust_by_key(T, t->L->keys[i].sign)) == NULL || other == *e)
			continue;
		if (*e != NULL)
			return (say_refused("%s: is a key list with keys of site '%s' and of site '%s'",
			    t->name, (*e)->card.name, other->card.name));
		*e = other;
	}
	return (0);
}

static int
take(struct trust *T, void *context)
{
	const struct taking *t = context;
	struct trust_entry *e;
	char print[CARD_FINGERPRINT];
	const char *why = NULL;
	int rc;

	if ((rc = find_site(T, t, &e)) != 0 || e == NULL)
		return (rc != 0 ? rc : SITE_SAME);
	rc = trust_take_keys(e, t->L, &why);
	if (rc == TRUST_HAVE) {
		say_note("%s: already have it: version %" PRIu64 " of the keys of site '%s'", t->name,
		    e->version, e->card.name);
		return (SITE_SAME);
	}
	if (rc != 0)
		return (say_refused("%s: version %" PRIu64 " of the keys of site '%s': %s", t->name,
		    t->L->version, e->card.name, why));
	card_fingerprint(print, &e->card);
	say_note("%s: version %" PRIu64
	         " of the keys of site '%s' is taken; the present one has the fingerprint %s",
	    t->name, e->version, e->card.name, print);
	return (0);
}

int
keys_take(struct site *S, const char *text, size_t n, const char *name)
{
	struct keylist *L = malloc(sizeof *L);
	struct taking t = { L, name };
	struct trust_entry *e = NULL;
	const char *why;
	int rc = 0, is_own = 0;

	if (L == NULL)
		return (say_failed("out of memory"));
	if ((why = keylist_decode(L, text, n)) != NULL)
		rc = say_refused("%s: %s", name, why);
	for (unsigned i = 0; rc == 0 && i < L->n; i++)
		is_own |= site_is_own_key(S, L->keys[i].sign);
	if (rc == 0 && is_own)
		rc = take_own(S, L, name);
	else if (rc == 0 && (rc = find_site(site_trust(S), &t, &e)) == 0)
		rc = e == NULL ? KEYS_UNKNOWN : site_change_trust(S, take, &t);
	free(L);
	return (rc);
}

int
keys_import(struct site *S, const char *path)
{
	char text[KEYLIST_MAX];
	ssize_t n = io_read_start(path, text, sizeof text);
	int rc;

	if (n < 0)
		return (-1);
	if ((rc = keys_take(S, text, (size_t)n, path)) == KEYS_UNKNOWN)
		rc = say_refused(
		    "%s: has no key of a site that is known here; add its card with 'vmferry trust add'",
		    path);
	return (rc);
}

int
keys_show(const struct site *S)
{
	char text[KEYLIST_MAX];
	size_t n = site_keys_text(S, text);

	return (fwrite(text, 1, n, stdout) == n ? 0 : -1);
}
