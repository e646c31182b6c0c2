#include "place.h"

#include <sys/stat.h>

#include "bundle/outfile.h"

TestSuite(outfile, .init = place_make, .fini = place_remove);

#define MIB ((size_t)1 << 20)

static uint8_t *
noise(size_t n)
{
	uint8_t *p = malloc(n);
	uint64_t seed = 1;

	cr_assert_not_null(p);
	for (size_t i = 0; i < n; i += 8) {
		uint64_t v = dice(&seed);

		memcpy(p + i, &v, n - i < 8 ? n - i : 8);
	}
	return (p);
}

/* Write n bytes in pieces of some size. */
static int
write_all(struct outfile *F, const uint8_t *p, size_t n, size_t piece)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i += piece) {
		const struct io_part parts[3] = { { p + i, 0 }, { p + i, n - i < piece ? n - i : piece },
			{ p, 0 } };

		rc = outfile_write(F, parts, 3);
	}
	return (rc);
}

static struct outfile *
checked(const char *name)
{
	struct outfile *F;

	cr_assert_eq(outfile_create(&F, at(name)), 0);
	cr_assert_eq(outfile_check(F), 0);
	return (F);
}

/* The digest is that of the n bytes at p, and so is the file. */
static void
expect_file(const struct outfile *F, const char *name, const uint8_t *p, size_t n)
{
	uint8_t want[RECORD_DIGEST], digest[RECORD_DIGEST], *got;
	size_t size;

	got = place_get(name, &size);
	cr_expect_eq(size, n);
	cr_expect(size == n && memcmp(got, p, n) == 0);
	free(got);
	crypto_generichash(want, sizeof want, p, n, NULL, 0);
	outfile_digest(F, digest);
	cr_expect_arr_eq(digest, want, sizeof want);
}

Test(outfile, is_read_back_and_digested_whatever_its_size)
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 1 << 20, (1 << 20) + 1, 30 << 20,
		(40 << 20) + 511 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint8_t *p = noise(sizes[i] + 1);
		struct outfile *F = checked("f");

		cr_assert_eq(write_all(F, p, sizes[i], 700001), 0);
		cr_expect_eq(outfile_size(F), sizes[i]);
		cr_expect_eq(access(at("f"), F_OK), -1, "it has its name before it is whole");
		cr_assert_eq(outfile_commit(F), 0);
		expect_file(F, "f", p, sizes[i]);
		outfile_free(F);
		io_remove(at("f"));
		free(p);
	}
}

/* Write, alter what is there behind the writer's back, and expect the answer. */
static void
alter(size_t n, size_t where, int rc)
{
	uint8_t *p = noise(n), bad = (uint8_t)~p[where];
	struct outfile *F = checked("f");
	int fd;

	cr_assert_eq(write_all(F, p, n, MIB / 2), 0);
	fd = open(at("f.part"), O_WRONLY);
	if (rc != 0)
		cr_assert(fd >= 0 && pwrite(fd, &bad, 1, (off_t)where) == 1);
	cr_expect_eq(outfile_commit(F), rc, "%zu of %zu", where, n);
	if (rc != 0)
		cr_expect(said("does not give back what was written"));
	outfile_free(F);
	cr_expect_eq(access(at("f.part"), F_OK), -1);
	cr_expect_eq(access(at("f"), F_OK), rc == 0 ? 0 : -1);
	io_remove(at("f"));
	close(fd);
	free(p);
}

Test(outfile, is_refused_when_the_medium_gives_back_something_else)
{
	alter(3 * MIB + 100, 0, 0);
	alter(3 * MIB + 100, 3 * MIB + 99, -1);
	alter(3 * MIB + 100, 2 * MIB - 1, -1);
	alter(3 * MIB + 100, 0, -1);
	alter(1, 0, -1);
}

Test(outfile, finds_early_data_that_late_data_have_overwritten)
{
	size_t n = 64 * MIB;
	uint8_t *p = noise(n), bad[4096] = { 0 };
	struct outfile *F = checked("f");
	int fd;

	cr_assert_eq(write_all(F, p, n, MIB), 0);
	/* The thread has most likely read the first MiB back by now; either way it is found. */
	cr_assert((fd = open(at("f.part"), O_WRONLY)) >= 0);
	cr_assert_eq(pwrite(fd, bad, sizeof bad, 0), (ssize_t)sizeof bad);
	cr_expect_eq(outfile_commit(F), -1);
	cr_expect(said("at byte 0 "));
	outfile_free(F);
	close(fd);
	free(p);
}

