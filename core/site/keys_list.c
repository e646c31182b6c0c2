#include "site/keys_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/say.h"
#include "jsontext.h"
#include "point.h"

static json_t *
time_json(int64_t time)
{
	char text[POINT_TIME];

	point_time_text(text, time);
	return (json_string(text));
}

/* One key; from is not known of a card's that came without a list. */
static json_t *
key_json(unsigned number, const struct keylist_key *k, int has_from)
{
	json_t *o = json_object();
	char print[CARD_FINGERPRINT];

	keylist_fingerprint(print, k);
	json_object_set_new(o, "number", json_integer(number));
	json_object_set_new(o, "fingerprint", json_string(print));
	jsontext_set_bytes(o, "sign", k->sign, RECORD_KEY);
	jsontext_set_bytes(o, "box", k->box, CARD_BOX);
	json_object_set_new(o, "from", has_from ? time_json(k->from) : json_null());
	json_object_set_new(o, "until", k->state == KEYLIST_ROTATED ? time_json(k->end) : json_null());
	json_object_set_new(o, "revoked", k->state == KEYLIST_REVOKED ? time_json(k->end) : json_null());
	return (o);
}

static void
print_key(unsigned number, const struct keylist_key *k)
{
	static const char *const words[] = { "present", "counts until", "revoked from" };
	char print[CARD_FINGERPRINT], end[POINT_TIME] = "";

	keylist_fingerprint(print, k);
	if (k->state != KEYLIST_CURRENT)
		point_time_text(end, k->end);
	printf("  %2u  %s  %s%s%s\n", number, print, words[k->state], *end == '\0' ? "" : " ", end);
}

static json_t *
list_own(const struct keylist *L, int json)
{
	json_t *o = json_object(), *keys = json_array();

	if (!json)
		printf("%s  this site, version %" PRIu64 "\n", L->name, L->version);
	for (unsigned i = 0; i < L->n; i++) {
		json_array_append_new(keys, key_json(i + 1, &L->keys[i], 1));
		if (!json)
			print_key(i + 1, &L->keys[i]);
	}
	json_object_set_new(o, "name", json_string(L->name));
	json_object_set_new(o, "version", json_integer((json_int_t)L->version));
	json_object_set_new(o, "keys", keys);
	return (o);
}

/* The present key of a known site, in the words of a list. */
static struct keylist_key
present(const struct trust_entry *e)
{
	struct keylist_key k = { .state = e->is_revoked ? KEYLIST_REVOKED : KEYLIST_CURRENT,
		.end = e->cutoff };

	memcpy(k.sign, e->card.sign, RECORD_KEY);
	memcpy(k.box, e->card.box, CARD_BOX);
	return (k);
}

static void
print_head(const struct trust_entry *e)
{
	char end[POINT_TIME];

	point_time_text(end, e->cutoff);
	if (e->version != 0)
		printf("%s  version %" PRIu64, e->card.name, e->version);
	else
		printf("%s  by its card", e->card.name);
	if (e->is_revoked)
		printf("  revoked here from %s", end);
	printf("\n");
}

static json_t *
list_site(const struct trust_entry *e, int json)
{
	json_t *o = json_object(), *keys = json_array();
	struct keylist_key last = present(e);

	if (!json)
		print_head(e);
	for (unsigned i = 0; i < e->nearlier; i++) {
		json_array_append_new(keys, key_json(i + 1, &e->earlier[i], 1));
		if (!json)
			print_key(i + 1, &e->earlier[i]);
	}
	json_array_append_new(keys, key_json(e->nearlier + 1, &last, 0));
	if (!json)
		print_key(e->nearlier + 1, &last);
	json_object_set_new(o, "name", json_string(e->card.name));
	json_object_set_new(
	    o, "version", e->version == 0 ? json_null() : json_integer((json_int_t)e->version));
	json_object_set_new(o, "revoked", e->is_revoked ? time_json(e->cutoff) : json_null());
	json_object_set_new(o, "keys", keys);
	return (o);
}

int
keys_list(const struct site *S, int json)
{
	const struct trust *T = site_trust(S);
	json_t *all = json_object(), *sites = json_array();
	int rc = 0;

	json_object_set_new(all, "own", list_own(site_keys(S), json));
	for (size_t i = 0; i < T->n; i++)
		json_array_append_new(sites, list_site(&T->entries[i], json));
	json_object_set_new(all, "sites", sites);
	if (json)
		rc = json_dumpf(all, stdout, JSON_INDENT(1)) == 0 && putchar('\n') != EOF ? 0 : -1;
	json_decref(all);
	return (rc);
}
