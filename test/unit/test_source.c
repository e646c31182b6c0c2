#include "place.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "bounds.h"
#include "disk/source.h"

#define SIZE (1u << 20)

TestSuite(source, .init = place_make, .fini = place_remove);

/* A disk of SIZE bytes: 64 KiB of data in its middle, holes around it. */
static void
sparse_disk(void)
{
	static uint8_t data[65536];
	int fd = open(at("disk"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	memset(data, 'd', sizeof data);
	cr_assert(fd >= 0 && ftruncate(fd, SIZE) == 0);
	cr_assert(pwrite(fd, data, sizeof data, SIZE / 2) == (ssize_t)sizeof data && close(fd) == 0);
}

static struct source *
opened(enum source_use use)
{
	struct source *S;

	cr_assert_eq(source_open(&S, at("disk"), use, NULL), 0);
	cr_assert_not_null(S);
	return (S);
}

Test(source, gives_the_bytes_of_a_file_and_its_size)
{
	uint8_t buf[8192], want[8192] = { 0 };
	struct source *S;

	sparse_disk();
	for (int use = SOURCE_QUIET; use <= SOURCE_OWN; use++) {
		S = opened((enum source_use)use);
		cr_expect_eq(source_size(S), SIZE);
		cr_expect_str_eq(source_name(S), at("disk"));
		cr_expect_eq(source_read(S, buf, sizeof buf, SIZE / 2 - 4096), 0);
		memset(want + 4096, 'd', 4096);
		cr_expect_arr_eq(buf, want, sizeof buf);
		cr_expect_eq(source_check(S), 0);
		source_close(S);
	}
}

Test(source, that_somebody_has_open_for_writing_is_refused_unless_live)
{
	struct source *S;
	int fd;

	sparse_disk();
	cr_assert((fd = open(at("disk"), O_WRONLY)) >= 0);
	cr_expect_eq(source_open(&S, at("disk"), SOURCE_QUIET, NULL), 1);
	cr_expect_null(S);
	cr_expect(said("--live-unsafe"));
	source_close(opened(SOURCE_LIVE));
	close(fd);
	cr_assert((fd = open(at("disk"), O_RDONLY)) >= 0);
	source_close(opened(SOURCE_QUIET));
	close(fd);
}

Test(source, that_somebody_opens_for_writing_while_it_is_read_is_given_up_at_once)
{
	uint8_t buf[4096];
	struct source *S;
	int status;
	pid_t pid;

	sparse_disk();
	S = opened(SOURCE_QUIET);
	cr_expect_eq(source_check(S), 0);
	/* Another process that wants to write: it is told to come again, and we are told that it came. */
	if ((pid = fork()) == 0)
		_exit(open(at("disk"), O_WRONLY | O_NONBLOCK) < 0 && errno == EWOULDBLOCK ? 0 : 1);
	cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) != 0) {
		source_close(S);
		cr_skip_test("there are no leases on this file system");
	}
	cr_expect_eq(source_read(S, buf, sizeof buf, 0), -1);
	cr_expect(said("opened it for writing"));
	cr_expect_eq(source_check(S), 1);
	source_close(S);
}

Test(source, that_is_live_is_never_asked_for_holes)
{
	uint64_t length = 0;
	struct source *S;
	int is_hole = 1;

	sparse_disk();
	S = opened(SOURCE_LIVE);
	cr_expect_eq(source_stretch(S, 0, SIZE, &length, &is_hole), 0);
	cr_expect(length == SIZE && !is_hole);
	source_close(S);
}

Test(source, that_is_quiet_tells_its_holes_and_all_its_data)
{
	uint64_t at_byte = 0, length, data = 0;
	struct source *S;
	struct stat st;
	int is_hole;

	sparse_disk();
	S = opened(SOURCE_QUIET);
	while (at_byte < SIZE) {
		cr_assert_eq(source_stretch(S, at_byte, SIZE, &length, &is_hole), 0);
		cr_assert(length > 0 && length <= SIZE - at_byte);
		cr_expect(!is_hole || at_byte + length <= SIZE / 2 || at_byte >= SIZE / 2 + 65536);
		data += is_hole ? 0 : length;
		at_byte += length;
	}
	cr_assert_eq(stat(at("disk"), &st), 0);
	if (st.st_blocks * 512 < SIZE / 2)
		cr_expect(data < SIZE / 2, "%lu bytes of data", data);
	source_close(S);
}

