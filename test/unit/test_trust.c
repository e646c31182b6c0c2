#include "place.h"

#include "sample.h"
#include "site/trust.h"

#define HEX64 "1111111111111111111111111111111111111111111111111111111111111111"
#define KEYS "sign=" HEX64 " box=" HEX64
#define GOOD "site=\"hq\" " KEYS

#define EARLIER(how) "earlier=" HEX64_2 "/" HEX64 "/2026-03-01T12:00:00Z/" how "/2026-03-01T12:00:00Z"
#define HEX64_2 "2222222222222222222222222222222222222222222222222222222222222222"

static uint8_t secrets[KEYLIST_KEYS * RECORD_SECRET];

TestSuite(trust, .init = place_make, .fini = place_remove);

/* Read text and give what trust_decode did. */
static int
decode(const char *text)
{
	struct trust T;
	int rc = trust_decode(&T, text);

	trust_free(&T);
	return (rc);
}

Test(trust, entries_come_back_as_they_were_written)
{
	struct trust_entry e[3];
	struct trust T = { e, 3 }, again;
	struct keylist L;
	char *text;

	memset(e, 0, sizeof e);
	for (unsigned i = 0; i < 3; i++) {
		e[i].card = sample_card();
		e[i].card.sign[0] = (uint8_t)i;
		memset(e[i].card.name, 0, sizeof e[i].card.name);
	}
	strcpy(e[0].card.name, "a");
	strcpy(e[1].card.name, "hq 2 # b\xc3\xbcro = x");
	strcpy(e[1].vm, "web [0-9]*");
	strcpy(e[2].card.name, "c");
	strcpy(e[2].vm, "*");
	strcpy(e[2].store, "/srv/my replicas#1");
	strcpy(e[2].host, "exec:/usr/local/lib/my host");
	e[2].max_size = UINT64_MAX;
	L = sample_keylist(3, secrets);
	memcpy(e[2].earlier, L.keys, 2 * sizeof *L.keys);
	memset(e[2].earlier[0].sign, 7, RECORD_KEY);
	e[2].nearlier = 2;
	e[2].version = KEYLIST_VERSION;
	memset(e[2].digest, 0x77, KEYLIST_DIGEST);
	e[1].is_revoked = 1;
	e[1].cutoff = 0;
	cr_assert_not_null(text = trust_encode(&T));
	cr_assert_eq(trust_decode(&again, text), 0);
	cr_assert_eq(again.n, 3);
	for (unsigned i = 0; i < 3; i++)
		cr_expect(memcmp(&again.entries[i], &e[i], sizeof *e) == 0, "entry %u", i);
	trust_free(&again);
	free(text);
}

Test(trust, file_of_nothing_or_comments_has_no_entries)
{
	static const char *const texts[] = { "", "\n\n", "# words\n", "   \t\n  # more", "#" };
	struct trust T;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		cr_expect_eq(trust_decode(&T, texts[i]), 0, "%zu", i);
		cr_expect_eq(T.n, 0);
		trust_free(&T);
	}
}

Test(trust, lines_are_taken_in_any_order_of_words_quoted_or_not)
{
	static const char *const lines[] = { GOOD, GOOD "\n", "  " GOOD " # a comment", KEYS "\tsite=hq",
		GOOD " vm=web* store=/srv max-size=1", GOOD "\n\n" GOOD " vm=\"a b\"",
		GOOD " " EARLIER("until") " " EARLIER("revoked"), "keys=7/" HEX64 " " GOOD,
		GOOD " revoked=1970-01-01T00:00:00Z" };

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		cr_expect_eq(decode(lines[i]), 0, "%s", lines[i]);
}

