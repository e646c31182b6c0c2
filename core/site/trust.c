#include "site/trust.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "point.h"
#include "setting.h"

static int
bytes(uint8_t *out, size_t n, const char *hex)
{
	size_t got = 0;

	return (strlen(hex) == 2 * n && sodium_hex2bin(out, n, hex, 2 * n, NULL, &got, NULL) == 0 && got == n
	            ? 0
	            : -1);
}

/* SIGN/BOX/FROM/until/TIME or SIGN/BOX/FROM/revoked/TIME */
static int
set_earlier(struct trust_entry *e, const char *value)
{
	char sign[2 * RECORD_KEY + 1], box[2 * CARD_BOX + 1], from[POINT_TIME], how[8], end[POINT_TIME];
	struct keylist_key *k = &e->earlier[e->nearlier];
	int n = 0;

	if (e->nearlier == TRUST_EARLIER ||
	    sscanf(value, "%64[^/]/%64[^/]/%20[^/]/%7[^/]/%20[^/]%n", sign, box, from, how, end, &n) != 5 ||
	    value[n] != '\0' || bytes(k->sign, RECORD_KEY, sign) != 0 || bytes(k->box, CARD_BOX, box) != 0)
		return (-1);
	k->state = strcmp(how, "until") == 0     ? KEYLIST_ROTATED
	           : strcmp(how, "revoked") == 0 ? KEYLIST_REVOKED
	                                         : KEYLIST_CURRENT;
	k->from = point_time_parse(from);
	k->end = point_time_parse(end);
	e->nearlier++;
	return (k->state == KEYLIST_CURRENT || k->from < 0 || k->end < 0 ? -1 : 0);
}

/* VERSION/DIGEST */
static int
set_version(struct trust_entry *e, const char *value)
{
	char *end;

	errno = 0;
	e->version = strtoull(value, &end, 10);
	return (isdigit((unsigned char)value[0]) && *end == '/' && errno == 0 && e->version >= 1 &&
	                e->version <= KEYLIST_VERSION
	            ? bytes(e->digest, KEYLIST_DIGEST, end + 1)
	            : -1);
}

/* Where the number of that name belongs; NULL: it is none. */
static uint64_t *
number(struct trust_entry *e, const char *key)
{
	static const char *const names[] = { "max-size", "inbox", "frequency", "rate", "points" };
	uint64_t *const places[] = { &e->max_size, &e->inbox, &e->frequency, &e->rate, &e->points };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(key, names[i]) == 0)
			return (places[i]);
	return (NULL);
}

static int
set_number(uint64_t *place, const char *value)
{
	char *end;

	errno = 0;
	*place = strtoull(value, &end, 10);
	return (isdigit((unsigned char)value[0]) && *end == '\0' && errno == 0 ? 0 : -1);
}

static int
set(struct trust_entry *e, const char *key, const char *value)
{
	uint64_t *place = number(e, key);

	if (place != NULL)
		return (set_number(place, value));
	if (strcmp(key, "site") == 0 && name_check(value) == NULL) {
		strcpy(e->card.name, value);
	} else if (strcmp(key, "sign") == 0) {
		return (bytes(e->card.sign, RECORD_KEY, value));
	} else if (strcmp(key, "box") == 0) {
		return (bytes(e->card.box, CARD_BOX, value));
	} else if (strcmp(key, "vm") == 0 && strlen(value) <= LIMIT_NAME) {
		strcpy(e->vm, value);
	} else if (strcmp(key, "store") == 0 && value[0] == '/') {
		strcpy(e->store, value);
	} else if (strcmp(key, "host") == 0 && value[0] != '\0') {
		strcpy(e->host, value);
	} else if (strcmp(key, "earlier") == 0) {
		return (set_earlier(e, value));
	} else if (strcmp(key, "keys") == 0) {
		return (set_version(e, value));
	} else if (strcmp(key, "revoked") == 0) {
		e->is_revoked = 1;
		return ((e->cutoff = point_time_parse(value)) < 0 ? -1 : 0);
	} else {
		return (-1);
	}
	return (0);
}

