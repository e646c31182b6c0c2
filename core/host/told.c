#include "host/told.h"

#include <sodium.h>
#include <string.h>

#include "base/say.h"
#include "jsontext.h"

json_t *
told_encode(const struct told *t)
{
	json_t *o = json_pack("{s:i}", "whose", (int)t->whose);
	int bad = 0;

	if (t->is_told) {
		bad |= json_object_set_new(o, "as", json_integer(t->purpose));
		bad |= jsontext_set_bytes(o, "digest", t->digest, TOLD_DIGEST);
	}
	return (jsontext_whole(o, bad));
}

int
told_decode(struct told *t, const json_t *o)
{
	uint64_t whose, as;

	memset(t, 0, sizeof *t);
	if (o == NULL)
		return (0);
	if (jsontext_get_number(o, "whose", TOLD_FOUND, &whose) != 0)
		return (-1);
	t->whose = (enum told_whose)whose;
	if ((t->is_told = json_object_get(o, "as") != NULL) == 0)
		return (0);
	if (jsontext_get_number(o, "as", HOST_FENCED, &as) != 0 ||
	    jsontext_get_bytes(o, "digest", t->digest, TOLD_DIGEST) != 0)
		return (-1);
	t->purpose = (enum host_purpose)as;
	return (0);
}

static void
add_text(crypto_generichash_state *h, const char *s)
{
	if (s != NULL)
		crypto_generichash_update(h, (const uint8_t *)s, strlen(s));
	crypto_generichash_update(h, (const uint8_t *)"", 1);
}

static void
add_number(crypto_generichash_state *h, uint64_t n)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(n >> (8 * i));
	crypto_generichash_update(h, bytes, sizeof bytes);
}

static void
digest_of(uint8_t out[TOLD_DIGEST], const char *spec, const struct host_vm *vm)
{
	crypto_generichash_state h;

	crypto_generichash_init(&h, NULL, 0, TOLD_DIGEST);
	add_text(&h, spec);
	add_text(&h, vm->uuid);
	add_text(&h, vm->name);
	add_number(&h, (uint64_t)vm->purpose);
	add_number(&h, (uint64_t)vm->may_start);
	add_number(&h, vm->ndisks);
	for (unsigned i = 0; i < vm->ndisks; i++) {
		const struct host_disk *d = &vm->disks[i];

		add_text(&h, d->id);
		add_text(&h, d->path);
		if (d->uri != NULL)
			add_text(&h, d->uri);
		add_number(&h, (uint64_t)d->format);
		add_number(&h, d->size);
		add_number(&h, (uint64_t)d->is_excluded);
	}
	add_text(&h, vm->definition);
	crypto_generichash_final(&h, out, TOLD_DIGEST);
}

int
told_is(const struct told *t, const char *spec, const struct host_vm *vm)
{
	uint8_t digest[TOLD_DIGEST];

	digest_of(digest, spec, vm);
	return (t->is_told && memcmp(t->digest, digest, TOLD_DIGEST) == 0);
}

void
told_note(struct told *t, const char *spec, const struct host_vm *vm)
{
	t->is_told = 1;
	t->purpose = vm->purpose;
	digest_of(t->digest, spec, vm);
	if (t->whose == TOLD_NOBODY)
		t->whose = TOLD_MADE;
}

/* May the VM of that name at the host be changed?  0; 1, said; 2: there is none, and none is wanted; -1. */
static int
check_there(const struct told *t, struct host *H, const struct host_vm *vm)
{
	struct host_state is;
	int rc = host_state(H, vm->name, &is);

	if (rc != 0)
		return (rc);
	if (is.run == HOST_RUNNING || is.run == HOST_PAUSED)
		return (say_refused("%s: is %s at this site's host, and is to be a VM that is %s: shut it "
		                    "down there",
		    vm->name, host_run_name(is.run), host_purpose_name(vm->purpose)));
	if (t->whose == TOLD_NOBODY && is.run == HOST_OFF)
		return (say_refused("%s: this site's host has a VM of that name already, which is not of "
		                    "vmferry's making, and is left alone: rename it there, or remove it",
		    vm->name));
	return (is.run == HOST_ABSENT && vm->ndisks == 0 ? 2 : 0);
}

static int
tell(struct telling *T, struct host *H, const struct host_vm *vm)
{
	int rc = check_there(T->t, H, vm), is_first = T->t->whose == TOLD_NOBODY;

	if (rc != 0)
		return (rc);
	/* Once it is there it must be known whose it is. */
	if (is_first) {
		T->t->whose = TOLD_MADE;
		if (T->save(T->context) != 0)
			return (-1);
	}
	if ((rc = host_define(H, vm)) != 0) {
		/* None was made; one of that name that is there later is not ours to change or to remove. */
		if (is_first && (rc == 1 || rc == HOST_NOTHING)) {
			T->t->whose = TOLD_NOBODY;
			if (T->save(T->context) != 0)
				return (-1);
		}
		return (rc);
	}
	told_note(T->t, T->spec, vm);
	return (T->save(T->context));
}

int
told_tell(struct telling *T, const struct host_vm *vm)
{
	struct host *H;
	int rc;

	if (strcmp(T->spec, "none") == 0 || told_is(T->t, T->spec, vm))
		return (2);
	if ((rc = host_open(&H, T->spec)) == 0)
		rc = tell(T, H, vm);
	host_close(H);
	return (rc);
}