Test(outfile, stops_the_writer_when_the_medium_was_found_bad)
{
	size_t n = 32 * MIB;
	uint8_t *p = noise(n), bad = (uint8_t)~p[5];
	struct outfile *F = checked("f");
	int fd, rc = 0;

	cr_assert_eq(write_all(F, p, MIB, MIB), 0);
	cr_assert((fd = open(at("f.part"), O_WRONLY)) >= 0);
	cr_assert_eq(pwrite(fd, &bad, 1, 5), 1);
	for (int i = 0; rc == 0 && i < 100; i++)
		rc = write_all(F, p, n, MIB);
	cr_expect_eq(rc, -1);
	/* Nothing can go on with it. */
	cr_expect_eq(outfile_keep(F), 0);
	outfile_free(F);
	cr_expect_eq(access(at("f.part"), F_OK), -1);
	close(fd);
	free(p);
}

Test(outfile, goes_on_where_it_was_kept)
{
	static const size_t cuts[] = { 0, 5, 1 << 20, (1 << 20) + 4097, (26 << 20) + 3 };
	size_t n = 30 * MIB;
	uint8_t *p = noise(n);

	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		struct outfile *F = checked("f");

		cr_assert_eq(write_all(F, p, cuts[i], MIB), 0);
		/* What comes behind the cut was not verified, and goes. */
		cr_assert_eq(write_all(F, p, 1000, 1000), 0);
		cr_assert_eq(outfile_keep(F), 0);
		outfile_free(F);
		cr_assert_eq(outfile_resume(&F, at("f"), cuts[i]), 0);
		cr_assert_eq(outfile_check(F), 0);
		cr_assert_eq(write_all(F, p + cuts[i], n - cuts[i], MIB), 0);
		cr_assert_eq(outfile_commit(F), 0);
		expect_file(F, "f", p, n);
		outfile_free(F);
	}
	free(p);
}

Test(outfile, goes_on_with_nothing_that_is_not_there)
{
	struct outfile *F;

	cr_expect_eq(outfile_resume(&F, at("f"), 0), 1);
	place_put("f.part", "abc", 3);
	cr_expect_eq(outfile_resume(&F, at("f"), 4), 1);
	cr_assert_eq(symlink(at("f.part"), at("g.part")), 0);
	cr_expect_eq(outfile_resume(&F, at("g"), 3), 1);
}

Test(outfile, takes_the_place_of_a_link_and_does_not_follow_it)
{
	struct outfile *F;
	struct stat st;

	place_put("victim", "abc", 3);
	cr_assert_eq(symlink(at("victim"), at("f")), 0);
	cr_assert_eq(symlink(at("victim"), at("f.part")), 0);
	cr_assert_eq(outfile_create(&F, at("f")), 0);
	cr_assert_eq(write_all(F, (const uint8_t *)"xyz1", 4, 4), 0);
	cr_assert_eq(outfile_commit(F), 0);
	outfile_free(F);
	cr_expect(lstat(at("f"), &st) == 0 && S_ISREG(st.st_mode));
	cr_expect(stat(at("victim"), &st) == 0 && st.st_size == 3);
}

Test(outfile, says_two_when_it_may_fill_and_is_full)
{
	struct outfile *F;
	int fd = open("/dev/full", O_WRONLY);

	cr_assert(fd >= 0);
	cr_assert_not_null(F = outfile_wrap(fd, "full"));
	cr_expect_eq(write_all(F, (const uint8_t *)"x", 1, 1), -1);
	cr_expect(said("No space left"));
	cr_expect_not(outfile_is_full(F));
	outfile_may_fill(F);
	cr_expect_eq(write_all(F, (const uint8_t *)"x", 1, 1), 2);
	cr_expect(outfile_is_full(F));
	cr_expect_not(said("vmferry"));
	outfile_free(F);
	close(fd);
}