Test(trust, bad_lines_are_refused_and_named_by_their_number)
{
	static const char *const bad[] = { "hq", "site=hq", "site=hq sign=" HEX64, "site=hq box=" HEX64, KEYS,
		"site=\"\" " KEYS, "site=\"a/b\" " KEYS, "site=-x " KEYS, "site=\"hq " KEYS,
		"site=hq sign=1" HEX64 " box=" HEX64, "site=hq sign=11 box=" HEX64,
		"site=hq box=" HEX64 " sign=zz" HEX64,
		"site=hq sign=0000000000000000000000000000000000000000000000000000000000000000 box=" HEX64,
		GOOD " vm=\"a", GOOD " store=srv", GOOD " store=\"\"", GOOD " host=\"\"",
		GOOD " max-size=", GOOD " max-size=2T", GOOD " max-size=-1",
		GOOD " max-size=99999999999999999999", GOOD " color=red", GOOD " vm", GOOD " =x",
		GOOD " vm=a\"b", GOOD " store=/a\"b\"", GOOD " averyveryverylongkeyindeed=1",
		GOOD " earlier=" HEX64, GOOD " " EARLIER("since"), GOOD " " EARLIER("until") "Z",
		GOOD " " EARLIER("until") "/", GOOD " earlier=" HEX64_2 "/" HEX64 "/now/until/now",
		GOOD " earlier=" HEX64 "/" HEX64 "/2026-03-01T12:00:00Z/until/2026-03-01T12:00:00Z",
		GOOD " keys=" HEX64, GOOD " keys=0/" HEX64, GOOD " keys=-1/" HEX64, GOOD " keys=x/" HEX64,
		GOOD " keys=1/", GOOD " keys=1/" HEX64 "1", GOOD " keys=1000000001/" HEX64,
		GOOD " revoked=", GOOD " revoked=yes", GOOD " revoked=2026-02-30T12:00:00Z" };
	char text[2048];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		for (int above = 0; above < 4; above++) {
			snprintf(text, sizeof text, "%s%s%s%s\n" GOOD "\n", above > 0 ? "# one\n" : "",
			    above > 1 ? GOOD "\n" : "", above > 2 ? "\n" : "", bad[i]);
			cr_expect_eq(decode(text), above + 1, "line %d: %s", above + 1, bad[i]);
		}
}

Test(trust, values_longer_than_their_place_are_refused)
{
	static char text[3 * PATH_MAX];
	static const struct {
		const char *key;
		int most;
	} t[] = { { "site", LIMIT_NAME }, { "vm", LIMIT_NAME }, { "store", PATH_MAX - 1 },
		{ "host", PATH_MAX - 1 } };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		for (int more = 0; more < 2; more++) {
			memset(text, 'x', sizeof text);
			memcpy(text, GOOD " ", strlen(GOOD) + 1);
			snprintf(text + strlen(GOOD) + 1, PATH_MAX, "%s=\"", t[i].key);
			text[strlen(text)] = i == 2 ? '/' : 'x';
			snprintf(strrchr(text, '"') + 1 + t[i].most + more, 4, "\"\n");
			cr_expect_eq(decode(text), more, "%s of %d bytes", t[i].key, t[i].most + more);
		}
}

Test(trust, holds_so_many_entries_and_refuses_the_next)
{
	size_t one = strlen(GOOD "\n");
	char *text = malloc((TRUST_MAX + 1) * one + 1);
	struct trust T;

	cr_assert_not_null(text);
	for (size_t i = 0; i <= TRUST_MAX; i++)
		memcpy(text + i * one, GOOD "\n", one + 1);
	cr_expect_eq(decode(text), TRUST_MAX + 1);
	text[TRUST_MAX * one] = '\0';
	cr_expect_eq(trust_decode(&T, text), 0);
	cr_expect_eq(T.n, TRUST_MAX);
	trust_free(&T);
	free(text);
}

Test(trust, finds_entries_by_key_and_by_name)
{
	struct trust_entry e[2];
	struct trust T = { e, 2 };
	uint8_t key[RECORD_KEY] = { 9 };

	memset(e, 0, sizeof e);
	e[0].card = e[1].card = sample_card();
	strcpy(e[1].card.name, "other");
	memcpy(e[1].card.sign, key, RECORD_KEY);
	cr_expect(trust_by_key(&T, key) == &e[1] && trust_by_name(&T, "other") == &e[1]);
	cr_expect(trust_by_key(&T, e[0].card.sign) == &e[0] && trust_by_name(&T, "site-a") == &e[0]);
	key[31] = 1;
	cr_expect(trust_by_key(&T, key) == NULL && trust_by_name(&T, "Other") == NULL);
}

Test(trust, allows_the_vms_of_its_pattern_and_none_without_one)
{
	struct trust_entry e;

	memset(&e, 0, sizeof e);
	cr_expect_not(trust_allows(&e, "web1"));
	cr_expect_not(trust_allows(&e, ""));
	strcpy(e.vm, "web*");
	cr_expect(trust_allows(&e, "web1") && trust_allows(&e, "web"));
	cr_expect_not(trust_allows(&e, "myweb1"));
	cr_expect_not(trust_allows(&e, "Web1"));
	strcpy(e.vm, "db[0-9]");
	cr_expect(trust_allows(&e, "db3"));
	cr_expect_not(trust_allows(&e, "db33"));
}

/* --- the keys of a site ------------------------------------------------------------------------------- */

#define T0 INT64_C(1772366400)