/* Open a live file of that size without a name, which only memory has room for: what source_open gives. */
static int
open_of_size(uint64_t size)
{
	int fd = memfd_create("disk", MFD_CLOEXEC), rc;
	char path[64];
	struct source *S;

	cr_assert(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	rc = source_open(&S, path, SOURCE_LIVE, NULL);
	cr_expect(rc == 0 ? source_size(S) == size : S == NULL);
	source_close(S);
	close(fd);
	return (rc);
}

Test(source, has_a_multiple_of_512_bytes_not_none_and_at_most_64_TiB)
{
	static const uint64_t good[] = { 512, 1024, 4096 + 512, LIMIT_DISK_SIZE - 512, LIMIT_DISK_SIZE };
	static const uint64_t bad[] = { 0, 1, 511, 513, 4095, LIMIT_DISK_SIZE + 512, LIMIT_DISK_SIZE - 1 };

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		cr_expect_eq(open_of_size(good[i]), 0, "%lu", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_expect_eq(open_of_size(bad[i]), 1, "%lu", bad[i]);
}

Test(source, that_is_no_file_is_refused_without_waiting)
{
	struct source *S;

	cr_assert(mkdir(at("folder"), 0700) == 0 && mkfifo(at("pipe"), 0600) == 0);
	cr_expect_eq(source_open(&S, at("folder"), SOURCE_QUIET, NULL), 1);
	cr_expect_eq(source_open(&S, at("pipe"), SOURCE_QUIET, NULL), 1);
	cr_expect_eq(source_open(&S, "/dev/null", SOURCE_QUIET, NULL), 1);
	cr_expect_eq(source_open(&S, at("none"), SOURCE_QUIET, NULL), -1);
	cr_expect_null(S);
}

Test(source, that_became_shorter_is_an_error_and_never_zeroes)
{
	uint8_t buf[8192];
	struct source *S;

	sparse_disk();
	S = opened(SOURCE_LIVE);
	cr_assert_eq(truncate(at("disk"), SIZE / 2), 0);
	cr_expect_eq(source_read(S, buf, sizeof buf, SIZE / 2 - 4096), -1);
	cr_expect(said("ends at byte 524288"));
	cr_expect_eq(source_read(S, buf, 512, SIZE - 512), -1);
	source_close(S);
}

Test(source, that_is_a_file_has_no_dirty_bitmap)
{
	struct ranges A = RANGES_EMPTY;
	struct source *S;
	int rc;

	sparse_disk();
	rc = source_open(&S, at("disk"), SOURCE_QUIET, "b0");
	if (rc == 0)
		rc = source_dirty(S, &A, &why);
	cr_expect_eq(rc, 1);
	cr_expect(A.n == 0);
	source_close(S);
}

Test(source, is_a_uri_only_in_the_forms_of_nbd)
{
	cr_expect(source_is_uri("nbd://h/x") && source_is_uri("nbds://h") &&
	          source_is_uri("nbd+unix:///x?socket=s"));
	cr_expect_not(source_is_uri("/srv/nbd://x"));
	cr_expect_not(source_is_uri("nbd:x"));
	cr_expect_not(source_is_uri("http://x"));
	cr_expect_not(source_is_uri(""));
}

Test(source, that_is_not_there_any_more_has_no_bytes_and_never_changes)
{
	struct source_stamp one, two;
	struct ranges A = RANGES_EMPTY;
	struct source *S, *T;
	uint8_t byte;

	cr_assert_eq(source_open_none(&S, "vda"), 0);
	cr_assert_eq(source_open_own(&T, at("nothing"), 0), 0);
	cr_expect(source_size(S) == 0 && source_size(T) == 0);
	cr_expect_eq(source_read(S, &byte, 0, 0), 0);
	cr_expect_eq(source_read(S, &byte, 1, 0), -1);
	cr_expect_eq(source_dirty(S, &A, &why), 0);
	cr_expect(A.n == 0);
	cr_expect_eq(source_check(S), 0);
	cr_expect(source_stamp(S, &one) == 0 && source_stamp(T, &two) == 0);
	cr_expect_eq(memcmp(&one, &two, sizeof one), 0);
	source_close(S);
	source_close(T);
}