static int
decode_line(struct trust_entry *e, const char *line)
{
	char key[16], value[PATH_MAX];
	int rc;

	memset(e, 0, sizeof *e);
	while ((rc = setting_next(&line, key, sizeof key, value, sizeof value)) == 0)
		if (set(e, key, value) != 0)
			return (-1);
	if (rc < 0)
		return (-1);
	if (e->card.name[0] == '\0' || sodium_is_zero(e->card.sign, RECORD_KEY) ||
	    sodium_is_zero(e->card.box, CARD_BOX))
		return (-1);
	for (unsigned i = 0; i < e->nearlier; i++)
		if (memcmp(e->earlier[i].sign, e->card.sign, RECORD_KEY) == 0)
			return (-1);
	return (0);
}

int
trust_decode(struct trust *T, const char *text)
{
	char *copy = strdup(text), *rest = copy, *line;
	size_t lines = 1;
	int n = 0, bad = 0;

	*T = (struct trust){ NULL, 0 };
	for (const char *p = text; lines < TRUST_MAX && (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	T->entries = calloc(lines, sizeof *T->entries);
	if (copy == NULL || T->entries == NULL)
		bad = -1;
	while (bad == 0 && (line = strsep(&rest, "\n")) != NULL) {
		n++;
		if (line[strspn(line, " \t")] == '\0' || line[strspn(line, " \t")] == '#')
			continue;
		if (T->n == TRUST_MAX || decode_line(&T->entries[T->n], line) != 0)
			bad = n;
		else
			T->n++;
	}
	free(copy);
	return (bad);
}

static void
encode_keys(FILE *f, const struct trust_entry *e)
{
	char sign[2 * RECORD_KEY + 1], box[2 * CARD_BOX + 1], digest[2 * KEYLIST_DIGEST + 1];
	char from[POINT_TIME], end[POINT_TIME];

	for (unsigned i = 0; i < e->nearlier; i++) {
		const struct keylist_key *k = &e->earlier[i];

		sodium_bin2hex(sign, sizeof sign, k->sign, RECORD_KEY);
		sodium_bin2hex(box, sizeof box, k->box, CARD_BOX);
		point_time_text(from, k->from);
		point_time_text(end, k->end);
		fprintf(f, " earlier=%s/%s/%s/%s/%s", sign, box, from,
		    k->state == KEYLIST_REVOKED ? "revoked" : "until", end);
	}
	sodium_bin2hex(digest, sizeof digest, e->digest, KEYLIST_DIGEST);
	if (e->version != 0)
		fprintf(f, " keys=%" PRIu64 "/%s", e->version, digest);
	point_time_text(end, e->cutoff);
	if (e->is_revoked)
		fprintf(f, " revoked=%s", end);
}

static void
encode_line(FILE *f, const struct trust_entry *e)
{
	char sign[2 * RECORD_KEY + 1], box[2 * CARD_BOX + 1];

	sodium_bin2hex(sign, sizeof sign, e->card.sign, RECORD_KEY);
	sodium_bin2hex(box, sizeof box, e->card.box, CARD_BOX);
	fprintf(f, "site=\"%s\" sign=%s box=%s", e->card.name, sign, box);
	if (e->vm[0] != '\0')
		fprintf(f, " vm=\"%s\"", e->vm);
	if (e->store[0] != '\0')
		fprintf(f, " store=\"%s\"", e->store);
	if (e->max_size != 0)
		fprintf(f, " max-size=%" PRIu64, e->max_size);
	if (e->inbox != 0)
		fprintf(f, " inbox=%" PRIu64, e->inbox);
	if (e->frequency != 0)
		fprintf(f, " frequency=%" PRIu64, e->frequency);
	if (e->rate != 0)
		fprintf(f, " rate=%" PRIu64, e->rate);
	if (e->points != 0)
		fprintf(f, " points=%" PRIu64, e->points);
	if (e->host[0] != '\0')
		fprintf(f, " host=\"%s\"", e->host);
	encode_keys(f, e);
	fprintf(f, "\n");
}

char *
trust_encode(const struct trust *T)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return (NULL);
	fprintf(f, "# The sites that this site knows; see vmferry-trust(1).\n");
	for (size_t i = 0; i < T->n; i++)
		encode_line(f, &T->entries[i]);
	if (fclose(f) != 0) {
		free(text);
		return (NULL);
	}
	return (text);
}

void
trust_free(struct trust *T)
{
	free(T->entries);
	*T = (struct trust){ NULL, 0 };
}

struct trust_entry *
trust_append(struct trust *T, const struct trust_entry *e)
{
	struct trust_entry *more = realloc(T->entries, (T->n + 1) * sizeof *more);

	if (more == NULL)
		return (NULL);
	T->entries = more;
	more[T->n] = *e;
	return (&more[T->n++]);
}

struct trust_entry *
trust_by_key(const struct trust *T, const uint8_t key[RECORD_KEY])
{
	for (size_t i = 0; i < T->n; i++)
		if (trust_has_key(&T->entries[i], key))
			return (&T->entries[i]);
	return (NULL);
}

struct trust_entry *
trust_by_name(const struct trust *T, const char *name)
{
	for (size_t i = 0; i < T->n; i++)
		if (strcmp(T->entries[i].card.name, name) == 0)
			return (&T->entries[i]);
	return (NULL);
}

int
trust_allows(const struct trust_entry *e, const char *vm)
{
	return (e->vm[0] != '\0' && fnmatch(e->vm, vm, 0) == 0);
}

unsigned
trust_points(const struct trust_entry *e, unsigned wished)
{
	return (e != NULL && e->points != 0 && e->points < wished ? (unsigned)e->points : wished);
}

/* The earlier key of e that signs as key, or NULL. */
static const struct keylist_key *
find_earlier(const struct trust_entry *e, const uint8_t key[RECORD_KEY])
{
	for (unsigned i = 0; i < e->nearlier; i++)
		if (memcmp(e->earlier[i].sign, key, RECORD_KEY) == 0)
			return (&e->earlier[i]);
	return (NULL);
}

int
trust_has_key(const struct trust_entry *e, const uint8_t key[RECORD_KEY])
{
	return (memcmp(e->card.sign, key, RECORD_KEY) == 0 || find_earlier(e, key) != NULL);
}

int
trust_is_revoked(const struct trust_entry *e, const uint8_t key[RECORD_KEY])
{
	const struct keylist_key *k = find_earlier(e, key);

	return (e->is_revoked || (k != NULL && k->state == KEYLIST_REVOKED));
}

const char *
trust_objection(
    const struct trust_entry *e, const uint8_t key[RECORD_KEY], int64_t created, char words[TRUST_WORDS])
{
	const struct keylist_key *k = find_earlier(e, key);
	char made[POINT_TIME], end[POINT_TIME];

	point_time_text(made, created);
	if (e->is_revoked && created > e->cutoff) {
		point_time_text(end, e->cutoff);
		snprintf(words, TRUST_WORDS,
		    "it says that it was made at %s; the keys of site '%s' were revoked here, and nothing "
		    "counts that was made after %s",
		    made, e->card.name, end);
		return (words);
	}
	if (k == NULL || created <= k->end)
		return (NULL);
	point_time_text(end, k->end);
	snprintf(words, TRUST_WORDS,
	    "it says that it was made at %s, and is signed with %s key of site '%s', of which nothing counts "
	    "that was made after %s",
	    made, k->state == KEYLIST_REVOKED ? "a revoked" : "an earlier", e->card.name, end);
	return (words);
}

/* Where nothing of a list is in the way: its earlier keys, each as strict as either side knows it. */
static void
merge_earlier(struct trust_entry *e, const struct keylist *L)
{
	struct keylist_key merged[TRUST_EARLIER];
	unsigned n = 0;

	for (unsigned i = 0; i < e->nearlier; i++)
		if (keylist_find(L, e->earlier[i].sign) == NULL)
			merged[n++] = e->earlier[i];
	for (unsigned i = 0; i + 1 < L->n; i++) {
		const struct keylist_key *had = find_earlier(e, L->keys[i].sign);

		merged[n] = L->keys[i];
		if (had != NULL && had->state == KEYLIST_REVOKED) {
			merged[n].state = KEYLIST_REVOKED;
			merged[n].end = had->end < merged[n].end ? had->end : merged[n].end;
		}
		n++;
	}
	memcpy(e->earlier, merged, n * sizeof *merged);
	e->nearlier = n;
}

/* What speaks against a list that is newer than what is known; NULL: nothing. */
static const char *
list_objection(const struct trust_entry *e, const struct keylist *L)
{
	const struct keylist_key *current = &L->keys[L->n - 1];
	unsigned kept = 0;

	if (e->is_revoked)
		return (
		    "all keys of this site were revoked here; if it has new ones, compare the fingerprint "
		    "and add its card with 'vmferry trust add'");
	if (keylist_find(L, e->card.sign) == NULL)
		return (
		    "it is not signed with the key that the site has now, only with an earlier one: somebody "
		    "else may have that; ask there");
	if (find_earlier(e, current->sign) != NULL)
		return ("it makes an earlier key of the site the present one again; ask there");
	for (unsigned i = 0; i < e->nearlier; i++)
		kept += keylist_find(L, e->earlier[i].sign) == NULL;
	if (kept + L->n - 1 > TRUST_EARLIER)
		return ("the site would have more keys than are kept here");
	return (NULL);
}

int
trust_take_keys(struct trust_entry *e, const struct keylist *L, const char **why)
{
	const struct keylist_key *current = &L->keys[L->n - 1];
	uint8_t digest[KEYLIST_DIGEST];

	keylist_digest(digest, L);
	if (L->version < e->version)
		return (TRUST_HAVE);
	if (L->version == e->version && memcmp(digest, e->digest, KEYLIST_DIGEST) == 0)
		return (TRUST_HAVE);
	if (L->version == e->version) {
		*why = "another list of that very version was taken before: two hold a key of this site, and "
		       "one "
		       "of them may be a thief, or a copy of the site from a backup; ask there, and use "
		       "'vmferry "
		       "key revoke' if in doubt";
		return (TRUST_REFUSED);
	}
	if ((*why = list_objection(e, L)) != NULL)
		return (TRUST_REFUSED);
	merge_earlier(e, L);
	memcpy(e->card.sign, current->sign, RECORD_KEY);
	memcpy(e->card.box, current->box, CARD_BOX);
	e->version = L->version;
	memcpy(e->digest, digest, KEYLIST_DIGEST);
	return (0);
}

int
trust_revoke(struct trust_entry *e, int64_t cutoff)
{
	if (e->is_revoked && e->cutoff <= cutoff)
		return (TRUST_HAVE);
	e->is_revoked = 1;
	e->cutoff = cutoff;
	return (0);
}

/* Revoke an earlier key, which may be so already. */
static void
revoke_earlier(struct keylist_key *k, int64_t cutoff)
{
	k->state = KEYLIST_REVOKED;
	k->end = k->end < cutoff ? k->end : cutoff;
}

int
trust_renew(struct trust_entry *e, const struct card *C)
{
	struct keylist_key *k = &e->earlier[e->nearlier];

	if (e->nearlier == TRUST_EARLIER)
		return (-1);
	for (unsigned i = 0; i < e->nearlier; i++)
		revoke_earlier(&e->earlier[i], e->cutoff);
	memset(k, 0, sizeof *k);
	memcpy(k->sign, e->card.sign, RECORD_KEY);
	memcpy(k->box, e->card.box, CARD_BOX);
	k->state = KEYLIST_REVOKED;
	k->end = e->cutoff;
	e->nearlier++;
	e->is_revoked = 0;
	e->cutoff = 0;
	e->version = 0;
	memset(e->digest, 0, sizeof e->digest);
	e->card = *C;
	return (0);
}

int
trust_bury(struct trust_entry *e)
{
	unsigned n = 0;

	if (!e->is_revoked) {
		for (unsigned i = 0; i < e->nearlier; i++)
			if (e->earlier[i].state == KEYLIST_REVOKED)
				e->earlier[n++] = e->earlier[i];
		if (n == 0)
			return (0);
		e->nearlier = n - 1;
		memcpy(e->card.sign, e->earlier[n - 1].sign, RECORD_KEY);
		memcpy(e->card.box, e->earlier[n - 1].box, CARD_BOX);
	}
	e->is_revoked = 1;
	e->cutoff = 0;
	e->version = 0;
	e->vm[0] = e->store[0] = '\0';
	e->max_size = e->inbox = e->frequency = e->rate = e->points = 0;
	return (1);
}
