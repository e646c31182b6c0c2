#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>

#include "keylist.h"
#include "sample.h"

static uint8_t secrets[KEYLIST_KEYS * RECORD_SECRET];

static void
init(void)
{
	cr_assert(sodium_init() >= 0);
}

TestSuite(keylist, .init = init);

/* Is the list, written and read again, refused? */
static int
refused(const struct keylist *L)
{
	struct keylist again;
	char text[KEYLIST_MAX];

	return (keylist_decode(&again, text, keylist_encode(text, L, secrets)) != NULL);
}

Test(keylist, of_any_number_of_keys_comes_back)
{
	static struct keylist L, again;
	char text[KEYLIST_MAX];

	for (unsigned n = 1; n <= KEYLIST_KEYS; n++) {
		size_t size;

		L = sample_keylist(n, secrets);
		size = keylist_encode(text, &L, secrets);
		cr_expect_eq(size, strlen(text));
		cr_assert_null(keylist_decode(&again, text, size), "%u keys", n);
		cr_expect(memcmp(&L, &again, sizeof L) == 0, "%u keys", n);
	}
}

Test(keylist, of_the_longest_name_and_the_most_keys_fits)
{
	struct keylist L = sample_keylist(KEYLIST_KEYS, secrets);

	memset(L.name, 'x', LIMIT_NAME);
	L.version = KEYLIST_VERSION;
	L.made = INT64_C(253402300799);
	cr_expect_not(refused(&L));
}

Test(keylist, reads_as_documented)
{
	struct keylist L = sample_keylist(3, secrets);
	char text[KEYLIST_MAX], want[KEYLIST_MAX], sign[3][65], box[3][65];

	for (unsigned i = 0; i < 3; i++) {
		sodium_bin2hex(sign[i], sizeof sign[i], L.keys[i].sign, RECORD_KEY);
		sodium_bin2hex(box[i], sizeof box[i], L.keys[i].box, CARD_BOX);
	}
	snprintf(want, sizeof want,
	    "vmferry keys 1\nname: site-a\nversion: 3\nmade: 2026-03-01T12:00:00Z\n"
	    "key: sign=%s box=%s from=2026-02-28T12:00:00Z until=2026-03-01T12:00:00Z\n"
	    "key: sign=%s box=%s from=2026-02-28T12:30:00Z revoked=2026-03-01T12:30:00Z\n"
	    "key: sign=%s box=%s from=2026-02-28T13:00:00Z\nsignature: ",
	    sign[0], box[0], sign[1], box[1], sign[2], box[2]);
	keylist_encode(text, &L, secrets);
	cr_expect_eq(strncmp(text, want, strlen(want)), 0, "%s", text);
	cr_expect_eq(strlen(text), strlen(want) + 128 + 1 + 2 * (11 + 128 + 1));
}

Test(keylist, refuses_every_single_bit_flip)
{
	struct keylist L = sample_keylist(2, secrets), again;
	char text[KEYLIST_MAX];
	size_t n = keylist_encode(text, &L, secrets);

	for (size_t bit = 0; bit < 8 * n; bit++) {
		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
		cr_expect_not_null(keylist_decode(&again, text, n), "bit %zu of byte %zu", bit % 8, bit / 8);
		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
	}
	cr_expect_null(keylist_decode(&again, text, n), "and as it was");
}

Test(keylist, refuses_a_cut_at_any_byte_and_anything_behind)
{
	struct keylist L = sample_keylist(2, secrets), again;
	char text[KEYLIST_MAX + 1];
	size_t n = keylist_encode(text, &L, secrets);

	for (size_t cut = 0; cut < n; cut++)
		cr_expect_not_null(keylist_decode(&again, text, cut), "cut at %zu", cut);
	for (int c = 0; c < 256; c++) {
		text[n] = (char)c;
		cr_expect_not_null(keylist_decode(&again, text, n + 1), "byte %d behind", c);
	}
	memset(text + n, '\n', sizeof text - n);
	cr_expect_not_null(keylist_decode(&again, text, sizeof text), "too long");
}

Test(keylist, refuses_a_byte_put_in_anywhere)
{
	static const char in[] = { '\0', '\n', '\r', ' ', '0' };
	struct keylist L = sample_keylist(2, secrets), again;
	char text[KEYLIST_MAX], more[KEYLIST_MAX + 1];
	size_t n = keylist_encode(text, &L, secrets);

	for (size_t at = 0; at <= n; at++)
		for (size_t i = 0; i < sizeof in; i++) {
			memcpy(more, text, at);
			more[at] = in[i];
			memcpy(more + at + 1, text + at, n - at);
			cr_expect_not_null(keylist_decode(&again, more, n + 1), "byte %d at %zu", in[i], at);
		}
}

