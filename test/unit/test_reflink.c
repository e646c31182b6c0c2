#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "hyper/reflink.h"

#define BLOCK 4096
#define BLOCKS 8192 /* 32 MiB */
#define ROUNDS 5
#define TURNS 120

static char folder[] = "/tmp/vmferry-reflink.XXXXXX";

/* A file system of that kind on a loop device, for this process alone, and gone with it; 0: not here. */
static int
prepare(const char *kind, const char *options)
{
	const char *why = NULL;

	say_init("test");
	cr_assert_not_null(mkdtemp(folder));
	setenv("F", folder, 1);
	setenv("K", kind, 1);
	setenv("O", options, 1);
	if (getuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		why = "mounting wants root";
	else if (system("exec >$F/e 2>&1; PATH=$PATH:/sbin:/usr/sbin; mkdir $F/m && truncate -s 512M $F/i && "
	                "mkfs.$K -q $F/i && "
	                "mount -o loop,$O $F/i $F/m") != 0)
		why = "mkfs, mount or loop devices are not there";
	if (why != NULL)
		fprintf(stderr, "skipped: %s: %s\n", kind, why);
	return (why == NULL);
}

static void
clean(void)
{
	if (system("umount -l $F/m 2>/dev/null; rm -rf $F") != 0)
		fprintf(stderr, "%s: cannot be removed\n", folder);
}

/* What a guest, its hypervisor and its host do to a disk. */
static void
disturb(int fd)
{
	static unsigned char data[16 * BLOCK];
	off_t at = (off_t)(rand() % BLOCKS) * BLOCK;
	off_t room = (off_t)BLOCKS * BLOCK - at, n = (off_t)(1 + rand() % 16) * BLOCK;

	if (n > room)
		n = room;
	switch (rand() % 8) {
	case 0:
		cr_assert_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, n), 0);
		break;
	case 1:
		fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, at, n);
		break;
	case 2:
		memset(data, 0, sizeof data);
		cr_assert_eq(pwrite(fd, data, (size_t)n, at), n);
		break;
	case 3:
		n = 512; /* less than a block */
		at += 512 * (rand() % 8);
		/* fall through */
	default:
		for (off_t i = 0; i < n; i++)
			data[i] = (unsigned char)(rand() % 3 == 0 ? rand() : 'a');
		cr_assert_eq(pwrite(fd, data, (size_t)n, at), n);
	}
}

static void
read_list(const char *path, unsigned char *is_listed)
{
	unsigned long long start, length;
	FILE *f = fopen(path, "r");

	cr_assert_not_null(f);
	memset(is_listed, 0, BLOCKS);
	while (fscanf(f, "%llu %llu", &start, &length) == 2) {
		cr_assert(length > 0 && start + length <= (unsigned long long)BLOCKS * BLOCK);
		for (unsigned long long b = start / BLOCK; b * BLOCK < start + length; b++)
			is_listed[b] = 1;
	}
	fclose(f);
}

/* How many blocks are listed and did not change; none may have changed and not be listed. */
static int
compare(const char *older, const char *newer, const char *list)
{
	static unsigned char is_listed[BLOCKS], a[BLOCK], b[BLOCK];
	int x = open(older, O_RDONLY), y = open(newer, O_RDONLY), needless = 0;

	read_list(list, is_listed);
	for (off_t i = 0; i < BLOCKS; i++) {
		cr_assert_eq(pread(x, a, BLOCK, i * BLOCK), BLOCK);
		cr_assert_eq(pread(y, b, BLOCK, i * BLOCK), BLOCK);
		if (memcmp(a, b, BLOCK) != 0)
			cr_assert(is_listed[i], "block %d changed and is not listed", (int)i);
		else
			needless += is_listed[i];
	}
	close(x);
	close(y);
	return (needless);
}

static void
clone_as(struct reflink *R, const char *disk, const char *token)
{
	cr_assert_eq(reflink_prepare(R, disk, token), 0);
	cr_assert_eq(reflink_take(R), 0);
	cr_assert_eq(reflink_settle(R), 0);
}

static void
check(const char *kind, const char *options)
{
	char disk[PATH_MAX], older[PATH_MAX], why[HOST_WHY], since[16], token[16];
	struct reflink R;
	int fd;

	if (!prepare(kind, options)) {
		clean();
		return;
	}
	snprintf(disk, sizeof disk, "%s/m/disk.raw", folder);
	cr_assert_geq(fd = open(disk, O_RDWR | O_CREAT, 0600), 0);
	cr_assert_eq(ftruncate(fd, (off_t)BLOCKS * BLOCK), 0);
	srand(7);
	for (int i = 0; i < TURNS; i++)
		disturb(fd);
	clone_as(&R, disk, "v-0");
	for (int round = 1; round <= ROUNDS; round++) {
		snprintf(older, sizeof older, "%s", R.clone);
		snprintf(since, sizeof since, "v-%d", round - 1);
		snprintf(token, sizeof token, "v-%d", round);
		for (int i = 0; i < TURNS; i++)
			disturb(fd);
		clone_as(&R, disk, token);
		cr_assert_eq(reflink_changes(&R, since, why), 0, "%s", why);
		cr_assert_lt(compare(older, R.clone, R.list), BLOCKS / 2, "all is listed");
		cr_assert_eq(reflink_remove(disk, since), 0);
	}
	cr_assert_eq(reflink_changes(&R, "v-0", why), 2);
	cr_assert_eq(reflink_tidy(disk, "v-", "", ""), 0);
	cr_assert_eq(access(R.clone, F_OK), -1);
	close(fd);
	clean();
}

Test(reflink, lists_all_that_changed_on_xfs)
{
	check("xfs", "rw");
}

Test(reflink, lists_all_that_changed_on_btrfs)
{
	check("btrfs", "rw");
}

Test(reflink, lists_all_that_changed_on_compressed_btrfs)
{
	check("btrfs", "compress-force=zstd");
}

Test(reflink, is_not_for_file_systems_that_cannot)
{
	struct reflink R;
	char disk[PATH_MAX];

	if (prepare("ext4", "rw")) {
		snprintf(disk, sizeof disk, "%s/m/disk.raw", folder);
		close(open(disk, O_RDWR | O_CREAT, 0600));
		cr_expect_eq(reflink_prepare(&R, disk, "v-0"), 2);
		cr_expect_eq(access(R.clone, F_OK), -1);
	}
	clean();
}
