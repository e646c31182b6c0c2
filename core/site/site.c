#include "site/site.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "name.h"
#include "base/say.h"

#define SECRET_FIRST "vmferry secret 1\n"
#define SECRET_TEXT 512u

struct keys {
	uint8_t sign[RECORD_SECRET];
	uint8_t box[CARD_BOX];
};

struct site {
	char home[PATH_MAX];
	int lock; /* held while the trust file is changed */
	struct card card;
	struct trust trust;
	struct keys *keys; /* in locked memory */
};

int
site_default_home(char out[PATH_MAX])
{
	const char *s;

	if ((s = getenv("VMFERRY_HOME")) != NULL && *s != '\0')
		return (io_path(out, "%s", s));
	if (geteuid() == 0)
		return (io_path(out, "/var/lib/vmferry"));
	if ((s = getenv("XDG_DATA_HOME")) != NULL && *s == '/')
		return (io_path(out, "%s/vmferry", s));
	if ((s = getenv("HOME")) == NULL || *s != '/')
		return (say_failed("no home folder is known; say --home DIR"));
	return (io_path(out, "%s/.local/share/vmferry", s));
}

static int
find_home(char out[PATH_MAX], const char *home)
{
	return (home != NULL ? io_path(out, "%s", home) : site_default_home(out));
}

static int
write_secret(const char *path, const uint8_t seed[crypto_sign_SEEDBYTES], const uint8_t box[CARD_BOX])
{
	char text[SECRET_TEXT], a[2 * crypto_sign_SEEDBYTES + 1], b[2 * CARD_BOX + 1];
	int n, rc;

	sodium_bin2hex(a, sizeof a, seed, crypto_sign_SEEDBYTES);
	sodium_bin2hex(b, sizeof b, box, CARD_BOX);
	n = snprintf(text, sizeof text, SECRET_FIRST "sign: %s\nbox: %s\n", a, b);
	rc = io_replace(path, text, (size_t)n, 0600);
	sodium_memzero(text, sizeof text);
	sodium_memzero(a, sizeof a);
	sodium_memzero(b, sizeof b);
	return (rc);
}

/* The keys, and then the card that says the site is there. */
static int
make_identity(const char *home, const char *name)
{
	uint8_t seed[crypto_sign_SEEDBYTES], secret[RECORD_SECRET], box[CARD_BOX];
	struct card card;
	char path[PATH_MAX], text[CARD_MAX];
	int rc;

	memset(&card, 0, sizeof card);
	strcpy(card.name, name);
	randombytes_buf(seed, sizeof seed);
	crypto_sign_seed_keypair(card.sign, secret, seed);
	crypto_box_keypair(card.box, box);
	rc = io_path(path, "%s/secret", home);
	if (rc == 0)
		rc = write_secret(path, seed, box);
	if (rc == 0)
		rc = io_path(path, "%s/card", home);
	if (rc == 0)
		rc = io_replace(path, text, card_encode(text, &card, secret), 0644);
	sodium_memzero(seed, sizeof seed);
	sodium_memzero(secret, sizeof secret);
	sodium_memzero(box, sizeof box);
	return (rc);
}

int
site_init(const char *home, const char *name)
{
	char dir[PATH_MAX], path[PATH_MAX];
	static const char *const folders[] = { "primaries", "replicas", "tmp" };
	const char *why = name_check(name);
	int there;

	if (why != NULL)
		return (say_refused("'%s': %s; say --name NAME", name, why));
	if (find_home(dir, home) != 0 || io_path(path, "%s/card", dir) != 0 || (there = io_exists(path)) < 0)
		return (-1);
	if (there)
		return (say_refused("%s: there is a site already; its card is shown by 'vmferry card'", dir));
	if (io_mkdir_all(dir, 0700) != 0)
		return (-1);
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (io_path(path, "%s/%s", dir, folders[i]) != 0 || io_mkdir(path, 0700) != 0)
			return (-1);
	return (make_identity(dir, name));
}

