#include "keylist.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "name.h"
#include "point.h"

#define CONTEXT "vmferry 1 keys\n"
#define FIRST "vmferry keys 1\n"
#define NOT_ONE "not a vmferry key list"

static const char *const ends[] = { NULL, " until=", " revoked=" };

static size_t
key_line(char *out, size_t room, const struct keylist_key *k)
{
	char sign[2 * RECORD_KEY + 1], box[2 * CARD_BOX + 1], from[POINT_TIME], end[POINT_TIME] = "";
	const char *how = "";

	sodium_bin2hex(sign, sizeof sign, k->sign, RECORD_KEY);
	sodium_bin2hex(box, sizeof box, k->box, CARD_BOX);
	point_time_text(from, k->from);
	if (k->state != KEYLIST_CURRENT) {
		how = ends[k->state];
		point_time_text(end, k->end);
	}
	return ((size_t)snprintf(out, room, "key: sign=%s box=%s from=%s%s%s\n", sign, box, from, how, end));
}

/* What is signed: the context, then these lines, which start at CONTEXT's length.  Return the length of all. */
static size_t
message(char out[KEYLIST_MAX], const struct keylist *L)
{
	char made[POINT_TIME];
	size_t n;

	point_time_text(made, L->made);
	n = (size_t)snprintf(out, KEYLIST_MAX, CONTEXT FIRST "name: %s\nversion: %llu\nmade: %s\n", L->name,
	    (unsigned long long)L->version, made);
	for (unsigned i = 0; i < L->n; i++)
		n += key_line(out + n, KEYLIST_MAX - n, &L->keys[i]);
	return (n);
}

size_t
keylist_encode(char out[KEYLIST_MAX], const struct keylist *L, const uint8_t *secrets)
{
	char m[KEYLIST_MAX], hex[2 * crypto_sign_BYTES + 1];
	uint8_t sig[crypto_sign_BYTES];
	size_t signed_n = message(m, L), n = signed_n - strlen(CONTEXT);

	memcpy(out, m + strlen(CONTEXT), n);
	for (unsigned i = 0; i < L->n; i++) {
		crypto_sign_detached(sig, NULL, (const uint8_t *)m, signed_n, secrets + i * RECORD_SECRET);
		sodium_bin2hex(hex, sizeof hex, sig, sizeof sig);
		n += (size_t)snprintf(out + n, KEYLIST_MAX - n, "signature: %s\n", hex);
	}
	return (n);
}

/* Text that is being read. */
struct text {
	const char *p, *end;
};

/* Step over these very characters: 1; 0 if they are not next. */
static int
step(struct text *t, const char *literal)
{
	size_t n = strlen(literal);

	if ((size_t)(t->end - t->p) < n || memcmp(t->p, literal, n) != 0)
		return (0);
	t->p += n;
	return (1);
}

static int
take_bytes(struct text *t, uint8_t *out, size_t n)
{
	size_t got = 0;

	if ((size_t)(t->end - t->p) < 2 * n || sodium_hex2bin(out, n, t->p, 2 * n, NULL, &got, NULL) != 0 ||
	    got != n)
		return (0);
	t->p += 2 * n;
	return (1);
}

static int
take_time(struct text *t, int64_t *time)
{
	char s[POINT_TIME] = "";

	if (t->end - t->p < 20)
		return (0);
	memcpy(s, t->p, 20);
	t->p += 20;
	return ((*time = point_time_parse(s)) >= 0);
}

static int
take_name(struct text *t, char name[LIMIT_NAME + 1])
{
	const char *nl = memchr(t->p, '\n', (size_t)(t->end - t->p));
	size_t n = nl == NULL ? 0 : (size_t)(nl - t->p);

	if (n == 0 || n > LIMIT_NAME || memchr(t->p, '\0', n) != NULL)
		return (0);
	memcpy(name, t->p, n);
	name[n] = '\0';
	t->p = nl;
	return (name_check(name) == NULL);
}

static int
take_version(struct text *t, uint64_t *v)
{
	for (*v = 0; t->p < t->end && *t->p >= '0' && *t->p <= '9' && *v <= KEYLIST_VERSION; t->p++)
		*v = 10 * *v + (uint64_t)(*t->p - '0');
	return (*v >= 1 && *v <= KEYLIST_VERSION);
}