/* An entry that has taken the list of version n, with n keys, each rotated or revoked in turn. */
static struct trust_entry
entry_of(unsigned n)
{
	struct keylist L = sample_keylist(n, secrets);
	struct trust_entry e;
	const char *why;

	memset(&e, 0, sizeof e);
	e.card = sample_card();
	cr_assert_eq(trust_take_keys(&e, &L, &why), 0);
	return (e);
}

/* What trust_take_keys answers, and that a no has changed nothing. */
static int
take(struct trust_entry *e, const struct keylist *L)
{
	struct trust_entry before = *e;
	const char *why = NULL;
	int rc = trust_take_keys(e, L, &why);

	cr_expect((rc == TRUST_REFUSED) == (why != NULL));
	cr_expect(rc == 0 || memcmp(&before, e, sizeof before) == 0, "a no changed the entry");
	return (rc);
}

/* Does what key i of the sample signed at that time count? */
static int
counts(const struct trust_entry *e, unsigned i, int64_t created)
{
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET];
	char why[TRUST_WORDS];

	sample_keys(key, secret, (uint8_t)i);
	cr_assert(trust_has_key(e, key));
	return (trust_objection(e, key, created, why) == NULL);
}

Test(trust, finds_an_entry_by_its_earlier_keys)
{
	struct trust_entry e[2];
	struct trust T = { e, 2 };
	struct keylist L = sample_keylist(4, secrets);

	memset(e, 0, sizeof e);
	memset(&e[0].card, 9, sizeof e[0].card);
	e[1] = entry_of(3);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(trust_by_key(&T, L.keys[i].sign), &e[1], "key %u", i);
	cr_expect_null(trust_by_key(&T, L.keys[3].sign));
	cr_expect_arr_eq(e[1].card.sign, L.keys[2].sign, RECORD_KEY, "the last is the present one");
	cr_expect_arr_eq(e[1].card.box, L.keys[2].box, CARD_BOX);
}

Test(trust, an_earlier_key_counts_up_to_its_end_and_the_present_one_always)
{
	struct keylist L = sample_keylist(3, secrets);
	struct trust_entry e = entry_of(3);

	for (unsigned i = 0; i < 2; i++) {
		cr_expect(counts(&e, i + 1, 0) && counts(&e, i + 1, L.keys[i].end));
		cr_expect_not(counts(&e, i + 1, L.keys[i].end + 1));
		cr_expect_not(counts(&e, i + 1, INT64_MAX));
	}
	cr_expect(counts(&e, 3, 0) && counts(&e, 3, T0 * 2));
}

Test(trust, of_a_revoked_site_nothing_counts_after_the_cut_off_by_any_key)
{
	struct trust_entry e = entry_of(3);

	cr_expect_eq(trust_revoke(&e, 1000), 0);
	for (unsigned i = 1; i <= 3; i++)
		cr_expect(counts(&e, i, 1000) && !counts(&e, i, 1001), "key %u", i);
	cr_expect_eq(trust_revoke(&e, 2000), TRUST_HAVE, "a cut-off does not move on");
	cr_expect_not(counts(&e, 3, 1001));
	cr_expect_eq(trust_revoke(&e, 500), 0);
	cr_expect_not(counts(&e, 3, 501));
}

Test(trust, takes_lists_that_follow_though_some_between_were_lost)
{
	for (unsigned had = 1; had <= 6; had++)
		for (unsigned next = had + 1; next <= 8; next++) {
			struct trust_entry e = entry_of(had);
			struct keylist L = sample_keylist(next, secrets);

			cr_expect_eq(take(&e, &L), 0, "%u after %u", next, had);
			cr_expect_eq(e.nearlier, next - 1);
			cr_expect_eq(e.version, next);
		}
}

Test(trust, takes_no_list_again_and_none_that_goes_back)
{
	struct trust_entry e = entry_of(4);

	for (unsigned n = 1; n <= 4; n++) {
		struct keylist L = sample_keylist(n, secrets);

		cr_expect_eq(take(&e, &L), TRUST_HAVE, "version %u", n);
	}
}

Test(trust, refuses_a_second_list_of_the_same_version)
{
	struct trust_entry e = entry_of(3);
	struct keylist L = sample_keylist(3, secrets);

	L.made++;
	cr_expect_eq(take(&e, &L), TRUST_REFUSED);
	L.version++;
	cr_expect_eq(take(&e, &L), 0);
}

