#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/say.h"

#define SYSCALL(name) SCMP_SYS(name)

/* What every work takes: memory, threads, time, what is open. */
static const int always[] = { SYSCALL(read), SYSCALL(pread64), SYSCALL(write), SYSCALL(writev),
	SYSCALL(lseek), SYSCALL(fstat), SYSCALL(newfstatat), SYSCALL(close), SYSCALL(fadvise64),
	SYSCALL(ioctl), SYSCALL(poll), SYSCALL(mmap), SYSCALL(munmap), SYSCALL(mprotect), SYSCALL(mremap),
	SYSCALL(madvise), SYSCALL(brk), SYSCALL(futex), SYSCALL(clone), SYSCALL(clone3),
	SYSCALL(set_robust_list), SYSCALL(rseq), SYSCALL(rt_sigprocmask), SYSCALL(rt_sigaction),
	SYSCALL(rt_sigreturn), SYSCALL(restart_syscall), SYSCALL(sched_getaffinity), SYSCALL(sched_yield),
	SYSCALL(exit), SYSCALL(exit_group), SYSCALL(getrandom), SYSCALL(clock_gettime), SYSCALL(gettimeofday),
	SYSCALL(clock_nanosleep), SYSCALL(prlimit64), SYSCALL(getpid), SYSCALL(gettid), SYSCALL(tgkill),
	SYSCALL(munlock) };

/* And what a store takes: files by name. */
static const int store[] = { SYSCALL(openat), SYSCALL(open), SYSCALL(stat), SYSCALL(lstat), SYSCALL(statx),
	SYSCALL(access), SYSCALL(faccessat), SYSCALL(faccessat2), SYSCALL(readlink), SYSCALL(readlinkat),
	SYSCALL(getdents64), SYSCALL(getcwd), SYSCALL(statfs), SYSCALL(fstatfs), SYSCALL(pwrite64),
	SYSCALL(fsync), SYSCALL(fdatasync), SYSCALL(sync_file_range), SYSCALL(ftruncate), SYSCALL(fallocate),
	SYSCALL(copy_file_range), SYSCALL(rename), SYSCALL(renameat), SYSCALL(renameat2), SYSCALL(unlink),
	SYSCALL(unlinkat), SYSCALL(rmdir), SYSCALL(mkdir), SYSCALL(mkdirat), SYSCALL(symlink),
	SYSCALL(symlinkat), SYSCALL(link), SYSCALL(linkat), SYSCALL(fchmod), SYSCALL(fcntl), SYSCALL(umask),
	SYSCALL(geteuid) };

static int
add(struct sandbox *B, const char *dir, unsigned char is_looked_at)
{
	for (unsigned i = 0; i < B->ndirs; i++)
		if (strcmp(B->dirs[i], dir) == 0) {
			B->is_looked_at[i] &= is_looked_at;
			return (0);
		}
	if (B->ndirs == SANDBOX_DIRS)
		return (say_failed("%s: too many folders for one sandbox", dir));
	if ((B->dirs[B->ndirs] = strdup(dir)) == NULL)
		return (say_failed("out of memory"));
	B->is_looked_at[B->ndirs++] = is_looked_at;
	return (0);
}

int
sandbox_add(struct sandbox *B, const char *dir)
{
	return (add(B, dir, 0));
}

int
sandbox_add_look(struct sandbox *B, const char *dir)
{
	return (add(B, dir, 1));
}

void
sandbox_free(struct sandbox *B)
{
	for (unsigned i = 0; i < B->ndirs; i++)
		free(B->dirs[i]);
	B->ndirs = 0;
}

/* Every right that this kernel's Landlock knows about files; 0 where there is none. */
static uint64_t
landlock_rights(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 1)
		return (0);
	/* Version 1 has 13 rights; 2 adds renaming between folders, 3 truncation. */
	return ((UINT64_C(1) << (abi == 1 ? 13 : abi == 2 ? 14 : 15)) - 1);
}

static int
allow_dir(int ruleset, uint64_t rights, const char *dir)
{
	/* What a file that is not a folder may have. */
	const uint64_t file =
	    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | UINT64_C(1) << 14;
	struct landlock_path_beneath_attr a = { .allowed_access = rights };
	struct stat st;
	long rc;

	if ((a.parent_fd = open(dir, O_PATH | O_CLOEXEC)) < 0)
		return (say_failed("%s: cannot open: %s", dir, strerror(errno)));
	if (fstat(a.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		a.allowed_access &= file;
	rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &a, 0);
	close(a.parent_fd);
	return (rc == 0 ? 0 : say_failed("%s: cannot be allowed in the sandbox: %s", dir, strerror(errno)));
}

/* 0; 1 where there is no Landlock; -1. */
static int
restrict_files(const struct sandbox *B)
{
	struct landlock_ruleset_attr a = { .handled_access_fs = landlock_rights() };
	/* Nothing below the folders is a program or a device. */
	uint64_t rights =
	    a.handled_access_fs & ~(uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
	                                      LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SOCK);
	const uint64_t look = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	int ruleset, rc = 0;

	if (a.handled_access_fs == 0)
		return (1);
	if ((ruleset = (int)syscall(SYS_landlock_create_ruleset, &a, sizeof a, 0)) < 0)
		return (1);
	for (unsigned i = 0; rc == 0 && B->work == SANDBOX_STORE && i < B->ndirs; i++)
		rc = allow_dir(ruleset, B->is_looked_at[i] ? look : rights, B->dirs[i]);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		rc = 1;
	close(ruleset);
	return (rc);
}

static int
allow_calls(scmp_filter_ctx filter, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) != 0)
			return (-1);
	return (0);
}

/* 0; 1 where there is no seccomp. */
static int
restrict_calls(const struct sandbox *B)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (filter == NULL)
		return (1);
	rc = allow_calls(filter, always, sizeof always / sizeof *always);
	if (rc == 0 && B->work == SANDBOX_STORE)
		rc = allow_calls(filter, store, sizeof store / sizeof *store);
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return (rc == 0 ? 0 : 1);
}

int
sandbox_enter(const struct sandbox *B)
{
	int no_landlock, no_seccomp;

	/* jansson reads its seed from a file when it first needs one. */
	json_object_seed(0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return (say_failed("cannot give up privileges: %s", strerror(errno)));
	if ((no_landlock = restrict_files(B)) < 0)
		return (-1);
	no_seccomp = restrict_calls(B);
	if (!no_landlock && !no_seccomp)
		return (0);
	if (B->insist)
		return (say_refused("this kernel has no %s, and --require-sandbox was said",
		    no_landlock ? "Landlock" : "seccomp"));
	say_note("this kernel has no %s: bytes from outside are parsed without that wall",
	    no_landlock ? "Landlock" : "seccomp");
	return (0);
}