static int
read_card(struct site *S)
{
	char path[PATH_MAX], *text;
	const char *why;
	size_t n;

	if (io_path(path, "%s/card", S->home) != 0)
		return (-1);
	if (io_exists(path) == 0)
		return (say_failed(
		    "%s: there is no site here; make one with 'vmferry init', or say --home DIR", S->home));
	if ((text = io_slurp(path, CARD_MAX, &n)) == NULL)
		return (-1);
	why = card_decode(&S->card, text, n);
	free(text);
	return (why == NULL ? 0 : say_failed("%s: %s", path, why));
}

static int
parse_secret(struct keys *K, const char *text)
{
	char a[2 * crypto_sign_SEEDBYTES + 1], b[2 * CARD_BOX + 1];
	uint8_t seed[crypto_sign_SEEDBYTES], pk[RECORD_KEY];
	size_t n = 0, m = 0;
	int ok = sscanf(text, SECRET_FIRST "sign: %64[0-9a-f]\nbox: %64[0-9a-f]\n", a, b) == 2 &&
	         sodium_hex2bin(seed, sizeof seed, a, strlen(a), NULL, &n, NULL) == 0 && n == sizeof seed &&
	         sodium_hex2bin(K->box, sizeof K->box, b, strlen(b), NULL, &m, NULL) == 0 &&
	         m == sizeof K->box;

	if (ok)
		crypto_sign_seed_keypair(pk, K->sign, seed);
	sodium_memzero(seed, sizeof seed);
	sodium_memzero(a, sizeof a);
	sodium_memzero(b, sizeof b);
	return (ok ? 0 : -1);
}

static int
read_secret(struct site *S)
{
	char path[PATH_MAX], *text;
	uint8_t pk[RECORD_KEY];
	struct stat st;
	size_t n;
	int rc;

	if (io_path(path, "%s/secret", S->home) != 0)
		return (-1);
	if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
		return (say_failed("%s: others can read the secret key; set its mode to 0600", path));
	if ((text = io_slurp(path, SECRET_TEXT, &n)) == NULL)
		return (-1);
	rc = parse_secret(S->keys, text);
	sodium_memzero(text, n);
	free(text);
	if (rc == 0)
		crypto_sign_ed25519_sk_to_pk(pk, S->keys->sign);
	if (rc != 0 || memcmp(pk, S->card.sign, RECORD_KEY) != 0)
		return (say_failed("%s: is not the secret key of the card beside it", path));
	return (0);
}

static int
read_trust(struct site *S)
{
	char path[PATH_MAX], *text;
	size_t n;
	int line;

	if (io_path(path, "%s/trust", S->home) != 0)
		return (-1);
	trust_free(&S->trust);
	if (io_exists(path) == 0)
		return (0);
	if ((text = io_slurp(path, TRUST_TEXT, &n)) == NULL)
		return (-1);
	line = trust_decode(&S->trust, text);
	free(text);
	if (line < 0)
		return (say_failed("out of memory"));
	return (line == 0 ? 0 : say_failed("%s: line %d is not an entry; see vmferry-trust(1)", path, line));
}

struct site *
site_open(const char *home)
{
	struct site *S = calloc(1, sizeof *S);

	if (S == NULL || (S->keys = sodium_malloc(sizeof *S->keys)) == NULL) {
		say_failed("out of memory");
		site_close(S);
		return (NULL);
	}
	S->lock = -1;
	if (find_home(S->home, home) != 0 || read_card(S) != 0 || read_secret(S) != 0 || read_trust(S) != 0) {
		site_close(S);
		return (NULL);
	}
	return (S);
}

void
site_close(struct site *S)
{
	if (S == NULL)
		return;
	trust_free(&S->trust);
	sodium_free(S->keys);
	free(S);
}

const struct card *
site_card(const struct site *S)
{
	return (&S->card);
}

const struct trust *
site_trust(const struct site *S)
{
	return (&S->trust);
}

const char *
site_home(const struct site *S)
{
	return (S->home);
}

const uint8_t *
site_secret(const struct site *S)
{
	return (S->keys->sign);
}

size_t
site_card_text(const struct site *S, char out[CARD_MAX])
{
	return (card_encode(out, &S->card, S->keys->sign));
}

