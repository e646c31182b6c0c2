#include "place.h"

#include "sample.h"
#include "site/trust.h"

#define HEX64 "1111111111111111111111111111111111111111111111111111111111111111"
#define KEYS "sign=" HEX64 " box=" HEX64
#define GOOD "site=\"hq\" " KEYS

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
	e[2].max_size = UINT64_MAX;
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
		GOOD " vm=web* store=/srv max-size=1", GOOD "\n\n" GOOD " vm=\"a b\"" };

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
		GOOD " vm=\"a", GOOD " store=srv", GOOD " store=\"\"", GOOD " max-size=", GOOD " max-size=2T",
		GOOD " max-size=-1", GOOD " max-size=99999999999999999999", GOOD " color=red", GOOD " vm",
		GOOD " =x", GOOD " vm=a\"b", GOOD " store=/a\"b\"", GOOD " averyveryverylongkeyindeed=1" };
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
	} t[] = { { "site", LIMIT_NAME }, { "vm", LIMIT_NAME }, { "store", PATH_MAX - 1 } };

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