Test(trust, refuses_a_list_without_the_present_key)
{
	struct trust_entry e = entry_of(3);
	struct keylist L = sample_keylist(2, secrets);

	/* He who has the earlier keys goes on from them. */
	L.version = 4;
	cr_expect_eq(take(&e, &L), TRUST_REFUSED);
	L = sample_keylist(5, secrets);
	L.keys[2] = L.keys[4];
	L.n = 3;
	cr_expect_eq(take(&e, &L), TRUST_REFUSED);
}

Test(trust, refuses_a_list_that_makes_an_earlier_key_the_present_one)
{
	struct trust_entry e = entry_of(3);
	struct keylist L = sample_keylist(3, secrets);
	struct keylist_key k = L.keys[0];

	L.keys[0] = L.keys[2];
	L.keys[2] = k;
	L.version = 4;
	cr_expect_eq(take(&e, &L), TRUST_REFUSED);
}

Test(trust, a_later_list_does_not_give_a_revoked_key_back)
{
	struct trust_entry e = entry_of(3);
	struct keylist L = sample_keylist(3, secrets);
	int64_t end = L.keys[1].end;

	L.version = 4;
	L.keys[1].end = end + 1000;
	cr_expect_eq(take(&e, &L), 0);
	cr_expect_not(counts(&e, 2, end + 1), "its cut-off moved on");
	L.version = 5;
	L.keys[1].state = KEYLIST_ROTATED;
	cr_expect_eq(take(&e, &L), 0);
	cr_expect_not(counts(&e, 2, end + 1), "it is no longer revoked");
	L.version = 6;
	L.keys[1].end = end - 1000;
	cr_expect_eq(take(&e, &L), 0);
	cr_expect_not(counts(&e, 2, end - 999), "but it may move back");
	/* Left out of a list, keys stay what they were. */
	L.version = 7;
	L.keys[0] = L.keys[2];
	L.n = 1;
	cr_expect_eq(take(&e, &L), 0);
	cr_expect_eq(e.nearlier, 2);
	cr_expect_not(counts(&e, 2, end - 999));
}

Test(trust, of_a_revoked_site_no_list_is_taken)
{
	struct trust_entry e = entry_of(3);
	struct keylist L = sample_keylist(4, secrets);

	trust_revoke(&e, T0);
	cr_expect_eq(take(&e, &L), TRUST_REFUSED);
}

Test(trust, a_revoked_site_goes_on_with_a_new_card_and_its_old_keys_stay_revoked)
{
	struct trust_entry e = entry_of(3);
	struct keylist L = sample_keylist(4, secrets);
	struct card C = sample_card();

	trust_revoke(&e, 1000);
	memcpy(C.sign, L.keys[3].sign, RECORD_KEY);
	cr_expect_eq(trust_renew(&e, &C), 0);
	cr_expect(counts(&e, 4, T0));
	for (unsigned i = 1; i <= 3; i++)
		cr_expect(counts(&e, i, 1000) && !counts(&e, i, 1001), "key %u", i);
	/* And its list, in which they are merely rotated, does not bring them back. */
	cr_expect_eq(take(&e, &L), 0);
	for (unsigned i = 1; i <= 3; i++)
		cr_expect_not(counts(&e, i, 1001), "key %u", i);
}

Test(trust, keeps_so_many_keys_of_a_site_and_no_more)
{
	struct trust_entry e = entry_of(1);
	struct card C = sample_card();
	struct keylist L;

	for (unsigned i = 0; i < TRUST_EARLIER; i++) {
		trust_revoke(&e, T0);
		memset(C.sign, 0x80 + (int)i, RECORD_KEY);
		cr_expect_eq(trust_renew(&e, &C), 0);
	}
	cr_expect_eq(trust_renew(&e, &C), -1);
	L = sample_keylist(2, secrets);
	memcpy(L.keys[1].sign, C.sign, RECORD_KEY);
	memset(L.keys[0].sign, 0x7f, RECORD_KEY);
	cr_expect_eq(take(&e, &L), TRUST_REFUSED);
}

Test(trust, of_a_site_that_is_removed_the_revoked_keys_stay)
{
	struct trust_entry e = entry_of(4);
	struct keylist L = sample_keylist(4, secrets);

	strcpy(e.vm, "*");
	cr_expect(trust_bury(&e));
	cr_expect(trust_has_key(&e, L.keys[1].sign) && !trust_has_key(&e, L.keys[0].sign) &&
	          !trust_has_key(&e, L.keys[3].sign));
	cr_expect_not(counts(&e, 2, 1));
	cr_expect_not(trust_allows(&e, "web1"));
	cr_expect(trust_bury(&e), "and again");
	cr_expect(trust_has_key(&e, L.keys[1].sign));
	e = entry_of(2);
	cr_expect_not(trust_bury(&e), "there are none");
}