void
site_seal(const struct card *to, const uint8_t content_key[HEADER_CONTENT_KEY],
    const uint8_t leaf_seed[LEAF_SEED], uint8_t seal[HEADER_SEAL])
{
	uint8_t both[HEADER_CONTENT_KEY + LEAF_SEED];

	memcpy(both, content_key, HEADER_CONTENT_KEY);
	memcpy(both + HEADER_CONTENT_KEY, leaf_seed, LEAF_SEED);
	crypto_box_seal(seal, both, sizeof both, to->box);
	sodium_memzero(both, sizeof both);
}

const char *
site_unseal(const struct site *S, const struct header *H, uint8_t content_key[HEADER_CONTENT_KEY],
    uint8_t leaf_seed[LEAF_SEED])
{
	uint8_t both[HEADER_CONTENT_KEY + LEAF_SEED];
	unsigned i = 0;

	if (H->has_leaf_seed) {
		memset(content_key, 0, HEADER_CONTENT_KEY);
		memcpy(leaf_seed, H->leaf_seed, LEAF_SEED);
		return (NULL);
	}
	while (i < H->ntargets && memcmp(H->targets[i].key, S->card.sign, RECORD_KEY) != 0)
		i++;
	if (i == H->ntargets)
		return ("it is not addressed to this site; export it with --to");
	if (crypto_box_seal_open(both, H->targets[i].seal, HEADER_SEAL, S->card.box, S->keys->box) != 0)
		return (
		    "its keys were sealed to another card of this site; give the primary the present card");
	memcpy(content_key, both, HEADER_CONTENT_KEY);
	memcpy(leaf_seed, both + HEADER_CONTENT_KEY, LEAF_SEED);
	sodium_memzero(both, sizeof both);
	return (NULL);
}

/* Lock the trust file and read it again, so that two changes at once do not undo each other. */
static int
trust_begin(struct site *S)
{
	char path[PATH_MAX];

	if (io_path(path, "%s/trust.lock", S->home) != 0)
		return (-1);
	S->lock = io_lock(path);
	if (S->lock == -2)
		return (say_refused("%s: another vmferry is changing the trust file", S->home));
	return (S->lock < 0 ? -1 : read_trust(S));
}

static int
trust_end(struct site *S, int rc)
{
	char path[PATH_MAX], *text = NULL;

	if (rc == 0) {
		if (io_path(path, "%s/trust", S->home) != 0)
			rc = -1;
		else if ((text = trust_encode(&S->trust)) == NULL)
			rc = say_failed("out of memory");
		else
			rc = io_replace(path, text, strlen(text), 0600);
	}
	free(text);
	io_close(S->lock);
	S->lock = -1;
	return (rc);
}

static int
add(struct trust *T, const struct trust_entry *e)
{
	struct trust_entry *named = trust_by_name(T, e->card.name), *keyed = trust_by_key(T, e->card.sign);

	if (named != keyed)
		return (
		    say_refused("%s: a site of that name or key is known already and differs; compare the "
		                "fingerprints, and remove the old entry with 'trust remove'",
		        e->card.name));
	if (T->entries == NULL && (T->entries = calloc(TRUST_MAX, sizeof *T->entries)) == NULL)
		return (say_failed("out of memory"));
	if (named == NULL && T->n == TRUST_MAX)
		return (say_refused("%s: no more than %u sites can be trusted", e->card.name, TRUST_MAX));
	if (named == NULL)
		named = &T->entries[T->n++];
	*named = *e;
	return (0);
}

int
site_trust_add(struct site *S, const struct trust_entry *e)
{
	int rc = trust_begin(S);

	if (rc == 0 && memcmp(e->card.sign, S->card.sign, RECORD_KEY) == 0)
		rc = say_refused("%s: is this site's own card", e->card.name);
	if (rc == 0)
		rc = add(&S->trust, e);
	return (trust_end(S, rc));
}

int
site_trust_remove(struct site *S, const char *name)
{
	int rc = trust_begin(S);
	struct trust_entry *e;

	if (rc == 0 && (e = trust_by_name(&S->trust, name)) == NULL) {
		rc = say_refused("%s: no such site is known; see 'vmferry trust list'", name);
	} else if (rc == 0) {
		size_t i = (size_t)(e - S->trust.entries);

		memmove(e, e + 1, (S->trust.n - i - 1) * sizeof *e);
		S->trust.n--;
	}
	return (trust_end(S, rc));
}
