#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>

#include "card.h"
#include "sample.h"

static void
init(void)
{
	cr_assert(sodium_init() >= 0);
}

TestSuite(card, .init = init);

/* The text of C, signed with the secret key of sample_keys(n). */
static size_t
text_of(char out[CARD_MAX], const struct card *C, uint8_t n)
{
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET];

	sample_keys(key, secret, n);
	return (card_encode(out, C, secret));
}

Test(card, comes_back)
{
	struct card C = sample_card(), again;
	char text[CARD_MAX];
	size_t n = text_of(text, &C, 1);

	cr_expect_eq(n, strlen(text));
	cr_expect_null(card_decode(&again, text, n));
	cr_expect_str_eq(again.name, C.name);
	cr_expect_arr_eq(again.sign, C.sign, RECORD_KEY);
	cr_expect_arr_eq(again.box, C.box, CARD_BOX);
}

Test(card, of_the_longest_name_fits)
{
	struct card C = sample_card(), again;
	char text[CARD_MAX];

	memset(C.name, 'x', LIMIT_NAME);
	cr_expect_null(card_decode(&again, text, text_of(text, &C, 1)));
	cr_expect_str_eq(again.name, C.name);
}

Test(card, reads_as_documented)
{
	struct card C = sample_card();
	char text[CARD_MAX], print[CARD_FINGERPRINT], want[CARD_MAX], sign[65], box[65];

	sodium_bin2hex(sign, sizeof sign, C.sign, sizeof C.sign);
	sodium_bin2hex(box, sizeof box, C.box, sizeof C.box);
	card_fingerprint(print, &C);
	snprintf(want, sizeof want,
	    "vmferry card 1\nname: site-a\nsign: %s\nbox: %s\nfingerprint: %s\nsignature: ", sign, box,
	    print);
	text_of(text, &C, 1);
	cr_expect_eq(strncmp(text, want, strlen(want)), 0, "%s", text);
	cr_expect_eq(strlen(text), strlen(want) + 128 + 1);
}

Test(card, refuses_every_single_bit_flip)
{
	struct card C = sample_card(), again;
	char text[CARD_MAX];
	size_t n = text_of(text, &C, 1);

	for (size_t bit = 0; bit < 8 * n; bit++) {
		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
		cr_expect_not_null(card_decode(&again, text, n), "bit %zu of byte %zu", bit % 8, bit / 8);
		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
	}
	cr_expect_null(card_decode(&again, text, n), "and as it was");
}

Test(card, refuses_a_cut_at_any_byte_and_anything_behind)
{
	struct card C = sample_card(), again;
	char text[CARD_MAX + 1];
	size_t n = text_of(text, &C, 1);

	for (size_t cut = 0; cut < n; cut++)
		cr_expect_not_null(card_decode(&again, text, cut), "cut at %zu", cut);
	for (int c = 0; c < 256; c++) {
		text[n] = (char)c;
		cr_expect_not_null(card_decode(&again, text, n + 1), "byte %d behind", c);
	}
	memset(text + n, '\n', sizeof text - n);
	cr_expect_not_null(card_decode(&again, text, sizeof text), "too long");
}

Test(card, refuses_a_byte_put_in_anywhere)
{
	static const char in[] = { '\0', '\n', '\r', ' ', '0' };
	struct card C = sample_card(), again;
	char text[CARD_MAX], more[CARD_MAX + 1];
	size_t n = text_of(text, &C, 1);

	for (size_t at = 0; at <= n; at++)
		for (size_t i = 0; i < sizeof in; i++) {
			memcpy(more, text, at);
			more[at] = in[i];
			memcpy(more + at + 1, text + at, n - at);
			cr_expect_not_null(card_decode(&again, more, n + 1), "byte %d at %zu", in[i], at);
		}
}

Test(card, refuses_one_signed_by_another)
{
	struct card C = sample_card(), again;
	char text[CARD_MAX];

	cr_expect_not_null(card_decode(&again, text, text_of(text, &C, 2)));
}

Test(card, refuses_a_bad_name_though_signed)
{
	static const char *const bad[] = { "", "-x", ".", "a/b", "a b ", "a'b", "a\nsign: b", "a\x1b[m",
		"a\xff" };
	struct card C = sample_card(), again;
	char text[CARD_MAX];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		memset(C.name, 0, sizeof C.name);
		strcpy(C.name, bad[i]);
		cr_expect_not_null(card_decode(&again, text, text_of(text, &C, 1)), "row %zu", i);
	}
}

Test(card, fingerprint_is_eight_groups_bound_to_both_keys_and_not_to_the_name)
{
	struct card C = sample_card();
	char was[CARD_FINGERPRINT], now[CARD_FINGERPRINT];

	card_fingerprint(was, &C);
	cr_expect_eq(strlen(was), CARD_FINGERPRINT - 1);
	for (size_t i = 0; i < CARD_FINGERPRINT - 1; i++)
		cr_expect(i % 5 == 4 ? was[i] == '-' : strchr("0123456789abcdef", was[i]) != NULL);
	for (size_t i = 0; i < RECORD_KEY + CARD_BOX; i++) {
		uint8_t *p = i < RECORD_KEY ? C.sign + i : C.box + (i - RECORD_KEY);

		*p ^= 1;
		card_fingerprint(now, &C);
		cr_expect_str_neq(now, was, "byte %zu", i);
		*p ^= 1;
	}
	strcpy(C.name, "other");
	card_fingerprint(now, &C);
	cr_expect_str_eq(now, was);
}