/* The rest of a line that starts with "key: ". */
static int
take_key(struct text *t, struct keylist_key *k)
{
	memset(k, 0, sizeof *k);
	if (!step(t, "sign=") || !take_bytes(t, k->sign, RECORD_KEY) || !step(t, " box=") ||
	    !take_bytes(t, k->box, CARD_BOX) || !step(t, " from=") || !take_time(t, &k->from))
		return (0);
	if (step(t, ends[KEYLIST_ROTATED]))
		k->state = KEYLIST_ROTATED;
	else if (step(t, ends[KEYLIST_REVOKED]))
		k->state = KEYLIST_REVOKED;
	return ((k->state == KEYLIST_CURRENT || take_time(t, &k->end)) && step(t, "\n"));
}

static const char *
take_body(struct text *t, struct keylist *L)
{
	memset(L, 0, sizeof *L);
	if (!step(t, FIRST "name: ") || !take_name(t, L->name) || !step(t, "\nversion: ") ||
	    !take_version(t, &L->version) || !step(t, "\nmade: ") || !take_time(t, &L->made) ||
	    !step(t, "\n"))
		return (NOT_ONE);
	while (step(t, "key: ")) {
		if (L->n == KEYLIST_KEYS)
			return ("a key list with too many keys");
		if (!take_key(t, &L->keys[L->n++]))
			return ("a key list with a key that is none");
	}
	return (L->n == 0 ? NOT_ONE : NULL);
}

/* The keys against each other: the last is current, no other is, none is there twice, none is older than before. */
static const char *
check_keys(const struct keylist *L)
{
	for (unsigned i = 0; i < L->n; i++) {
		const struct keylist_key *k = &L->keys[i];

		if ((k->state == KEYLIST_CURRENT) != (i + 1 == L->n))
			return ("a key list whose last key, and that alone, is not the present one");
		if (k->from > L->made || (i > 0 && k->from < k[-1].from))
			return ("a key list whose times are out of order");
		for (unsigned j = 0; j < i; j++)
			if (memcmp(k->sign, L->keys[j].sign, RECORD_KEY) == 0 ||
			    memcmp(k->box, L->keys[j].box, CARD_BOX) == 0)
				return ("a key list with the same key twice");
	}
	return (NULL);
}

const char *
keylist_decode(struct keylist *L, const char *text, size_t n)
{
	struct text t = { text, text + n };
	uint8_t sig[crypto_sign_BYTES];
	char m[KEYLIST_MAX];
	const char *why;
	size_t body, all;

	if (n >= KEYLIST_MAX)
		return (NOT_ONE);
	if ((why = take_body(&t, L)) != NULL || (why = check_keys(L)) != NULL)
		return (why);
	body = (size_t)(t.p - text);
	all = message(m, L);
	if (all - strlen(CONTEXT) != body || memcmp(m + strlen(CONTEXT), text, body) != 0)
		return (NOT_ONE);
	for (unsigned i = 0; i < L->n; i++) {
		const char *hex = t.p + strlen("signature: ");

		if (!step(&t, "signature: ") || !take_bytes(&t, sig, sizeof sig) || !step(&t, "\n") ||
		    strspn(hex, "0123456789abcdef") != 2 * sizeof sig)
			return ("a key list that not all of its keys have signed");
		if (crypto_sign_verify_detached(sig, (const uint8_t *)m, all, L->keys[i].sign) != 0)
			return ("a signature of the key list is wrong: ask for the list again");
	}
	return (t.p == t.end ? NULL : NOT_ONE);
}

void
keylist_digest(uint8_t out[KEYLIST_DIGEST], const struct keylist *L)
{
	char m[KEYLIST_MAX];

	crypto_generichash(out, KEYLIST_DIGEST, (const uint8_t *)m, message(m, L), NULL, 0);
}

const struct keylist_key *
keylist_find(const struct keylist *L, const uint8_t key[RECORD_KEY])
{
	for (unsigned i = 0; i < L->n; i++)
		if (memcmp(L->keys[i].sign, key, RECORD_KEY) == 0)
			return (&L->keys[i]);
	return (NULL);
}

void
keylist_fingerprint(char out[CARD_FINGERPRINT], const struct keylist_key *k)
{
	struct card C;

	memset(&C, 0, sizeof C);
	memcpy(C.sign, k->sign, RECORD_KEY);
	memcpy(C.box, k->box, CARD_BOX);
	card_fingerprint(out, &C);
}
