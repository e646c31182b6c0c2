#include <criterion/criterion.h>

#include "filename.h"
#include "sample.h"

static const char *
stem_of(const char *vm, enum bundle_type type, uint64_t from, uint64_t to)
{
	static char out[FILENAME_STEM];
	struct header H = sample_header(type);

	strcpy(H.vm, vm);
	H.from.seq = from;
	H.to.seq = to;
	memcpy(H.id, "\x1a\x2b\x3c\x4d", 4);
	filename_stem(out, &H);
	return (out);
}

Test(filename, says_whose_bundle_it_is_and_between_which_points)
{
	cr_expect_str_eq(stem_of("web1", BUNDLE_SEED, 0, 1), "web1-seed-1.1a2b3c4d");
	cr_expect_str_eq(stem_of("web1", BUNDLE_DELTA, 41, 43), "web1-delta-41-43.1a2b3c4d");
	cr_expect_str_eq(stem_of("web1", BUNDLE_RECEIPT, 42, 43), "web1-receipt-43.1a2b3c4d");
}

Test(filename, takes_what_every_file_system_takes_of_a_name)
{
	cr_expect_str_eq(stem_of("DB Server (old)", BUNDLE_SEED, 0, 1), "db-server-old-seed-1.1a2b3c4d");
	cr_expect_str_eq(stem_of("\xc3\xbc\xc3\xa4", BUNDLE_SEED, 0, 1), "vm-seed-1.1a2b3c4d");
	cr_expect_str_eq(stem_of("a.b_c", BUNDLE_SEED, 0, 1), "a-b-c-seed-1.1a2b3c4d");
	cr_expect_str_eq(
	    stem_of("x........................................................y", BUNDLE_SEED, 0, 1),
	    "x-y-seed-1.1a2b3c4d");
}

Test(filename, stays_below_a_hundred_bytes)
{
	char vm[LIMIT_NAME + 1], name[FILENAME_SIZE];

	memset(vm, 'x', LIMIT_NAME);
	vm[LIMIT_NAME] = '\0';
	filename_volume(name, stem_of(vm, BUNDLE_RECEIPT, LIMIT_SEQ, LIMIT_SEQ), 99999);
	cr_expect_leq(strlen(name), 100);
	filename_volume(name, stem_of(vm, BUNDLE_DELTA, LIMIT_SEQ - 1, LIMIT_SEQ), 99999);
	cr_expect_leq(strlen(name) + strlen(".b2.minisig") - strlen(".99999.vmf"), 100);
	cr_expect_leq(strlen(name), 100);
}

Test(filename, is_taken_apart_again)
{
	char stem[FILENAME_STEM];

	cr_expect_eq(filename_split(stem, "web1-delta-41-43.1a2b3c4d.001.vmf"), 1);
	cr_expect_str_eq(stem, "web1-delta-41-43.1a2b3c4d");
	cr_expect_eq(filename_split(stem, "a.1a2b3c4d.12345.vmf"), 12345);
}

Test(filename, of_anything_else_is_none_of_a_volume)
{
	static const char *const names[] = { "", ".", "vmf", "web1.vmf", "web1.1a2b3c4d.vmf",
		"web1.1a2b3c4d.01.vmf", "web1.1a2b3c4d.000.vmf", "web1.1a2b3c4d.001.vmf.part",
		"web1.1a2b3c4.001.vmf", "web1.1a2b3c4d5.001.vmf", "Web1.1a2b3c4d.001.vmf",
		"../a.1a2b3c4d.001.vmf", "a.1a2b3c4d.123456.vmf", ".1a2b3c4d.001.vmf", "a.1a2b3c4d.001",
		"a.1A2B3C4D.001.vmf" };
	char stem[FILENAME_STEM], big[300];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		cr_expect_eq(filename_split(stem, names[i]), 0, "%s", names[i]);
	memset(big, 'a', sizeof big);
	strcpy(big + 200, ".1a2b3c4d.001.vmf");
	cr_expect_eq(filename_split(stem, big), 0);
}
