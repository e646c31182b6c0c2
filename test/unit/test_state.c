#include "place.h"

#include <sys/stat.h>
#include <xxhash.h>

#include "base/state.h"

TestSuite(state, .init = place_make, .fini = place_remove);

static json_t *
sample(int n)
{
	return (json_pack("{s:i,s:s,s:[i,i]}", "n", n, "vm",
	    "b\xc3\xbc"
	    "cher",
	    "list", 1, 2));
}

/* What is at "state" is a sample of that n. */
static void
expect_sample(int n)
{
	json_t *J = state_read(at("state")), *want = sample(n);

	cr_assert_not_null(J);
	cr_expect(json_equal(J, want));
	json_decref(J);
	json_decref(want);
}

Test(state, is_read_back_as_it_was_written)
{
	cr_assert_eq(state_write(at("state"), sample(1)), 0);
	expect_sample(1);
}

Test(state, is_replaced_whole_with_nothing_left_beside_it)
{
	char *big = calloc(1, 1 << 20);
	struct stat st;

	cr_assert_not_null(big);
	memset(big, 'x', (1 << 20) - 1);
	cr_assert_eq(state_write(at("state"), json_pack("{s:s}", "big", big)), 0);
	cr_assert_eq(state_write(at("state"), sample(2)), 0);
	expect_sample(2);
	cr_assert_eq(stat(at("state"), &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	cr_expect_eq(io_remove(at("state")), 0);
	cr_expect_eq(rmdir(place), 0);
	cr_expect_eq(mkdir(place, 0700), 0);
	free(big);
}

Test(state, stays_when_a_new_one_cannot_be_made)
{
	cr_assert_eq(state_write(at("state"), sample(3)), 0);
	cr_expect_eq(state_write(at("state"), NULL), -1);
	expect_sample(3);
	cr_assert_eq(mkdir(at("state.new"), 0700), 0);
	cr_expect_eq(state_write(at("state"), sample(4)), -1);
	expect_sample(3);
}

Test(state, that_was_cut_short_is_refused_wherever_it_was)
{
	size_t n;
	uint8_t *p;

	cr_assert_eq(state_write(at("state"), sample(5)), 0);
	p = place_get("state", &n);
	for (size_t cut = 0; cut < n; cut++) {
		place_put("state", p, cut);
		cr_expect_null(state_read(at("state")), "cut at %zu", cut);
		cr_expect(said("damaged"));
	}
	free(p);
}

Test(state, with_any_byte_changed_or_added_is_refused)
{
	size_t n;
	uint8_t *p;

	cr_assert_eq(state_write(at("state"), sample(6)), 0);
	p = place_get("state", &n);
	for (size_t i = 0; i < n; i++)
		for (unsigned x = 1; x < 256; x += x < 8 ? 1 : 31) {
			p[i] ^= (uint8_t)x;
			place_put("state", p, n);
			cr_expect_null(state_read(at("state")), "byte %zu with %u", i, x);
			p[i] ^= (uint8_t)x;
		}
	place_put("state", p, n + 1);
	cr_expect_null(state_read(at("state")));
	free(p);
}

/* The text with a right sum. */
static void
put_text(const char *text)
{
	char whole[256];
	int n = snprintf(whole, sizeof whole, "%sxxh3 %016llx\n", text,
	    (unsigned long long)XXH3_64bits(text, strlen(text)));

	place_put("state", whole, (size_t)n);
}

Test(state, that_is_no_json_is_refused_though_its_sum_is_right)
{
	static const char *const bad[] = { "", "{", "{\"a\":1} {}", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}",
		"nul" };

	put_text("{\"a\":1}");
	json_decref(state_read(at("state")));
	cr_expect_not(said("damaged"));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		put_text(bad[i]);
		cr_expect_null(state_read(at("state")), "%s", bad[i]);
		cr_expect(said("damaged"));
	}
}

Test(state, that_is_too_large_is_refused_before_it_is_read)
{
	place_put("state", "", 0);
	cr_assert_eq(truncate(at("state"), INT64_C(1) << 40), 0);
	cr_expect_null(state_read(at("state")));
	cr_expect(said("more than"));
}

Test(state, that_is_missing_is_an_error)
{
	cr_expect_null(state_read(at("state")));
	cr_expect(said("state"));
}
