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

/* A file of that size with some bytes in it. */
static void
put(const char *name, off_t size, off_t at_byte, const void *bytes, size_t n)
{
	int fd = open(at(name), O_RDWR | O_CREAT | O_TRUNC, 0600);

	cr_assert(fd >= 0 && ftruncate(fd, size) == 0 && pwrite(fd, bytes, n, at_byte) == (ssize_t)n);
	close(fd);
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
	const char *why = "";
	struct source *S;
	int rc;

	sparse_disk();
	rc = source_open(&S, at("disk"), SOURCE_QUIET, "b0");
	if (rc == 0)
		rc = source_dirty(S, &A, &why);
	cr_expect_eq(rc, 1);
	cr_expect_str_eq(why, "a raw disk has no bitmaps");
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

Test(source, is_of_a_format_only_where_qemu_knows_that)
{
	const char *path = "";

	cr_expect_str_eq(source_image_format("qcow2:/a:b", &path), "qcow2");
	cr_expect_str_eq(path, "/a:b");
	cr_expect_str_eq(source_image_format("vhd:x", &path), "vpc");
	cr_expect_str_eq(source_image_format("raw:", &path), "raw");
	cr_expect_null(source_image_format("/srv/qcow2:x", &path));
	cr_expect_null(source_image_format("qcow:x", &path));
	cr_expect_null(source_image_format("QCOW2:x", &path));
	cr_expect_null(source_image_format(":x", &path));
	cr_expect_null(source_image_format("qcow2", &path));
	cr_expect(source_is_plain("/srv/a") && source_is_plain("vmdk"));
	cr_expect_not(source_is_plain("vmdk:/a") || source_is_plain("nbd://h"));
}

/* The name and the first bytes, or the last sector, which only a VHD has. */
Test(source, that_looks_like_an_image_needs_a_format)
{
	static const uint8_t vdi[] = { 0x7f, 0x10, 0xda, 0xbe };
	char out[PATH_MAX];

	put("a.QCOW2", 512, 0, "QFI\xfb", 4);
	put("a.img", 512, 0, "QFI\xfb", 4);
	put("b.vmdk", 512, 0, "# Disk DescriptorFile", 21);
	put("c.vdi", 512, 64, vdi, sizeof vdi);
	put("d.vhd", 1536, 1024, "conectix", 8);
	put("e.vhdx", 512, 0, "vhdxfilf", 8);
	put("f.qcow2", 3, 0, "QFI", 3);
	cr_expect_eq(source_absolute(at("a.QCOW2"), out), 1);
	cr_expect(said("say qcow2:"));
	cr_expect_eq(source_absolute(at("b.vmdk"), out), 1);
	cr_expect_eq(source_absolute(at("c.vdi"), out), 1);
	cr_expect_eq(source_absolute(at("d.vhd"), out), 1);
	cr_expect(said("say vpc:"));
	cr_expect_eq(source_absolute(at("a.img"), out), 0);
	cr_expect_eq(source_absolute(at("e.vhdx"), out), 0);
	cr_expect_eq(source_absolute(at("f.qcow2"), out), 0);
	cr_expect_str_eq(out, at("f.qcow2"));
}

Test(source, is_recorded_with_its_format_and_an_absolute_path)
{
	char named[PATH_MAX], out[PATH_MAX], want[PATH_MAX];

	put("a.qcow2", 512, 0, "QFI\xfb", 4);
	snprintf(named, sizeof named, "raw:%s", at("a.qcow2"));
	cr_expect_eq(source_absolute(named, out), 0);
	cr_expect_str_eq(out, at("a.qcow2"));
	snprintf(want, sizeof want, "vpc:%s", at("a.qcow2"));
	snprintf(named, sizeof named, "vhd:%s", at("a.qcow2"));
	cr_expect_eq(source_absolute(named, out), 0);
	cr_expect_str_eq(out, want);
	snprintf(named, sizeof named, "vhd:%s", at("nothing"));
	cr_expect_eq(source_absolute(named, out), -1);
}

Test(source, that_is_not_there_any_more_has_no_bytes_and_never_changes)
{
	struct source_stamp one, two;
	struct ranges A = RANGES_EMPTY;
	struct source *S, *T;
	const char *why;
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
