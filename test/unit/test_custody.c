#include <criterion/criterion.h>

#include "custody.h"
#include "sample.h"

static const uint8_t bundle[RECORD_ID] = { 7 };

static struct custody
sample(void)
{
	struct custody C = { .time = 1772366400, .what = "export", .result = "ok" };

	strcpy(C.site, "b\xc3\xbc"
	               "cher hq");
	memset(C.prev, 0x5a, sizeof C.prev);
	return (C);
}

static size_t
line_of(char line[CUSTODY_LINE], const struct custody *C, int is_signed)
{
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET];

	sample_keys(key, secret, 3);
	return (custody_encode(line, C, bundle, is_signed ? secret : NULL));
}

Test(custody, is_decoded_as_it_was_encoded)
{
	uint8_t key[RECORD_KEY], secret[RECORD_SECRET];
	struct custody C = sample(), D;
	char line[CUSTODY_LINE];
	size_t n = line_of(line, &C, 1);

	sample_keys(key, secret, 3);
	cr_assert_null(custody_decode(&D, line, n, bundle));
	cr_expect_eq(D.time, C.time);
	cr_expect_str_eq(D.what, "export");
	cr_expect_str_eq(D.site, C.site);
	cr_expect_str_eq(D.result, "ok");
	cr_expect_arr_eq(D.prev, C.prev, sizeof D.prev);
	cr_expect_arr_eq(D.key, key, sizeof key);
	cr_expect_eq(D.word, CUSTODY_GOOD);
}

Test(custody, of_a_courier_is_signed_by_nobody)
{
	struct custody C = sample(), D;
	char line[CUSTODY_LINE];
	size_t n;

	C.site[0] = '\0';
	n = line_of(line, &C, 0);
	cr_assert_null(custody_decode(&D, line, n, bundle));
	cr_expect_eq(D.word, CUSTODY_UNSIGNED);
}

/* Whatever byte is another, it is no line any more, or a bad one: never another line that is good. */
Test(custody, is_never_good_with_any_byte_changed)
{
	struct custody C = sample(), D;
	char line[CUSTODY_LINE];
	size_t n = line_of(line, &C, 1);

	for (size_t i = 0; i < n; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			line[i] = (char)(line[i] ^ 1 << bit);
			cr_expect(
			    custody_decode(&D, line, n, bundle) != NULL || D.word != CUSTODY_GOOD, "%zu", i);
			line[i] = (char)(line[i] ^ 1 << bit);
		}
}

Test(custody, is_refused_when_cut_anywhere)
{
	struct custody C = sample(), D;
	char line[CUSTODY_LINE];
	size_t n = line_of(line, &C, 1);

	for (size_t i = 0; i < n; i++)
		cr_expect_not_null(custody_decode(&D, line, i, bundle), "%zu", i);
}

Test(custody, of_another_bundle_is_bad)
{
	static const uint8_t other[RECORD_ID] = { 8 };
	struct custody C = sample(), D;
	char line[CUSTODY_LINE];
	size_t n = line_of(line, &C, 1);

	cr_assert_null(custody_decode(&D, line, n, other));
	cr_expect_eq(D.word, CUSTODY_BAD);
}

Test(custody, keeps_nothing_of_a_result_that_could_be_another_field)
{
	struct custody C = sample(), D;
	char line[CUSTODY_LINE];
	size_t n;

	strcpy(C.result, "refused: \"ok\" prev=\n\x1b[31m\xc3\xbc");
	n = line_of(line, &C, 1);
	cr_assert_null(custody_decode(&D, line, n, bundle));
	cr_expect_eq(D.word, CUSTODY_GOOD);
	cr_expect_str_eq(D.result, "refused: ?ok? prev=??[31m??");
}

Test(custody, has_room_for_the_longest_of_everything)
{
	struct custody C = sample(), D;
	char line[CUSTODY_LINE];
	size_t n;

	memset(C.what, 'w', sizeof C.what - 1);
	memset(C.site, 's', LIMIT_NAME);
	C.site[LIMIT_NAME] = '\0';
	memset(C.result, 'r', sizeof C.result - 1);
	C.result[sizeof C.result - 1] = '\0';
	n = line_of(line, &C, 1);
	cr_expect_lt(n, CUSTODY_LINE - 1);
	cr_assert_null(custody_decode(&D, line, n, bundle));
	cr_expect_eq(D.word, CUSTODY_GOOD);
}
