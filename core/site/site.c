#include "site/site.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "name.h"
#include "base/say.h"

struct site {
	char home[PATH_MAX];
	int lock;         /* held while the trust file or the keys are changed */
	struct card card; /* of the present key */
	struct trust trust;
	struct secret *keys; /* in locked memory */
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
write_secret(const char *home, const struct secret *K)
{
	char path[PATH_MAX], *text = sodium_malloc(SECRET_MAX);
	int rc = text == NULL ? say_failed("out of memory") : io_path(path, "%s/secret", home);

	if (rc == 0)
		rc = io_replace(path, text, secret_encode(text, K), 0600);
	sodium_free(text);
	return (rc);
}

/* The card is made from the keys, and written after them. */
static int
write_card(const char *home, const struct secret *K)
{
	struct card C = secret_card(K);
	char path[PATH_MAX], text[CARD_MAX];

	if (io_path(path, "%s/card", home) != 0)
		return (-1);
	return (io_replace(path, text, card_encode(text, &C, secret_sign(K)), 0644));
}

static int
make_identity(const char *home, const char *name)
{
	struct secret *K = sodium_malloc(sizeof *K);
	int rc;

	if (K == NULL)
		return (say_failed("out of memory"));
	sodium_memzero(K, sizeof *K);
	strcpy(K->list.name, name);
	K->list.version = 1;
	K->list.made = (int64_t)time(NULL);
	secret_add_key(K, K->list.made);
	if ((rc = write_secret(home, K)) == 0)
		rc = write_card(home, K);
	sodium_free(K);
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

int
site_exists(const char *home)
{
	char dir[PATH_MAX], path[PATH_MAX];

	return (find_home(dir, home) == 0 && io_path(path, "%s/card", dir) == 0 && access(path, R_OK) == 0);
}

static int
read_card(const struct site *S, struct card *C)
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
	why = card_decode(C, text, n);
	free(text);
	return (why == NULL ? 0 : say_failed("%s: %s", path, why));
}

/* The secret beside a card, which must be of one of its keys. */
static int
read_secret(const struct site *S, struct secret *K, const struct card *C)
{
	char path[PATH_MAX], *text;
	struct stat st;
	size_t n;
	int rc;

	if (io_path(path, "%s/secret", S->home) != 0)
		return (-1);
	if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
		return (say_failed("%s: others can read the secret key; set its mode to 0600", path));
	if ((text = io_slurp(path, SECRET_MAX, &n)) == NULL)
		return (-1);
	rc = secret_decode(K, text, n, C);
	sodium_memzero(text, n);
	free(text);
	if (rc != 0 || keylist_find(&K->list, C->sign) == NULL)
		return (say_failed("%s: is damaged, or not the secret key of the card beside it", path));
	return (0);
}

/* A change of keys that was cut short left the card of the key before. */
static int
repair_card(const struct site *S)
{
	char path[PATH_MAX];
	int lock, rc;

	if (!io_is_writable(S->home) || io_path(path, "%s/trust.lock", S->home) != 0 ||
	    (lock = io_lock(path)) == -2)
		return (0);
	if (lock < 0)
		return (-1);
	rc = write_card(S->home, S->keys);
	io_close(lock);
	return (rc);
}

static int
read_identity(struct site *S)
{
	struct card C;

	if (read_card(S, &C) != 0 || read_secret(S, S->keys, &C) != 0)
		return (-1);
	S->card = secret_card(S->keys);
	return (memcmp(S->card.sign, C.sign, RECORD_KEY) == 0 ? 0 : repair_card(S));
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

/* Programs that this site has do its work, such as a host's, know by this whose work it is. */
static int
tell_programs(const struct site *S)
{
	char home[PATH_MAX];

	if (io_absolute(S->home, home) != 0)
		return (-1);
	return (setenv("VMFERRY_HOME", home, 1) == 0 ? 0 : say_failed("out of memory"));
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
	if (find_home(S->home, home) != 0 || read_identity(S) != 0 || read_trust(S) != 0 ||
	    tell_programs(S) != 0) {
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

int
site_find(const struct site *S, const char *name, const struct trust_entry **e)
{
	if ((*e = trust_by_name(site_trust(S), name)) == NULL)
		return (say_refused(
		    "%s: no site of that name is known; add its card with 'vmferry trust add'", name));
	return ((*e)->is_revoked ? say_refused("%s: the keys of this site were revoked here", name) : 0);
}

const char *
site_home(const struct site *S)
{
	return (S->home);
}

const uint8_t *
site_secret(const struct site *S)
{
	return (secret_sign(S->keys));
}

const struct keylist *
site_keys(const struct site *S)
{
	return (&S->keys->list);
}

size_t
site_keys_text(const struct site *S, char out[KEYLIST_MAX])
{
	return (keylist_encode(out, &S->keys->list, S->keys->sign[0]));
}

int
site_is_own_key(const struct site *S, const uint8_t key[RECORD_KEY])
{
	return (keylist_find(&S->keys->list, key) != NULL);
}

const char *
site_name_of(const struct site *S, const uint8_t key[RECORD_KEY], char out[SITE_NAMED])
{
	const struct trust_entry *e;
	char hex[17];

	if (site_is_own_key(S, key)) {
		snprintf(out, SITE_NAMED, "%s", S->card.name);
	} else if ((e = trust_by_key(&S->trust, key)) != NULL) {
		snprintf(out, SITE_NAMED, "%s", e->card.name);
	} else {
		sodium_bin2hex(hex, sizeof hex, key, 8);
		snprintf(out, SITE_NAMED, "key %s...", hex);
	}
	return (out);
}

size_t
site_card_text(const struct site *S, char out[CARD_MAX])
{
	return (card_encode(out, &S->card, secret_sign(S->keys)));
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

/* Open what is sealed to one of our keys. */
static int
unseal(const struct site *S, const struct header_target *t, uint8_t both[HEADER_CONTENT_KEY + LEAF_SEED])
{
	const struct keylist *L = &S->keys->list;
	size_t i = (size_t)(keylist_find(L, t->key) - L->keys);

	return (crypto_box_seal_open(both, t->seal, HEADER_SEAL, L->keys[i].box, S->keys->box[i]));
}

/* Both keys in the seal to this site, of n targets.  NULL, or why there are none. */
static const char *
find_seal(const struct site *S, const struct header_target *targets, unsigned n,
    uint8_t both[HEADER_CONTENT_KEY + LEAF_SEED])
{
	unsigned i = 0;

	while (i < n && !site_is_own_key(S, targets[i].key))
		i++;
	if (i == n)
		return ("it is not addressed to this site; export it with --to");
	if (unseal(S, &targets[i], both) != 0)
		return (
		    "its keys were sealed to another card of this site; give the primary the present card");
	return (NULL);
}

const char *
site_unseal(const struct site *S, const struct header *H, uint8_t content_key[HEADER_CONTENT_KEY],
    uint8_t leaf_seed[LEAF_SEED])
{
	uint8_t both[HEADER_CONTENT_KEY + LEAF_SEED];
	const char *why;

	if (H->has_leaf_seed) {
		memset(content_key, 0, HEADER_CONTENT_KEY);
		memcpy(leaf_seed, H->leaf_seed, LEAF_SEED);
		return (NULL);
	}
	if ((why = find_seal(S, H->targets, H->ntargets, both)) != NULL)
		return (why);
	memcpy(content_key, both, HEADER_CONTENT_KEY);
	memcpy(leaf_seed, both + HEADER_CONTENT_KEY, LEAF_SEED);
	sodium_memzero(both, sizeof both);
	return (NULL);
}

const char *
site_unseal_part(const struct site *S, const struct header_part *p, uint8_t content_key[HEADER_CONTENT_KEY])
{
	uint8_t both[HEADER_CONTENT_KEY + LEAF_SEED];
	const char *why;

	memset(content_key, 0, HEADER_CONTENT_KEY);
	if (p->cipher == RECORD_CLEAR)
		return (NULL);
	if ((why = find_seal(S, p->targets, p->ntargets, both)) != NULL)
		return (why);
	memcpy(content_key, both, HEADER_CONTENT_KEY);
	sodium_memzero(both, sizeof both);
	return (NULL);
}

int
site_open_sealed(const struct site *S, const uint8_t *sealed, size_t n, uint8_t *out)
{
	const struct keylist *L = &S->keys->list;

	for (unsigned i = L->n; i > 0; i--)
		if (crypto_box_seal_open(out, sealed, n, L->keys[i - 1].box, S->keys->box[i - 1]) == 0)
			return (0);
	return (-1);
}

/* Lock the trust file and the keys, so that two changes at once do not undo each other. */
static int
begin(struct site *S)
{
	char path[PATH_MAX];

	if (io_path(path, "%s/trust.lock", S->home) != 0)
		return (-1);
	S->lock = io_lock(path);
	if (S->lock == -2)
		return (say_refused("%s: another vmferry is changing the trust file", S->home));
	return (S->lock < 0 ? -1 : 0);
}

static int
end(struct site *S, int rc)
{
	io_close(S->lock);
	S->lock = -1;
	return (rc == SITE_SAME ? 0 : rc);
}

static int
write_trust(const struct site *S)
{
	char path[PATH_MAX], *text = trust_encode(&S->trust);
	int rc;

	if (text == NULL)
		return (say_failed("out of memory"));
	if (strlen(text) > TRUST_TEXT)
		rc = say_refused("%s: the trust file would have more than %u bytes", S->home, TRUST_TEXT);
	else if ((rc = io_path(path, "%s/trust", S->home)) == 0)
		rc = io_replace(path, text, strlen(text), 0600);
	free(text);
	return (rc);
}

int
site_change_trust(struct site *S, int (*change)(struct trust *T, void *context), void *context)
{
	int rc = begin(S);

	if (rc == 0)
		rc = read_trust(S);
	if (rc == 0)
		rc = change(&S->trust, context);
	if (rc == 0)
		rc = write_trust(S);
	return (end(S, rc));
}

int
site_change_keys(struct site *S, int (*change)(struct secret *K, void *context), void *context)
{
	struct secret *K = sodium_malloc(sizeof *K);
	int rc;

	if (K == NULL)
		return (say_failed("out of memory"));
	if ((rc = begin(S)) == 0)
		rc = read_secret(S, K, &S->card);
	if (rc == 0)
		rc = change(K, context);
	if (rc == 0)
		rc = write_secret(S->home, K);
	if (rc == 0 && memcmp(secret_card(K).sign, S->card.sign, RECORD_KEY) != 0)
		rc = write_card(S->home, K);
	if (rc == 0) {
		memcpy(S->keys, K, sizeof *K);
		S->card = secret_card(K);
	}
	sodium_free(K);
	return (end(S, rc));
}

/* What speaks against a card of which a key is known: 0, or 1, said. */
static int
check_known(const struct trust_entry *keyed, const struct card *C)
{
	if (keyed->is_revoked)
		return (say_refused(
		    "%s: the keys of site '%s' were revoked here, and this is one of them: it is not "
		    "added again",
		    C->name, keyed->card.name));
	if (memcmp(keyed->card.sign, C->sign, RECORD_KEY) == 0)
		return (0);
	for (unsigned i = 0; i < keyed->nearlier; i++)
		if (memcmp(keyed->earlier[i].sign, C->sign, RECORD_KEY) == 0 &&
		    keyed->earlier[i].state == KEYLIST_REVOKED)
			return (say_refused("%s: this key of site '%s' was revoked: it is not added again",
			    C->name, keyed->card.name));
	return (say_refused(
	    "%s: is an earlier card of site '%s', whose keys have changed since; ask for the present one",
	    C->name, keyed->card.name));
}

static int
add(struct trust *T, void *context)
{
	const struct trust_entry *e = context;
	struct trust_entry *named = trust_by_name(T, e->card.name), *keyed = trust_by_key(T, e->card.sign);

	if (keyed != NULL && check_known(keyed, &e->card) != 0)
		return (1);
	if (named != keyed && (named == NULL || keyed != NULL || !named->is_revoked))
		return (say_refused(
		    "%s: a site of that name or key is known already and differs; take its key list "
		    "with 'vmferry key import', or compare the "
		    "fingerprints, and remove the old entry with 'trust remove'",
		    e->card.name));
	if (named == NULL && T->n == TRUST_MAX)
		return (say_refused("%s: no more than %u sites can be trusted", e->card.name, TRUST_MAX));
	if (named == NULL)
		return (trust_append(T, e) != NULL ? 0 : say_failed("out of memory"));
	if (named != keyed && trust_renew(named, &e->card) != 0)
		return (say_refused("%s: no more keys of one site are kept", e->card.name));
	named->card = e->card;
	strcpy(named->vm, e->vm);
	strcpy(named->store, e->store);
	named->max_size = e->max_size;
	named->inbox = e->inbox;
	named->frequency = e->frequency;
	named->rate = e->rate;
	named->points = e->points;
	strcpy(named->host, e->host);
	return (0);
}

int
site_trust_add(struct site *S, const struct trust_entry *e)
{
	struct trust_entry *mine;
	int rc;

	if (site_is_own_key(S, e->card.sign))
		return (say_refused("%s: is this site's own card", e->card.name));
	if ((mine = malloc(sizeof *mine)) == NULL)
		return (say_failed("out of memory"));
	*mine = *e;
	rc = site_change_trust(S, add, mine);
	free(mine);
	return (rc);
}

struct removal {
	const char *name;
	int is_buried; /* its revoked keys stay */
};

static int
take_out(struct trust *T, void *context)
{
	struct removal *r = context;
	struct trust_entry *e = trust_by_name(T, r->name);

	if (e == NULL)
		return (say_refused("%s: no such site is known; see 'vmferry trust list'", r->name));
	r->is_buried = trust_bury(e);
	if (!r->is_buried) {
		size_t i = (size_t)(e - T->entries);

		memmove(e, e + 1, (T->n - i - 1) * sizeof *e);
		T->n--;
	}
	return (0);
}

int
site_trust_remove(struct site *S, const char *name)
{
	struct removal r = { name, 0 };
	int rc = site_change_trust(S, take_out, &r);

	if (rc == 0 && r.is_buried)
		say_note(
		    "%s: removed; its revoked keys stay in the trust file, and are not taken again", name);
	return (rc);
}