Test(keylist, refuses_one_that_not_every_key_has_signed)
{
	struct keylist L = sample_keylist(4, secrets);

	cr_expect_not(refused(&L));
	for (unsigned i = 0; i < L.n; i++) {
		uint8_t was = secrets[i * RECORD_SECRET];

		secrets[i * RECORD_SECRET] ^= 1;
		cr_expect(refused(&L), "key %u", i);
		secrets[i * RECORD_SECRET] = was;
	}
}

Test(keylist, refuses_signatures_in_another_order_or_number)
{
	struct keylist L = sample_keylist(2, secrets), again;
	char text[KEYLIST_MAX], other[KEYLIST_MAX];
	size_t n = keylist_encode(text, &L, secrets), line = strlen("signature: ") + 128 + 1;

	memcpy(other, text, n);
	memcpy(other + n - 2 * line, text + n - line, line);
	memcpy(other + n - line, text + n - 2 * line, line);
	cr_expect_not_null(keylist_decode(&again, other, n), "swapped");
	cr_expect_not_null(keylist_decode(&again, text, n - line), "one too few");
	memcpy(text + n, text + n - line, line);
	cr_expect_not_null(keylist_decode(&again, text, n + line), "one too many");
}

Test(keylist, refuses_capital_digits_in_keys_and_signatures)
{
	struct keylist L = sample_keylist(2, secrets), again;
	char text[KEYLIST_MAX];
	size_t n = keylist_encode(text, &L, secrets);

	for (size_t i = 0; i < n; i++) {
		if (strchr("abcdef", text[i]) == NULL)
			continue;
		text[i] = (char)(text[i] - 'a' + 'A');
		cr_expect_not_null(keylist_decode(&again, text, n), "at %zu", i);
		text[i] = (char)(text[i] - 'A' + 'a');
	}
}

Test(keylist, refuses_states_and_times_that_contradict_each_other_though_signed)
{
	const struct keylist good = sample_keylist(3, secrets);
	struct keylist L = good;

	cr_expect_not(refused(&L));
	L.keys[2].state = KEYLIST_ROTATED;
	cr_expect(refused(&L), "none is present");
	L = good;
	L.keys[1].state = KEYLIST_CURRENT;
	cr_expect(refused(&L), "two are present");
	L = good;
	L.keys[2].from = L.keys[1].from - 1;
	cr_expect(refused(&L), "out of order");
	L = good;
	L.made = L.keys[2].from - 1;
	cr_expect(refused(&L), "made before its last key");
	L = good;
	memcpy(L.keys[1].box, L.keys[0].box, CARD_BOX);
	cr_expect(refused(&L), "one box twice");
	L = good;
	L.version = 0;
	cr_expect(refused(&L), "version 0");
	L.version = KEYLIST_VERSION + 1;
	cr_expect(refused(&L), "a version too high");
	L = good;
	L.n = 0;
	cr_expect(refused(&L), "no keys");
	L = good;
	memcpy(L.keys[1].sign, L.keys[0].sign, RECORD_KEY);
	memcpy(secrets + RECORD_SECRET, secrets, RECORD_SECRET);
	cr_expect(refused(&L), "one key twice");
}

Test(keylist, refuses_a_bad_name_though_signed)
{
	static const char *const bad[] = { "", "-x", ".", "a/b", "a b ", "a'b", "a\nversion: 9", "a\x1b[m",
		"a\xff" };
	struct keylist L = sample_keylist(1, secrets);

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		strcpy(L.name, bad[i]);
		cr_expect(refused(&L), "row %zu", i);
	}
}

Test(keylist, refuses_one_key_more_than_there_may_be)
{
	static char text[2 * KEYLIST_MAX];
	struct keylist L = sample_keylist(KEYLIST_KEYS, secrets), again;
	size_t n = keylist_encode(text, &L, secrets);
	char *p = strstr(text, "key: "), *end = strchr(p, '\n') + 1;

	memmove(end, p, n - (size_t)(p - text) + 1);
	cr_expect_not_null(keylist_decode(&again, text, strlen(text)));
}

Test(keylist, has_another_digest_whatever_changes)
{
	const struct keylist good = sample_keylist(3, secrets);
	uint8_t was[KEYLIST_DIGEST], now[KEYLIST_DIGEST];
	struct keylist L[] = { good, good, good, good, good, good };

	strcpy(L[0].name, "b");
	L[1].version++;
	L[2].made++;
	L[3].keys[0].end++;
	L[4].keys[1].state = KEYLIST_ROTATED;
	L[5].n--;
	keylist_digest(was, &good);
	for (unsigned i = 0; i < 6; i++) {
		keylist_digest(now, &L[i]);
		cr_expect(memcmp(was, now, sizeof now) != 0, "%u", i);
	}
}

Test(keylist, fingerprint_is_that_of_the_card)
{
	struct keylist L = sample_keylist(1, secrets);
	struct card C = sample_card();
	char a[CARD_FINGERPRINT], b[CARD_FINGERPRINT];

	keylist_fingerprint(a, &L.keys[0]);
	card_fingerprint(b, &C);
	cr_expect_str_eq(a, b);
}
